/** The public digest of an array: the identity under which caches keep it. */

import { digestText } from './digest-text.js'
import type { NdArrayLike } from './ndarray.js'
import { digestBytes } from './stage.js'

/**
 * The 128-bit digest of an ndarray, as 32 hexadecimal digits.
 *
 * `XXH3-128(elements) xor XXH3-128(header, seed 1)`, where `elements` are the bytes in C order, little-endian, and `header` is
 * the dtype's code (u8: int8 1, uint8 2, uint8_clamped 3, int16 4, uint16 5, int32 6, uint32 7, int64 8, uint64 9,
 * float16 10, float32 11, float64 12), the number of dimensions (u8) and each dimension (u64, little-endian). In Python:
 *
 *     header = struct.pack(f'<BB{a.ndim}Q', code, a.ndim, *a.shape)
 *     f'{xxhash.xxh3_128_intdigest(a.tobytes()) ^ xxhash.xxh3_128_intdigest(header, seed=1):032x}'
 *
 * In a process whose engine is the portable one it is `x` and 32 digits of another function, `XXH64(header, elements)` with seed 0 and then
 * with seed 1, so that the two never meet in a store:
 *
 *     'x' + ''.join(f'{xxhash.xxh64_intdigest(header + a.tobytes(), seed=s):016x}' for s in (0, 1))
 *
 * Equal elements of another dtype or shape give another digest; so do -0 and 0, and NaNs of other bits.
 *
 * @param array a typed array (one dimension), or anything of the form NdArrayLike, strided or not
 * @throws HitpathError INVALID_KEY, DTYPE_MISMATCH, SHAPE_MISMATCH, DETACHED
 * Source: XXH3 by Yann Collet, https://github.com/Cyan4973/xxHash
 */
export function digest(array: NdArrayLike): string {
  return digestText(digestBytes(array))
}
