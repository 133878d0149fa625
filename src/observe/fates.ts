/**
 * What became of entries: when a key is missed, whether it was never there, had expired, was evicted while it was alive, or was removed.
 *
 * Keys are sampled by their hash, so that all that happens to a sampled key is seen (Waldspurger et al., "Efficient MRC Construction with
 * SHARDS", FAST 2015). Up to 4,096 keys are followed; with more the share that is sampled is halved. Always true: a key in the
 * sample is followed from its first put on, until the share shrinks past it. Counts are of the sample; `share` says which part of all keys it is.
 */
import { createHash } from 'node:crypto'
import { serialize } from 'node:v8'

/** Why a key was not there. */
export type Fate = 'new' | 'expired' | 'evicted' | 'removed'

const CAPACITY = 4096
const HASHES = 2 ** 32
/** Values of factories are compared no more often than this: serialising a large one takes milliseconds. */
const DIGESTS_A_SECOND = 20

interface Followed {
  readonly hash: number
  /** Until when it was to live; undefined once it was removed. */
  until: number | undefined
  digest: string | undefined
}

export class Fates {
  readonly misses: Record<Fate, number> = { new: 0, expired: 0, evicted: 0, removed: 0 }
  /** Values that a factory made again after the old ones had expired. */
  readonly recomputed = { changed: 0, unchanged: 0 }
  readonly #followed = new Map<string, Followed>()
  #limit = HASHES
  #digestsUntil = 0
  #digestsLeft = 0

  /** Which part of all keys is followed. */
  get share(): number {
    return this.#limit / HASHES
  }

  /** An entry was put, and lives until then unless something happens. */
  put(name: string, until: number): void {
    const followed = this.#followed.get(name)
    if (followed !== undefined) {
      followed.until = until
      return
    }
    const hash = hashOf(name)
    if (hash >= this.#limit) return
    this.#followed.set(name, { hash, until, digest: undefined })
    while (this.#followed.size > CAPACITY) this.#thin()
  }

  removed(name: string): void {
    const followed = this.#followed.get(name)
    if (followed !== undefined) followed.until = undefined
  }

  /** Many were removed, nobody says which. */
  forget(): void {
    this.#followed.clear()
  }

  /** Of a name that is not there; undefined when it is not in the sample. Changes nothing. */
  of(name: string, now: number): Fate | undefined {
    const followed = this.#followed.get(name)
    if (followed === undefined) return hashOf(name) < this.#limit ? 'new' : undefined
    if (followed.until === undefined) return 'removed'
    return now > followed.until ? 'expired' : 'evicted'
  }

  missed(name: string, now: number): void {
    const fate = this.of(name, now)
    if (fate !== undefined) this.misses[fate]++
  }

  /** A factory made this value. Compared with the last one if the time of that was over. */
  computed(name: string, value: unknown, now: number): void {
    const followed = this.#followed.get(name)
    if (followed === undefined || !this.#mayDigest(now)) return
    const digest = digestOf(value)
    if (followed.digest !== undefined && digest !== undefined && this.of(name, now) === 'expired')
      this.recomputed[digest === followed.digest ? 'unchanged' : 'changed']++
    followed.digest = digest
  }

  #mayDigest(now: number): boolean {
    if (now >= this.#digestsUntil) {
      this.#digestsUntil = now + 1000
      this.#digestsLeft = DIGESTS_A_SECOND
    }
    return this.#digestsLeft-- > 0
  }

  #thin(): void {
    this.#limit /= 2
    for (const [name, { hash }] of this.#followed) if (hash >= this.#limit) this.#followed.delete(name)
  }
}

/** FNV-1a, mixed, as an unsigned word. */
function hashOf(name: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}

/** Undefined for what cannot be serialised. */
function digestOf(value: unknown): string | undefined {
  try {
    return createHash('sha1').update(serialize(value)).digest('base64')
  } catch {
    return undefined
  }
}
