/**
 * One read of many names: what the second tier gave for each, judged and decoded while the rest is on its way.
 *
 * Always true: a name is judged once. What needs another answer first (tags, bytes that are no envelope) waits in `left` until all has come.
 * Nothing is judged after the read has ended, so a store may go on telling a call that was given up. Where the policy has no first tier
 * there are no entries, no tokens and no names of it: an array costs a copy and a view.
 */
import { readHeader } from '../codec/envelope.js'
import type { Generations, Snapshot, Token } from '../coherence/generations.js'
import { keepShape } from '../l2/shapes.js'
import type { Bytes } from '../platform.js'
import { believed, entryOfArray, envelopes, isCurrent, ownsArrays } from './belief.js'
import type { Core } from './core.js'
import { type Entry, entryValue } from './entry.js'
import type { Named } from './names.js'
import type { Policy } from './options.js'

/** Names of a batch; `named` where they may be put into the first tier. */
export interface Asked {
  readonly names: readonly string[]
  readonly named: readonly Named[] | undefined
}

/** What has not come, and what was not found. */
const UNKNOWN = Number.NaN
const ABSENT = Number.NEGATIVE_INFINITY

export class BatchRead<V> {
  readonly names: readonly string[]
  /** Aligned with the names. */
  readonly values: (V | undefined)[]
  readonly #core: Core<V>
  readonly #policy: Policy
  readonly #named: readonly Named[] | undefined
  readonly #freshUntil: Float64Array
  readonly #generations: Tokens | undefined
  readonly #ownWrites: Tokens | undefined
  /** Names that are not judged yet. */
  #open: number
  #ended = false

  /** Takes the tokens: it must be made before anything is read. */
  constructor(core: Core<V>, { names, named }: Asked, policy: Policy) {
    this.#core = core
    this.#policy = policy
    this.names = names
    this.values = new Array<V | undefined>(names.length).fill(undefined)
    this.#freshUntil = new Float64Array(names.length).fill(UNKNOWN)
    this.#open = names.length
    if (!policy.l1 || !policy.l2 || core.l2 === undefined) return
    this.#named = named
    this.#generations = tokensOf(names, core.generations)
    this.#ownWrites = tokensOf(names, core.ownWrites)
  }

  /** Whether a value, or that there is none, was found for the i-th name and is fresh. */
  isFound(i: number, now: number): boolean {
    return now <= (this.#freshUntil[i] as number)
  }

  /** Milliseconds for which what was found for the i-th name is fresh, less than 0 for what is not, NaN or -Infinity for nothing. */
  freshFor(i: number, now: number): number {
    return (this.#freshUntil[i] as number) - now
  }

  /** The name waits to be written: what the second tier has of it is not to be believed. */
  refuse(place: number): void {
    this.#core.recorder.missedL2('queued')
    this.#judge(place, ABSENT)
  }

  /** The places of what `take` could not judge. */
  left(): number[] {
    const places: number[] = []
    if (this.#open === 0) return places
    for (let i = 0; i < this.names.length; i++) {
      if (Number.isNaN(this.#freshUntil[i])) places.push(i)
    }
    return places
  }

  /** Judges what needs no other answer. `values[i]` is that of the name at `from + i`, or at `places[from + i]`. */
  readonly take = (values: readonly (Bytes | null)[], from: number, places?: readonly number[]): void => {
    if (this.#ended || this.#open === 0) return
    const core = this.#core
    const own = ownsArrays(core as Core<unknown>, this.#policy)
    const offset = core.serverOffset
    const now = core.time.now()
    for (let i = 0; i < values.length; i++) {
      const place = places === undefined ? from + i : (places[from + i] as number)
      if (!Number.isNaN(this.#freshUntil[place])) continue
      const bytes = values[i] ?? null
      if (bytes === null) {
        core.recorder.missedL2('absent')
        this.settle(place, undefined)
        continue
      }
      const value = envelopes.read(bytes, own) as V | undefined
      if (value !== undefined) this.#array(place, value, offset, now)
      else this.#untagged(place, bytes)
    }
  }

  /** Says what there is for a name: an entry, which is put into the first tier where the policy has one, or nothing. */
  settle(place: number, entry: Entry<V> | undefined): void {
    const core = this.#core
    if (entry === undefined) {
      this.#absent(place)
      return
    }
    core.counters.l2Hits++
    this.values[place] = entryValue(entry)
    this.#judge(place, entry.freshUntil)
    const named = this.#named?.[place]
    if (named === undefined) return
    const token = tokenAt(this.#generations as Tokens, place)
    const ownWrites = tokenAt(this.#ownWrites as Tokens, place)
    core.promote(named, entry, token, this.#policy, ownWrites)
  }

  /** Nothing is taken any more; what has not come is not found. */
  end(): void {
    this.#ended = true
  }

  #array(place: number, value: V, offset: number, now: number): void {
    const core = this.#core
    if (!isCurrent(core as Core<unknown>, envelopes, offset, now)) this.#absent(place)
    else if (this.#named === undefined) {
      core.counters.l2Hits++
      this.values[place] = value
      this.#judge(place, envelopes.freshUntil - offset)
    } else this.settle(place, entryOfArray(value, offset))
  }

  #untagged(place: number, bytes: Bytes): void {
    const head = readHeader(bytes)
    if (head !== undefined && head.tags.length === 0) this.settle(place, believed(this.#core, bytes, head))
  }

  /** Once for each name, and with a number: envelopes whose `freshUntil` is NaN are refused when they are read. */
  #judge(place: number, freshUntil: number): void {
    this.#freshUntil[place] = freshUntil
    this.#open--
  }

  #absent(place: number): void {
    this.#core.counters.l2Misses++
    this.#judge(place, ABSENT)
  }
}

keepShape(
  new BatchRead({} as Core<unknown>, { names: [], named: undefined }, { l1: false } as unknown as Policy),
)

/** Of up to so many names the tokens are taken one by one: a snapshot costs as much as some dozens. */
const FEW = 32
type Tokens = Snapshot | readonly Token[]

function tokensOf(names: readonly string[], generations: Generations): Tokens {
  if (names.length > FEW) return generations.snapshot()
  return names.map((name) => generations.token(name))
}

function tokenAt(tokens: Tokens, place: number): Snapshot | Token {
  return 'bumps' in tokens ? tokens : (tokens[place] as Token)
}
