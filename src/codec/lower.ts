/**
 * From any value to what msgpackr writes without loss: plain arrays, plain dictionaries, primitives, `Tag`,
 * `ArrayPayload` and `Verbatim`.
 *
 * Always true: the value is not changed, and what needs no lowering is returned as it is, not copied.
 * A value with no stored form is refused with its path.
 */
import { types } from 'node:util'
import { describe, HitpathError } from '../errors.js'
import {
  type ArrayView,
  cOrderBytes,
  isNdArrayLike,
  isTypedArray,
  type TypedArray,
  viewOf,
} from '../key/ndarray.js'
import { ArrayPayload } from './array-payload.js'
import { isPlain, survivesUtf8 } from './plain.js'
import { ARRAY_KIND, MAX_DEPTH, TAG, Verbatim } from './wire.js'

/** msgpackr writes -0 as the integer 0. */
const NEGATIVE_ZERO = new Verbatim(Uint8Array.of(0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0))

const NDARRAY_FIELDS: ReadonlySet<string> = new Set(
  ['data', 'shape', 'dims', 'dtype', 'type', 'stride', 'strides', 'offset', 'size'], //
)

type Step = string | number | { readonly mapKey: unknown }

/**
 * @throws HitpathError UNSUPPORTED_VALUE with the path of the part that has no stored form, TOO_LARGE when it
 *   nests deeper than 500 or an array exceeds 4 GiB, DETACHED when an array has lost its memory
 */
export function lower(value: unknown): unknown {
  if (isPlain(value)) return value
  const lowering = new Lowering()
  try {
    return lowering.lower(value)
  } catch (cause) {
    if (cause instanceof HitpathError) throw cause
    throw lowering.refusal('UNSUPPORTED_VALUE', 'cannot be read', cause)
  }
}

class Lowering {
  /** Each object met, with its place in the order in which they open. */
  readonly #numbers = new Map<object, number>()
  readonly #path: Step[] = []

  lower(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
        return survivesUtf8(value) ? value : [TAG.string, Buffer.from(value, 'utf16le')]
      case 'number':
        return Object.is(value, -0) ? NEGATIVE_ZERO : value
      case 'bigint':
        return lowerBigInt(value)
      case 'object':
        return value === null ? null : this.#object(value)
      case 'function':
      case 'symbol':
        throw this.#unsupported(value)
      default:
        return value
    }
  }

  refusal(code: 'UNSUPPORTED_VALUE' | 'TOO_LARGE', what: string, cause?: unknown): HitpathError {
    return new HitpathError(code, `${pathText(this.#path)} ${what}`, cause === undefined ? {} : { cause })
  }

  #unsupported(value: unknown): HitpathError {
    return this.refusal('UNSUPPORTED_VALUE', `is ${describe(value)}, which has no stored form`)
  }

  /** Only what may be refused, or holds more, needs its step on the path. */
  #child(value: unknown, step: Step): unknown {
    const type = typeof value
    if (type !== 'object' && type !== 'function' && type !== 'symbol') return this.lower(value)
    this.#path.push(step)
    const lowered = this.lower(value)
    this.#path.pop()
    return lowered
  }

  #object(value: object): unknown {
    const number = this.#numbers.get(value)
    if (number !== undefined) return [TAG.reference, number]
    if (this.#path.length > MAX_DEPTH) throw this.refusal('TOO_LARGE', `nests deeper than ${MAX_DEPTH}`)
    if (Array.isArray(value)) return this.#array(this.#met(value))
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) return this.#instance(value)
    this.#met(value)
    return lowerNdArray(value) ?? this.#dictionary(value, true)
  }

  #met<T extends object>(object: T): T {
    this.#numbers.set(object, this.#numbers.size)
    return object
  }

  #array(items: readonly unknown[]): readonly unknown[] {
    let lowered: unknown[] | undefined = items.constructor === Array ? undefined : []
    const { length } = items
    for (let i = 0; i < length; i++) {
      const item = items[i]
      const low = this.#child(item, i)
      if (lowered === undefined && !Object.is(low, item)) lowered = items.slice(0, i)
      if (lowered !== undefined) lowered[i] = low
    }
    return lowered ?? items
  }

  /** The own enumerable string keys, as structured clone takes them. */
  #dictionary(source: object, asIs: boolean): unknown {
    const from = source as Readonly<Record<string, unknown>>
    const keys = Object.keys(source)
    if (!keys.every(survivesUtf8)) return this.#taggedDictionary(from, keys)
    let lowered: Record<string, unknown> | undefined = asIs ? undefined : {}
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string
      const value = from[key]
      const low = this.#child(value, key)
      if (lowered === undefined && !Object.is(low, value)) {
        lowered = {}
        for (let done = 0; done < i; done++) define(lowered, keys[done] as string, from[keys[done] as string])
      }
      if (lowered !== undefined) define(lowered, key, low)
    }
    return lowered ?? source
  }

  #taggedDictionary(from: Readonly<Record<string, unknown>>, keys: readonly string[]): unknown[] {
    const lowered: unknown[] = [TAG.dictionary]
    for (const key of keys) lowered.push(this.lower(key), this.#child(from[key], key))
    return lowered
  }

  #instance(value: object): unknown {
    if (types.isBoxedPrimitive(value)) return this.lower(unboxed(value))
    this.#met(value)
    if (isTypedArray(value)) return lowerTypedArray(value)
    const ndarray = lowerNdArray(value)
    if (ndarray !== undefined) return ndarray
    if (types.isMap(value)) return this.#map(value)
    if (types.isSet(value)) return this.#set(value)
    if (types.isDate(value)) return lowerDate(value)
    if (types.isRegExp(value)) return [TAG.regexp, this.lower(value.source), value.flags]
    if (types.isNativeError(value) || value instanceof Error) return this.#error(value)
    if (types.isArrayBuffer(value)) return bytesPayload(ARRAY_KIND.arrayBuffer, () => new Uint8Array(value))
    if (types.isDataView(value)) {
      return bytesPayload(
        ARRAY_KIND.dataView,
        () => new Uint8Array(value.buffer, value.byteOffset, value.byteLength),
      )
    }
    if (hasHiddenState(value)) throw this.#unsupported(value)
    return this.#dictionary(value, false)
  }

  #map(map: ReadonlyMap<unknown, unknown>): unknown[] {
    const lowered: unknown[] = [TAG.map]
    for (const [key, value] of map) {
      const step: Step = { mapKey: key }
      lowered.push(this.#child(key, step), this.#child(value, step))
    }
    return lowered
  }

  #set(set: ReadonlySet<unknown>): unknown[] {
    const lowered: unknown[] = [TAG.set]
    for (const item of set) lowered.push(this.#child(item, lowered.length - 1))
    return lowered
  }

  /** As structured clone, but for the stack, which tells of another process. */
  #error(error: Error): unknown[] {
    const lowered: unknown[] = [TAG.error, this.lower(String(error.name)), this.lower(String(error.message))]
    if (Object.hasOwn(error, 'cause')) lowered.push(this.#child(error.cause, 'cause'))
    return lowered
  }
}

function lowerBigInt(value: bigint): unknown {
  if (BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value) return value
  return [TAG.bigint, value.toString(16)]
}

/** A Buffer stays as it is: msgpackr writes it as bin. */
function lowerTypedArray(array: TypedArray): unknown {
  const view = viewOf(array)
  if (array instanceof Buffer && array.constructor === Buffer) return array
  return new ArrayPayload(ARRAY_KIND.typedArray, view.dtype, [], cOrderBytes(view))
}

function lowerNdArray(value: object): ArrayPayload | undefined {
  const view = ndArrayViewOf(value)
  return view && new ArrayPayload(ARRAY_KIND.ndarray, view.dtype, view.shape, cOrderBytes(view))
}

/**
 * What is stored as an ndarray: an object of that form with a valid layout. A dictionary only when it holds nothing else, so
 * that no field of a user's is lost. Undefined for everything else.
 */
export function ndArrayViewOf(value: object): ArrayView | undefined {
  const prototype: unknown = Object.getPrototypeOf(value)
  if ((prototype === Object.prototype || prototype === null) && !holdsOnlyNdArray(value)) return undefined
  if (!isNdArrayLike(value)) return undefined
  try {
    return viewOf(value)
  } catch (error) {
    if (error instanceof HitpathError && error.code !== 'DETACHED') return undefined
    throw error
  }
}

function lowerDate(date: Date): unknown {
  const timeMs = Date.prototype.getTime.call(date)
  if (Number.isNaN(timeMs)) return [TAG.invalidDate]
  return date.constructor === Date ? date : new Date(timeMs)
}

function bytesPayload(kind: number, bytes: () => Uint8Array): ArrayPayload {
  try {
    return new ArrayPayload(kind, 0, [], bytes())
  } catch (cause) {
    if (cause instanceof HitpathError) throw cause
    throw new HitpathError(
      'DETACHED',
      'the buffer of this value was transferred or shrunk: its data is gone',
      { cause },
    )
  }
}

function holdsOnlyNdArray(value: object): boolean {
  if (!('data' in value) || !isTypedArray(value.data)) return false
  return Object.keys(value).every((key) => NDARRAY_FIELDS.has(key))
}

/** Built-ins whose content is not in their properties: as a dictionary they would come back empty. */
function hasHiddenState(value: object): boolean {
  return (
    types.isPromise(value) ||
    types.isWeakMap(value) ||
    types.isWeakSet(value) ||
    types.isSharedArrayBuffer(value) ||
    types.isGeneratorObject(value) ||
    types.isExternal(value) ||
    (Object.keys(value).length === 0 && Object.prototype.toString.call(value) !== '[object Object]')
  )
}

function unboxed(value: object): unknown {
  if (types.isNumberObject(value)) return Number.prototype.valueOf.call(value)
  if (types.isStringObject(value)) return String.prototype.valueOf.call(value)
  if (types.isBooleanObject(value)) return Boolean.prototype.valueOf.call(value)
  if (types.isBigIntObject(value)) return BigInt.prototype.valueOf.call(value)
  return Symbol.prototype.valueOf.call(value)
}

/** Assigns without meeting the setter of `__proto__`. */
export function define(target: object, key: string, value: unknown): void {
  if (key !== '__proto__') (target as Record<string, unknown>)[key] = value
  else Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true })
}

const MAX_STEPS_SHOWN = 20

function pathText(path: readonly Step[]): string {
  const steps = path.slice(0, MAX_STEPS_SHOWN).map(stepText).join('')
  return `value${steps}${path.length > MAX_STEPS_SHOWN ? '…' : ''}`
}

function stepText(step: Step): string {
  if (typeof step === 'number') return `[${step}]`
  if (typeof step === 'object') return `.get(${describe(step.mapKey)})`
  return /^[A-Za-z_$][\w$]*$/.test(step) ? `.${step}` : `[${describe(step)}]`
}
