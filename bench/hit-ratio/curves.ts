/** Hit ratios by size of cache, with the policies of `reference.json` beside: one curve a trace, and their mean. */
import type { Axis, Curve, Line } from '../harness/results.js'
import { POLICIES } from './gate.js'
import type { Replay } from './replay.js'

const PERCENT = 100

export const shareOfKeys: Axis = { title: "entries, of the trace's keys", unit: '%', scale: 'log' }
export const hitRatio: Axis = { title: 'hit ratio', unit: '%', scale: 'linear' }

/** @param sharded the same cells, in the same order */
export function hitRatioCurves(local: readonly Replay[], sharded: readonly Replay[]): readonly Curve[] {
  const traces = [...new Set(local.map(({ cell }) => cell.trace))]
  const both = local.map((replay, index) => ({ ...replay, shardedRatio: sharded[index]!.hitRatio }))
  const counted = both.filter(({ cell }) => cell.counted)
  return [
    { ...titled('hit-ratio-mean', 'Hit ratio, mean over the counted traces'), lines: linesOf(counted) },
    ...traces.map((trace) => ({
      ...titled(`hit-ratio-${trace}`, `Hit ratio: ${trace}`),
      lines: linesOf(both.filter(({ cell }) => cell.trace === trace)),
    })),
  ]
}

type Both = Replay & { readonly shardedRatio: number }

function titled(id: string, title: string): Omit<Curve, 'lines'> {
  return { id, title, x: shareOfKeys, y: hitRatio }
}

function linesOf(replays: readonly Both[]): readonly Line[] {
  const shares = [...new Set(replays.map(({ cell }) => cell.sizeFraction))].sort((a, b) => a - b)
  const line = (name: string, kind: Line['kind'], ratio: (replay: Both) => number): Line => ({
    name,
    kind,
    points: shares.map((share) => {
      const at = replays.filter(({ cell }) => cell.sizeFraction === share)
      const mean = at.reduce((sum, replay) => sum + ratio(replay), 0) / at.length
      return [share * PERCENT, mean * PERCENT]
    }),
  })
  return [
    line('hitpath', 'measured', (replay) => replay.hitRatio),
    line('hitpath, 16 shards', 'measured', (replay) => replay.shardedRatio),
    ...POLICIES.map((policy) => line(policy, 'reference', ({ cell }) => cell.hitRatio[policy]!)),
  ]
}
