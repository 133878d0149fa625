/** What the sources in Redis share: the client that is handed in, and what the server says of a stream. */
import type { ClientLike } from '../../coherence/connect.js'
import type { Conversation } from '../../coherence/conversation.js'
import { compareIds, FIRST_ID, rowsOf } from '../../coherence/stream-message.js'

/** An ioredis client, 5.3 or later, of one server, behind Sentinel or of a Cluster. */
export type EventClient = ClientLike

/** A stream at one moment. */
export interface StreamState {
  /** Id of the last entry that was ever added. */
  readonly lastId: string
  /** Id of the oldest entry that is there; undefined when none is. */
  readonly firstId: string | undefined
  /** Entries ever added, and those of them that are gone; undefined before Redis 7. */
  readonly added: number | undefined
  readonly removed: number | undefined
}

/** How far a reader or a group has read. */
export interface Progress {
  readonly position: string
  /** Entries ever added up to the position; undefined when nobody knows. */
  readonly ordinal: number | undefined
}

const ABSENT: StreamState = { lastId: FIRST_ID, firstId: undefined, added: 0, removed: 0 }

/** The stream's state; one that does not exist is an empty one. */
export async function stateOf(talk: Conversation, limitMs: number, stream: string): Promise<StreamState> {
  let reply: Map<string, unknown>
  try {
    reply = pairs(await talk.ask(limitMs, 'XINFO', 'STREAM', stream))
  } catch (error) {
    if (error instanceof Error && error.message.includes('no such key')) return ABSENT
    throw error
  }
  const length = Number(reply.get('length'))
  const added = reply.has('entries-added') ? Number(reply.get('entries-added')) : undefined
  return {
    lastId: String(reply.get('last-generated-id')),
    firstId: rowsOf([reply.get('first-entry')])[0]?.id,
    added,
    removed: added === undefined ? undefined : added - length,
  }
}

/** How far a group has read; undefined when there is no such group. */
export async function progressOf(
  talk: Conversation,
  limitMs: number,
  stream: string,
  group: string,
): Promise<Progress | undefined> {
  const reply = await talk.ask(limitMs, 'XINFO', 'GROUPS', stream)
  for (const one of Array.isArray(reply) ? reply : []) {
    const fields = pairs(one)
    if (fields.get('name') !== group) continue
    const read = fields.get('entries-read')
    return {
      position: String(fields.get('last-delivered-id')),
      ordinal: typeof read === 'number' ? read : undefined,
    }
  }
  return undefined
}

/**
 * Whether entries went that were not read. Where the server counts, exactly, at the latest once all is read; else whenever it is possible:
 * the position is gone, and there is something after it.
 */
export function hasLost(state: StreamState, { position, ordinal }: Progress): boolean {
  const { lastId, firstId, added, removed } = state
  if (removed === 0) return false
  const caughtUp = compareIds(position, lastId) >= 0
  if (added !== undefined && removed !== undefined && ordinal !== undefined)
    return caughtUp ? ordinal !== added : ordinal < removed
  return !caughtUp && (firstId === undefined || compareIds(firstId, position) > 0)
}

/** The stream is not the one that was read: deleted, or of a server that lost its end. */
export function isReset({ lastId, added }: StreamState, { position, ordinal }: Progress): boolean {
  return compareIds(lastId, position) < 0 || (added !== undefined && ordinal !== undefined && added < ordinal)
}

/** Where to count on from, once what was lost is made good. */
export function ordinalAfterLoss(
  { lastId, added, removed }: StreamState,
  position: string,
): number | undefined {
  return compareIds(position, lastId) >= 0 ? added : removed
}

function pairs(reply: unknown): Map<string, unknown> {
  const fields = new Map<string, unknown>()
  if (!Array.isArray(reply)) return fields
  for (let i = 0; i + 1 < reply.length; i += 2) fields.set(String(reply[i]), reply[i + 1])
  return fields
}
