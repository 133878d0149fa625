/** The phases of an endurance run: a load, the caches that can bear it, and what is drawn of them. */
import { inChild } from '../harness/child.js'
import type { Curve } from '../harness/results.js'
import { median } from '../harness/statistics.js'
import type { Answer, LeftOut } from '../harness/subject.js'
import type { Task } from './endure.js'
import type { Window } from './observer.js'

const ENDURE = new URL('./endure.ts', import.meta.url).href

export interface Phase {
  readonly id: string
  readonly title: string
  readonly load: Task['load']
  readonly stores: readonly string[]
  readonly leftOut?: readonly LeftOut[]
  readonly maxBytes?: number
  readonly isThreaded?: boolean
}

const ALL = ['hitpath', 'hitpath SharedCache', 'lru-cache', '@isaacs/ttlcache'] as const

export const phases: readonly Phase[] = [
  { id: 'steady', title: 'Zipf reads, misses stored', load: 'steady', stores: ALL },
  { id: 'storm', title: 'All entries dying in one instant', load: 'storm', stores: ALL },
  {
    id: 'bytes',
    title: 'Bounded by bytes, sizes shifting from 256 bytes to 16 KB and back',
    load: 'bytes',
    stores: ['hitpath SharedCache', 'lru-cache'],
    leftOut: [
      { name: 'hitpath', reason: 'a LocalCache is bounded by entries' },
      { name: '@isaacs/ttlcache', reason: 'it is bounded by entries' },
    ],
    maxBytes: 128 * 2 ** 20,
  },
  {
    id: 'threads',
    title: 'Two threads under the same load: one region, or a cache each',
    load: 'steady',
    stores: ['hitpath SharedCache', 'lru-cache'],
    isThreaded: true,
  },
]

/** How many runs of a cache under a load there are in all. */
export const RUNS = phases.reduce((sum, { stores }) => sum + stores.length, 0)

export interface PhaseSetting {
  /** For each cache. */
  readonly ms: number
  readonly entries: number
  readonly say: (line: string) => void
}

export async function measurePhase(phase: Phase, { ms, entries, say }: PhaseSetting): Promise<Answer> {
  const windowMs = Math.max(250, ms / 240)
  const byStore = new Map<string, readonly Window[]>()
  const notes: string[] = []
  for (const store of phase.stores) {
    const { load, maxBytes, isThreaded } = phase
    const task: Task = {
      load,
      store,
      setting: { entries, ms, seed: 41 },
      ...(maxBytes !== undefined && { maxBytes }),
      ...(isThreaded !== undefined && { isThreaded }),
      windowMs,
    }
    const windows = await inChild<readonly Window[]>(ENDURE, 'endure', task)
    byStore.set(store, windows)
    const line = summaryOf(store, windows)
    say(`  ${line}`)
    notes.push(line)
  }
  for (const { name, reason } of phase.leftOut ?? []) notes.push(`Without ${name}: ${reason}.`)
  return { figures: {}, curves: curvesOf(phase, byStore), notes }
}

export function summaryOf(store: string, windows: readonly Window[]): string {
  const of = (pick: (window: Window) => number): number[] => windows.map(pick)
  const most = (pick: (window: Window) => number): number => Math.max(...of(pick))
  const quarter = Math.max(1, windows.length >> 2)
  const early = median(of(({ rssMiB }) => rssMiB).slice(quarter, 2 * quarter))
  const late = median(of(({ rssMiB }) => rssMiB).slice(-quarter))
  return (
    `${store}: event-loop delay p99 ${ms(median(of(({ delayP99Ms }) => delayP99Ms)))}, longest ${ms(most(({ delayMaxMs }) => delayMaxMs))}; ` +
    `collecting ${median(of(({ gcPercent }) => gcPercent)).toFixed(1)} % of the time, longest ${ms(most(({ gcMaxMs }) => gcMaxMs))}; ` +
    `${median(of(({ operationsPerMs }) => operationsPerMs)).toFixed(0)} operations/ms; ` +
    `resident ${early.toFixed(0)} MiB in the second quarter, ${late.toFixed(0)} in the last.`
  )
}

function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`
}

interface Drawn {
  readonly id: string
  readonly title: string
  readonly unit: string
  readonly scale: 'linear' | 'log'
  readonly of: (window: Window) => number
}

/** A delay below this is drawn as this, for an axis of powers of ten. */
const LEAST_DELAY_MS = 0.01
const delay = (value: number): number => Math.max(LEAST_DELAY_MS, value)

const DRAWN: readonly Drawn[] = [
  {
    id: 'delay',
    title: 'event-loop delay, p99',
    unit: 'ms',
    scale: 'log',
    of: ({ delayP99Ms }) => delay(delayP99Ms),
  },
  {
    id: 'delay-max',
    title: 'event-loop delay, longest',
    unit: 'ms',
    scale: 'log',
    of: ({ delayMaxMs }) => delay(delayMaxMs),
  },
  {
    id: 'gc',
    title: 'time in garbage collection',
    unit: '%',
    scale: 'linear',
    of: ({ gcPercent }) => gcPercent,
  },
  { id: 'rss', title: 'resident set', unit: 'MiB', scale: 'linear', of: ({ rssMiB }) => rssMiB },
  {
    id: 'throughput',
    title: 'operations',
    unit: 'ops/ms',
    scale: 'linear',
    of: ({ operationsPerMs }) => operationsPerMs,
  },
]

function curvesOf(phase: Phase, byStore: ReadonlyMap<string, readonly Window[]>): readonly Curve[] {
  return DRAWN.map(({ id, title, unit, scale, of }) => ({
    id: `endurance-${phase.id}-${id}`,
    title: `${phase.title}: ${title}`,
    x: { title: 'time', unit: 's', scale: 'linear' },
    y: { title, unit, scale },
    lines: [...byStore].map(([name, windows]) => ({
      name,
      kind: 'measured',
      points: windows.map((window) => [round(window.seconds), round(of(window))] as const),
    })),
    ...(id.startsWith('delay') && {
      note: 'Of the thread that bears the load, by perf_hooks.monitorEventLoopDelay, its resolution of 1 ms taken off.',
    }),
  }))
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000
}
