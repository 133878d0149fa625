/**
 * The stored form of values: standard msgpack, with two extension types of our own. Python reads it too.
 *
 *   value                        stored as
 *   null, boolean, string        the msgpack type of that name; a string that UTF-8 would lose is tagged
 *   number                       an integer of up to 32 bits; else float 64, -0 and NaN included
 *   BigInt of up to 64 bits      int 64 or uint 64: on the wire these two types mean BigInt; larger ones are tagged
 *   Buffer                       bin
 *   array, dictionary            array, map with string keys
 *   Date                         timestamp (extension -1); an invalid one is tagged
 *   undefined                    extension 0, one zero byte
 *   typed array, ndarray,        extension 110 ('n'), below
 *   ArrayBuffer, DataView
 *   the rest                     tagged: an array whose first element is extension 104 ('h'), the tag in its one byte
 *
 *   tag           the array that it opens
 *   0 map         [tag, key, value, key, value, ...]
 *   1 set         [tag, item, ...]
 *   2 dictionary  [tag, key, value, ...], when a key is a tagged string
 *   3 error       [tag, name, message] or [tag, name, message, cause]
 *   4 regexp      [tag, source, flags]
 *   5 bigint      [tag, string]: hexadecimal magnitude, '-' before it when negative
 *   6 string      [tag, bin]: UTF-16, little endian
 *   7 date        [tag]: the invalid date
 *   8 reference   [tag, n]: the object met n-th, from 0
 *
 * Objects are counted in the order in which they open: each array, map, timestamp, bin, extension 110 and each
 * tagged array but bigint, string (with its bin) and reference.
 *
 * The payload of extension 110, all of it little endian:
 *
 *   byte 0      kind: 0 ndarray, 1 typed array, 2 ArrayBuffer, 3 DataView
 *   byte 1      dtype code (src/key/dtype.ts); 0 for kinds 2 and 3
 *   byte 2      number of axes n; 0 but for kind 0
 *   byte 3      padding p, 0 to 7
 *   4           length of each axis, n times uint 32
 *   4 + 4n      p zero bytes
 *   4 + 4n + p  the elements, C order, to the end; at a multiple of 8 from the start of the message
 */

export const EXTENSION = { undefined: 0, tag: 0x68, array: 0x6e, timestamp: 0xff } as const

export const ARRAY_KIND = { ndarray: 0, typedArray: 1, arrayBuffer: 2, dataView: 3 } as const

export const ARRAY_HEADER_BYTES = 4
export const AXIS_BYTES = 4
export const ALIGNMENT_BYTES = 8

/** Containers within containers; deeper values are refused, so that neither side runs out of stack. */
export const MAX_DEPTH = 500

/** Bytes that are a complete msgpack value already. */
export class Verbatim {
  readonly encoded: Uint8Array

  constructor(encoded: Uint8Array) {
    this.encoded = encoded
  }
}

/** The mark that opens a tagged array. Only the instances in `TAG` exist. */
export class Tag extends Verbatim {
  constructor(number: number) {
    super(Uint8Array.of(0xd4, EXTENSION.tag, number)) // fixext 1
  }
}

export const TAG = {
  map: new Tag(0),
  set: new Tag(1),
  dictionary: new Tag(2),
  error: new Tag(3),
  regexp: new Tag(4),
  bigint: new Tag(5),
  string: new Tag(6),
  invalidDate: new Tag(7),
  reference: new Tag(8),
} as const

const TAG_OF_NUMBER: readonly Tag[] = Object.values(TAG)

export function tagNumbered(number: number | undefined): Tag | undefined {
  return number === undefined ? undefined : TAG_OF_NUMBER[number]
}
