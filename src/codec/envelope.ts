/**
 * What stands in Redis under the name of an entry: a head with deadlines, version and tags, then the value.
 * ENVELOPE.md describes it byte for byte, with the names, for other languages.
 *
 *    0  u8 0xC1, which opens no msgpack value   1  u8 0x68 'h'   2  u8 format = 1
 *    3  u8 flags: 1 the payload is raw deflate, 2 negative (there is no payload); other bits are 0
 *    4  u32 bytes of the payload, uncompressed
 *    8  f64 fresh until     16  f64 dead at, >= fresh until     (server's wall clock, ms; +Infinity: never)
 *   24  f64 version of the write, filled in by the store
 *   32  f32 ms that the factory took, 0 unknown
 *   36  u16 tags   38  u16 bytes from 40 to the payload: a multiple of 8, zero padded
 *   40  f64 epoch, then for each tag: f64 version, u16 bytes, UTF-8 name
 *   ..  payload: the value as value.ts writes it
 *
 * Always true: little endian; bytes that are not exactly this are `undefined`, never an error, and nothing is allocated by a length
 * that they claim beyond `maxBytes`, nor beyond what deflate can make of the bytes that are there.
 * Cost: encoding copies the payload once, out of msgpackr's buffer. Reading the head does not touch the payload.
 */
import { isUtf8 } from 'node:buffer'
import { types } from 'node:util'
import { describe, HitpathError } from '../errors.js'
import { deflate, inflate, MAX_DEFLATE_RATIO } from './envelope-deflate.js'
import { decodeValue, encodeValueAfter } from './value.js'

/** A tag of an entry, and the version of that tag under which the value was made. */
export interface EnvelopeTag {
  readonly name: string
  readonly version: number
}

export interface EnvelopeMeta {
  /** The server's wall clock in ms until which the value is fresh. `Infinity`: for ever. */
  readonly freshUntil: number
  /** Until when it may be served stale. Default `freshUntil`, below which it cannot lie. */
  readonly deadAt?: number
  /** Version of the write, an integer; 0 (default) where the store fills it in. */
  readonly version?: number
  /** Milliseconds that the factory took; 0 (default) when unknown. Kept with 24 bits. */
  readonly factoryMs?: number
  /** Epoch of the namespace under which the value was made. Default 0. */
  readonly epoch?: number
  readonly tags?: readonly EnvelopeTag[]
  /** Says that there is no value, and is remembered as such; the value given is not written. Default false. */
  readonly negative?: boolean
}

/** What a head says. */
export interface EnvelopeHeader extends Required<EnvelopeMeta> {
  readonly compressed: boolean
  /** Bytes of the payload once it is decompressed. */
  readonly payloadBytes: number
  /** Where the payload begins; a multiple of 8. */
  readonly payloadAt: number
}

export interface EncodeEnvelopeOptions {
  /**
   * Payloads of more bytes than this are deflated, when that saves a tenth at least. Default `Infinity`: never. It costs
   * some 2 to 50 ms a MiB on the calling thread, most for arrays of floats, which shrink least.
   */
  readonly compressAbove?: number
}

export interface ReadHeaderOptions {
  /** Payloads that claim more bytes than this are refused. Default 512 MiB. */
  readonly maxBytes?: number
}

export interface DecodePayloadOptions {
  /**
   * Whether arrays and Buffers own their memory. With false they are views of the envelope's bytes wherever these are
   * aligned to the element. Default: views when the payload is aligned to 8 and the envelope is at least half of the memory that it
   * lies in, so that a small array never keeps a large socket buffer alive; else copies. What was compressed never shares.
   */
  readonly copy?: boolean
}

export interface DecodedPayload {
  readonly value: unknown
  /** Whether arrays and Buffers in `value` may be views of the bytes that were read. */
  readonly shared: boolean
}

/** Where scripts find and write the version: a little-endian double. */
export const ENVELOPE_VERSION_AT = 24
/** The first three bytes of every envelope of this format. */
export const ENVELOPE_MAGIC: Uint8Array = Uint8Array.of(0xc1, 0x68, 1)
export const DEFAULT_MAX_PAYLOAD_BYTES = 512 * 2 ** 20

const FLAG = { compressed: 1, negative: 2 } as const
const FIXED_BYTES = 40
const EPOCH_BYTES = 8
const TAG_HEAD_BYTES = 10
const MAX_UINT16 = 0xffff
const MAX_UINT32 = 0xffff_ffff
const MAX_FLOAT32 = 3.4028234663852886e38

/**
 * The envelope of a value.
 *
 * @throws HitpathError as `encodeValue` does; INVALID_ARGUMENT for a deadline, version or tag that has no stored form; TOO_LARGE when
 *   the names of the tags take more than 64 KiB or the payload 4 GiB
 */
export function encodeEnvelope(
  meta: EnvelopeMeta,
  value: unknown,
  options: EncodeEnvelopeOptions = {},
): Buffer {
  const tags = meta.tags ?? []
  const payloadAt = FIXED_BYTES + sectionBytes(tags)
  if (meta.negative) {
    const bytes = Buffer.allocUnsafeSlow(payloadAt)
    writeHead(bytes, meta, tags, FLAG.negative, payloadAt, 0)
    return bytes
  }
  const plain = encodeValueAfter(payloadAt, value)
  const payloadBytes = plain.length - payloadAt
  if (payloadBytes > MAX_UINT32) throw new HitpathError('TOO_LARGE', `a payload of ${payloadBytes} bytes`)
  const deflated =
    payloadBytes > (options.compressAbove ?? Infinity) ? deflate(plain.subarray(payloadAt)) : undefined
  if (deflated === undefined) {
    writeHead(plain, meta, tags, 0, payloadAt, payloadBytes)
    return plain
  }
  const bytes = Buffer.allocUnsafeSlow(payloadAt + deflated.length)
  bytes.set(deflated, payloadAt)
  writeHead(bytes, meta, tags, FLAG.compressed, payloadAt, payloadBytes)
  return bytes
}

/** What the head says; undefined when `bytes` are no envelope of this format, or one that contradicts itself. Never throws. */
export function readHeader(bytes: Uint8Array, options: ReadHeaderOptions = {}): EnvelopeHeader | undefined {
  if (!types.isUint8Array(bytes) || bytes.length < FIXED_BYTES + EPOCH_BYTES) return undefined
  for (let i = 0; i < ENVELOPE_MAGIC.length; i++) if (bytes[i] !== ENVELOPE_MAGIC[i]) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const flags = view.getUint8(3)
  const payloadBytes = view.getUint32(4, true)
  const freshUntil = view.getFloat64(8, true)
  const deadAt = view.getFloat64(16, true)
  const version = view.getFloat64(ENVELOPE_VERSION_AT, true)
  const factoryMs = view.getFloat32(32, true)
  const payloadAt = FIXED_BYTES + view.getUint16(38, true)
  const epoch = view.getFloat64(FIXED_BYTES, true)
  if (!isDeadline(freshUntil) || !(deadAt >= freshUntil)) return undefined
  if (!isVersion(version) || !isVersion(epoch)) return undefined
  if (!(factoryMs >= 0 && factoryMs < Infinity)) return undefined
  if (payloadAt % 8 !== 0 || payloadBytes > (options.maxBytes ?? DEFAULT_MAX_PAYLOAD_BYTES)) return undefined
  if (!payloadFits(flags, payloadBytes, bytes.length - payloadAt)) return undefined
  const tags = readTags(bytes, view, payloadAt)
  if (tags === undefined) return undefined
  const negative = flags === FLAG.negative
  const compressed = flags === FLAG.compressed
  return {
    freshUntil,
    deadAt,
    version,
    factoryMs,
    epoch,
    tags,
    negative,
    compressed,
    payloadBytes,
    payloadAt,
  }
}

/**
 * The value of an envelope whose head is `header`; undefined when it is negative, or its payload is not what the head says or no
 * value. Never throws.
 */
export function decodePayload(
  bytes: Uint8Array,
  header: EnvelopeHeader,
  options: DecodePayloadOptions = {},
): DecodedPayload | undefined {
  if (header.negative) return undefined
  const stored = bytes.subarray(header.payloadAt)
  try {
    if (header.compressed) {
      const inflated = inflate(stored, header.payloadBytes)
      return inflated && { value: decodeValue(inflated, { copy: false }), shared: false }
    }
    const copy =
      options.copy ?? (stored.byteOffset % 8 !== 0 || bytes.byteLength * 2 < bytes.buffer.byteLength)
    return { value: decodeValue(stored, { copy }), shared: !copy }
  } catch {
    return undefined // INVALID_VALUE, or an error of zlib
  }
}

function writeHead(
  bytes: Buffer,
  meta: EnvelopeMeta,
  tags: readonly EnvelopeTag[],
  flags: number,
  payloadAt: number,
  payloadBytes: number,
): void {
  const { freshUntil, deadAt = freshUntil, version = 0, factoryMs = 0, epoch = 0 } = meta
  if (!isDeadline(freshUntil)) throw refused('freshUntil', 'milliseconds of at least 0', freshUntil)
  if (!(deadAt >= freshUntil)) throw refused('deadAt', `at least freshUntil, ${freshUntil}`, deadAt)
  if (!isVersion(version)) throw refused('version', 'an integer from 0 to 2^53 - 1', version)
  if (!isVersion(epoch)) throw refused('epoch', 'an integer from 0 to 2^53 - 1', epoch)
  if (!(factoryMs >= 0)) throw refused('factoryMs', 'milliseconds of at least 0', factoryMs)
  bytes.set(ENVELOPE_MAGIC)
  bytes[3] = flags
  bytes.writeUInt32LE(payloadBytes, 4)
  bytes.writeDoubleLE(freshUntil, 8)
  bytes.writeDoubleLE(deadAt, 16)
  bytes.writeDoubleLE(version, ENVELOPE_VERSION_AT)
  bytes.writeFloatLE(Math.min(factoryMs, MAX_FLOAT32), 32)
  bytes.writeUInt16LE(tags.length, 36)
  bytes.writeUInt16LE(payloadAt - FIXED_BYTES, 38)
  let at = bytes.writeDoubleLE(epoch, FIXED_BYTES)
  for (const tag of tags) {
    if (!isVersion(tag.version))
      throw refused('the version of a tag', 'an integer from 0 to 2^53 - 1', tag.version)
    at = bytes.writeDoubleLE(tag.version, at)
    const nameBytes = bytes.write(tag.name, at + 2, 'utf8')
    at = bytes.writeUInt16LE(nameBytes, at) + nameBytes
  }
  if (at < payloadAt) bytes.fill(0, at, payloadAt)
}

/** Bytes from the epoch to the payload. */
function sectionBytes(tags: readonly EnvelopeTag[]): number {
  let byteLength = EPOCH_BYTES
  for (const { name } of tags) {
    if (typeof name !== 'string' || !name.isWellFormed())
      throw refused('the name of a tag', 'a string without lone surrogates', name)
    byteLength += TAG_HEAD_BYTES + Buffer.byteLength(name)
  }
  const padded = (byteLength + 7) & ~7
  if (padded > MAX_UINT16)
    throw new HitpathError('TOO_LARGE', `${tags.length} tags take ${byteLength} bytes; at most 65,528 fit`)
  return padded
}

function readTags(bytes: Uint8Array, view: DataView, payloadAt: number): EnvelopeTag[] | undefined {
  const tags: EnvelopeTag[] = []
  let at = FIXED_BYTES + EPOCH_BYTES
  for (let left = view.getUint16(36, true); left > 0; left--) {
    if (payloadAt - at < TAG_HEAD_BYTES) return undefined
    const version = view.getFloat64(at, true)
    const end = at + TAG_HEAD_BYTES + view.getUint16(at + 8, true)
    if (end > payloadAt || !isVersion(version)) return undefined
    const name = utf8Text(bytes, at + TAG_HEAD_BYTES, end)
    if (name === undefined) return undefined
    tags.push({ name, version })
    at = end
  }
  if (payloadAt - at >= 8) return undefined
  while (at < payloadAt) if (bytes[at++] !== 0) return undefined
  return tags
}

/** Undefined when the bytes are no UTF-8. */
function utf8Text(bytes: Uint8Array, start: number, end: number): string | undefined {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const text = buffer.toString('utf8', start, end)
  return text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end)) ? undefined : text
}

/** Whether `stored` bytes after the head can be a payload of `payloadBytes`. */
function payloadFits(flags: number, payloadBytes: number, stored: number): boolean {
  switch (flags) {
    case 0:
      return stored === payloadBytes && payloadBytes > 0
    case FLAG.compressed:
      return stored > 0 && payloadBytes > 0 && payloadBytes <= stored * MAX_DEFLATE_RATIO
    case FLAG.negative:
      return stored === 0 && payloadBytes === 0
    default:
      return false
  }
}

export function isDeadline(ms: number): boolean {
  return ms >= 0
}

export function isVersion(version: number): boolean {
  return Number.isSafeInteger(version) && version >= 0
}

function refused(what: string, expected: string, value: unknown): HitpathError {
  return new HitpathError('INVALID_ARGUMENT', `${what} must be ${expected}; got ${describe(value)}`)
}
