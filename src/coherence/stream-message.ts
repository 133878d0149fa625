/**
 * The words of the invalidation stream: ids, and entries of fields and values.
 *
 * Fields: k kind (s set, d delete, t tag, p pattern, c clear), n name, tag or glob, v version, o origin, p id of the entry before
 * (0-0 for the first). Anything may stand in Redis, so nothing here throws: what is not understood is undefined.
 */
import type { BusMessageKind } from './bus.js'

/** Id before that of any entry. */
export const FIRST_ID = '0-0'

const KINDS: Readonly<Record<string, BusMessageKind>> = {
  s: 'set',
  d: 'delete',
  t: 'tag',
  p: 'pattern',
  c: 'clear',
}

export interface StreamMessage {
  readonly kind: BusMessageKind
  readonly name: string
  readonly version: number
  readonly origin: string
  /** Id of the entry that stood before this one when it was added. */
  readonly previous: string
}

export interface StreamEntry {
  readonly id: string
  readonly message: StreamMessage | undefined
}

/** An entry as it stands in a reply; `fields` is null for one that was deleted. */
export interface StreamRow {
  readonly id: string
  readonly fields: unknown
}

/** Entries of one stream, from the reply of XREAD in RESP2 (pairs) or RESP3 (a flattened map, or an object). */
export function rowsOfXread(reply: unknown): StreamRow[] {
  if (reply === null || typeof reply !== 'object') return []
  if (reply instanceof Map) return rowsOf([...reply.values()][0])
  if (!Array.isArray(reply)) return rowsOf(Object.values(reply)[0])
  const first: unknown = reply[0]
  return rowsOf(Array.isArray(first) ? first[1] : reply[1])
}

/** Entries from the reply of XRANGE, XREVRANGE or XAUTOCLAIM, in its order. */
export function rowsOf(reply: unknown): StreamRow[] {
  if (!Array.isArray(reply)) return []
  return reply.flatMap((entry: unknown) =>
    Array.isArray(entry) && typeof entry[0] === 'string' ? [{ id: entry[0], fields: entry[1] }] : [],
  )
}

/** Messages of the bus in a reply of XREAD. */
export function entriesOfXread(reply: unknown): StreamEntry[] {
  return rowsOfXread(reply).map(messageEntry)
}

/** Messages of the bus in a reply of XRANGE or XREVRANGE. */
export function entriesOf(reply: unknown): StreamEntry[] {
  return rowsOf(reply).map(messageEntry)
}

function messageEntry({ id, fields }: StreamRow): StreamEntry {
  return { id, message: messageOf(fields) }
}

/** Negative if `a` comes before `b`. Ids are `milliseconds-sequence`, both below 2^53 in practice. */
export function compareIds(a: string, b: string): number {
  const [aMs, aSequence] = partsOf(a)
  const [bMs, bSequence] = partsOf(b)
  return aMs - bMs || aSequence - bSequence
}

function partsOf(id: string): [number, number] {
  const dash = id.indexOf('-')
  return dash < 0 ? [Number(id), 0] : [Number(id.slice(0, dash)), Number(id.slice(dash + 1))]
}

function messageOf(fields: unknown): StreamMessage | undefined {
  if (!Array.isArray(fields)) return undefined
  let kind: BusMessageKind | undefined
  let name = ''
  let version = Number.NaN
  let origin = ''
  let previous: string | undefined
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const value = String(fields[i + 1])
    if (fields[i] === 'k') kind = Object.hasOwn(KINDS, value) ? KINDS[value] : undefined
    else if (fields[i] === 'n') name = value
    else if (fields[i] === 'v') version = Number(value)
    else if (fields[i] === 'o') origin = value
    else if (fields[i] === 'p') previous = value
  }
  if (kind === undefined || previous === undefined || !Number.isFinite(version)) return undefined
  return { kind, name, version, origin, previous }
}
