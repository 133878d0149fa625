/** Many keys in one go: one pass over the first tier, one call of the second, one call of the factory. */
import { HitpathError } from '../errors.js'
import type { CacheKey } from '../l1/engine.js'
import { Context, type FactoryContext } from './context.js'
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
  context: FactoryContext<V>,
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
    const out = new Array<V | undefined>(keys.length).fill(undefined)
    await this.#fill(keys, policy, out)
    return out
  }

  async getOrSetMany<K extends CacheKey>(
    keys: readonly K[],
    factory: ManyFactory<V, K>,
    policy: Policy,
    tags: readonly string[],
  ): Promise<(V | undefined)[]> {
    const core = this.#core
    const out = new Array<V | undefined>(keys.length).fill(undefined)
    const missing = await this.#fill(keys, policy, out)
    if (missing.length === 0) return out
    core.refuseClosed()
    const flights: (readonly [Missing<K>, Flight<V>])[] = []
    const own: Missing<K>[] = []
    for (const one of missing) {
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
          signal: undefined,
          stale: undefined,
          onStale: () => {},
        })
        for (const i of at) out[i] = value
      }),
    )
    return out
  }

  /** Fills in what the tiers have; what they do not. A negative entry counts as had. */
  async #fill<K extends CacheKey>(
    keys: readonly K[],
    policy: Policy,
    out: (V | undefined)[],
  ): Promise<Missing<K>[]> {
    const core = this.#core
    core.refuseClosed()
    const { prefix } = core.names
    const here = core.l1.getMany(prefix === undefined ? keys : keys.map((key) => core.names.within(key)))
    const missing = new Map<string, Missing<K>>()
    for (let i = 0; i < keys.length; i++) {
      const entry = here[i] as Entry<V> | undefined
      if (entry !== undefined && (entry.pass === core.gate.pass || isFresh(core, entry))) {
        core.gate.hits++
        out[i] = entryValue(entry)
        if (core.events.wants('hit'))
          core.events.emit('hit', { key: core.names.named(keys[i] as K).name, tier: 'l1' })
        continue
      }
      const named = core.names.named(keys[i] as K)
      core.recorder.missedL1(missReason(core, entry), named.name, core.time.now())
      const one = missing.get(named.name)
      if (one === undefined) missing.set(named.name, { key: keys[i] as K, named, at: [i] })
      else one.at.push(i)
    }
    if (missing.size === 0) return []
    const asked = [...missing.values()]
    const entries = await this.#reader.readMany(
      asked.map(({ named }) => named),
      policy,
    )
    const now = core.time.now()
    return asked.filter(({ at, named }, i) => {
      const entry = entries[i]
      const found = entry !== undefined && now <= entry.freshUntil
      if (found) {
        for (const index of at) out[index] = entryValue(entry)
        core.gate.hits++
        core.recorder.l2Answers++
        if (core.events.wants('hit')) core.events.emit('hit', { key: named.name, tier: 'l2' })
      } else {
        core.counters.misses++
        if (core.events.wants('miss')) core.events.emit('miss', { key: named.name })
      }
      return !found
    })
  }

  /** One flight a key, all of one call of the factory. */
  #computed<K extends CacheKey>(
    own: readonly Missing<K>[],
    factory: ManyFactory<V, K>,
    policy: Policy,
    tags: readonly string[],
  ): (readonly [Missing<K>, Flight<V>])[] {
    const flights: Flight<V>[] = []
    let all: Promise<ReadonlyMap<string, Entry<V> | undefined>> | undefined
    for (const { named } of own) {
      flights.push(
        this.#loader.fly(named.name, async () => {
          all ??= this.#compute(own, flights, factory, policy, tags)
          return (await all).get(named.name)
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
  ): Promise<ReadonlyMap<string, Entry<V> | undefined>> {
    const core = this.#core
    const names = own.map(({ named }) => named)
    const guarded = await this.#loader.guards(names, policy, tags, 0)
    const [first] = flights as [Flight<V>]
    const context = new Context<V>((own[0] as Missing<K>).key, undefined, tags, () => first.signal)
    const began = core.time.now()
    core.counters.factoryCalls++
    let values: Values<V, K>
    try {
      values = await factory(
        own.map(({ key }) => key),
        context,
      )
    } catch (error) {
      core.counters.factoryErrors++
      throw error
    }
    core.refuseClosed()
    const valueAt = read(values, own)
    const factoryMs = core.time.now() - began
    core.recorder.factoryRan(factoryMs)
    const made = own.map(
      ({ named }, i): Made<V> => ({
        named,
        policy,
        value: valueAt(i),
        context,
        guarded: guarded[i] as Made<V>['guarded'],
        factoryMs,
        flight: flights[i] as Flight<V>,
      }),
    )
    const entries = await this.#loader.storeMany(made)
    return new Map(names.map(({ name }, i) => [name, entries[i]]))
  }
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
