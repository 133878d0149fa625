/** What the bytes under the key of an entry are, by the codec's own reading of them. */
import { decodePayload, ENVELOPE_MAGIC, type EnvelopeHeader, readHeader } from '../../codec/envelope.js'
import { describe } from '../../errors.js'
import { NdArray } from '../../key/c-order-array.js'
import { dtypeOf, dtypeRow, isTypedArray } from '../../key/dtype.js'

/**
 * `damaged`: an envelope of this format by its first bytes, and no whole one, or its payload is no value; `format`: of another format;
 * `foreign`: none of hitpath's.
 */
export type ReadEntry =
  | { readonly kind: 'value'; readonly head: EnvelopeHeader; readonly value: unknown }
  | { readonly kind: 'damaged'; readonly why: string }
  | { readonly kind: 'format'; readonly format: number }
  | { readonly kind: 'foreign' }

export function readEntry(bytes: Buffer): ReadEntry {
  const [first, second, format] = ENVELOPE_MAGIC
  if (bytes[0] !== first || bytes[1] !== second) return { kind: 'foreign' }
  if (bytes[2] !== format) return { kind: 'format', format: bytes[2] ?? 0 }
  const head = readHeader(bytes)
  if (head === undefined)
    return { kind: 'damaged', why: 'the head of the envelope contradicts itself or the length' }
  if (head.negative) return { kind: 'value', head, value: undefined }
  const payload = decodePayload(bytes, head, { copy: true })
  if (payload === undefined) return { kind: 'damaged', why: 'the payload cannot be decoded' }
  return { kind: 'value', head, value: payload.value }
}

export interface ValueType {
  /** `float32 array`, `object`, `string`, ... */
  readonly name: string
  /** Of an ndarray or a typed array. */
  readonly shape: readonly number[] | undefined
}

export function typeOfValue(value: unknown): ValueType {
  if (value instanceof NdArray) return { name: value.dtype, shape: value.shape }
  if (Buffer.isBuffer(value)) return { name: 'Buffer', shape: undefined }
  if (isTypedArray(value)) return { name: dtypeRow(dtypeOf(value)).name, shape: [value.length] }
  if (Array.isArray(value)) return { name: 'array', shape: undefined }
  if (typeof value !== 'object') return { name: typeof value, shape: undefined }
  if (value === null) return { name: 'null', shape: undefined }
  const said = describe(value)
  return {
    name: said.startsWith('an instance of ') ? said.slice('an instance of '.length) : 'object',
    shape: undefined,
  }
}

export type State = 'fresh' | 'stale' | 'expired' | 'cleared' | 'tag'

/** What is known of a tag: its version, null when it has none, undefined when it was not looked at. */
export type TagVersion = (tag: string) => number | null | undefined

export interface Judged {
  readonly state: State
  readonly because: string
}

/** In the order in which a read looks. @param nowMs the server's clock; @param epoch of the namespace now */
export function judgeEntry(
  head: EnvelopeHeader,
  nowMs: number,
  epoch: number,
  versionOf: TagVersion,
): Judged {
  if (head.epoch < epoch) return { state: 'cleared', because: 'the namespace was cleared after it was made' }
  if (head.deadAt < nowMs) return { state: 'expired', because: 'its time is over' }
  for (const { name, version } of head.tags) {
    const now = versionOf(name)
    if (now === null) return { state: 'tag', because: `nothing is known of its tag ${name}` }
    if (now !== undefined && now > version)
      return { state: 'tag', because: `its tag ${name} was invalidated after it was made` }
  }
  if (head.freshUntil < nowMs)
    return {
      state: 'stale',
      because: 'its ttl is over; it is kept for its grace, for when the factory fails',
    }
  return { state: 'fresh', because: head.negative ? 'known to have no value' : 'a read takes it' }
}
