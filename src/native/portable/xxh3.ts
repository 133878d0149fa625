/**
 * XXH3 (Yann Collet, xxHash 0.8) as far as snapshots need it, which hold checksums and digests of tags by it: XXH3-64 of more than 16 bytes with
 * a seed, and XXH3-128 of any bytes. xxhash-wasm, which digests arrays here, has no XXH3.
 */
import { longSums, SECRET } from './xxh3-long.js'

const PRIME32_2 = 0x85eb_ca77n
const PRIME64_1 = 0x9e37_79b1_85eb_ca87n
const PRIME64_2 = 0xc2b2_ae3d_27d4_eb4fn
const PRIME64_3 = 0x1656_67b1_9e37_79f9n
const PRIME64_4 = 0x85eb_ca77_c2b2_ae63n
const PRIME_MX1 = 0x1656_6791_9e37_79f9n
const PRIME_MX2 = 0x9fb2_1c65_1e98_df25n
const MIDDLE = 240
/** Of the secret, for inputs of up to MIDDLE bytes. */
const LEAST_SECRET = 136

export interface Hash128 {
  readonly low: bigint
  readonly high: bigint
}

const secretView = viewOf(SECRET)

/** Of more than 16 bytes. */
export function xxh3Of64(bytes: Uint8Array, seed: bigint): bigint {
  const n = bytes.length
  const start = wrap(BigInt(n) * PRIME64_1)
  if (n > MIDDLE) {
    const secret = seed === 0n ? SECRET : seededSecret(seed)
    return merged(longSums(bytes, secret), viewOf(secret), 11, start)
  }
  const input = viewOf(bytes)
  let sum = start
  if (n <= 128) {
    for (let i = Math.floor((n - 1) / 32); i >= 0; i--)
      sum += mix16(input, 16 * i, 32 * i, seed) + mix16(input, n - 16 * (i + 1), 32 * i + 16, seed)
    return avalanche(wrap(sum))
  }
  for (let i = 0; i < 8; i++) sum += mix16(input, 16 * i, 16 * i, seed)
  sum = avalanche(wrap(sum))
  for (let i = 8; i < n >> 4; i++) sum += mix16(input, 16 * i, 16 * (i - 8) + 3, seed)
  return avalanche(wrap(sum + mix16(input, n - 16, LEAST_SECRET - 17, seed)))
}

/** Without a seed. */
export function xxh3Of128(bytes: Uint8Array): Hash128 {
  const n = bytes.length
  if (n <= 16) return n > 8 ? upTo16(bytes) : n > 3 ? upTo8(bytes) : upTo3(bytes)
  const length = BigInt(n)
  if (n > MIDDLE) {
    const sums = longSums(bytes, SECRET)
    return {
      low: merged(sums, secretView, 11, wrap(length * PRIME64_1)),
      high: merged(sums, secretView, SECRET.length - 64 - 11, wrap(~(length * PRIME64_2))),
    }
  }
  const input = viewOf(bytes)
  let low = wrap(length * PRIME64_1)
  let high = 0n
  const mix32 = (first: number, second: number, secret: number): void => {
    low = wrap(low + mix16(input, first, secret, 0n)) ^ wrap(word(input, second) + word(input, second + 8))
    high =
      wrap(high + mix16(input, second, secret + 16, 0n)) ^ wrap(word(input, first) + word(input, first + 8))
  }
  if (n <= 128) {
    for (let i = Math.floor((n - 1) / 32); i >= 0; i--) mix32(16 * i, n - 16 * (i + 1), 32 * i)
  } else {
    for (let at = 0; at < 128; at += 32) mix32(at, at + 16, at)
    low = avalanche(low)
    high = avalanche(high)
    for (let at = 128; at + 32 <= n; at += 32) mix32(at, at + 16, at - 128 + 3)
    mix32(n - 16, n - 32, LEAST_SECRET - 17 - 16)
  }
  return {
    low: avalanche(wrap(low + high)),
    high: wrap(-avalanche(wrap(low * PRIME64_1 + high * PRIME64_4 + length * PRIME64_2))),
  }
}

function upTo16(bytes: Uint8Array): Hash128 {
  const input = viewOf(bytes)
  const n = bytes.length
  const first = word(input, 0)
  const last = word(input, n - 8)
  const flipped = last ^ secretWord(48) ^ secretWord(56)
  const product = (first ^ last ^ wrap(secretWord(32) ^ secretWord(40))) * PRIME64_1
  const high = wrap((product >> 64n) + flipped + (flipped & 0xffff_ffffn) * (PRIME32_2 - 1n))
  const low = wrap(product + (BigInt(n - 1) << 54n)) ^ swap64(high)
  const again = low * PRIME64_2
  return { low: avalanche(wrap(again)), high: avalanche(wrap((again >> 64n) + high * PRIME64_2)) }
}

function upTo8(bytes: Uint8Array): Hash128 {
  const input = viewOf(bytes)
  const n = bytes.length
  const joined = BigInt(input.getUint32(0, true)) | (BigInt(input.getUint32(n - 4, true)) << 32n)
  const product = (joined ^ secretWord(16) ^ secretWord(24)) * (PRIME64_1 + (BigInt(n) << 2n))
  let low = wrap(product)
  const high = wrap((product >> 64n) + (low << 1n))
  low ^= high >> 3n
  low = wrap((low ^ (low >> 35n)) * PRIME_MX2)
  return { low: low ^ (low >> 28n), high: avalanche(high) }
}

function upTo3(bytes: Uint8Array): Hash128 {
  const n = bytes.length
  if (n === 0)
    return {
      low: avalanche64(secretWord(64) ^ secretWord(72)),
      high: avalanche64(secretWord(80) ^ secretWord(88)),
    }
  const [first, middle, last] = [bytes[0], bytes[n >> 1], bytes[n - 1]] as [number, number, number]
  const joined = ((first << 16) | (middle << 24) | last | (n << 8)) >>> 0
  const swapped = ((last << 24) | (n << 16) | (first << 8) | middle) >>> 0
  const rotated = ((swapped << 13) | (swapped >>> 19)) >>> 0
  const flip = (at: number): number =>
    (secretView.getUint32(at, true) ^ secretView.getUint32(at + 4, true)) >>> 0
  return {
    low: avalanche64(BigInt((joined ^ flip(0)) >>> 0)),
    high: avalanche64(BigInt((rotated ^ flip(8)) >>> 0)),
  }
}

function merged(sums: readonly bigint[], secret: DataView, at: number, start: bigint): bigint {
  let result = start
  for (let i = 0; i < 8; i += 2)
    result += fold(
      (sums[i] as bigint) ^ word(secret, at + 8 * i),
      (sums[i + 1] as bigint) ^ word(secret, at + 8 * i + 8),
    )
  return avalanche(wrap(result))
}

function seededSecret(seed: bigint): Uint8Array {
  const secret = new Uint8Array(SECRET.length)
  const view = viewOf(secret)
  for (let at = 0; at < secret.length; at += 16) {
    view.setBigUint64(at, wrap(secretWord(at) + seed), true)
    view.setBigUint64(at + 8, wrap(secretWord(at + 8) - seed), true)
  }
  return secret
}

function mix16(input: DataView, at: number, secret: number, seed: bigint): bigint {
  return fold(
    word(input, at) ^ wrap(secretWord(secret) + seed),
    word(input, at + 8) ^ wrap(secretWord(secret + 8) - seed),
  )
}

/** The halves of a product, one over the other. */
function fold(a: bigint, b: bigint): bigint {
  const product = a * b
  return wrap(product) ^ (product >> 64n)
}

function avalanche(h: bigint): bigint {
  const mixed = wrap((h ^ (h >> 37n)) * PRIME_MX1)
  return mixed ^ (mixed >> 32n)
}

/** That of XXH64. */
function avalanche64(h: bigint): bigint {
  let mixed = wrap((h ^ (h >> 33n)) * PRIME64_2)
  mixed = wrap((mixed ^ (mixed >> 29n)) * PRIME64_3)
  return mixed ^ (mixed >> 32n)
}

function swap64(value: bigint): bigint {
  const view = new DataView(new ArrayBuffer(8))
  view.setBigUint64(0, value, true)
  return view.getBigUint64(0, false)
}

function word(view: DataView, at: number): bigint {
  return view.getBigUint64(at, true)
}

function secretWord(at: number): bigint {
  return word(secretView, at)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function wrap(value: bigint): bigint {
  return BigInt.asUintN(64, value)
}
