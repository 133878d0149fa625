/** A line that says how far a run is: redrawn in place on a terminal, repeated every few seconds elsewhere. */
export interface ProgressOutput {
  readonly isTTY?: boolean
  write(text: string): unknown
}

const REDRAW_MS = 100
const REPEAT_MS = 3000
export interface ProgressOptions {
  /** What is counted. Default: requests. */
  readonly unit?: string
  /** The clock is read once in so many. Default 128. */
  readonly stride?: number
}

export class Progress {
  readonly #output: ProgressOutput
  readonly #label: string
  readonly #total: number
  readonly #unit: string
  readonly #stride: number
  readonly #startMs = performance.now()
  #dueMs: number

  constructor(output: ProgressOutput, label: string, total: number, options: ProgressOptions = {}) {
    this.#unit = options.unit ?? 'requests'
    this.#stride = options.stride ?? 128
    this.#output = output
    this.#label = label
    this.#total = total
    this.#dueMs = this.#startMs + this.#intervalMs
  }

  /** Cheap enough to be called before every request. */
  at(request: number): void {
    if (request % this.#stride !== 0) return
    const nowMs = performance.now()
    if (nowMs < this.#dueMs) return
    this.#dueMs = nowMs + this.#intervalMs
    const share = ((100 * request) / this.#total).toFixed(0).padStart(3)
    const elapsed = ((nowMs - this.#startMs) / 1000).toFixed(1)
    const line = `${this.#label.padEnd(16)} ${share} %  ${request.toLocaleString('en-US')} ${this.#unit}, ${elapsed} s`
    this.#output.write(this.#output.isTTY === true ? `\r\x1b[K${line}` : `${line}\n`)
  }

  finish(): void {
    const elapsed = ((performance.now() - this.#startMs) / 1000).toFixed(1)
    const line = `${this.#label.padEnd(16)} done  ${this.#total.toLocaleString('en-US')} ${this.#unit}, ${elapsed} s`
    this.#output.write(this.#output.isTTY === true ? `\r\x1b[K${line}\n` : `${line}\n`)
  }

  get #intervalMs(): number {
    return this.#output.isTTY === true ? REDRAW_MS : REPEAT_MS
  }
}
