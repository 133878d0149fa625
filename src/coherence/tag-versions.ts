/**
 * What this process knows of the versions of tags: invalidating a tag is one number, however many entries carry it.
 *
 * An entry of the first tier keeps the `TagState` objects of its tags and the versions that it was made under; it holds while no state
 * has gone beyond them. Always true: versions only rise (R11), an equal one changes nothing (R7), and a state that is unknown
 * holds for nobody (R6). A state becomes known by being fetched, never by a message, since a message says only what the
 * version is *at least*.
 *
 * At most `maxTags` states are kept, the least recently asked for goes first. A state that goes is unknown for good: entries that refer to it are
 * misses, and are made again with the state that is current. About 150 bytes a tag.
 */
import { HitpathError } from '../errors.js'
import { integerOption } from '../options.js'

const UNKNOWN = Number.NaN
/** A fetch overtaken by this many doubts in a row is given up. */
const MAX_ROUNDS = 8

/** Version of one tag as far as known. Only `TagVersions` changes it. */
export interface TagState {
  readonly tag: string
  /** NaN while unknown: then every comparison with it is false. */
  readonly version: number
}

class State implements TagState {
  readonly tag: string
  version = UNKNOWN
  /** The highest version seen since the last gap; a fetch that was overtaken by a message does not go below it. */
  floor = 0
  /** The version of an invalidation by this process that the second tier has not said to know yet; else 0. */
  own = 0
  /** How often the version became doubtful; a reply that was asked for before does not count. */
  doubts = 0
  evicted = false

  constructor(tag: string) {
    this.tag = tag
  }
}

/** Versions of the tags, aligned. */
export type LoadTagVersions = (tags: readonly string[]) => Promise<readonly number[]>

export interface TagVersionsOptions {
  /** Reads versions from the second tier; a tag without one must get one. Rejections reach those who wait for the tags. */
  readonly load: LoadTagVersions
  /** Called at once when entries that held may not hold any more. Default: none. */
  readonly onChange?: () => void
  /** States kept, default 100,000. */
  readonly maxTags?: number
  /** Tags in one call of `load`, default 1,000. */
  readonly maxBatch?: number
}

/** Whether an entry made under `versions` of `states` is still valid; false as soon as one is unknown. O(tags of the entry). */
export function tagsHold(states: readonly TagState[], versions: readonly number[]): boolean {
  for (let i = 0; i < states.length; i++) {
    if (!((versions[i] as number) >= (states[i] as TagState).version)) return false
  }
  return true
}

/** Whether the version of the tag is known now: a gap may come between the answer to a fetch and its use. */
export function isKnown(state: TagState): boolean {
  return !Number.isNaN(state.version)
}

interface Flight {
  readonly done: Promise<State>
  readonly resolve: (state: State) => void
  readonly reject: (error: unknown) => void
}

export class TagVersions {
  readonly #load: LoadTagVersions
  readonly #onChange: () => void
  readonly #maxTags: number
  readonly #maxBatch: number
  readonly #states = new Map<string, State>()
  readonly #flights = new Map<string, Flight>()
  #queued: string[] = []
  #evictions = 0

  constructor(options: TagVersionsOptions) {
    this.#load = options.load
    this.#onChange = options.onChange ?? (() => {})
    this.#maxTags = integerOption(options.maxTags ?? 100_000, 'TagVersions.maxTags')
    this.#maxBatch = integerOption(options.maxBatch ?? 1000, 'TagVersions.maxBatch')
  }

  /** States kept. */
  get size(): number {
    return this.#states.size
  }

  /** States dropped for room; each makes the living entries of its tag misses. */
  get evictions(): number {
    return this.#evictions
  }

  /** The state of a tag whose version is known here; undefined if it must be fetched. */
  known(tag: string): TagState | undefined {
    const state = this.#states.get(tag)
    if (state === undefined || !isKnown(state)) return undefined
    this.#states.delete(tag)
    this.#states.set(tag, state)
    return state
  }

  /**
   * The states of the tags, aligned, known ones at once and the others fetched: tags asked for in one turn of the event loop go in one call
   * of `load`, and a tag is in at most one call at a time. Take it before the value is read or computed (R4).
   *
   * @throws what `load` rejects with, for the tags of that call
   */
  fetch(tags: readonly string[]): Promise<TagState[]> {
    return Promise.all(tags.map((tag) => this.known(tag) ?? this.#flight(tag).done))
  }

  /**
   * Takes in a version heard from a message or read from an envelope; Infinity says that the tag changed to a version not told, so that
   * it is unknown until fetched.
   *
   * @returns whether entries may have become invalid
   */
  merge(tag: string, version: number): boolean {
    const state = this.#states.get(tag)
    if (state === undefined) return false
    if (version !== Number.POSITIVE_INFINITY) acknowledge(state, version)
    const changed = version === Number.POSITIVE_INFINITY ? doubt(state) : raise(state, version)
    if (changed) this.#onChange()
    return changed
  }

  /** Takes in an invalidation by this process that has still to reach the second tier. */
  mergeOwn(tag: string, version: number): void {
    this.merge(tag, version)
    const state = this.#states.get(tag)
    if (state !== undefined) state.own = version
  }

  /** Whether the second tier has the tag under `version` or a later one, as far as is known here. */
  vouches(tag: string, version: number): boolean {
    const state = this.#states.get(tag)
    return state !== undefined && state.own === 0 && version <= state.version
  }

  /**
   * Own invalidations will never reach the second tier, since something that takes their place has: their tags are unknown until
   * fetched. What an entry says of them must be what the second tier says, or processes disagree about it.
   *
   * @param waits whether one of the tag is still to come. O(states)
   */
  disown(waits: (tag: string) => boolean): void {
    let changed = false
    for (const state of this.#states.values()) {
      if (state.own === 0 || waits(state.tag)) continue
      state.own = state.floor = 0
      changed = doubt(state)
    }
    if (changed) this.#onChange()
  }

  /** After a gap nothing is known: every state becomes unknown, and fetches under way are made again. O(states). */
  forget(): void {
    for (const state of this.#states.values()) {
      doubt(state)
      state.own = state.floor = 0
    }
    this.#onChange()
  }

  #flight(tag: string): Flight {
    const existing = this.#flights.get(tag)
    if (existing !== undefined) return existing
    let resolve: Flight['resolve'] = () => {}
    let reject: Flight['reject'] = () => {}
    const done = new Promise<State>((yes, no) => {
      resolve = yes
      reject = no
    })
    const flight = { done, resolve, reject }
    this.#flights.set(tag, flight)
    if (this.#queued.push(tag) === 1) queueMicrotask(() => this.#send())
    return flight
  }

  #send(): void {
    const tags = this.#queued
    this.#queued = []
    for (let i = 0; i < tags.length; i += this.#maxBatch) {
      const batch = tags.slice(i, i + this.#maxBatch)
      this.#fetchBatch(batch).catch((error: unknown) => {
        for (const tag of batch) this.#land(tag)?.reject(error)
      })
    }
  }

  /** Tags that became doubtful while they were read are read again. */
  async #fetchBatch(tags: readonly string[]): Promise<void> {
    let left = tags
    for (let round = 0; left.length > 0; round++) {
      if (round === MAX_ROUNDS) {
        throw new HitpathError('L2_UNAVAILABLE', `${left.length} tags kept changing while they were read`)
      }
      // There before the load begins: a message that overtakes the reply finds its state and raises the floor (R17).
      const asked = left.map((tag) => this.#state(tag))
      const doubts = asked.map((state) => state.doubts)
      const versions = await this.#load(left)
      left = asked.flatMap((state, i) => {
        if (state.doubts !== doubts[i]) return [state.tag]
        if (learn(state, versions[i])) this.#onChange()
        this.#land(state.tag)?.resolve(state)
        return []
      })
    }
  }

  #land(tag: string): Flight | undefined {
    const flight = this.#flights.get(tag)
    this.#flights.delete(tag)
    return flight
  }

  #state(tag: string): State {
    const existing = this.#states.get(tag)
    if (existing !== undefined) return existing
    const state = new State(tag)
    this.#states.set(tag, state)
    if (this.#states.size > this.#maxTags) this.#evictOldest()
    return state
  }

  #evictOldest(): void {
    for (const [tag, state] of this.#states) {
      this.#states.delete(tag)
      state.version = UNKNOWN
      state.evicted = true
      this.#evictions++
      this.#onChange()
      return
    }
  }
}

function raise(state: State, version: number): boolean {
  if (!(version > state.floor)) return false
  state.floor = version
  if (!(version > state.version)) return false
  state.version = version
  return true
}

/** The second tier knows the tag under this version, and so of whatever was older. */
function acknowledge(state: State, version: number): void {
  if (version >= state.own) state.own = 0
}

function doubt(state: State): boolean {
  state.version = UNKNOWN
  state.doubts++
  return true
}

/** An evicted state hears no messages, so it must not become known again; nor does an answer that is no version make it so.
 * Whether a version that was known has risen. */
function learn(state: State, version: number | undefined): boolean {
  if (state.evicted || version === undefined || !Number.isFinite(version)) return false
  const { version: before } = state
  acknowledge(state, version)
  state.floor = Math.max(state.floor, version)
  state.version = state.floor
  return state.version > before
}
