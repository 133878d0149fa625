/**
 * One contender plays the script. A request is timed from the call to the answer; making its windows and batches, taking the evidence
 * and counting happen between, equally for all. What was computed is counted where it is computed, whatever the contender thinks.
 */
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import xxhash, { type XXHash } from 'xxhash-wasm'
import type { MarketFeatures } from '../features.js'
import type { Held, Parts, Platform, PlatformFactory } from './platform.js'
import { NETWORK, PREDICTIONS, type Request, type Script, SIGNALS, STAGES, TECHNICAL } from './script.js'
import { Market, type Series } from './universe.js'
import { Work } from './work.js'

const { create64 } = await xxhash()

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

export interface PlatformRun {
  readonly name: string
  /** Milliseconds of each request, by stage, one reading of the timer included. */
  readonly latencyMs: readonly Float64Array[]
  /** By stage: answers, or rows of predictions, asked and computed, cumulated after each bar. */
  readonly asked: readonly Float64Array[]
  readonly computed: readonly Float64Array[]
  /** Rows of predictions computed so far, those inside signals too, after each bar. */
  readonly rows: Float64Array
  /** Computations of all stages, those inside signals too, and the milliseconds inside them. */
  readonly work: { readonly computed: readonly number[]; readonly spentMs: readonly number[] }
  /** Milliseconds that each bar's invalidation took, and how many signals it made invalid. */
  readonly invalidationMs: Float64Array
  readonly invalidated: Float64Array
  /** For how long requests waited for the second version of the model. */
  readonly swapMs: number
  /** A digest over every answer, by stage. */
  readonly digests: readonly bigint[]
  /** A number of each signal, to count the stale ones. */
  readonly signals: Float64Array
  readonly held: Held
  /** Growth of the heap and of array buffers since the platform was made, after full collections. */
  readonly heapBytes: number
  readonly notes: readonly string[]
}

export interface RunOptions {
  readonly onBar?: (bar: number) => void
}

export async function playScript(
  series: readonly Series[],
  script: Script,
  create: PlatformFactory,
  load: Parts['load'],
  { onBar }: RunOptions = {},
): Promise<PlatformRun> {
  const market = new Market(series)
  const work = new Work()
  const platform = await create({ market, work, load })
  const heapBefore = await heapBytes()
  const player = new Player(platform, market, work, script)
  for (let bar = 0; bar < script.bars.length; bar++) {
    onBar?.(bar)
    await player.play(bar)
  }
  const held = platform.held()
  const grown = (await heapBytes()) - heapBefore
  const notes = platform.notes()
  await platform.close()
  return { name: platform.name, ...player.result(), held, heapBytes: Math.max(0, grown), notes }
}

/** After finalizers have run, so that nothing of an earlier contender is taken for this one's. */
async function heapBytes(): Promise<number> {
  for (let round = 0; round < 4; round++) {
    collect()
    await setImmediate()
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Enough to tell two signals apart. */
function sumOf(values: Iterable<number> = []): number {
  let sum = 0
  for (const value of values) sum += value
  return sum
}

class Player {
  readonly #platform: Platform
  readonly #market: Market
  readonly #work: Work
  readonly #script: Script
  readonly #latency: number[][] = STAGES.map(() => [])
  readonly #counts = new Float64Array(2 * STAGES.length)
  readonly #asked: Float64Array[]
  readonly #computed: Float64Array[]
  readonly #rows: Float64Array
  readonly #hashes: XXHash<bigint>[] = STAGES.map(() => create64())
  readonly #signals: number[] = []
  readonly #invalidationMs: Float64Array
  readonly #invalidated: Float64Array
  /** Consumers with a signal of the symbol since its last bar. */
  readonly #live: Set<number>[]
  #swapMs = 0

  constructor(platform: Platform, market: Market, work: Work, script: Script) {
    this.#platform = platform
    this.#market = market
    this.#work = work
    this.#script = script
    const bars = script.bars.length
    this.#asked = STAGES.map(() => new Float64Array(bars))
    this.#computed = STAGES.map(() => new Float64Array(bars))
    this.#rows = new Float64Array(bars)
    this.#invalidationMs = new Float64Array(bars)
    this.#invalidated = new Float64Array(bars)
    this.#live = market.series.map(() => new Set())
  }

  async play(bar: number): Promise<void> {
    const { bars, loadAt, swapAt } = this.#script
    const { symbol, requests } = bars[bar] as Script['bars'][number]
    if (bar === loadAt) this.#platform.prepareSwap()
    if (bar === swapAt) {
      const start = performance.now()
      await this.#platform.swap()
      this.#swapMs = performance.now() - start
      for (const live of this.#live) live.clear()
    }
    this.#market.advance(symbol)
    const start = performance.now()
    await this.#platform.bar(symbol)
    this.#invalidationMs[bar] = performance.now() - start
    const live = this.#live[symbol] as Set<number>
    this.#invalidated[bar] = live.size
    live.clear()

    for (const request of requests) await this.#ask(request)
    this.#rows[bar] = this.#work.computed[PREDICTIONS] as number
    STAGES.forEach((_, stage) => {
      ;(this.#asked[stage] as Float64Array)[bar] = this.#counts[2 * stage] as number
      ;(this.#computed[stage] as Float64Array)[bar] = this.#counts[2 * stage + 1] as number
    })
  }

  async #ask(request: Request): Promise<void> {
    const { stage } = request
    const { computed } = this.#work
    const before = computed[stage] as number
    const [asked, answer, ms] = await this.#answered(request)
    ;(this.#latency[stage] as number[]).push(ms)
    this.#counts[2 * stage] = (this.#counts[2 * stage] as number) + asked
    this.#counts[2 * stage + 1] =
      (this.#counts[2 * stage + 1] as number) + (computed[stage] as number) - before
    const hash = this.#hashes[stage] as XXHash<bigint>
    for (const values of answer)
      hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    if (request.stage === SIGNALS) {
      this.#live[request.symbol]?.add(request.consumer)
      this.#signals.push(sumOf(answer[0]))
    }
  }

  /** How many were asked for, the answer's arrays, milliseconds. */
  async #answered(request: Request): Promise<[number, (Float32Array | Float64Array)[], number]> {
    const platform = this.#platform
    switch (request.stage) {
      case TECHNICAL: {
        const window = this.#market.window(request.symbol, request.age)
        const start = performance.now()
        const features: MarketFeatures = await platform.technical(window)
        const ms = performance.now() - start
        return [1, Object.values(features), ms]
      }
      case NETWORK: {
        const window = this.#market.networkWindow(request.symbol, request.age)
        const start = performance.now()
        const features = await platform.network(window)
        const ms = performance.now() - start
        return [1, [features], ms]
      }
      case PREDICTIONS: {
        const batch = this.#market.batch(request.symbols, request.lookback)
        const start = performance.now()
        const predictions = await platform.predict(batch)
        const ms = performance.now() - start
        return [batch.shape[0], [predictions], ms]
      }
      case SIGNALS: {
        const start = performance.now()
        const signal = await platform.signal(request.symbol, request.consumer)
        const ms = performance.now() - start
        return [1, [signal], ms]
      }
    }
  }

  result() {
    return {
      latencyMs: this.#latency.map((list) => Float64Array.from(list)),
      asked: this.#asked,
      computed: this.#computed,
      rows: this.#rows,
      work: { computed: [...this.#work.computed], spentMs: [...this.#work.spentMs] },
      invalidationMs: this.#invalidationMs,
      invalidated: this.#invalidated,
      swapMs: this.#swapMs,
      digests: this.#hashes.map((hash) => hash.digest()),
      signals: Float64Array.from(this.#signals),
    }
  }
}
