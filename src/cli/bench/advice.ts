/** What the figures mean for somebody who must choose. */
import { durationText } from '../terminal.js'
import type { Outcome } from './comparison.js'
import { FLOOR } from './peers.js'
import type { Case } from './protocol.js'

export interface Judged {
  readonly which: Case
  /** Medians in ns, fastest first. */
  readonly medians: readonly (readonly [name: string, ns: number])[]
  /** hitpath's time over that of each other: medians of rounds that ran side by side, so not quite that of the medians. */
  readonly ratios: Readonly<Record<string, number>>
  readonly hitpathNs: number
  /** The fastest of the other caches, a bare Map aside. Undefined when there is none. */
  readonly rival: { readonly name: string; readonly ratio: number } | undefined
  /** hitpath against itself: the farthest that a ratio may be from 1 without meaning anything. */
  readonly noise: number
  readonly verdict: 'pays' | 'same' | 'costs' | 'alone'
}

/** A tenth: less is not worth a change of library, whatever the noise. */
const WORTH = 0.1

export function judged({ which, rounds, noise }: Outcome): Judged {
  const own = rounds.get('hitpath') ?? []
  const medians = [...rounds].map(([name, each]) => [name, median(each)] as const).sort((a, b) => a[1] - b[1])
  const [rivalName] = medians.find(([name]) => name !== 'hitpath' && name !== FLOOR) ?? []
  const ratios = Object.fromEntries(
    [...rounds]
      .filter(([name]) => name !== 'hitpath')
      .map(([name, each]) => [name, median(own.map((ns, i) => ns / (each[i] ?? Number.NaN)))]),
  )
  const ratio = ratios[rivalName ?? ''] ?? Number.NaN
  const spread = median(noise.map((each) => Math.abs(each - 1)))
  const margin = Math.max(WORTH, spread)
  const verdict = ratio < 1 - margin ? 'pays' : ratio > 1 + margin ? 'costs' : 'same'
  return {
    which,
    medians,
    ratios,
    hitpathNs: median(own),
    rival: rivalName === undefined ? undefined : { name: rivalName, ratio },
    noise: spread,
    verdict: rivalName === undefined ? 'alone' : verdict,
  }
}

const SUBJECT: Readonly<Record<Case, string>> = {
  'hit-built': 'Keys that are built for each call',
  'hit-kept': 'Keys that exist already as strings',
  'set-evict': 'Writes of new keys into a full cache',
  array: 'Arrays as keys',
}

const OTHERWISE: Readonly<Record<Case, string>> = {
  'hit-built': '',
  'hit-kept': 'A prepared key (cache.key(k)) or a SharedCache may still be a reason; a hit alone is not.',
  'set-evict': 'Hits usually outnumber writes by far.',
  array: '',
}

/** A sentence or two. */
export function sentence({ which, hitpathNs, rival, verdict }: Judged): string {
  const what = SUBJECT[which]
  if (rival === undefined || verdict === 'alone')
    return `${what}: ${nsText(hitpathNs)} in hitpath; there is nothing here to compare it with.`
  const how = which === 'array' ? `md5 and ${rival.name}` : rival.name
  const saved = durationText(10 * (hitpathNs / rival.ratio - hitpathNs))
  switch (verdict) {
    case 'pays':
      return `${what}: hitpath takes ${rival.ratio.toFixed(2)} of the time of ${how}, the fastest other. It pays: ${saved} less for ten million of them.`
    case 'same':
      if (Math.abs(rival.ratio - 1) > WORTH)
        return `${what}: hitpath takes ${rival.ratio.toFixed(2)} of the time of ${how}, which says nothing here: hitpath differs as much from itself.`
      return `${what}: no difference that matters to ${how} (${rival.ratio.toFixed(2)}).`
    case 'costs':
      return `${what}: ${how} is faster, hitpath takes ${rival.ratio.toFixed(2)} of its time. ${OTHERWISE[which]}`.trim()
  }
}

export function conclusion(all: readonly Judged[]): string {
  const of = (verdict: Judged['verdict']): number => all.filter((each) => each.verdict === verdict).length
  if (of('alone') === all.length)
    return 'Install what you use today (lru-cache, node-cache, ...) in this folder, and run it again.'
  if (of('costs') === 0 && of('pays') > 0) return 'For these sizes and keys hitpath pays.'
  if (of('pays') === 0)
    return 'For these sizes and keys hitpath does not pay by speed: keep what you have, unless you need what only it does.'
  return 'It depends on your mix: hitpath pays where it says so above, and not where it does not.'
}

export function nsText(ns: number): string {
  if (ns >= 1e6) return `${(ns / 1e6).toFixed(1)} ms`
  if (ns >= 1e4) return `${(ns / 1e3).toFixed(1)} µs`
  return `${ns.toFixed(0)} ns`
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}
