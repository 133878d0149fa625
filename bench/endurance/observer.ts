/**
 * What a process feels while it is under load, in windows: delay of its event loop, time in garbage collection, resident
 * set, operations done. Belongs to the thread that makes it.
 */
import { type IntervalHistogram, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'

/** Of the delay monitor: a delay of that much is none. */
const RESOLUTION_MS = 1
const NS_PER_MS = 1e6
const BYTES_PER_MIB = 2 ** 20

export interface Window {
  /** Since the load began, at the end of the window. */
  readonly seconds: number
  readonly delayP50Ms: number
  readonly delayP99Ms: number
  readonly delayMaxMs: number
  /** Share of the window, 0 to 100. */
  readonly gcPercent: number
  readonly gcMaxMs: number
  readonly rssMiB: number
  readonly operationsPerMs: number
}

export class Observer {
  readonly #delay: IntervalHistogram
  readonly #collections: PerformanceObserver
  readonly #windowMs: number
  readonly #startedMs = performance.now()
  #windowStartMs = this.#startedMs
  #gcMs = 0
  #gcMaxMs = 0
  #operations = 0
  readonly windows: Window[] = []

  constructor(windowMs: number) {
    this.#windowMs = windowMs
    this.#delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
    this.#delay.enable()
    this.#collections = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) {
        this.#gcMs += duration
        this.#gcMaxMs = Math.max(this.#gcMaxMs, duration)
      }
    })
    this.#collections.observe({ entryTypes: ['gc'] })
  }

  /** After each turn of the load: closes the window when its time is over. */
  did(operations: number): void {
    this.#operations += operations
    const now = performance.now()
    const elapsedMs = now - this.#windowStartMs
    if (elapsedMs < this.#windowMs) return
    const delay = this.#delay
    const beyond = (ns: number): number => Math.max(0, ns / NS_PER_MS - RESOLUTION_MS)
    this.windows.push({
      seconds: (now - this.#startedMs) / 1_000,
      delayP50Ms: beyond(delay.percentile(50)),
      delayP99Ms: beyond(delay.percentile(99)),
      delayMaxMs: delay.count === 0 ? elapsedMs : beyond(delay.max),
      gcPercent: Math.min(100, (this.#gcMs / elapsedMs) * 100),
      gcMaxMs: this.#gcMaxMs,
      rssMiB: process.memoryUsage.rss() / BYTES_PER_MIB,
      operationsPerMs: this.#operations / elapsedMs,
    })
    delay.reset()
    this.#windowStartMs = now
    this.#gcMs = 0
    this.#gcMaxMs = 0
    this.#operations = 0
  }

  stop(): readonly Window[] {
    this.#delay.disable()
    this.#collections.disconnect()
    return this.windows
  }
}
