/**
 * Monitor: what some caches do, as one plain object, as a judgement with advice, and for Prometheus and OpenTelemetry.
 *
 * Always true: it reads what the caches count, and never changes what they answer. While it is open every `sample`-th hit of the first
 * tier of each TieredCache is timed and its key noted, which is all that a hit pays for. Nothing that it does keeps the process alive.
 */
import { type Duration, parseDuration } from '../duration.js'
import { describe, HitpathError } from '../errors.js'
import { functionOption, integerOption, refuseUnknownOptions } from '../options.js'
import type { Signal } from '../platform.js'
import { type Finding, findingsOf, type Health, healthOf, type Minute } from './health.js'
import type { HeavyHitter } from './heavy-hitters.js'
import { between, type Monitored, type Reading, read, recorderOf } from './reading.js'
import { type CacheReport, reportOf } from './report.js'
import { Window } from './window.js'

export interface MonitorOptions {
  /** By the name that labels them. */
  readonly caches: Readonly<Record<string, Monitored>>
  /** Hits of a TieredCache between two that are timed, on average: 1 times each. Default 1,024, which costs a hit 1 to 3 %. */
  readonly sample?: number
  /** A second tier of whose calls a tenth take longer is slow, for `health`. Default `'20ms'`. */
  readonly slowL2?: Duration
  /** Milliseconds, for the sliding minute. Default: monotonic. */
  readonly clock?: { now(): number }
}

export interface MonitorStats {
  /** Wall clock, ms. */
  readonly at: number
  readonly caches: Readonly<Record<string, CacheReport>>
}

export interface WatchOptions {
  /** Between two of them. Default `'10s'`. */
  readonly every?: Duration
  /** Ends the watching. Default: none. */
  readonly signal?: Signal
}

const SAMPLE = 1024
const TICK_MS = 5000

interface Watched {
  readonly source: Monitored
  readonly window: Window
  readonly detach: () => void
  /** The last reading, which stands for a cache that is closed. */
  last: Reading
  closed: boolean
}

export class Monitor {
  readonly #caches = new Map<string, Watched>()
  readonly #now: () => number
  readonly #slowL2Ms: number
  readonly #timer: NodeJS.Timeout
  readonly #onClose = new Set<() => void>()
  #closed = false

  /** @throws HitpathError INVALID_OPTION, INVALID_TTL; what `stats()` of a cache throws */
  constructor(options: MonitorOptions) {
    refuseUnknownOptions(options, 'Monitor', ['caches', 'sample', 'slowL2', 'clock'])
    const sample = integerOption(options.sample ?? SAMPLE, 'Monitor.sample', { max: 2 ** 24 })
    this.#slowL2Ms = parseDuration(options.slowL2 ?? 20, 'Monitor.slowL2')
    const { clock, caches } = options
    if (clock !== undefined) functionOption(clock?.now, 'Monitor.clock.now')
    this.#now = clock === undefined ? () => performance.now() : () => clock.now()
    if (typeof caches !== 'object' || caches === null)
      throw new HitpathError('INVALID_OPTION', `Monitor.caches must be an object; got ${describe(caches)}`)
    const first = Object.entries(caches).map(
      ([name, source]) => [name, source, readFirst(name, source)] as const,
    )
    const now = this.#now()
    for (const [name, source, last] of first) {
      const detach = recorderOf(source)?.attach(sample) ?? (() => {})
      this.#caches.set(name, { source, window: new Window(now, last), detach, last, closed: false })
    }
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    this.#timer.unref()
  }

  /** Plain numbers, strings, booleans and nulls by cache. */
  stats(): MonitorStats {
    const now = this.#now()
    const caches: Record<string, CacheReport> = {}
    for (const [name, watched] of this.#caches) {
      const reading = this.#read(name, watched)
      const minute = between(watched.window.start(now), reading)
      caches[name] = reportOf(reading, minute, recorderOf(watched.source))
      watched.window.add(now, reading)
    }
    return { at: Date.now(), caches }
  }

  /** What is wrong, and what to do about it: judged by the last minute, or by the time since the monitor began if that is less. */
  health(): Health {
    const now = this.#now()
    const findings: Finding[] = []
    for (const [name, watched] of this.#caches) {
      const reading = this.#read(name, watched)
      if (watched.closed) {
        findings.push({
          cache: name,
          code: 'CLOSED',
          severity: 'critical',
          message: 'the cache is closed',
          advice: 'make a new one, or a new monitor without it',
        })
        continue
      }
      const recorder = recorderOf(watched.source)
      const minute: Minute = {
        ...between(watched.window.start(now), reading),
        hottest: recorder?.hottest(1)[0],
        sampledKeys: recorder?.hot?.total ?? 0,
        slowL2Ms: this.#slowL2Ms,
      }
      findings.push(...findingsOf(name, minute))
    }
    return healthOf(findings)
  }

  /**
   * The keys that a cache is asked for most, as names: `s` + string, `n` + number, `d` + digest. Of the sampled reads: a key with a
   * share beyond 1/64 is among them, one with less may be.
   * @throws HitpathError INVALID_ARGUMENT when there is no cache of that name
   */
  hotKeys(cache: string, n = 10): HeavyHitter[] {
    return recorderOf(this.#named(cache).source)?.hottest(n) ?? []
  }

  /** Readings of all caches, for those who make metrics of them. */
  readings(): ReadonlyMap<string, Reading> {
    return new Map([...this.#caches].map(([name, watched]) => [name, this.#read(name, watched)]))
  }

  /** Hears of each latency that is recorded in a TieredCache. Call what is returned to end it. */
  onLatency(listener: (cache: string, tier: 'l1' | 'l2' | 'factory', ns: number) => void): () => void {
    const ends = [...this.#caches].map(([name, { source }]) =>
      recorderOf(source)?.onLatency((tier, ns) => listener(name, tier, ns)),
    )
    return () => {
      for (const end of ends) end?.()
    }
  }

  /** `stats()` and `health()` in turns, until the signal, `close` or the end of the loop. The first comes after one turn. */
  async *watch(options: WatchOptions = {}): AsyncGenerator<MonitorStats & { readonly health: Health }> {
    refuseUnknownOptions(options, 'watch', ['every', 'signal'])
    const every = parseDuration(options.every ?? 10_000, 'watch.every')
    const { signal } = options
    while (!this.#closed && signal?.aborted !== true) {
      const end = new AbortController()
      const ended = (): void => end.abort()
      signal?.addEventListener('abort', ended)
      const forget = this.onClose(ended)
      const due = await pause(every, end.signal)
      signal?.removeEventListener('abort', ended)
      forget()
      if (due) yield { ...this.stats(), health: this.health() }
    }
  }

  /** Called when the monitor is closed; at once when it is already. Call what is returned to take it back. */
  onClose(listener: () => void): () => void {
    if (this.#closed) listener()
    else this.#onClose.add(listener)
    return () => this.#onClose.delete(listener)
  }

  /** Ends sampling and everything registered with this monitor. `stats` and `health` may still be asked. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#timer)
    for (const { detach } of this.#caches.values()) detach()
    for (const listener of [...this.#onClose]) listener()
    this.#onClose.clear()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #named(cache: string): Watched {
    const watched = this.#caches.get(cache)
    if (watched === undefined)
      throw new HitpathError('INVALID_ARGUMENT', `there is no cache ${describe(cache)} in this monitor`)
    return watched
  }

  #tick(): void {
    const now = this.#now()
    for (const [name, watched] of this.#caches) watched.window.add(now, this.#read(name, watched))
  }

  #read(name: string, watched: Watched): Reading {
    try {
      watched.last = read(watched.source, `Monitor.caches.${name}`)
      watched.closed = false
    } catch (error) {
      if (!(error instanceof HitpathError && error.code === 'CLOSED')) throw error
      watched.closed = true
    }
    return watched.last
  }
}

function readFirst(name: string, source: Monitored): Reading {
  const path = `Monitor.caches.${name}`
  if (typeof source !== 'object' || source === null || typeof source.stats !== 'function') {
    throw new HitpathError(
      'INVALID_OPTION',
      `${path} must be a cache or an object with stats(); got ${describe(source)}`,
    )
  }
  return read(source, path)
}

/** Whether the time passed; false when the signal came first. */
function pause(ms: number, signal: Signal): Promise<boolean> {
  return new Promise((resolve) => {
    const stop = (): void => {
      clearTimeout(timer)
      resolve(false)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve(true)
    }, ms)
    signal.addEventListener('abort', stop)
  })
}
