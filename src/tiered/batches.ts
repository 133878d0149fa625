/** Many keys in one go: one pass over the first tier, one call of the second, one call of the factory. */
import { HitpathError } from '../errors.js'
import type { CacheKey } from '../l1/engine.js'
import type { Signal } from '../platform.js'
import { ContextOfMany, type ManyContext } from './context.js'
import type { Core } from './core.js'
import { missReason } from './diagnosis.js'
import { type Entry, entryValue } from './entry.js'
import type { Flight } from './flight.js'
import type { Loader, Made } from './loader.js'
import type { Named } from './names.js'
import type { Policy } from './options.js'
import type { Reader } from './reader.js'

/** Values aligned with the keys given, or by key. A key without a value has none. */
export type ManyFactory<V, K extends CacheKey = CacheKey> = (
  missing: K[],
  context: ManyContext<V>,
) => Values<V, K> | Promise<Values<V, K>>
type Values<V, K> = readonly (V | undefined)[] | ReadonlyMap<NoInfer<K> | CacheKey, V>

interface Missing<K> {
  readonly key: K
  readonly named: Named
  /** Where the key stands in the question. */
  readonly at: number[]
}

export class Batches<V> {
  readonly #core: Core<V>
  readonly #reader: Reader<V>
  readonly #loader: Loader<V>

  constructor(core: Core<V>, reader: Reader<V>, loader: Loader<V>) {
    this.#core = core
    this.#reader = reader
    this.#loader = loader
  }

  async getMany<K extends CacheKey>(keys: readonly K[], policy: Policy): Promise<(V | undefined)[]> {
    const core = this.#core
    core.refuseClosed()
    const out = new Array<V | undefined>(keys.length).fill(undefined)
    const places = policy.l1 ? this.#fromFirst(keys, out) : undefined
    await this.#fromSecond(keys, places, policy.l1 ? this.#named(keys, places) : undefined, policy, out)
    return out
  }

  async getOrSetMany<K extends CacheKey>(
    keys: readonly K[],
    factory: ManyFactory<V, K>,
    policy: Policy,
    tags: readonly string[],
    signal: Signal | undefined,
  ): Promise<(V | undefined)[]> {
    const core = this.#core
    core.refuseClosed()
    const out = new Array<V | undefined>(keys.length).fill(undefined)
    const places = policy.l1 ? this.#fromFirst(keys, out) : undefined
    const named = this.#named(keys, places)
    const missing = new Map<string, Missing<K>>()
    for (const i of await this.#fromSecond(keys, places, named, policy, out)) {
      const at = places === undefined ? i : (places[i] as number)
      const one = missing.get((named[i] as Named).name)
      if (one === undefined)
        missing.set((named[i] as Named).name, { key: keys[at] as K, named: named[i] as Named, at: [at] })
      else one.at.push(at)
    }
    if (missing.size === 0) return out
    core.refuseClosed()
    if (signal?.aborted === true) throw signal.reason
    const flights: (readonly [Missing<K>, Flight<V>])[] = []
    const own: Missing<K>[] = []
    for (const one of missing.values()) {
      const under = core.flights.get(one.named.name)
      if (under !== undefined && !under.overtaken && !under.settled) flights.push([one, under])
      else own.push(one)
    }
    if (own.length > 0) flights.push(...this.#computed(own, factory, policy, tags))
    await Promise.all(
      flights.map(async ([{ at }, flight]) => {
        const value = await flight.join({
          soft: Infinity,
          hard: policy.hard,
          signal,
          stale: undefined,
          onStale: () => {},
        })
        for (const i of at) out[i] = value
      }),
    )
    return out
  }

  /** Fills in what the first tier has; the places of the keys that it has not. */
  #fromFirst<K extends CacheKey>(keys: readonly K[], out: (V | undefined)[]): number[] {
    const core = this.#core
    const { prefix } = core.names
    const here = core.l1.getMany(prefix === undefined ? keys : keys.map((key) => core.names.within(key)))
    const places: number[] = []
    for (let i = 0; i < keys.length; i++) {
      const entry = here[i] as Entry<V> | undefined
      if (entry !== undefined && (entry.pass === core.gate.pass || isFresh(core, entry))) {
        core.gate.hits++
        out[i] = entryValue(entry)
        if (core.events.wants('hit'))
          core.events.emit('hit', { key: core.names.named(keys[i] as K).name, tier: 'l1' })
      } else {
        places.push(i)
        // The name is for whoever samples.
        const name = core.recorder.every === 0 ? '' : core.names.named(keys[i] as K).name
        core.recorder.missedL1(missReason(core, entry), name, core.time)
      }
    }
    return places
  }

  /** The names of the keys at the places, or of all. */
  #named<K extends CacheKey>(keys: readonly K[], places: readonly number[] | undefined): Named[] {
    const { names } = this.#core
    if (places === undefined) return keys.map((key) => names.named(key))
    return places.map((place) => names.named(keys[place] as K))
  }

  /**
   * Fills in what the second tier has; which of the places it has not. A negative entry counts as had.
   *
   * @param places of the keys that are wanted; undefined for all
   * @param named aligned with the places, where more than their names in the second tier is needed
   */
  async #fromSecond<K extends CacheKey>(
    keys: readonly K[],
    places: readonly number[] | undefined,
    named: readonly Named[] | undefined,
    policy: Policy,
    out: (V | undefined)[],
  ): Promise<number[]> {
    const core = this.#core
    const missed: number[] = []
    if ((places ?? keys).length === 0) return missed
    const names = named?.map(({ name }) => name) ?? keys.map((key) => core.names.nameOf(key))
    const batch = await this.#reader.readMany({ names, named }, policy)
    const now = core.time.now()
    const tellsHits = core.events.wants('hit')
    for (let i = 0; i < names.length; i++) {
      const isFound = batch.isFound(i, now)
      if (isFound) {
        out[places === undefined ? i : (places[i] as number)] = batch.values[i]
        core.gate.hits++
        core.recorder.l2Answers++
        if (tellsHits) core.events.emit('hit', { key: names[i] as string, tier: 'l2' })
      } else {
        missed.push(i)
        core.counters.misses++
        if (core.events.wants('miss')) core.events.emit('miss', { key: names[i] as string })
      }
    }
    return missed
  }

  /** One flight a key, all of one call of the factory. */
  #computed<K extends CacheKey>(
    own: readonly Missing<K>[],
    factory: ManyFactory<V, K>,
    policy: Policy,
    tags: readonly string[],
  ): (readonly [Missing<K>, Flight<V>])[] {
    const flights: Flight<V>[] = []
    let all: Promise<ReadonlyMap<string, () => Entry<V> | undefined>> | undefined
    for (const { named } of own) {
      flights.push(
        this.#loader.fly(named.name, async () => {
          all ??= this.#compute(own, flights, factory, policy, tags)
          return (await all).get(named.name)?.()
        }),
      )
    }
    return own.map((one, i) => [one, flights[i] as Flight<V>])
  }

  async #compute<K extends CacheKey>(
    own: readonly Missing<K>[],
    flights: readonly Flight<V>[],
    factory: ManyFactory<V, K>,
    policy: Policy,
    tags: readonly string[],
  ): Promise<ReadonlyMap<string, () => Entry<V> | undefined>> {
    const core = this.#core
    const names = own.map(({ named }) => named)
    const guarded = await this.#loader.guards(names, policy, tags, 0)
    const keys = own.map(({ key }) => key)
    let abandoned: Signal | undefined
    const context = new ContextOfMany<V>([...keys], tags, () => {
      abandoned ??= whenAllAbort(flights.map(({ signal }) => signal))
      return abandoned
    })
    const began = core.time.now()
    core.counters.factoryCalls++
    let values: Values<V, K>
    try {
      values = await factory(keys, context)
    } catch (error) {
      core.counters.factoryErrors++
      throw error
    }
    core.refuseClosed()
    const valueAt = read(values, own)
    const factoryMs = core.time.now() - began
    core.recorder.factoryRan(factoryMs)
    const results = new Map<string, () => Entry<V> | undefined>()
    const made: Made<V>[] = []
    for (const [i, { named }] of own.entries()) {
      const failure = context.failures.get(i)
      if (failure === undefined) {
        made.push({
          named,
          policy,
          value: valueAt(i),
          context: context.saidOf(i),
          guarded: guarded[i] as Made<V>['guarded'],
          factoryMs,
          flight: flights[i] as Flight<V>,
        })
        continue
      }
      core.counters.factoryErrors++
      results.set(named.name, () => {
        throw failure.reason
      })
    }
    const entries = await this.#loader.storeMany(made)
    for (const [i, { named }] of made.entries()) results.set(named.name, () => entries[i])
    return results
  }
}

/** Aborted once nobody waits for any of the values. */
function whenAllAbort(signals: readonly Signal[]): Signal {
  const controller = new AbortController()
  let waiting = signals.length
  for (const signal of signals) {
    const abort = (): void => {
      if (--waiting === 0) controller.abort(signal.reason)
    }
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort)
  }
  return controller.signal
}

/** Whether the entry may be served. */
export function isFresh<V>(core: Core<V>, entry: Entry<V>): boolean {
  const judged = core.judge(entry)
  return judged === 'fresh' || judged === 'early'
}

function read<V, K>(values: Values<V, K>, own: readonly Missing<K>[]): (i: number) => V | undefined {
  if (values instanceof Map) return (i) => (values as ReadonlyMap<unknown, V>).get((own[i] as Missing<K>).key)
  if (Array.isArray(values) && values.length === own.length) return (i) => values[i] as V | undefined
  throw new HitpathError(
    'INVALID_VALUE',
    `the factory was asked for ${own.length} values: it must return an array of as many, or a Map by key`,
  )
}
