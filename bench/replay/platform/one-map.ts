/** The cache of the original design: a Map of strings whose entries carry a deadline, searched by glob. */
import { createHash } from 'node:crypto'

interface Entry {
  readonly value: unknown
  readonly deadline: number
}

export class OneMap {
  readonly #entries = new Map<string, Entry>()
  readonly #ttlMs: number

  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs
  }

  get size(): number {
    return this.#entries.size
  }

  digest(values: Float32Array | Float64Array): string {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    return createHash('md5').update(bytes).digest('hex')
  }

  get<V>(key: string): V | undefined {
    const entry = this.#entries.get(key)
    return entry !== undefined && Date.now() <= entry.deadline ? (entry.value as V) : undefined
  }

  set(key: string, value: unknown): void {
    this.#entries.set(key, { value, deadline: Date.now() + this.#ttlMs })
  }

  /** A promise is stored when it has settled. */
  getOrCompute<V>(key: string, compute: () => V): V {
    const known = this.get<Awaited<V>>(key)
    if (known !== undefined) return known as V
    const made = compute()
    if (!(made instanceof Promise)) {
      this.set(key, made)
      return made
    }
    return made.then((value: unknown) => {
      this.set(key, value)
      return value
    }) as V
  }

  /** `*` is the one wildcard. */
  invalidatePattern(glob: string): void {
    const escaped = glob.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    const pattern = new RegExp(`^${escaped.join('.*')}$`)
    for (const key of this.#entries.keys()) if (pattern.test(key)) this.#entries.delete(key)
  }
}
