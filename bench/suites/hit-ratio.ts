/**
 * Hit ratio over recorded traces: the real caches against simulated policies, cell by cell.
 *
 * The figures are of counts, not of time: they are the same on every machine, but for the hash seed
 * that a region draws, which moves a cell by some tenths of a point. Sixteen shards are asked for; small cells get fewer. Quick: only traces of fewer than
 * 400,000 requests; the mean that DESIGN.md asks for is one over all of them, so the quick form compares with the
 * simulation of the policy alone.
 */

import { median } from '../harness/statistics.js'
import type { Answer, Run, Suite } from '../harness/subject.js'
import { columns } from '../harness/table.js'
import { hitRatioCurves } from '../hit-ratio/curves.js'
import { judgeReplays, meanPercent, POLICIES } from '../hit-ratio/gate.js'
import { type Replay, type Replayed, replayAll } from '../hit-ratio/replay.js'
import { readCells, requestsOf, tracesAbsent } from '../hit-ratio/traces.js'

const QUICK_REQUESTS = 400_000
const PERCENT = 100
/** Below this there are fewer than sixteen shards: each has at least 64 entries. */
const LARGE_CELL = 1_024

async function measure(run: Run): Promise<Answer> {
  const { tracesDir, quick } = run
  const skipped = tracesAbsent(tracesDir)
  if (skipped !== undefined) return { figures: {}, skipped }
  const cells = readCells(tracesDir).filter(
    ({ trace }) => !quick || requestsOf(tracesDir, trace) < QUICK_REQUESTS,
  )
  const replayBy = (cache: Replayed): Promise<readonly Replay[]> =>
    replayAll(tracesDir, cells, cache, (done) => {
      if (done % 10 === 0) run.progress(`${cache}: ${done} of ${cells.length} cells`)
    })
  const local = await replayBy('LocalCache')
  const sharded = await replayBy('SharedCache of 16 shards')

  const gate = judgeReplays(local)
  const shardedMean = meanPercent(sharded, ({ hitRatio }) => hitRatio)
  const byPolicy = POLICIES.map((policy) => [
    policy,
    meanPercent(local, ({ cell }) => cell.hitRatio[policy]!),
  ])
  const means = single({ hitpath: gate.meanPercent, ...Object.fromEntries(byPolicy) })
  return {
    figures: {
      ...(quick ? { 'hit-ratio-quick': means } : { 'hit-ratio-mean': means }),
      'hit-ratio-lru': single({ hitpath: gate.worstAgainstLru }),
      'hit-ratio-cell': single({ hitpath: gate.furthestPoints }),
      'hit-ratio-shards': single({ hitpath: gate.meanPercent - shardedMean }),
    },
    curves: hitRatioCurves(local, sharded),
    notes: [
      ...tableOf(local, sharded),
      `16 shards cost ${costOf(local, sharded, LARGE_CELL).toFixed(2)} points over the cells of ${LARGE_CELL} entries or more.`,
      `Worst against LRU: ${gate.worstAgainstLruCell}. Furthest from the simulation: ${gate.furthestCell}.`,
      `A request takes ${median(local.map(({ nsPerRequest }) => nsPerRequest)).toFixed(0)} ns (median of cells, two threads at once).`,
    ],
  }
}

/** Mean difference in points over the counted cells of at least so many entries. */
function costOf(local: readonly Replay[], sharded: readonly Replay[], entries: number): number {
  const isLarge = ({ cell }: Replay): boolean => cell.capacity >= entries
  const mean = (replays: readonly Replay[]): number =>
    meanPercent(replays.filter(isLarge), ({ hitRatio }) => hitRatio)
  return mean(local) - mean(sharded)
}

function single(values: Readonly<Record<string, number>>): { contenders: Record<string, readonly number[]> } {
  return { contenders: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, [value]])) }
}

function tableOf(local: readonly Replay[], sharded: readonly Replay[]): readonly string[] {
  const percent = (ratio: number): string => (ratio * PERCENT).toFixed(2)
  const rows = local.map((replay, index) => [
    replay.cell.trace,
    `${replay.cell.sizeFraction * PERCENT} %`,
    `${replay.cell.capacity}${replay.cell.counted ? '' : ' *'}`,
    percent(replay.hitRatio),
    percent(sharded[index]!.hitRatio),
    ...POLICIES.map((policy) => percent(replay.cell.hitRatio[policy]!)),
  ])
  const mean = [
    'mean',
    '',
    '',
    meanPercent(local, ({ hitRatio }) => hitRatio).toFixed(2),
    meanPercent(sharded, ({ hitRatio }) => hitRatio).toFixed(2),
    ...POLICIES.map((policy) => meanPercent(local, ({ cell }) => cell.hitRatio[policy]!).toFixed(2)),
  ]
  const head = ['trace', 'of keys', 'entries', 'hitpath', '16 shards', ...POLICIES]
  return [...columns([head, ...rows, mean]), '* not in the averages']
}

export const suite: Suite = {
  id: 'hit-ratio',
  title: 'Hit ratio over recorded traces',
  subjects: [
    {
      id: 'hit-ratio',
      figures: [
        { id: 'hit-ratio-mean', title: 'Mean hit ratio over the counted cells', unit: '%' },
        { id: 'hit-ratio-quick', title: 'Mean hit ratio over the cells of small traces', unit: '%' },
        { id: 'hit-ratio-lru', title: 'Misses against LRU in the worst counted cell', unit: 'times' },
        {
          id: 'hit-ratio-cell',
          title: 'Distance to the simulated policy in the furthest cell',
          unit: 'points',
        },
        { id: 'hit-ratio-shards', title: 'What 16 shards cost', unit: 'points' },
      ],
      measure,
    },
  ],
}
