/**
 * The gate of DESIGN.md over the counted cells: the mean hit ratio; the cell with the most misses against LRU; the
 * cell furthest from the simulated policy. Percentages and points are of hit ratio.
 */
import type { Replay } from './replay.js'

const PERCENT = 100

/** Policies drawn beside, as `reference.json` calls them. */
export const POLICIES = ['lru', 's3fifo', 'arc', 'caffeine-head', 'xg-a0', 'opt'] as const
/** The simulation of the policy that hitpath implements. */
const SIMULATED = 'xg-a0'

export interface Gate {
  readonly meanPercent: number
  /** Misses divided by those of LRU, in the worst counted cell. */
  readonly worstAgainstLru: number
  readonly worstAgainstLruCell: string
  /** Points between hitpath and the simulation, in the furthest counted cell. */
  readonly furthestPoints: number
  readonly furthestCell: string
}

export function judgeReplays(replays: readonly Replay[]): Gate {
  const counted = replays.filter(({ cell }) => cell.counted)
  const against = (replay: Replay): number => (1 - replay.hitRatio) / (1 - replay.cell.hitRatio['lru']!)
  const apart = (replay: Replay): number =>
    Math.abs(replay.hitRatio - replay.cell.hitRatio[SIMULATED]!) * PERCENT
  const worst = greatest(counted, against)
  const furthest = greatest(counted, apart)
  return {
    meanPercent: meanPercent(counted, (replay) => replay.hitRatio),
    worstAgainstLru: against(worst),
    worstAgainstLruCell: cellName(worst),
    furthestPoints: apart(furthest),
    furthestCell: cellName(furthest),
  }
}

/** Mean hit ratio over counted cells, in %. */
export function meanPercent(replays: readonly Replay[], ratio: (replay: Replay) => number): number {
  const counted = replays.filter(({ cell }) => cell.counted)
  return (counted.reduce((sum, replay) => sum + ratio(replay), 0) / counted.length) * PERCENT
}

function greatest(replays: readonly Replay[], of: (replay: Replay) => number): Replay {
  return replays.reduce((best, replay) => (of(replay) > of(best) ? replay : best))
}

export function cellName({ cell }: Replay): string {
  return `${cell.trace} at ${cell.capacity}`
}
