/** The obvious cache: every element written out as the key of a Map, deadlines by a clock that the test moves. */
import { type NdArrayLike, viewOf } from '../../../src/key/ndarray.js'
import type { FeatureCache, FeatureSetOptions, FeatureStore } from '../../../src/serving/feature-store.js'

interface Entry<V> {
  readonly value: V
  readonly deadline: number
  readonly tags: readonly string[]
}

export class FakeFeatureCache<V> implements FeatureCache<V> {
  /** Moved by the test; unused when another clock is handed in. */
  ms = 0
  readonly scopes: string[] = []
  readonly #entries = new Map<string, Entry<V>>()
  readonly #maxEntries: number
  readonly #now: () => number

  constructor(options: { maxEntries?: number; clock?: { now(): number } | undefined } = {}) {
    const { maxEntries = Number.POSITIVE_INFINITY, clock } = options
    this.#maxEntries = maxEntries
    this.#now = () => (clock === undefined ? this.ms : clock.now())
  }

  get size(): number {
    return this.#entries.size
  }

  /** Tags of every entry, oldest entry first. */
  get tags(): (readonly string[])[] {
    return [...this.#entries.values()].map((entry) => entry.tags)
  }

  scope(name: string): FeatureStore<V> {
    this.scopes.push(name)
    return {
      get: (window) => this.#get(name + contentOf(window)),
      set: (window, value, options) => this.#set(name + contentOf(window), value, options),
    }
  }

  close(): void {
    this.#entries.clear()
  }

  #get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    return entry !== undefined && this.#now() <= entry.deadline ? entry.value : undefined
  }

  #set(key: string, value: V, { ttl = Number.POSITIVE_INFINITY, tags = [] }: FeatureSetOptions = {}): void {
    this.#entries.delete(key)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size >= this.#maxEntries && oldest !== undefined) this.#entries.delete(oldest)
    this.#entries.set(key, { value, deadline: this.#now() + ttl, tags })
  }
}

/** dtype, shape and elements in C order, in words: equal exactly when the two windows are the same key. */
export function contentOf(window: NdArrayLike): string {
  const { data, dtype, shape, strides, offset } = viewOf(window)
  let positions = [offset]
  shape.forEach((length, axis) => {
    const stride = strides[axis] ?? 0
    positions = positions.flatMap((start) => Array.from({ length }, (_, index) => start + index * stride))
  })
  const elements = positions.map((position) =>
    Object.is(data[position], -0) ? '-0' : String(data[position]),
  )
  return `${dtype}[${shape}]${elements}`
}
