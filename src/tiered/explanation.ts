/** What `TieredCache.explain` gives: plain data, and the same in words. */
import type { CircuitState } from '../l2/breaker.js'
import type { L1Miss, L2Miss } from '../observe/recorder.js'
import type { Diagnosis } from './diagnosis.js'

export interface ExplainedTag {
  readonly name: string
  /** Under which the entry was made. */
  readonly version: number
  /** As it is now; null when that is not known. The entry is invalid when it is higher, or not known. */
  readonly current: number | null
}

/** Times are milliseconds from now, negative when they are over; `Infinity` without end. */
export interface ExplainedEntry {
  readonly version: number
  readonly epoch: number
  readonly negative: boolean
  readonly freshFor: number
  /** Until when it may be served stale. */
  readonly deadIn: number
  /** What the factory took; 0 when it is not known. */
  readonly factoryMs: number
  readonly tags: readonly ExplainedTag[]
}

export interface ExplainedL1 {
  readonly state: Diagnosis['state']
  readonly reason: L1Miss | undefined
  /** In words. */
  readonly because: string
  readonly entry: ExplainedEntry | undefined
}

export interface ExplainedL2 {
  /** Whether a read that the first tier cannot answer would ask it. */
  readonly asked: boolean
  readonly state: 'fresh' | 'stale' | 'invalid' | 'absent' | 'unknown'
  /** Why a read would not take it; `tier`: the policy keeps the second tier out, `none`: there is none. */
  readonly reason: L2Miss | 'tier' | 'none' | undefined
  readonly because: string
  readonly bytes: number | undefined
  readonly entry: ExplainedEntry | undefined
}

export interface ExplanationFacts {
  /** The key's name: `s` + string, `n` + number, `d` + digest. */
  readonly name: string
  readonly namespace: string
  /** Who would answer a `getOrSet` now. `get` gives undefined in place of asking a factory, and takes no stale value. */
  readonly outcome: 'l1' | 'l2' | 'factory'
  readonly l1: ExplainedL1
  readonly l2: ExplainedL2
  /** Whether a computation or a read of this key is under way, which a getOrSet would join. */
  readonly underWay: boolean
  readonly link: 'up' | 'down' | 'none'
  readonly circuit: CircuitState | 'none'
  readonly replay: { readonly waiting: number; readonly blocksThisKey: boolean }
}

/** Plain data, and as text: `String(explanation)`. */
export class Explanation implements ExplanationFacts {
  readonly name!: string
  readonly namespace!: string
  readonly outcome!: 'l1' | 'l2' | 'factory'
  readonly l1!: ExplainedL1
  readonly l2!: ExplainedL2
  readonly underWay!: boolean
  readonly link!: 'up' | 'down' | 'none'
  readonly circuit!: CircuitState | 'none'
  readonly replay!: { readonly waiting: number; readonly blocksThisKey: boolean }

  /** @internal */
  constructor(facts: ExplanationFacts) {
    Object.assign(this, facts)
  }

  toString(): string {
    const { l1, l2, replay } = this
    const lines = [
      `${this.name} of ${this.namespace}: a getOrSet is answered by ${WHO[this.outcome]}`,
      `  l1: ${l1.because}${described(l1.entry)}`,
      `  l2: ${l2.because}${l2.bytes === undefined ? '' : `, ${l2.bytes} bytes`}${described(l2.entry)}`,
      `  link ${this.link}, circuit ${this.circuit}, ${replay.waiting} changes wait for the second tier`,
    ]
    if (this.underWay) lines.push('  a computation of this key is under way')
    return lines.join('\n')
  }
}

const WHO = { l1: 'the first tier', l2: 'the second tier', factory: 'the factory' }

function described(entry: ExplainedEntry | undefined): string {
  if (entry === undefined) return ''
  const parts = [`version ${entry.version}`, `fresh for ${ms(entry.freshFor)}`]
  if (entry.deadIn > entry.freshFor) parts.push(`stale until ${ms(entry.deadIn)}`)
  if (entry.factoryMs > 0) parts.push(`the factory took ${ms(entry.factoryMs)}`)
  for (const { name, version, current } of entry.tags)
    parts.push(`tag ${name} at ${version}, now ${current ?? 'not known'}`)
  return `; ${parts.join(', ')}`
}

export function ms(duration: number): string {
  return Number.isFinite(duration) ? `${Math.round(duration)} ms` : 'ever'
}
