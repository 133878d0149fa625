/**
 * A read of one name from the second tier, and those who wait for it.
 *
 * Always true: those who wait are told once, all of the same entry, in the turn in which it is known. Others join only while it stands in the
 * table of reads and nothing overtook it.
 */
import { COUNTERS, type Token } from '../coherence/generations.js'
import { keepShape } from '../l2/shapes.js'
import type { Receiver } from '../l2/store.js'
import type { Bytes } from '../platform.js'
import type { Entry } from './entry.js'
import type { Named } from './names.js'
import type { Policy } from './options.js'

/** Told of the entry, fresh or stale, or of undefined for a miss. */
export type OnEntry<V> = (entry: Entry<V> | undefined) => void
export type OnError = (error: unknown) => void

/** What becomes of the bytes that a read found, and of its error. */
export interface Judge<V> {
  taken(reading: Reading<V>, bytes: Bytes | null): void
  lost(reading: Reading<V>, error: unknown): void
}

/** An async context, as `AsyncResource` keeps it. */
export interface Scope {
  runInAsyncScope<A extends unknown[]>(run: (...args: A) => void, self: unknown, ...args: A): void
}

/** A read under way, as the table of reads knows it. */
export interface SharedRead<V> {
  readonly named: Named
  /** What `counterOf` says of the name. */
  readonly counter: number
  readonly token: Token
  readonly ownWrites: Token
  /** The next in the table with this counter. */
  next: SharedRead<V> | undefined
  join(onEntry: OnEntry<V>, onError: OnError): void
}

/** Reads under way by the counters of their names, which are known anyway: a Map would hash each name once more, and be emptied again. */
export class Readings<V> {
  readonly #heads: (SharedRead<V> | undefined)[] = new Array<undefined>(COUNTERS).fill(undefined)

  /** The newest of the name. */
  of(name: string, counter: number): SharedRead<V> | undefined {
    let read = this.#heads[counter]
    while (read !== undefined && read.named.name !== name) read = read.next
    return read
  }

  add(read: SharedRead<V>): void {
    read.next = this.#heads[read.counter]
    this.#heads[read.counter] = read
  }

  delete(read: SharedRead<V>): void {
    let at = this.#heads[read.counter]
    if (at === read) {
      this.#heads[read.counter] = read.next
      return
    }
    while (at !== undefined && at.next !== read) at = at.next
    if (at !== undefined) at.next = read.next
  }
}

export class Reading<V> implements Receiver, SharedRead<V> {
  readonly named: Named
  readonly counter: number
  readonly policy: Policy
  /** Of what others changed, and of what this process did. */
  readonly token: Token
  readonly ownWrites: Token
  next: SharedRead<V> | undefined
  readonly #judge: Judge<V>
  readonly #onEntry: OnEntry<V>
  readonly #onError: OnError
  /** The async context of the caller, where somebody would look at it: answers come in that of the connection. */
  readonly #scope: Scope | undefined
  #others: { readonly onEntry: OnEntry<V>; readonly onError: OnError }[] | undefined

  constructor(
    judge: Judge<V>,
    named: Named,
    policy: Policy,
    counter: number,
    token: Token,
    ownWrites: Token,
    onEntry: OnEntry<V>,
    onError: OnError,
    scope: Scope | undefined,
  ) {
    this.#judge = judge
    this.named = named
    this.policy = policy
    this.counter = counter
    this.token = token
    this.ownWrites = ownWrites
    this.#onEntry = onEntry
    this.#onError = onError
    this.#scope = scope
  }

  join(onEntry: OnEntry<V>, onError: OnError): void {
    this.#others ??= []
    this.#others.push({ onEntry, onError })
  }

  found(bytes: Bytes | null): void {
    if (this.#scope === undefined) this.#judge.taken(this, bytes)
    else this.#scope.runInAsyncScope(this.#judge.taken, this.#judge, this, bytes)
  }

  failed(error: unknown): void {
    if (this.#scope === undefined) this.#judge.lost(this, error)
    else this.#scope.runInAsyncScope(this.#judge.lost, this.#judge, this, error)
  }

  /** Tells those who wait. */
  end(entry: Entry<V> | undefined): void {
    tell(entry, this.#onEntry, this.#onError)
    if (this.#others !== undefined)
      for (const { onEntry, onError } of this.#others) tell(entry, onEntry, onError)
  }

  fail(error: unknown): void {
    this.#onError(error)
    if (this.#others !== undefined) for (const { onError } of this.#others) onError(error)
  }
}

/** A clock of the user's may throw where it is read. */
function tell<V>(entry: Entry<V> | undefined, onEntry: OnEntry<V>, onError: OnError): void {
  try {
    onEntry(entry)
  } catch (error) {
    onError(error)
  }
}

const token = (2 ** 40) as Token
const nobody = (): void => {}
keepShape(
  new Reading(
    undefined as never,
    undefined as never,
    undefined as never,
    1,
    token,
    token,
    nobody,
    nobody,
    undefined,
  ),
)
