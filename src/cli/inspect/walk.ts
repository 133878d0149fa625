/**
 * Walks the keys of every master by SCAN, a bounded step at a time, until all were seen, enough were read, or somebody said stop.
 *
 * Never KEYS; no step before the one before it was worked off. A key that stays where it is is seen, perhaps twice when the server shrinks
 * its table meanwhile. An end before all were seen leaves a sample: SCAN goes by hash, so the first keys are as good as any.
 */
import { HitpathError } from '../../errors.js'
import type { Word } from '../../l2/names.js'
import type { Node } from '../connection.js'

/** Slots of the server's hash table a step: well below a millisecond of its time. */
const COUNT = 500

export interface Walk {
  readonly complete: boolean
  /** Share of the hash tables that was walked, 0 to 1; undefined where cursors do not tell. */
  readonly share: number | undefined
}

export interface WalkOptions {
  readonly pattern: Word
  readonly signal: AbortSignal
  /** Works off the keys of one step; false: enough of this node. */
  readonly onKeys: (node: Node, keys: readonly Buffer[]) => Promise<boolean>
}

export async function walk(nodes: readonly Node[], options: WalkOptions): Promise<Walk> {
  const walks = await Promise.all(nodes.map((node) => walkNode(node, options)))
  const shares = walks.map(({ share }) => share)
  const known = nodes.length === 1 && shares[0] !== undefined
  return { complete: walks.every(({ complete }) => complete), share: known ? shares[0] : undefined }
}

async function walkNode(node: Node, { pattern, signal, onKeys }: WalkOptions): Promise<Walk> {
  let cursor = '0'
  do {
    if (signal.aborted) return { complete: false, share: shareOf(cursor) }
    const reply = await node.askBytes('scan', cursor, 'MATCH', pattern, 'COUNT', COUNT)
    const [next, keys] = stepOf(reply)
    cursor = next.toString()
    const goesOn = keys.length === 0 || (await onKeys(node, keys))
    if (!goesOn && cursor !== '0') return { complete: false, share: shareOf(cursor) }
  } while (cursor !== '0')
  return { complete: true, share: 1 }
}

/** @throws HitpathError L2_ERROR when it is none */
function stepOf(reply: unknown): readonly [cursor: Buffer, keys: readonly Buffer[]] {
  if (Array.isArray(reply) && Buffer.isBuffer(reply[0]) && Array.isArray(reply[1]))
    return reply as unknown as readonly [Buffer, readonly Buffer[]]
  throw new HitpathError('L2_ERROR', 'SCAN was not answered with a cursor and keys: this is no Redis')
}

/**
 * The cursor counts in bits from the highest to the lowest (Pieter Noordhuis's reverse binary iteration): read from the lowest on they are a binary
 * fraction of the table, whatever its size.
 */
export function shareOf(cursor: string): number {
  let share = 0
  let weight = 0.5
  for (let bits = BigInt(cursor); bits > 0n; bits >>= 1n) {
    if (bits & 1n) share += weight
    weight /= 2
  }
  return share
}
