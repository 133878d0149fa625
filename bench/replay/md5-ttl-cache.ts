/**
 * The original design, as it would be written in JavaScript with care: the hexadecimal md5 of the window's
 * bytes in C order is the key of a Map whose entries carry a deadline; the oldest entry leaves when it is full.
 */
import { createHash } from 'node:crypto'
import type { BarWindow } from './rolling-bars.js'

interface Entry<V> {
  readonly value: V
  readonly deadline: number
}

export class Md5TtlCache<V> {
  readonly #entries = new Map<string, Entry<V>>()
  readonly #maxEntries: number
  readonly #ttlMs: number
  readonly #clock: { now(): number }

  constructor(maxEntries: number, ttlMs: number, clock: { now(): number }) {
    this.#maxEntries = maxEntries
    this.#ttlMs = ttlMs
    this.#clock = clock
  }

  getOrCompute(window: BarWindow, compute: (window: BarWindow) => V): V {
    const key = createHash('md5').update(bytesOf(window)).digest('hex')
    const now = this.#clock.now()
    const entry = this.#entries.get(key)
    if (entry !== undefined && now <= entry.deadline) return entry.value

    const value = compute(window)
    this.#entries.delete(key)
    if (this.#entries.size >= this.#maxEntries) this.#evictOldest()
    this.#entries.set(key, { value, deadline: now + this.#ttlMs })
    return value
  }

  #evictOldest(): void {
    const oldest = this.#entries.keys().next()
    if (!oldest.done) this.#entries.delete(oldest.value)
  }
}

/** The elements in C order: the memory itself where they lie so, otherwise gathered into a scratch array. */
function bytesOf(window: BarWindow): Uint8Array {
  const { data, offset } = window
  const [rows = 0, columns = 0] = window.shape
  const [rowStride = 0, columnStride = 0] = window.stride
  const length = rows * columns
  if (columnStride === 1 && rowStride === columns) {
    return new Uint8Array(
      data.buffer,
      data.byteOffset + offset * data.BYTES_PER_ELEMENT,
      length * data.BYTES_PER_ELEMENT,
    )
  }
  if (scratch.length < length) scratch = new Float64Array(length)
  let next = 0
  for (let row = 0; row < rows; row++) {
    const start = offset + row * rowStride
    for (let column = 0; column < columns; column++) scratch[next++] = data[start + column * columnStride]!
  }
  return new Uint8Array(scratch.buffer, 0, length * scratch.BYTES_PER_ELEMENT)
}

let scratch = new Float64Array(0)
