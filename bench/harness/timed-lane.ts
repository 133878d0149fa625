/** Subjects timed by tinybench: the child's side. Holds the contenders of one subject and times one round of one. */
import { Bench } from 'tinybench'
import type { Contender } from './contender.js'
import { LatencySamples } from './latency.js'
import { pace } from './pace.js'
import type { Latency } from './results.js'
import { RunQueue } from './run-queue.js'
import type { Form, Suite } from './subject.js'
import type { TimedSubject } from './timed.js'

const MIN_BATCHES = 10
const NS_PER_MS = 1e6

interface Entrant {
  readonly contender: Contender
  readonly statistic: 'median' | 'mean'
  readonly isAsync: boolean
}

const queue = new RunQueue()
const entrants = new Map<string, Entrant>()
let pacesOfRound: readonly number[] = []

/** Prepares a contender, and checks one batch of it before anything is timed. */
export async function open(module: string, subjectId: string, name: string, form: Form): Promise<void> {
  const { suite } = (await import(module)) as { suite: Suite }
  const subject = suite.subjects.find((each) => each.id === subjectId) as TimedSubject
  const contender = await subject.contenders[name]!(form)
  contender.before?.()
  const answer = contender.batch()
  expectRight(name, await answer, contender.operations)
  contender.after?.()
  entrants.set(name, { contender, statistic: subject.statistic, isAsync: answer instanceof Promise })
}

/** Times a contender for `roundMs` and returns nanoseconds an operation. */
export async function round(name: string, roundMs: number): Promise<number> {
  const { contender, statistic, isAsync } = entrants.get(name)!
  let right = 0
  let batches = 0
  const sync = (): void => {
    right += contender.batch() as number
    batches++
  }
  const awaited = async (): Promise<void> => {
    right += await contender.batch()
    batches++
  }
  const hooks = {
    async: isAsync,
    ...(contender.before && { beforeEach: () => contender.before!() }),
    ...(contender.after && { afterEach: () => contender.after!() }),
  }
  const bench = new Bench({
    time: roundMs,
    iterations: MIN_BATCHES,
    // The first batches after a full collection are up to ten times slower in a large heap.
    warmupTime: roundMs / 4,
    warmupIterations: MIN_BATCHES,
    throws: true,
    setup: (_, mode) => {
      if (mode !== 'run') return
      waitedMs = queue.waitedMs()
      startedMs = performance.now()
    },
  })
  bench.add(name, isAsync ? awaited : sync, hooks)

  globalThis.gc?.()
  let waitedMs = 0
  let startedMs = 0
  const paceBefore = pace()
  const [task] = isAsync ? await bench.run() : bench.runSync()
  pacesOfRound = [paceBefore, pace()]
  const result = task!.result
  if (result.state !== 'completed') throw new Error(`${name}: the round ended as ${result.state}`)
  expectRight(name, right, batches * contender.operations)
  // Waiting falls on what is timed and on what is between in proportion to their time.
  const meanMs = (): number => {
    const waitedShare = (queue.waitedMs() - waitedMs) / (performance.now() - startedMs)
    return (result.totalTime * (1 - waitedShare)) / result.latency.samplesCount
  }
  const batchMs = statistic === 'median' ? result.latency.p50 : meanMs()
  return (batchMs * NS_PER_MS) / contender.operations
}

/** The machine's pace before and after the last round. */
export function paces(): readonly number[] {
  return pacesOfRound
}

/** Null when the contender does not tell one. */
export function hitRatio(name: string): number | null {
  return entrants.get(name)!.contender.hitRatio?.() ?? null
}

const samples = new Map<string, LatencySamples>()

/** Times single operations of a contender for `ms`; false when it has none. */
export async function sample(name: string, ms: number): Promise<boolean> {
  const { contender, isAsync } = entrants.get(name)!
  if (contender.one === undefined) return false
  const kept = samples.get(name) ?? new LatencySamples()
  samples.set(name, kept)
  globalThis.gc?.()
  if (isAsync) await kept.sampleAwaited(() => contender.one!() as Promise<number>, ms)
  else kept.sample(() => contender.one!() as number, ms)
  return true
}

/** What its single operations took, all samples together. */
export function latency(name: string): Latency {
  return samples.get(name)!.summary()
}

function expectRight(name: string, right: number, expected: number): void {
  if (right !== expected) throw new Error(`${name}: ${right} right answers of ${expected}`)
}
