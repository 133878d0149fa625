/** Which node of a Cluster has a slot. */
import type { Connection, Node } from './connection.js'

export interface SlotRange {
  readonly from: number
  readonly to: number
  readonly master: string
  readonly replicas: number
}

/** The reply of CLUSTER SLOTS: [from, to, [host, port, id, ...], replica, ...]. */
export function rangesOf(reply: unknown): SlotRange[] {
  if (!Array.isArray(reply)) return []
  return reply.flatMap((range: unknown) => {
    if (!Array.isArray(range) || !Array.isArray(range[2])) return []
    const [from, to, [host, port]] = range as [unknown, unknown, unknown[]]
    return [{ from: Number(from), to: Number(to), master: `${host}:${port}`, replicas: range.length - 3 }]
  })
}

export async function readRanges({ nodes, clustered }: Connection): Promise<SlotRange[]> {
  if (!clustered) return []
  return rangesOf(await nodes[0]?.ask('cluster', 'slots').catch(() => []))
}

export function ownerOf(ranges: readonly SlotRange[], slot: number): string | undefined {
  return ranges.find(({ from, to }) => from <= slot && slot <= to)?.master
}

/** The node to ask for keys of a slot. */
export function nodeOfSlot(
  { nodes, clustered }: Connection,
  ranges: readonly SlotRange[],
  slot: number,
): Node | undefined {
  if (!clustered) return nodes[0]
  const owner = ownerOf(ranges, slot)
  return nodes.find(({ address }) => address === owner)
}
