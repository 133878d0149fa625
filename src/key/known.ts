/**
 * Arrays that are asked for again and again: windows that a service fills anew and looks up. Native code remembers where their elements
 * lie, so that it need not be told, nor ask V8, at each call. The elements themselves are hashed at each call.
 *
 * Always true: a number is staged only for the very array that it was given for, whose length is then as it was. The length is read
 * from the array's internal slot, which a detached array answers with 0 for ever and a shrunk one too, and V8 does not move the bytes of a
 * buffer, so what native code remembers is still there. A buffer that can be resized is not remembered. Nothing here keeps an array alive.
 * Cost: a fifth of a hit by an array of some kilobytes less; by one that is made for the call a tenth more. To learn one costs a microsecond, so one unknown
 * array in many is learnt: in the fewer, the less those that were learnt are asked for.
 */
import { doubles, native, words } from '../native/binding.js'
import {
  BIT_OFFSET,
  BIT_SMALL_KEY,
  BIT_STRIDED,
  FORM_KNOWN,
  KNOWN_ARRAYS,
  STAGING_BITS,
  STAGING_FORM,
  STAGING_KEY_OFFSET,
  STAGING_KNOWN,
  STAGING_LAST_KNOWN,
  STAGING_SHAPE,
} from '../native/layout.js'
import { type DTypeCode, dtypeRow, type TypedArray } from './dtype.js'

/** How an array was described when it was learnt. */
export interface KnownArray {
  readonly number: number
  /** Elements of the typed array. */
  readonly length: number
  readonly rows: number
  /** 0 where there is one dimension. */
  readonly columns: number
  readonly first: number
  readonly scope: number
  readonly dtype: string
}

/** Of how many unknown arrays one is learnt, at least and at most. */
const LEAST_INTERVAL = 16
const MOST_INTERVAL = 256
/** Of as many unknown arrays as 2 to this, one that is known makes learning worth its while. */
const WORTH_BITS = 3

const { learnArray } = native
const arrays = new WeakMap<object, KnownArray>()
let interval = LEAST_INTERVAL
let untilLearning = LEAST_INTERVAL
/** Hits on known arrays since one was learnt. */
let known = 0

const lengthOf = getter(Object.getPrototypeOf(Uint8Array.prototype), 'length') as (this: unknown) => number
const resizable = getter(ArrayBuffer.prototype, 'resizable')
const growable = getter(SharedArrayBuffer.prototype, 'growable')
const bufferOf = getter(Object.getPrototypeOf(Uint8Array.prototype), 'buffer') as (
  this: unknown,
) => ArrayBufferLike

function getter(prototype: object, name: string): ((this: unknown) => unknown) | undefined {
  return Object.getOwnPropertyDescriptor(prototype, name)?.get
}

/** What is known of a typed array that was learnt. */
export function knownArray(data: unknown): KnownArray | undefined {
  return arrays.get(data as object)
}

/** Stages an array by its number, if it is where it was; whether it is. None of the user's code may run between this and the call. */
export function stageKnown(array: KnownArray, data: unknown, bits: number): boolean {
  if (lengthOf.call(data) !== array.length) return false
  if (array.number <= (doubles[STAGING_LAST_KNOWN / 8] as number) - KNOWN_ARRAYS) return false
  words[STAGING_FORM / 4] = FORM_KNOWN
  words[STAGING_BITS / 4] = bits
  doubles[STAGING_KNOWN / 8] = array.number
  if (known < MOST_INTERVAL) known++
  return true
}

/** After an array was staged whole: learns it, now and then. */
export function maybeLearn(data: TypedArray, dtype: DTypeCode, ndim: number, scope: number): void {
  if (--untilLearning > 0 || learnArray === undefined) return
  // Shifts, since V8 would allocate for what may be no small integer.
  interval =
    known < interval >> WORTH_BITS
      ? Math.min(interval << 1, MOST_INTERVAL)
      : Math.max(interval >> 1, LEAST_INTERVAL)
  untilLearning = interval
  known = 0
  learn(data, dtype, ndim, scope)
}

function learn(data: TypedArray, dtype: DTypeCode, ndim: number, scope: number): void {
  const bits = words[STAGING_BITS / 4] as number
  if (ndim === 0 || ndim > 2 || (bits & (BIT_STRIDED | BIT_SMALL_KEY)) !== 0 || isResizable(data)) return
  const before = doubles[STAGING_LAST_KNOWN / 8] as number
  learnArray?.(data)
  const number = doubles[STAGING_LAST_KNOWN / 8] as number
  if (number === before) return
  arrays.set(data, {
    number: compact(number),
    length: lengthOf.call(data),
    rows: compact(doubles[STAGING_SHAPE / 8] as number),
    columns: ndim === 2 ? compact(doubles[STAGING_SHAPE / 8 + 1] as number) : 0,
    first: (bits & BIT_OFFSET) === 0 ? 0 : compact(doubles[STAGING_KEY_OFFSET / 8] as number),
    scope,
    dtype: dtypeRow(dtype).name,
  })
}

/** The same number, which V8 then keeps in the object: what comes out of a Float64Array has memory of its own. */
function compact(value: number): number {
  return value === (value | 0) ? value | 0 : value
}

function isResizable(data: TypedArray): boolean {
  const buffer = bufferOf.call(data)
  try {
    return resizable?.call(buffer) === true
  } catch {
    return growable?.call(buffer) === true // a SharedArrayBuffer
  }
}
