/**
 * The digest of an array on the portable engine: XXH64 twice, by the WebAssembly of xxhash-wasm.
 *
 *   digest(array) = XXH64(header ‖ elements, seed 0) ‖ XXH64(header ‖ elements, seed 1)
 *
 * `header` is that of native/core/digest.h (dtype, dimensions, each of them), followed by the scope's word if there is one; elements in C
 * order. Another function than the native engine's, so a MARK follows the sixteen bytes wherever they are kept, and their text begins
 * with `x`: the digests of the two engines never meet.
 *
 * The module of xxhash-wasm compiles asynchronously; its bytes are 3 KB, so here they are compiled when the first array comes, at
 * once. Always true: nothing of the user's runs between the reading of staging words and the result.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { HitpathError } from '../../errors.js'
import { packageRoot } from '../here.js'
import {
  BIT_OFFSET,
  BIT_SCOPE,
  BIT_SMALL_KEY,
  BIT_STRIDED,
  MAX_DIMS,
  STAGING_BITS,
  STAGING_FORM,
  STAGING_KEY_OFFSET,
  STAGING_SCOPE,
  STAGING_SHAPE,
  STAGING_STRIDES,
} from '../layout.js'
import type { StagingArea } from './staging.js'

export const DIGEST_BYTES = 16
/** The seventeenth byte. */
export const MARK = 1

const SEEDS = [0n, 1n] as const
/** Bytes an element, by the codes of src/key/dtype.ts. */
export const WIDTHS: readonly number[] = [0, 1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8]

// The memory of the module: a state for each seed, then the input of a call.
const STATE_BYTES = 128
const INPUT = 2 * STATE_BYTES
const MAX_HEADER = 2 + 8 * MAX_DIMS + 8
/** An input up to this is hashed in one call, a longer one by pieces. */
const PIECE = 65_536
const PAGE = 65_536

/** Of the global `WebAssembly`, which the types of Node leave to those of browsers, what is used here. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: unknown }
}

interface Exports {
  readonly mem: { readonly buffer: ArrayBuffer; grow(pages: number): number }
  xxh64(at: number, length: number, seed: bigint): bigint
  init64(state: number, seed: bigint): void
  update64(state: number, at: number, length: number): void
  digest64(state: number): bigint
}

let loaded: ArrayDigest | undefined

/** @throws HitpathError NATIVE_LOAD when xxhash-wasm is not where it was installed */
export function arrayDigest(): ArrayDigest {
  loaded ??= new ArrayDigest(compiled())
  return loaded
}

function compiled(): Exports {
  try {
    const main = createRequire(join(packageRoot, 'package.json')).resolve('xxhash-wasm')
    const bytes = readFileSync(join(dirname(dirname(main)), 'workerd', 'xxhash.wasm'))
    return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as Exports
  } catch (cause) {
    throw new HitpathError(
      'NATIVE_LOAD',
      'the portable engine needs the package xxhash-wasm 1.1 for keys that are arrays: install hitpath with its dependencies',
      { cause },
    )
  }
}

export class ArrayDigest {
  readonly #exports: Exports
  readonly #memory: Uint8Array
  readonly #view: DataView

  constructor(exports: Exports) {
    this.#exports = exports
    const wanted = INPUT + MAX_HEADER + PIECE
    const missing = Math.ceil((wanted - exports.mem.buffer.byteLength) / PAGE)
    if (missing > 0) exports.mem.grow(missing)
    this.#memory = new Uint8Array(exports.mem.buffer)
    this.#view = new DataView(exports.mem.buffer)
  }

  /** Writes the digest of the array that the staging area describes to `out`. False when it leaves its buffer or is no array. */
  write(staging: StagingArea, array: unknown, out: DataView): boolean {
    const { words, doubles } = staging
    const form = words[STAGING_FORM / 4] as number
    const bits = words[STAGING_BITS / 4] as number
    const ndim = form >>> 16
    const width = WIDTHS[(form >>> 8) & 0xff] ?? 0
    if (ndim > MAX_DIMS || width === 0) return false
    const elements = sizeOf(doubles, ndim)
    if (elements === undefined) return false
    const header = this.#writeHeader(words, doubles, ndim, bits)
    const first = (bits & BIT_OFFSET) === 0 ? 0 : (doubles[STAGING_KEY_OFFSET / 8] as number)
    const end = INPUT + header
    if (elements === 0) {
      this.#finish(end, out)
      return true
    }
    const small = (bits & BIT_SMALL_KEY) !== 0
    if (!small && !ArrayBuffer.isView(array)) return false
    const room = small ? staging.scratch.length : (array as Uint8Array).byteLength
    if (!Number.isInteger(first) || !inBounds(doubles, ndim, bits, first, elements, room / width))
      return false
    const bytes = small
      ? staging.scratch
      : new Uint8Array(
          (array as Uint8Array).buffer,
          (array as Uint8Array).byteOffset,
          (array as Uint8Array).byteLength,
        )
    if ((bits & BIT_STRIDED) !== 0) {
      this.#begin(header)
      this.#finishPieces(this.#walk(doubles, ndim, bytes, width, first), out)
      return true
    }
    const from = first * width
    const length = elements * width
    if (length <= PIECE) {
      if (length <= 64) for (let i = 0; i < length; i++) this.#memory[end + i] = bytes[from + i] as number
      else this.#memory.set(bytes.subarray(from, from + length), end)
      this.#finish(end + length, out)
      return true
    }
    this.#begin(header)
    for (let at = 0; at < length; at += PIECE) {
      const piece = bytes.subarray(from + at, from + Math.min(length, at + PIECE))
      this.#memory.set(piece, INPUT)
      this.#update(piece.length)
    }
    this.#finishPieces(0, out)
    return true
  }

  #writeHeader(words: Uint32Array, doubles: Float64Array, ndim: number, bits: number): number {
    const memory = this.#memory
    memory[INPUT] = ((words[STAGING_FORM / 4] as number) >>> 8) & 0xff
    memory[INPUT + 1] = ndim
    let at = INPUT + 2
    for (let axis = 0; axis < ndim; axis++, at += 8)
      this.#writeWord(at, doubles[STAGING_SHAPE / 8 + axis] as number)
    const scope = (bits & BIT_SCOPE) === 0 ? 0 : (doubles[STAGING_SCOPE / 8] as number)
    if (scope !== 0) {
      this.#writeWord(at, scope)
      at += 8
    }
    return at - INPUT
  }

  #writeWord(at: number, whole: number): void {
    this.#view.setUint32(at, whole % 2 ** 32, true)
    this.#view.setUint32(at + 4, Math.floor(whole / 2 ** 32), true)
  }

  /** Hashes the input up to `end` in one call a seed. */
  #finish(end: number, out: DataView): void {
    const { xxh64 } = this.#exports
    for (const [i, seed] of SEEDS.entries()) out.setBigUint64(8 * i, xxh64(INPUT, end - INPUT, seed), false)
  }

  #begin(header: number): void {
    this.#memory.fill(0, 0, INPUT) // init64() takes the rest of a state for zero
    for (const [i, seed] of SEEDS.entries()) this.#exports.init64(i * STATE_BYTES, seed)
    this.#update(header)
  }

  #update(length: number): void {
    for (let i = 0; i < SEEDS.length; i++) this.#exports.update64(i * STATE_BYTES, INPUT, length)
  }

  /** `pending`: bytes that lie in the input still. */
  #finishPieces(pending: number, out: DataView): void {
    this.#update(pending)
    for (let i = 0; i < SEEDS.length; i++)
      out.setBigUint64(8 * i, this.#exports.digest64(i * STATE_BYTES), false)
  }

  /** Feeds the elements of a strided array in C order, a piece at a time. Bytes that were not fed. */
  #walk(doubles: Float64Array, ndim: number, bytes: Uint8Array, width: number, first: number): number {
    const memory = this.#memory
    const index = new Array<number>(ndim).fill(0)
    let used = 0
    let at = first
    for (;;) {
      if (used + width > PIECE) {
        this.#update(used)
        used = 0
      }
      for (let i = 0; i < width; i++) memory[INPUT + used + i] = bytes[at * width + i] as number
      used += width
      let axis = ndim - 1
      for (; axis >= 0; axis--) {
        const stride = doubles[STAGING_STRIDES / 8 + axis] as number
        const extent = doubles[STAGING_SHAPE / 8 + axis] as number
        const next = (index[axis] as number) + 1
        if (next < extent) {
          index[axis] = next
          at += stride
          break
        }
        index[axis] = 0
        at -= stride * (extent - 1)
      }
      if (axis < 0) return used
    }
  }
}

/** Elements of the staged shape; undefined when an extent is no whole number. */
function sizeOf(doubles: Float64Array, ndim: number): number | undefined {
  let elements = 1
  for (let axis = 0; axis < ndim; axis++) {
    const extent = doubles[STAGING_SHAPE / 8 + axis] as number
    if (!Number.isSafeInteger(extent) || extent < 0) return undefined
    elements *= extent
  }
  return elements
}

/** Whether every element that shape, strides and offset reach lies in `room` elements. */
function inBounds(
  doubles: Float64Array,
  ndim: number,
  bits: number,
  first: number,
  elements: number,
  room: number,
): boolean {
  if ((bits & BIT_STRIDED) === 0) return first >= 0 && first + elements <= room
  let low = first
  let high = first
  for (let axis = 0; axis < ndim; axis++) {
    const extent = doubles[STAGING_SHAPE / 8 + axis] as number
    const reach = (extent - 1) * (doubles[STAGING_STRIDES / 8 + axis] as number)
    if (reach < 0) low += reach
    else high += reach
  }
  return low >= 0 && high < room
}
