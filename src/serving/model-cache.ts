/**
 * ModelCache: loaded models by reference, lent out.
 *
 * Always true: one key is loaded once at a time, a failed load leaves nothing behind, and a lease that a caller was promised is
 * counted before anything else can run. The shelf disposes what nobody uses.
 */
import { describe, HitpathError } from '../errors.js'
import { functionOption } from '../options.js'
import type { Signal } from '../platform.js'
import { timeOf } from '../tiered/time.js'
import type { ModelLease, Resident, ResidentId } from './model-cache-lease.js'
import { ModelLoad } from './model-cache-load.js'
import {
  type LeaseOptions,
  type ModelCacheOptions,
  type ModelCacheStats,
  type ModelHappening,
  type ModelSettings,
  readLeaseOptions,
  readModelOptions,
  report,
  tellModelEvent,
} from './model-cache-options.js'
import { type Active, type LoadModel, modelId, modelVersion, type Wanted } from './model-cache-request.js'
import { ModelShelf } from './model-cache-shelf.js'

/** A load in the background that failed is not tried again before. */
const RETRY_MS = 1000

/**
 * ```ts
 * const models = new ModelCache<InferenceSession>({ ttl: '3600s', maxModels: 8 })
 * const load = () => InferenceSession.create('cnn-lstm-1.onnx')
 * const output = await models.use('cnn-lstm', 1, load, (session) => session.run({ bars }))
 * await models.swap('cnn-lstm', 2, () => InferenceSession.create('cnn-lstm-2.onnx'))
 * ```
 */
export class ModelCache<M extends object> {
  readonly #settings: ModelSettings<M>
  readonly #shelf: ModelShelf<M>
  readonly #loads = new Map<string, ModelLoad<M>>()
  readonly #active = new Map<string, Active<M>>()
  readonly #now: () => number
  #closed = false
  #turns = 0
  readonly #counts = { hits: 0, stale: 0, loads: 0, loadErrors: 0, joined: 0, swaps: 0 }

  /** @throws HitpathError INVALID_OPTION, INVALID_TTL */
  constructor(options: ModelCacheOptions<M> = {}) {
    this.#settings = readModelOptions(options)
    this.#shelf = new ModelShelf(this.#settings)
    const time = timeOf(this.#settings.clock)
    this.#now = () => time.now()
  }

  /**
   * The right to use a model, loaded when it is not there; callers at the same time share one load. After `swap` it is the model
   * swapped in, whatever version was asked for, unless `exact`: `lease.version` says which.
   *
   * @param version a finite number or a string that is not empty; 1 and '1' are the same
   * @throws what `load` throws, for those who wait for it: the next caller tries again; the signal's reason
   * @throws HitpathError INVALID_ARGUMENT, INVALID_OPTION; INVALID_VALUE when `load` gives no object; CLOSED
   */
  async lease(
    name: string,
    version: string | number,
    load: LoadModel<M>,
    options?: LeaseOptions,
  ): Promise<ModelLease<M>> {
    const { signal, exact = false } = readLeaseOptions(options)
    this.#check()
    return this.#acquire(this.#wanted(name, version, load, exact), signal)
  }

  /** As lease() when the model is loaded; undefined when it is not. Loads nothing, not in the background either. */
  leaseSync(name: string, version: string | number): ModelLease<M> | undefined {
    this.#check()
    return this.#find(this.#wanted(name, version, noLoader, false).key)?.lease()
  }

  /** Runs `work` with a model, which is held until it has settled. @throws as lease(), and what `work` throws */
  async use<R>(
    name: string,
    version: string | number,
    load: LoadModel<M>,
    work: (model: M, lease: ModelLease<M>) => R,
    options?: LeaseOptions,
  ): Promise<Awaited<R>> {
    functionOption(work, 'work')
    const lease = await this.lease(name, version, load, options)
    try {
      return await work(lease.model, lease)
    } finally {
      lease.release()
    }
  }

  /**
   * Puts a version in the place of all others of its name. The old ones serve until it is loaded; from then on new leases get it,
   * and the old ones are disposed after their last lease. When the load fails, nothing changes.
   *
   * @param load kept: it loads the version again after its ttl, for callers that ask for another
   * @returns whether the version is now in place; false when a later call of swap() was done first
   * @throws as lease(); when the signal is aborted nothing changes
   */
  async swap(
    name: string,
    version: string | number,
    load: LoadModel<M>,
    options?: { readonly signal?: Signal | undefined },
  ): Promise<boolean> {
    const { signal } = readLeaseOptions(options)
    this.#check()
    const wanted = this.#wanted(name, version, load, true)
    const turn = ++this.#turns
    const startMs = performance.now()
    const lease = await this.#acquire(wanted, signal)
    try {
      if (signal?.aborted === true) throw signal.reason
      this.#check()
      const before = this.#active.get(name)
      const others = this.#shelf.ofName(name).filter((resident) => resident.key !== wanted.key)
      if (before !== undefined && before.turn > turn) {
        if (before.version === wanted.version) return true
        for (const late of this.#shelf.ofName(name))
          if (late.key === wanted.key) this.#shelf.drop(late, 'replaced')
        return false
      }
      this.#active.set(name, { version: wanted.version, load: load, turn })
      for (const old of others) this.#shelf.drop(old, 'replaced')
      this.#counts.swaps++
      const ms = performance.now() - startMs
      this.#tell(wanted, { type: 'swap', before: others.map((old) => old.version), ms })
      return true
    } finally {
      lease.release()
    }
  }

  /** The version that swap() put in place; undefined before the first. */
  active(name: string): string | undefined {
    return this.#active.get(name)?.version
  }

  /**
   * Lets go of one version, or of all of a name; how many. Those in use are disposed after their last lease. A load under way and
   * the effect of swap() stay.
   */
  delete(name: string, version?: string | number): number {
    this.#check()
    const wanted = version === undefined ? undefined : modelVersion(version)
    const found = this.#shelf.ofName(name).filter((it) => wanted === undefined || it.version === wanted)
    for (const resident of found) this.#shelf.drop(resident, 'deleted')
    return found.length
  }

  stats(): ModelCacheStats {
    return { ...this.#shelf.stats(), ...this.#counts, ...this.#shelf.counts }
  }

  /**
   * No more leases: callers that wait and later ones get CLOSED. Settles when the idle models are disposed; those in use are
   * disposed after their last lease.
   */
  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true
      const error = closed()
      for (const load of [...this.#loads.values()]) {
        load.fail(error)
        load.abandon(error)
      }
      this.#shelf.close()
      this.#active.clear()
    }
    await this.#shelf.settled()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #check(): void {
    if (this.#closed) throw closed()
  }

  #wanted(name: string, version: string | number, load: LoadModel<M>, exact: boolean): Wanted<M> {
    functionOption(load, 'load')
    const asked = modelId(name, version)
    const active = exact ? undefined : this.#active.get(name)
    if (active === undefined || active.version === asked.version) return { ...asked, load, exact }
    return { ...modelId(name, active.version), load: active.load, exact }
  }

  #acquire(wanted: Wanted<M>, signal: Signal | undefined): ModelLease<M> | Promise<ModelLease<M>> {
    const resident = this.#find(wanted.key)
    if (resident !== undefined) {
      if (this.#shelf.isStale(wanted.key)) this.#refresh(resident, wanted)
      return resident.lease()
    }
    const running = this.#loads.get(wanted.key)
    if (running !== undefined) this.#counts.joined++
    const load = running ?? this.#begin(wanted)
    if (wanted.exact) load.exact = true
    return load.join(signal)
  }

  #find(key: string): Resident<M> | undefined {
    const resident = this.#shelf.find(key)
    if (resident === undefined) return undefined
    this.#counts.hits++
    if (this.#shelf.isStale(key)) {
      this.#counts.stale++
      this.#tell(resident, { type: 'stale' })
    }
    return resident
  }

  #refresh(stale: Resident<M>, wanted: Wanted<M>): void {
    if (this.#loads.has(wanted.key) || this.#now() < stale.retryAtMs) return
    this.#begin(wanted, stale)
  }

  /** `stale`: what is served meanwhile; the load goes on without waiters. */
  #begin(wanted: Wanted<M>, stale?: Resident<M>): ModelLoad<M> {
    const end = (): void => {
      if (this.#loads.get(wanted.key) === load) this.#loads.delete(wanted.key)
    }
    const load: ModelLoad<M> = new ModelLoad<M>(end, stale !== undefined)
    load.exact = wanted.exact
    this.#loads.set(wanted.key, load)
    this.#counts.loads++
    void this.#run(wanted, load, stale)
    return load
  }

  /** Never rejects. */
  async #run(wanted: Wanted<M>, load: ModelLoad<M>, stale: Resident<M> | undefined): Promise<void> {
    const { name, version } = wanted
    const startMs = performance.now()
    try {
      // A loader that throws at once fails later too: the caller has not joined yet.
      const model: unknown = await new Promise((resolve) => {
        resolve(wanted.load({ name, version, signal: load.signal }))
      })
      if ((typeof model !== 'object' && typeof model !== 'function') || model === null) {
        throw new HitpathError('INVALID_VALUE', `the load of ${name}@${version} gave ${describe(model)}`)
      }
      const resident = this.#shelf.admit(wanted, model as M)
      this.#tell(wanted, { type: 'load', ms: performance.now() - startMs, bytes: resident.bytes })
      this.#place(resident, wanted, load)
    } catch (error) {
      this.#counts.loadErrors++
      this.#tell(wanted, { type: 'load-error', ms: performance.now() - startMs, error })
      load.fail(error)
      if (stale === undefined || this.#closed) return
      stale.retryAtMs = this.#now() + RETRY_MS
      report(this.#settings.onError, error)
    }
  }

  #place(resident: Resident<M>, { name, version }: Wanted<M>, load: ModelLoad<M>): void {
    if (this.#closed || load.abandoned) {
      load.fail(closed())
      resident.retire(this.#closed ? 'closed' : 'abandoned')
      return
    }
    load.succeed(resident)
    const active = this.#active.get(name)
    // Asked for before a swap that was done first: those who wait get it, later callers do not.
    if (active !== undefined && active.version !== version && !load.exact) resident.retire('replaced')
    else this.#shelf.put(resident)
  }

  #tell(id: ResidentId, happening: ModelHappening): void {
    tellModelEvent(this.#settings.onEvent, id, happening)
  }
}

const noLoader = (): never => {
  throw closed()
}

function closed(): HitpathError {
  return new HitpathError('CLOSED', 'the model cache is closed')
}
