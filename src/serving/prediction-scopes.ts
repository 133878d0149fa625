/**
 * Which key space the rows of a batch belong to: one word of model, version, grid, and the versions of the batch's tags as they are now.
 *
 * Invalidating a tag gives it another version, so that the next batch looks elsewhere: O(1), whatever was stored. Versions of this process
 * are entries of the SharedCache, for all its threads: random numbers, so that one which is evicted, expires or is removed never comes back.
 * They carry the tag itself, so `cache.invalidateTag` changes them too. Those of other processes come from the second tier.
 * Cost: a look at one prepared key a tag; the word is made anew only when a version changed.
 */
import { randomBytes } from 'node:crypto'
import type { PreparedKey } from '../key/prepared.js'
import { digestBytes } from '../key/stage.js'
import { DIGEST_BYTES } from '../l1/rows.js'
import { scopeWord } from '../l1/scope.js'
import type { RowAccess, RowStamp } from '../tiered/row-access.js'

/** What scopes need of a SharedCache. */
export interface VersionStore {
  key(key: string): PreparedKey
  get(key: PreparedKey): unknown
  set(
    key: PreparedKey,
    value: never,
    options: { readonly ttl: number; readonly tags: readonly string[] },
  ): unknown
}

/** A key space at one moment. */
export interface RowScope {
  readonly word: number
  readonly tags: readonly string[]
  /** Of the second tier; undefined without one, or while its state is not known: then nothing is kept. */
  readonly stamp: RowStamp | undefined
  /** Whether rows may be kept under the word. */
  readonly kept: boolean
}

/** The tags of a batch, and the last word that they had. */
interface Tagged {
  readonly tags: readonly string[]
  readonly keys: readonly PreparedKey[]
  readonly versions: number[]
  last: RowScope | undefined
}

/** Lists of tags that are remembered. */
const MOST = 10_000
const SAMPLE = new Float64Array(1)

export class PredictionScopes {
  readonly #base: readonly unknown[]
  readonly #cache: VersionStore
  readonly #rows: RowAccess | undefined
  readonly #tagged = new Map<string, Tagged>()

  /** @param base what names the model: the same in each process that shares the second tier */
  constructor(base: readonly unknown[], cache: VersionStore, rows: RowAccess | undefined) {
    this.#base = base
    this.#cache = cache
    this.#rows = rows
  }

  /** The scope of a batch with these tags now; undefined when the second tier has to be asked first. */
  now(tags: readonly string[]): RowScope | undefined {
    const tagged = this.#of(tags)
    if (this.#rows === undefined) return this.#scope(tagged, undefined)
    const stamp = this.#rows.stamp(tagged.tags)
    return stamp === undefined ? undefined : this.#scope(tagged, stamp)
  }

  /** The same, after asking. A second tier that does not answer gives a scope that nobody meets again. */
  async read(tags: readonly string[], report: (error: unknown) => void): Promise<RowScope> {
    const tagged = this.#of(tags)
    const rows = this.#rows as RowAccess
    try {
      return this.#scope(tagged, await rows.readStamp(tagged.tags))
    } catch (error) {
      report(error)
      return { word: freshVersion(), tags: tagged.tags, stamp: undefined, kept: false }
    }
  }

  /** Gives a tag another version, for all threads of the process. */
  invalidate(tag: string): void {
    this.#renew(this.#key(tag), tag)
  }

  /** What digests of a scope's rows are mixed with to be names in the second tier, which has the tags and not their versions in the name. */
  nameMask(scope: RowScope): Uint8Array {
    const here = digestBytes(SAMPLE, scope.word)
    const there = digestBytes(SAMPLE, scopeWord(this.#nameOf(scope.tags, [])))
    const mask = new Uint8Array(DIGEST_BYTES)
    // A digest is its elements' hash, its header's and its scope's, each mixed in by an exclusive or.
    for (let i = 0; i < DIGEST_BYTES; i++) mask[i] = (here[i] as number) ^ (there[i] as number)
    return mask
  }

  #of(tags: readonly string[]): Tagged {
    const [only] = tags
    const written = tags.length === 1 && only?.startsWith('[') === false ? only : JSON.stringify(tags)
    const known = this.#tagged.get(written)
    if (known !== undefined) return known
    const unique = [...new Set(tags)].sort()
    const tagged = { tags: unique, keys: unique.map((tag) => this.#key(tag)), versions: [], last: undefined }
    if (this.#tagged.size >= MOST) {
      for (const oldest of this.#tagged.keys()) {
        this.#tagged.delete(oldest)
        break
      }
    }
    this.#tagged.set(written, tagged)
    return tagged
  }

  #scope(tagged: Tagged, stamp: RowStamp | undefined): RowScope {
    const { tags, keys, versions, last } = tagged
    let same = last !== undefined && isSameStamp(last.stamp, stamp)
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as PreparedKey
      const found = this.#cache.get(key)
      const version = typeof found === 'number' ? found : this.#renew(key, tags[i] as string)
      if (version !== versions[i]) same = false
      versions[i] = version
    }
    if (same) return last as RowScope
    const state = stamp === undefined ? versions : [...versions, stamp.epoch, ...stamp.versions]
    const scope = { word: scopeWord(this.#nameOf(tags, state)), tags, stamp, kept: true }
    tagged.last = scope
    return scope
  }

  #nameOf(tags: readonly string[], state: readonly number[]): string {
    return `predictions/${JSON.stringify([...this.#base, tags, state])}`
  }

  #key(tag: string): PreparedKey {
    return this.#cache.key(`\u0001predictions\u0001${tag}`)
  }

  #renew(key: PreparedKey, tag: string): number {
    const version = freshVersion()
    this.#cache.set(key, version as never, { ttl: Infinity, tags: [tag] })
    // Another thread may have been later: what stands there is what all see.
    const stands = this.#cache.get(key)
    return typeof stands === 'number' ? stands : version
  }
}

/** 48 random bits, never 0. */
function freshVersion(): number {
  return randomBytes(6).readUIntBE(0, 6) + 1
}

function isSameStamp(a: RowStamp | undefined, b: RowStamp | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.epoch === b.epoch && a.versions.every((version, i) => version === b.versions[i])
}
