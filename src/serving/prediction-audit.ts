/**
 * An online audit: a sample of the hits is computed again, and the error of what was served is reported.
 *
 * Sampled rows wait for the next call of the model and join it, or get a call of their own after `delay`. Always true: nobody waits for the
 * audit, and a call that fails with its rows is made again without them. Cost: a copy of each sampled row; at most MOST of them wait.
 */
import { parseDuration } from '../duration.js'
import type { TypedArray } from '../key/ndarray.js'
import type { Rows } from '../l1/row-matrix.js'
import { functionOption, refuseUnknownOptions } from '../options.js'
import { gather, gathered } from './prediction-batch.js'
import {
  type AuditOptions,
  type AuditReport,
  arrayOf,
  OWNER,
  type PredictionSettings,
  refused,
} from './prediction-options.js'

const MOST = 1024

interface Sampled {
  readonly row: Uint8Array
  readonly served: readonly number[]
}

/** Rows of a call of the model, of which the last `count` are the audit's. */
export interface Riders {
  readonly rows: Rows
  readonly count: number
  readonly served: readonly (readonly number[])[]
}

export class Audit {
  readonly #settings: PredictionSettings
  readonly #run: (rows: Rows) => Promise<TypedArray>
  readonly #detach: (work: Promise<unknown>) => Promise<void>
  readonly #onReport: ((report: AuditReport) => void) | undefined
  readonly #delayMs: number
  readonly #sample: number
  readonly #random: () => number
  readonly #max: Float64Array
  readonly #sum: Float64Array
  readonly #squares: Float64Array
  #compared = 0
  #dropped = 0
  #skip: number
  #waiting: Sampled[] = []
  /** What the waiting rows look like. */
  #like: Rows | undefined
  #timer: NodeJS.Timeout | undefined

  /** @throws HitpathError INVALID_OPTION, INVALID_TTL */
  constructor(
    options: AuditOptions,
    settings: PredictionSettings,
    run: (rows: Rows) => Promise<TypedArray>,
    detach: (work: Promise<unknown>) => Promise<void>,
    random: () => number = Math.random,
  ) {
    refuseUnknownOptions(options, `${OWNER}.audit`, ['sample', 'delay', 'onReport'])
    const { sample, onReport } = options
    if (!(typeof sample === 'number' && sample >= 0 && sample <= 1))
      throw refused('audit.sample', 'a number from 0 to 1', sample)
    if (onReport !== undefined) functionOption(onReport, `${OWNER}.audit.onReport`)
    this.#settings = settings
    this.#run = run
    this.#detach = detach
    this.#onReport = onReport
    this.#sample = sample
    this.#random = random
    this.#delayMs = parseDuration(options.delay ?? '1s', `${OWNER}.audit.delay`)
    this.#max = new Float64Array(settings.outputs)
    this.#sum = new Float64Array(settings.outputs)
    this.#squares = new Float64Array(settings.outputs)
    this.#skip = this.#gap()
  }

  /** Takes a sample of the rows that were found. O(rows sampled): the gaps between them are drawn. */
  take(rows: Rows, found: Uint8Array, hits: number, served: TypedArray): void {
    if (this.#skip >= hits) {
      this.#skip -= hits
      return
    }
    for (let i = 0, hit = 0; i < rows.count; i++) {
      if (found[i] !== 1) continue
      if (hit++ !== this.#skip) continue
      this.#add(rows, i, served)
      this.#skip += 1 + this.#gap()
    }
    this.#skip -= hits
  }

  /** Hits until the next that is sampled. */
  #gap(): number {
    if (this.#sample === 1) return 0
    if (this.#sample === 0) return Infinity
    return Math.floor(Math.log(1 - this.#random()) / Math.log(1 - this.#sample))
  }

  #add(rows: Rows, i: number, served: TypedArray): void {
    const { outputs } = this.#settings
    const like = this.#like
    if (this.#waiting.length >= MOST || (like !== undefined && !isAlike(like, rows))) {
      this.#dropped++
      return
    }
    const values: number[] = []
    for (let k = 0; k < outputs; k++) values.push(Number(served[i * outputs + k]))
    if (this.#waiting.length === 0) this.#like = gathered(gather(rows, []), rows, 0)
    this.#waiting.push({ row: new Uint8Array(gather(rows, [i]).buffer), served: values })
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => void this.#detach(this.#alone()), this.#delayMs)
    this.#timer.unref()
  }

  /** Rows that a call of the model is about to be made with, and the waiting ones behind them; undefined when none wait that fit. */
  join(rows: Rows): Riders | undefined {
    if (this.#like === undefined || !isAlike(this.#like, rows)) return undefined
    const waiting = this.#empty()
    const { rowBytes, dtype, count } = rows
    const width = rows.data.BYTES_PER_ELEMENT
    const data = arrayOf(dtype as PredictionSettings['dtype'], ((count + waiting.length) * rowBytes) / width)
    const bytes = new Uint8Array(data.buffer)
    bytes.set(new Uint8Array(rows.data.buffer, rows.data.byteOffset, count * rowBytes))
    for (const [i, { row }] of waiting.entries()) bytes.set(row, (count + i) * rowBytes)
    return {
      rows: gathered(data, rows, count + waiting.length),
      count: waiting.length,
      served: waiting.map(({ served }) => served),
    }
  }

  /** What the model says now against what was served. */
  compare({ served }: Riders, now: TypedArray): void {
    const { outputs } = this.#settings
    for (const [row, values] of served.entries()) {
      const errors = values.map((value, k) => Math.abs(Number(now[row * outputs + k]) - value))
      if (!errors.every(Number.isFinite)) {
        this.#dropped++
        continue
      }
      this.#compared++
      for (const [k, error] of errors.entries()) {
        this.#max[k] = Math.max(this.#max[k] as number, error)
        this.#sum[k] = (this.#sum[k] as number) + error
        this.#squares[k] = (this.#squares[k] as number) + error * error
      }
    }
    try {
      this.#onReport?.(this.report())
    } catch (error) {
      this.#settings.report(error)
    }
  }

  drop(count: number): void {
    this.#dropped += count
  }

  report(): AuditReport {
    const rows = this.#compared
    const mean = (sum: number): number => (rows === 0 ? 0 : sum / rows)
    return {
      rows,
      maxAbs: [...this.#max],
      meanAbs: Array.from(this.#sum, mean),
      rmse: Array.from(this.#squares, (sum) => Math.sqrt(mean(sum))),
      dropped: this.#dropped,
    }
  }

  close(): void {
    this.#dropped += this.#empty().length
  }

  async #alone(): Promise<void> {
    const like = this.#like
    if (like === undefined) return
    const riders = this.join(like) as Riders
    try {
      this.compare(riders, await this.#run(riders.rows))
    } catch (error) {
      this.drop(riders.count)
      throw error
    }
  }

  #empty(): readonly Sampled[] {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#like = undefined
    const waiting = this.#waiting
    this.#waiting = []
    return waiting
  }
}

function isAlike(a: Rows, b: Rows): boolean {
  return (
    a.dtype === b.dtype &&
    a.shape.length === b.shape.length &&
    a.shape.every((n, axis) => n === b.shape[axis])
  )
}
