/**
 * Records of snapshots: read, written and checked as by native/core/snapshot.cc.
 *
 * Always true: checkRecords() proves every length before one is read by it.
 */
import type { Buffer } from 'node:buffer'
import {
  KEY_DIGEST,
  KEY_LATIN1,
  KEY_NUMBER,
  KEY_PORTABLE,
  KEY_UTF16,
  MAX_DIMS,
  MAX_TAGS,
  TAG_ARRAY,
  TAG_BUFFER,
  TAG_FALSE,
  TAG_LATIN1,
  TAG_MSGPACK,
  TAG_ND_ARRAY,
  TAG_NULL,
  TAG_NUMBER,
  TAG_TRUE,
  TAG_UTF16,
} from '../layout.js'
import {
  HEAT_FREQ,
  HEAT_MAIN,
  keyOffset,
  MAX_KEY_UNITS,
  RECORD_DEADLINE,
  RECORD_DIGEST_BYTES,
  RECORD_HEAD_BYTES,
  RECORD_HEAT,
  RECORD_KEY_KIND,
  RECORD_KEY_LENGTH,
  RECORD_TAG_BYTES,
  RECORD_TAG_COUNT,
  RECORD_VALUE_LENGTH,
  RECORD_VALUE_TAG,
  RECORD_ZERO,
  recordBytes,
  stringKeyEncoding,
  stringKeyKind,
  stringKeyOf,
} from '../record.js'
import { WIDTHS } from './digest.js'
import { digestKey } from './digest-key.js'
import type { Key } from './store.js'

/** A dtype has four bits of a value's tag. */
const DTYPES = 16
const NO_TAGS: readonly string[] = []

/** A record whose lengths were proved. */
export class RecordView {
  readonly #bytes: Buffer
  readonly at: number

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.at = at
  }

  get deadline(): number {
    return this.#bytes.readDoubleLE(this.at + RECORD_DEADLINE)
  }

  get keyKind(): number {
    return this.#byte(RECORD_KEY_KIND)
  }

  get heat(): number {
    return this.#byte(RECORD_HEAT)
  }

  /** Of the whole record. */
  get size(): number {
    return recordBytes(this.#byte(RECORD_TAG_COUNT), this.#keyLength, this.#valueLength)
  }

  /** Digests, as digestKey() gives them. */
  tags(): readonly string[] {
    const count = this.#byte(RECORD_TAG_COUNT)
    if (count === 0) return NO_TAGS
    const digests = new Array<string>(count)
    for (let i = 0, at = this.at + RECORD_HEAD_BYTES; i < count; i++, at += RECORD_TAG_BYTES)
      digests[i] = digestKey(this.#bytes, at)
    return digests
  }

  /** Of the key, as a Store knows it: its strings are of one kind. */
  get storeKind(): number {
    const kind = this.keyKind
    return kind === KEY_PORTABLE ? KEY_DIGEST : kind === KEY_UTF16 ? KEY_LATIN1 : kind
  }

  /** As a Store knows it. */
  key(): Key {
    const from = this.#keyAt
    const kind = this.keyKind
    if (kind === KEY_NUMBER) return this.#bytes.readDoubleLE(from) + 0 // -0 is 0
    if (kind === KEY_PORTABLE) return digestKey(this.#bytes, from)
    return stringKeyOf(kind, this.#bytes.subarray(from, from + this.#keyLength))
  }

  /** Whether the value is one that a set could have stored; what msgpack says is for its decoder to judge. `dtypes`: of typed arrays, a bit each. */
  hasValue(dtypes: number): boolean {
    const length = this.#valueLength
    const tag = this.#byte(RECORD_VALUE_TAG)
    switch (tag) {
      case TAG_NULL:
      case TAG_FALSE:
      case TAG_TRUE:
        return length === 0
      case TAG_NUMBER:
        return length === 8
      case TAG_LATIN1:
      case TAG_BUFFER:
        return true
      case TAG_UTF16:
        return length % 2 === 0
      case TAG_MSGPACK:
        return length !== 0
    }
    const width = WIDTHS[tag % DTYPES] ?? 0
    if (tag < TAG_ARRAY || tag >= TAG_ND_ARRAY + DTYPES || width === 0) return false
    if (tag >= TAG_ND_ARRAY) return this.#isNdArray(width)
    return ((dtypes >>> (tag % DTYPES)) & 1) !== 0 && length % width === 0
  }

  /** Whether the dimensions, which stand behind the elements, are theirs. */
  #isNdArray(width: number): boolean {
    const length = this.#valueLength
    const end = this.#keyAt + this.#keyLength + length
    if (length < 4) return false
    const dims = this.#bytes.readUInt32LE(end - 4)
    const elements = length - 4 * (dims + 1)
    if (dims > MAX_DIMS || elements < 0) return false
    let product = width
    let empty = false
    for (let i = dims; i > 0; i--) {
      const extent = this.#bytes.readUInt32LE(end - 4 * (i + 1))
      empty ||= extent === 0
      if (!empty && product <= elements) product *= extent
    }
    return (empty ? 0 : product) === elements
  }

  get #keyAt(): number {
    return keyOffset(this.#bytes, this.at)
  }

  get #keyLength(): number {
    return this.#bytes.readUInt32LE(this.at + RECORD_KEY_LENGTH)
  }

  get #valueLength(): number {
    return this.#bytes.readUInt32LE(this.at + RECORD_VALUE_LENGTH)
  }

  #byte(offset: number): number {
    return this.#bytes[this.at + offset] as number
  }

  /** Whether all of it lies in its bytes, and says what some set() could have stored. */
  isSound(): boolean {
    if (this.#bytes.length - this.at < RECORD_HEAD_BYTES || this.size > this.#bytes.length - this.at)
      return false
    const zero = this.#bytes.readUInt32LE(this.at + RECORD_ZERO)
    if (this.#byte(RECORD_TAG_COUNT) > MAX_TAGS || zero !== 0 || !this.#hasKey()) return false
    if (Number.isNaN(this.deadline) || this.heat > (HEAT_FREQ | HEAT_MAIN)) return false
    return this.#byte(RECORD_TAG_COUNT) < 2 || new Set(this.tags()).size === this.#byte(RECORD_TAG_COUNT)
  }

  #hasKey(): boolean {
    switch (this.keyKind) {
      case KEY_LATIN1:
        return this.#keyLength <= MAX_KEY_UNITS
      case KEY_UTF16:
        return this.#keyLength % 2 === 0 && this.#keyLength / 2 <= MAX_KEY_UNITS
      case KEY_NUMBER:
        return this.#keyLength === 8
      case KEY_DIGEST:
      case KEY_PORTABLE:
        return this.#keyLength === RECORD_DIGEST_BYTES
      default:
        return false
    }
  }
}

/** Whether the bytes are exactly so many records. */
export function areRecords(bytes: Buffer, records: number): boolean {
  let at = 0
  for (let i = 0; i < records; i++) {
    const record = new RecordView(bytes, at)
    if (!record.isSound()) return false
    at += record.size
  }
  return at === bytes.length
}

export interface RecordHead {
  readonly deadline: number
  readonly heat: number
  readonly tags: readonly string[]
  readonly kind: number
  readonly key: Key
}

/** Writes a record that has no value yet at `start`. Its bytes; where they do not fit nothing is written. */
export function writeRecord(out: Buffer, start: number, head: RecordHead): number {
  const { deadline, heat, tags, key } = head
  const kind =
    head.kind === KEY_DIGEST ? KEY_PORTABLE : typeof key === 'string' ? stringKeyKind(key) : KEY_NUMBER
  const length = typeof key === 'string' ? key.length * (kind === KEY_LATIN1 ? 1 : 2) : 8
  const size = recordBytes(tags.length, length, 0)
  if (size > out.length - start) return size
  out.fill(0, start + size - 8, start + size)
  out.writeDoubleLE(deadline, start + RECORD_DEADLINE)
  out.writeUInt32LE(0, start + RECORD_VALUE_LENGTH)
  out.writeUInt32LE(length, start + RECORD_KEY_LENGTH)
  out[start + RECORD_KEY_KIND] = kind
  out[start + RECORD_VALUE_TAG] = 0
  out[start + RECORD_TAG_COUNT] = tags.length
  out[start + RECORD_HEAT] = heat
  out.writeUInt32LE(0, start + RECORD_ZERO)
  let at = start + RECORD_HEAD_BYTES
  for (const tag of tags) at += out.write(tag, at, 'utf16le')
  if (typeof key === 'string') out.write(key, at, stringKeyEncoding(kind))
  else out.writeDoubleLE(key, at)
  return size
}
