/**
 * Subjects timed by tinybench: the parent's side.
 *
 * Contenders take rounds in turn; who begins changes with each round. The first contender takes two turns, and the
 * ratio of the two is printed as the noise of the subject. Each contender lives in a child process of its own, so
 * that no heap is collected on another's time and no loop is compiled for two classes.
 */
import { Child } from './child.js'
import type { Contender } from './contender.js'
import { evenRounds, type Taken } from './pace.js'
import type { Latency } from './results.js'
import type { Answer, Form, LeftOut, Run, Subject } from './subject.js'

export interface TimedSubject extends Subject {
  /** The URL of the suite that exports this subject in its `suite`. */
  readonly module: string
  /** By name; the first is hitpath and is timed twice. */
  readonly contenders: Readonly<Record<string, (form: Form) => Contender | Promise<Contender>>>
  /**
   * What a round reports: `median` of its batches, which a preempted batch does not move, or `mean`, which keeps
   * what comes seldom and costs much, collections and evictions, less the time in which another process had the core.
   */
  readonly statistic: 'median' | 'mean'
}

export interface TimedOptions {
  readonly id: string
  readonly title: string
  readonly module: string
  readonly contenders: TimedSubject['contenders']
  readonly statistic?: 'median' | 'mean'
  /** All contenders in one process: for two states of one class, where processes would differ more than they. */
  readonly together?: boolean
  /** Peers that would belong here, and why they do not. */
  readonly leftOut?: readonly LeftOut[]
  /** Why it cannot run here; undefined when it can. */
  readonly unless?: (run: Run) => string | undefined
}

/** Turns and time of single operations, in the full form. */
const LATENCY_TURNS = 2
const LATENCY_MS = 60

export function isTimed(subject: Subject): subject is TimedSubject {
  return 'module' in subject
}

const LANE = new URL('./timed-lane.ts', import.meta.url).href

export function timed(options: TimedOptions): TimedSubject {
  const { id, title, module, contenders, statistic = 'median', together = false } = options
  return {
    id,
    module,
    contenders,
    statistic,
    figures: [{ id, title, unit: 'ns' }],
    measure: (run) => measure(options, together, run),
  }
}

async function measure(
  { id, module, contenders, leftOut, unless }: TimedOptions,
  together: boolean,
  run: Run,
): Promise<Answer> {
  const skipped = unless?.(run)
  if (skipped !== undefined) return { figures: {}, skipped }
  const names = Object.keys(contenders).filter((name) => run.contenders?.has(name) ?? true)
  const first = names[0]!
  const lanes = new Map<string, Child>()
  try {
    const shared = together ? new Child() : undefined
    for (const name of names) lanes.set(name, shared ?? new Child())
    const opening = new Map<Child, Promise<unknown>>()
    for (const [name, lane] of lanes) {
      // Side by side, since nothing is timed yet; a child takes one call at a time.
      const before = opening.get(lane) ?? Promise.resolve()
      opening.set(
        lane,
        before.then(() => lane.call(LANE, 'open', module, id, name, run.form)),
      )
    }
    await Promise.all(opening.values())
    for (const [name, lane] of lanes) await lane.call(LANE, 'round', name, run.roundMs)

    const turns = [...names, undefined]
    const takeRound = async (round: number): Promise<Taken<Map<string | undefined, number>>> => {
      const value = new Map<string | undefined, number>()
      const paces: number[] = []
      for (let turn = 0; turn < turns.length; turn++) {
        const name = turns[(round + turn) % turns.length]
        const lane = lanes.get(name ?? first)!
        value.set(name, await lane.call<number>(LANE, 'round', name ?? first, run.roundMs))
        paces.push(...(await lane.call<number[]>(LANE, 'paces')))
      }
      return { value, paces }
    }
    const { values, repeated, uneven } = await evenRounds(run.rounds, takeRound)
    const timings: Record<string, number[]> = Object.fromEntries(
      names.map((name) => [name, values.map((round) => round.get(name)!)]),
    )
    const noise = values.map((round) => round.get(undefined)! / round.get(first)!)
    const latency = run.form === 'full' ? await oneByOne(lanes) : undefined
    const notes = [...paceNotes(repeated, uneven), ...(await hitRatios(lanes))]
    return {
      ...(notes.length > 0 && { notes }),
      figures: {
        [id]: { contenders: timings, noise, ...(latency && { latency }), ...(leftOut && { leftOut }) },
      },
    }
  } finally {
    await Promise.all([...new Set(lanes.values())].map((lane) => lane.stop()))
  }
}

/** Single operations of the contenders that have them, in turn; undefined when none has. */
async function oneByOne(
  lanes: ReadonlyMap<string, Child>,
): Promise<Readonly<Record<string, Latency>> | undefined> {
  const sampled = new Set<string>()
  for (let turn = 0; turn < LATENCY_TURNS; turn++) {
    for (const [name, lane] of lanes) {
      if (await lane.call<boolean>(LANE, 'sample', name, LATENCY_MS)) sampled.add(name)
    }
  }
  if (sampled.size === 0) return undefined
  const latencies: Record<string, Latency> = {}
  for (const name of sampled) latencies[name] = await lanes.get(name)!.call(LANE, 'latency', name)
  return latencies
}

function paceNotes(repeated: number, uneven: number): readonly string[] {
  if (repeated === 0) return []
  const kept = uneven === 0 ? '' : `, and ${uneven} kept in spite of it`
  return [
    `The machine changed its pace: ${repeated} ${repeated === 1 ? 'round was' : 'rounds were'} taken again${kept}.`,
  ]
}

async function hitRatios(lanes: ReadonlyMap<string, Child>): Promise<readonly string[]> {
  const told: string[] = []
  for (const [name, lane] of lanes) {
    const ratio = await lane.call<number | null>(LANE, 'hitRatio', name)
    if (ratio !== null) told.push(`${name} ${(ratio * 100).toFixed(1)} %`)
  }
  return told.length === 0 ? [] : [`Hit ratio: ${told.join(', ')}.`]
}
