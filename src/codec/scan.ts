/**
 * A walk over the bytes of a message before anything is built from them.
 *
 * Always true of a message that passes: it is one msgpack value, every length lies within the bytes that are
 * there, it nests no deeper than `encodeValue` writes, and no extension but ours occurs. So a forged header
 * cannot make msgpackr allocate, recurse or run one of its own extensions.
 * Cost: one pass over the tokens, none over the contents of strings and arrays; nothing is allocated but the result.
 */
import { HitpathError } from '../errors.js'
import { EXTENSION, MAX_DEPTH } from './wire.js'

export interface ScannedMessage {
  /** Whether a tag occurs, so that what msgpackr gives must be raised. */
  readonly hasTags: boolean
  /** Whether a string '__proto__' occurs, which msgpackr renames when it is the key of a map. */
  readonly hasProtoKey: boolean
}

const PROTO_KEY = Buffer.from('__proto__')

/** Tags add one level to the value that they hold: [tag, hex]. */
const MAX_MESSAGE_DEPTH = MAX_DEPTH + 2

/** Items still to come at each open container. */
const pending = new Float64Array(MAX_MESSAGE_DEPTH + 1)

/** @throws HitpathError INVALID_VALUE */
export function scanMessage(bytes: Uint8Array): ScannedMessage {
  const scan = new Scan(bytes)
  let depth = 0
  pending[0] = 1
  for (;;) {
    while (pending[depth] === 0) {
      if (depth === 0) return scan.finished()
      depth--
    }
    pending[depth] = (pending[depth] as number) - 1
    const items = scan.token()
    if (items > 0) {
      if (++depth > MAX_MESSAGE_DEPTH) throw malformed(`nests deeper than ${MAX_MESSAGE_DEPTH}`)
      pending[depth] = items
    }
  }
}

class Scan implements ScannedMessage {
  hasTags = false
  hasProtoKey = false
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  finished(): ScannedMessage {
    if (this.#at !== this.#bytes.length)
      throw malformed(`has ${this.#bytes.length - this.#at} bytes after its end`)
    return this
  }

  /** Passes one token with its contents; returns how many items follow that belong to it. */
  token(): number {
    const first = this.#uint(1)
    if (first <= 0x7f || first >= 0xe0) return 0
    if (first <= 0x8f) return this.#items(2 * (first & 0x0f))
    if (first <= 0x9f) return this.#items(first & 0x0f)
    if (first <= 0xbf) return this.#string(first & 0x1f)
    switch (first) {
      case 0xc0: // nil
      case 0xc2: // false
      case 0xc3: // true
        return 0
      case 0xc4:
      case 0xc5:
      case 0xc6: // bin 8, 16, 32
        return this.#skip(this.#uint(1 << (first - 0xc4)))
      case 0xc7:
      case 0xc8:
      case 0xc9: // ext 8, 16, 32
        return this.#extension(this.#uint(1 << (first - 0xc7)))
      case 0xca:
      case 0xcb: // float 32, 64
        return this.#skip(4 << (first - 0xca))
      case 0xcc:
      case 0xcd:
      case 0xce:
      case 0xcf: // uint 8 to 64
        return this.#skip(1 << (first - 0xcc))
      case 0xd0:
      case 0xd1:
      case 0xd2:
      case 0xd3: // int 8 to 64
        return this.#skip(1 << (first - 0xd0))
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8: // fixext 1 to 16
        return this.#extension(1 << (first - 0xd4))
      case 0xd9:
      case 0xda:
      case 0xdb: // str 8, 16, 32
        return this.#string(this.#uint(1 << (first - 0xd9)))
      case 0xdc:
      case 0xdd: // array 16, 32
        return this.#items(this.#uint(2 << (first - 0xdc)))
      case 0xde:
      case 0xdf: // map 16, 32
        return this.#items(2 * this.#uint(2 << (first - 0xde)))
      default:
        throw malformed(`holds the byte 0x${first.toString(16)} where a value begins`)
    }
  }

  #uint(byteLength: number): number {
    const at = this.#at
    this.#skip(byteLength)
    let value = 0
    for (let i = at; i < this.#at; i++) value = value * 256 + (this.#bytes[i] as number)
    return value
  }

  #skip(byteLength: number): 0 {
    if (byteLength > this.#bytes.length - this.#at) throw malformed('is cut short')
    this.#at += byteLength
    return 0
  }

  /** Each item takes a byte at least. */
  #items(count: number): number {
    if (count > this.#bytes.length - this.#at) throw malformed('is cut short')
    return count
  }

  #string(byteLength: number): 0 {
    const at = this.#at
    this.#skip(byteLength)
    if (
      byteLength === PROTO_KEY.length &&
      this.#bytes[at] === PROTO_KEY[0] &&
      PROTO_KEY.every((byte, i) => this.#bytes[at + i] === byte)
    ) {
      this.hasProtoKey = true
    }
    return 0
  }

  #extension(byteLength: number): 0 {
    const type = this.#uint(1)
    if (type === EXTENSION.tag && byteLength === 1) this.hasTags = true
    else if (type === EXTENSION.timestamp && (byteLength === 4 || byteLength === 8 || byteLength === 12)) {
      // msgpackr makes a Date of it
    } else if (!(type === EXTENSION.array || (type === EXTENSION.undefined && byteLength === 1))) {
      throw malformed(`holds an extension of type ${type} and ${byteLength} bytes, which is none of ours`)
    }
    return this.#skip(byteLength)
  }
}

function malformed(what: string): HitpathError {
  return new HitpathError('INVALID_VALUE', `a stored value ${what}`)
}
