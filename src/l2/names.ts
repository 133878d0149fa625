/**
 * Names in Redis: keys, buckets and the fields of generations. ENVELOPE.md tells other languages the same.
 *
 * Always true: all keys of a bucket share the hash tag `{namespace#bucket}`, so they lie in one Cluster slot and one script may touch
 * them together. Keys are UTF-8; a lone surrogate, which has no UTF-8, is written as its three bytes would be (WTF-8), so that no two
 * names share a key.
 */
import { describe, HitpathError } from '../errors.js'

/** Hashed generations of a bucket. */
const FIELDS = 1024
const MAX_NAMESPACE = 128
const SLOTS = 16_384
const LONE_SURROGATES = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** A key or an argument of a command. */
export type Word = string | Buffer

const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc & 0xffff
})

/** CRC-16/XMODEM of the text's bytes: what Cluster hashes slots with, and Python's `binascii.crc_hqx(bytes, 0)`. */
export function crc16(text: string): number {
  let crc = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 127) return crc16OfBytes(encodeName(text))
    crc = ((crc << 8) & 0xffff) ^ (CRC_TABLE[(crc >> 8) ^ unit] as number)
  }
  return crc
}

function crc16OfBytes(bytes: Word): number {
  let crc = 0
  for (const byte of Buffer.from(bytes as Buffer)) {
    crc = ((crc << 8) & 0xffff) ^ (CRC_TABLE[(crc >> 8) ^ byte] as number)
  }
  return crc
}

/** What a command takes for the name: itself, or its bytes when it has lone surrogates. */
export function encodeName(name: string): Word {
  if (name.isWellFormed()) return name
  const parts: Buffer[] = []
  let from = 0
  for (const { index } of name.matchAll(LONE_SURROGATES)) {
    const unit = name.charCodeAt(index)
    parts.push(Buffer.from(name.slice(from, index)))
    parts.push(Buffer.from([0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 63), 0x80 | (unit & 63)]))
    from = index + 1
  }
  parts.push(Buffer.from(name.slice(from)))
  return Buffer.concat(parts)
}

/** The name whose bytes these are; bytes that are no text become U+FFFD. */
export function decodeName(bytes: Buffer): string {
  let name = ''
  let from = 0
  for (let i = 0; i + 2 < bytes.length; i++) {
    const [second, third] = [bytes[i + 1] as number, bytes[i + 2] as number]
    if (bytes[i] !== 0xed || (second & 0xe0) !== 0xa0 || (third & 0xc0) !== 0x80) continue
    name +=
      bytes.toString('utf8', from, i) + String.fromCharCode(0xd000 | ((second & 63) << 6) | (third & 63))
    from = i + 3
    i += 2
  }
  return name + bytes.toString('utf8', from)
}

/**
 * What the bus says of a name: the name, or, as a message is UTF-8 and cannot carry lone surrogates, a glob over the caller's keys that
 * matches it.
 */
export function announced(kind: 's' | 'd', name: string): readonly [kind: string, name: string] {
  if (name.isWellFormed()) return [kind, name]
  return ['p', escapeGlob(name.slice(1)).replace(LONE_SURROGATES, '?')]
}

/** A glob that matches this text alone. */
export function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\]/g, '\\$&')
}

/** @throws HitpathError INVALID_OPTION unless it is 1 to 128 characters without braces, blanks or control characters */
export function checkNamespace(namespace: unknown, path: string): string {
  if (
    typeof namespace === 'string' &&
    namespace.length > 0 &&
    namespace.length <= MAX_NAMESPACE &&
    namespace.isWellFormed() &&
    !/[{}\s\p{Cc}]/u.test(namespace)
  ) {
    return namespace
  }
  throw new HitpathError(
    'INVALID_OPTION',
    `${path} must be a string of 1 to ${MAX_NAMESPACE} characters without braces, blanks or control characters; ` +
      `got ${describe(namespace)}`,
  )
}

interface BucketKeys {
  readonly bus: string
  readonly sequence: string
  readonly generations: string
  readonly entry: string
  readonly tag: string
  readonly lease: string
  /** Cluster slot of all of them. */
  readonly slot: number
}

/** The keys of one namespace. */
export class Keyspace {
  readonly buckets: number
  /** Of bucket 0, where it lives. */
  readonly epoch: string
  /** Begins every key of the namespace, in any bucket. */
  readonly #stem: string
  readonly #keys: readonly BucketKeys[]

  constructor(prefix: string, namespace: string, buckets: number) {
    this.buckets = buckets
    this.#stem = `${prefix}:{${namespace}#`
    this.#keys = Array.from({ length: buckets }, (_, bucket) => {
      const stem = `${this.#stem}${bucket}}:`
      return {
        bus: `${stem}bus`,
        sequence: `${stem}seq`,
        generations: `${stem}gen`,
        entry: `${stem}e:`,
        tag: `${stem}t:`,
        lease: `${stem}l:`,
        slot: crc16(`${namespace}#${bucket}`) % SLOTS,
      }
    })
    this.epoch = `${this.#stem}0}:epoch`
  }

  bucketOf(name: string): number {
    return this.buckets === 1 ? 0 : crc16(name) % this.buckets
  }

  of(bucket: number): BucketKeys {
    const keys = this.#keys[bucket]
    if (keys !== undefined) return keys
    throw new HitpathError(
      'INVALID_ARGUMENT',
      `the namespace has ${this.buckets} buckets; got ${describe(bucket)}`,
    )
  }

  entry(bucket: number, name: string): Word {
    return joined(this.of(bucket).entry, name)
  }

  lease(bucket: number, name: string): Word {
    return joined(this.of(bucket).lease, name)
  }

  tag(bucket: number, tag: string): Word {
    return joined(this.of(bucket).tag, tag)
  }

  /** Field of a name in the hash of generations. */
  field(name: string): string {
    return String((crc16(name) >> 4) & (FIELDS - 1))
  }

  /** Pattern of SCAN that finds all entries whose name begins as `glob` (in the words of Redis) says, in every bucket. */
  scanPattern(glob: Word): Word {
    const head = `${escapeGlob(this.#stem)}*}:e:`
    return typeof glob === 'string' ? head + glob : Buffer.concat([Buffer.from(head), glob])
  }

  /** The bucket and name of an entry's key; undefined when it is another key that the pattern found. */
  parse(key: Buffer): { readonly bucket: number; readonly name: string } | undefined {
    const text = decodeName(key)
    if (!text.startsWith(this.#stem)) return undefined
    const [head, digits] = /^(\d{1,4})\}:e:/.exec(text.slice(this.#stem.length)) ?? []
    if (head === undefined || Number(digits) >= this.buckets || String(Number(digits)) !== digits)
      return undefined
    return { bucket: Number(digits), name: text.slice(this.#stem.length + head.length) }
  }
}

/** What a key of hitpath is, whatever its namespace. */
export interface KeyParts {
  readonly namespace: string
  readonly bucket: number
  readonly kind: 'entry' | 'tag' | 'lease' | 'bus' | 'sequence' | 'generations' | 'epoch'
  /** Of an entry, a tag or a lease; else empty. */
  readonly name: string
}

const KINDS: Readonly<Record<string, KeyParts['kind']>> = {
  'e:': 'entry',
  't:': 'tag',
  'l:': 'lease',
  bus: 'bus',
  seq: 'sequence',
  gen: 'generations',
  epoch: 'epoch',
}
const KEY = /^:\{([^{}\s]{1,128})#(0|[1-9]\d{0,3})\}:(?:([etl]:)([\s\S]*)|(bus|seq|gen|epoch))$/

/** The parts of a key that begins with `prefix`; undefined when it is none of hitpath's. */
export function keyParts(prefix: string, key: Buffer): KeyParts | undefined {
  const text = decodeName(key)
  const [, namespace, digits, named, name = '', fixed] =
    (text.startsWith(prefix) && KEY.exec(text.slice(prefix.length))) || []
  const kind = KINDS[named ?? fixed ?? '']
  if (namespace === undefined || kind === undefined) return undefined
  return { namespace, bucket: Number(digits), kind, name }
}

/**
 * Pattern of SCAN over the keys of a namespace, or of all namespaces.
 *
 * @param nested those of the namespaces within it too
 * @param glob in the words of Redis over the string keys of entries: then only these
 */
export function keysPattern(prefix: string, namespace?: string, nested = false, glob?: Word): Word {
  const stem = namespace === undefined ? `${prefix}:{` : `${prefix}:{${namespace}`
  const head = `${escapeGlob(stem)}${namespace === undefined ? '*#' : nested ? '[#:]' : '#'}*}:`
  if (glob === undefined) return `${head}*`
  return Buffer.concat([Buffer.from(`${head}e:s`), Buffer.from(glob as Buffer)])
}

/** `prefix` is well formed. The whole is looked at, so that it is made flat once. */
function joined(prefix: string, name: string): Word {
  const key = prefix + name
  return key.isWellFormed() ? key : Buffer.concat([Buffer.from(prefix), encodeName(name) as Buffer])
}
