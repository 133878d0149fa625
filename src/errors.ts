/**
 * The one error class of hitpath, and how a message shows the value that was refused.
 *
 * Always true: every error that hitpath throws on purpose is a `HitpathError` whose `code` is stable
 * across releases; its message is not. A miss, an expiry and a full cache are results, never errors.
 */

/** What went wrong, as a constant to branch on. */
export type HitpathErrorCode =
  /** An option is missing, unknown, of the wrong type or out of range. */
  | 'INVALID_OPTION'
  /** A key is not a string, a number, an ndarray or a prepared key of this cache. */
  | 'INVALID_KEY'
  /** Stored bytes are not a value that this codec wrote: truncated, corrupt or foreign. */
  | 'INVALID_VALUE'
  /** An argument of a call, other than a key or a value, is of the wrong type. */
  | 'INVALID_ARGUMENT'
  /** A duration is not a positive number of milliseconds nor a string such as '60s'. */
  | 'INVALID_TTL'
  /** A user's clock returned something that is not a finite number. */
  | 'INVALID_CLOCK'
  /** A value has no stored form: a function, a symbol, a promise; the message names its path. */
  | 'UNSUPPORTED_VALUE'
  /** A key, value or nesting exceeds a documented limit. */
  | 'TOO_LARGE'
  /** The element type is not the one declared, stored or expected. */
  | 'DTYPE_MISMATCH'
  /** Shape, strides and offset do not fit the data, or two shapes differ. */
  | 'SHAPE_MISMATCH'
  /** The caller's output array has less room than the result. */
  | 'OUT_TOO_SMALL'
  /** The memory under an array is gone: its buffer was transferred, or shrunk below the view. */
  | 'DETACHED'
  /** The cache, store or client has been closed. */
  | 'CLOSED'
  /** What was given to `attach` is not the handle of a shared cache. */
  | 'INVALID_HANDLE'
  /** The buffer of a handle does not hold a region. */
  | 'INVALID_REGION'
  /** The region was laid out by another version of hitpath. */
  | 'REGION_VERSION'
  /** An invariant of the region does not hold, or one of its locks is damaged. */
  | 'REGION_CORRUPT'
  /** A file is no snapshot of a cache. */
  | 'INVALID_SNAPSHOT'
  /** A snapshot was written in a format, or with digests, that this version does not read. */
  | 'SNAPSHOT_VERSION'
  /** A snapshot is damaged or truncated. */
  | 'SNAPSHOT_CORRUPT'
  /** The file system refused to read or write a snapshot; its error is the `cause`. */
  | 'SNAPSHOT_IO'
  /** A file of the package could not be loaded, the native binary or another, or is of another build; the message lists each attempt and the remedy. */
  | 'NATIVE_LOAD'
  /** The portable engine cannot do this; the message says what to do. */
  | 'UNSUPPORTED'
  /** Memory for the region could not be reserved, or views that are held leave no room in it. */
  | 'OUT_OF_MEMORY'
  /** The call needs the time and the cache was attached without the clock that it was created with. */
  | 'CLOCK_REQUIRED'
  /** The second tier did not answer within its deadline. */
  | 'L2_TIMEOUT'
  /** There is no connection to the second tier, or its circuit is open. */
  | 'L2_UNAVAILABLE'
  /** The second tier answered with an error; it is the `cause`. */
  | 'L2_ERROR'
  /** A factory did not answer within its hard timeout. */
  | 'FACTORY_TIMEOUT'
  /** A model failed for rows of a batch; the error is a PredictionError that names them. */
  | 'MODEL_ERROR'
  /** A row of a batch holds a NaN where they are refused; the message names it. */
  | 'NAN_INPUT'
  /** A configuration file has an entry that is unknown or wrong; the message names its path. */
  | 'INVALID_CONFIG'

/** An error with a `code` to branch on and, where another error led to it, that error as `cause`. */
export class HitpathError extends Error {
  readonly code: HitpathErrorCode

  constructor(code: HitpathErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  override get name(): string {
    return 'HitpathError'
  }
}

// An error of another copy of the package in this process is a HitpathError too; subclasses are judged as usual.
const BRAND = Symbol.for('hitpath.HitpathError')
Object.defineProperty(HitpathError.prototype, BRAND, { value: true })
Object.defineProperty(HitpathError, Symbol.hasInstance, {
  value(this: unknown, error: unknown): boolean {
    if (this !== HitpathError) return Function.prototype[Symbol.hasInstance].call(this as () => void, error)
    return typeof error === 'object' && error !== null && BRAND in error
  },
})

const MAX_SHOWN_CHARACTERS = 40

/** A few words on what `value` is, for a message. Never throws, whatever it is, and runs no `toString` of a user. */
export function describe(value: unknown): string {
  try {
    switch (typeof value) {
      case 'string':
        return JSON.stringify(shortened(value))
      case 'number':
        return Object.is(value, -0) ? '-0' : String(value)
      case 'bigint':
        return BigInt.asIntN(64, value) === value ? `${value}n` : 'a large bigint'
      case 'symbol':
        return shortened(String(value))
      case 'function':
        return 'a function'
      case 'object':
        return value === null ? 'null' : describeObject(value)
      default:
        return String(value)
    }
  } catch {
    return 'an object that cannot be inspected'
  }
}

function describeObject(value: object): string {
  if (Array.isArray(value)) return `an array of ${value.length}`
  const maker: unknown = value.constructor
  const name: unknown = typeof maker === 'function' ? maker.name : undefined
  if (typeof name !== 'string' || name === '' || name === 'Object') return 'an object'
  if (ArrayBuffer.isView(value) && 'length' in value) return `${shortened(name)}(${Number(value.length)})`
  return `an instance of ${shortened(name)}`
}

function shortened(text: string): string {
  return text.length > MAX_SHOWN_CHARACTERS ? `${text.slice(0, MAX_SHOWN_CHARACTERS)}…` : text
}
