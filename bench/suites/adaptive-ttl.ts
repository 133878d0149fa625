/**
 * AdaptiveTtl against fixed ttls at equal staleness: five states of the S&P 500, real daily bars of 20 years, read at random.
 *
 * Counts, not times: recomputations a read. The fixed ttls are the best there are, found in hindsight among 66 for the very reads that
 * are counted; `each` even has one for each type. A round is another sequence of reads.
 */
import { marketStates } from '../adaptive-ttl/market-states.js'
import { type Comparison, compare, readTimes } from '../adaptive-ttl/simulation.js'
import { inChild } from '../harness/child.js'
import { type Answer, type Run, type Suite, sized } from '../harness/subject.js'
import { loadBars } from '../replay/bars.js'

const STALENESS = 0.05
const ROUNDS = { full: 9, ci: 5 }

/** Runs in a child. */
export function comparisons(rounds: number): readonly Comparison[] {
  const states = marketStates(loadBars())
  const bars = Object.values(states)[0]!.length
  return Array.from({ length: rounds }, (_, round) => compare(states, readTimes(bars, round + 1), STALENESS))
}

async function measure({ form }: Run): Promise<Answer> {
  const all = await inChild<readonly Comparison[]>(
    import.meta.url,
    'comparisons',
    sized(form, ROUNDS.full, ROUNDS.ci),
  )
  const hitpath = all.map(({ adaptive }) => 1000 * adaptive.computed)
  const against = (peer: keyof Comparison & ('one' | 'each' | 'oneForWorst')) =>
    all.map((comparison) => 1000 * comparison[peer])
  const stale = all.map(({ adaptive }) => adaptive.stale)
  return {
    figures: {
      'adaptive-ttl': { contenders: { hitpath, 'one fixed ttl': against('one') } },
      'adaptive-ttl-each': { contenders: { hitpath, 'a fixed ttl each': against('each') } },
      'adaptive-ttl-worst': { contenders: { hitpath, 'one fixed ttl': against('oneForWorst') } },
      'adaptive-ttl-stale': { contenders: { hitpath: stale } },
    },
    notes: [`declared staleness ${STALENESS}; the stalest type, by round: ${worst(all)}`],
  }
}

function worst(all: readonly Comparison[]): string {
  return all.map((comparison) => comparison.worst.toFixed(3)).join(', ')
}

const unit = 'computed / 1,000 reads'

export const suite: Suite = {
  id: 'adaptive-ttl',
  title: 'A ttl that is learned',
  subjects: [
    {
      id: 'adaptive-ttl',
      figures: [
        { id: 'adaptive-ttl', title: 'recomputations at equal staleness over five types', unit },
        { id: 'adaptive-ttl-each', title: 'recomputations at equal staleness of each type', unit },
        { id: 'adaptive-ttl-worst', title: 'recomputations with no type staler than the stalest', unit },
        { id: 'adaptive-ttl-stale', title: 'stale reads with a declared share of 0.05', unit: 'share' },
      ],
      measure,
    },
  ],
}
