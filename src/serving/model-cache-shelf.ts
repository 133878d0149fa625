/**
 * Where loaded models stand: those that new leases get in a LocalCache, whose deadlines and timer end them, and the retired ones
 * that are still leased. Keeps the bounds and disposes.
 *
 * Always true: a model in use is never disposed; above a bound the idle one that was used longest ago goes, at the moment when there
 * is one. An object that two loads gave is disposed with the last of them.
 */
import { describe, HitpathError } from '../errors.js'
import { LocalCache } from '../l1/local-cache.js'
import { Resident, type ResidentHost, type ResidentId } from './model-cache-lease.js'
import { type ModelSettings, type RetireReason, report, tellModelEvent } from './model-cache-options.js'

/** Above any bound on models, so that what leaves the LocalCache by itself has expired. */
const MAX_ENTRIES = 8192

export class ModelShelf<M extends object> implements ResidentHost<M> {
  readonly #settings: ModelSettings<M>
  readonly #current: LocalCache<Resident<M>>
  /** Loaded and not disposed, retired or not. */
  readonly #residents = new Set<Resident<M>>()
  readonly #owners = new WeakMap<M, number>()
  readonly #disposals = new Set<Promise<void>>()
  #bytes = 0
  #uses = 0
  #retired = 0
  readonly counts = { evicted: 0, expired: 0, disposed: 0, disposeErrors: 0, leaks: 0 }

  constructor(settings: ModelSettings<M>) {
    this.#settings = settings
    const { ttlMs, background, clock } = settings
    this.#current = new LocalCache<Resident<M>>({
      maxEntries: MAX_ENTRIES,
      ttl: background ? 2 * ttlMs : ttlMs,
      ...(clock && { clock }),
      onRemoval: (_, resident, reason) => resident.retire(reason === 'expired' ? 'expired' : 'replaced'),
    })
  }

  find(key: string): Resident<M> | undefined {
    const resident = this.#current.get(key)
    if (resident !== undefined) resident.lastUse = ++this.#uses
    return resident
  }

  /** Whether a model that may be served is beyond its ttl. */
  isStale(key: string): boolean {
    const { background, ttlMs } = this.#settings
    return background && (this.#current.remainingTtl(key) ?? 0) < ttlMs
  }

  ofName(name: string): Resident<M>[] {
    return [...this.#current.values()].filter((resident) => resident.name === name)
  }

  /** A loaded model, which no lease finds yet. @throws what `sizeOf` throws, INVALID_VALUE when it gives no size */
  admit(id: ResidentId, model: M): Resident<M> {
    let bytes: unknown
    let failure: unknown
    try {
      bytes = this.#settings.sizeOf(model)
    } catch (error) {
      failure = error
    }
    const size = typeof bytes === 'number' && bytes >= 0 && bytes < Infinity ? bytes : undefined
    const resident = new Resident<M>(this, id, model, size ?? 0)
    this.#residents.add(resident)
    this.#owners.set(model, (this.#owners.get(model) ?? 0) + 1)
    this.#bytes += resident.bytes
    if (size !== undefined) return resident
    resident.retire('abandoned')
    throw (
      failure ??
      new HitpathError(
        'INVALID_VALUE',
        `ModelCache.sizeOf must give bytes, 0 or more; got ${describe(bytes)}`,
      )
    )
  }

  /** From now on leases find it, in the place of another of its key. */
  put(resident: Resident<M>): void {
    resident.lastUse = ++this.#uses
    this.#current.set(resident.key, resident)
    this.#trim()
  }

  drop(resident: Resident<M>, reason: RetireReason): void {
    resident.retire(reason)
    if (this.#current.peek(resident.key) === resident) this.#current.delete(resident.key)
  }

  stats(): { models: number; leases: number; retired: number; bytes: number } {
    let leases = 0
    for (const resident of this.#residents) leases += resident.holds
    return {
      models: this.#residents.size - this.#retired,
      leases,
      retired: this.#retired,
      bytes: this.#bytes,
    }
  }

  /** Retires all. */
  close(): void {
    for (const resident of [...this.#residents]) resident.retire('closed')
    this.#current.close()
  }

  /** Settles when no disposal is under way; they report their errors. */
  async settled(): Promise<void> {
    while (this.#disposals.size > 0) await Promise.all(this.#disposals)
  }

  idle(): void {
    this.#trim()
  }

  retired(resident: Resident<M>, reason: RetireReason): void {
    this.#retired++
    if (reason === 'evicted' || reason === 'expired') this.counts[reason]++
    this.#tell(resident, { type: 'retire', reason, leases: resident.holds })
  }

  dispose(resident: Resident<M>, reason: RetireReason): void {
    this.#residents.delete(resident)
    this.#retired--
    this.#bytes -= resident.bytes
    const { model } = resident
    const others = (this.#owners.get(model) ?? 1) - 1
    this.#owners.set(model, others)
    if (others > 0) return
    const disposal = this.#disposed(resident, reason).finally(() => this.#disposals.delete(disposal))
    this.#disposals.add(disposal)
  }

  leaked(resident: Resident<M>): void {
    this.counts.leaks++
    this.#tell(resident, { type: 'leak' })
  }

  async #disposed(resident: Resident<M>, reason: RetireReason): Promise<void> {
    try {
      await this.#settings.dispose(resident.model)
      this.counts.disposed++
      this.#tell(resident, { type: 'dispose', reason })
    } catch (error) {
      this.counts.disposeErrors++
      this.#tell(resident, { type: 'dispose-error', error })
      report(this.#settings.onError, error)
    }
  }

  #trim(): void {
    const { maxModels, maxBytes } = this.#settings
    while (this.#residents.size > maxModels || this.#bytes > maxBytes) {
      let victim: Resident<M> | undefined
      for (const resident of this.#residents) {
        if (resident.holds > 0 || resident.isRetired) continue
        if (victim === undefined || resident.lastUse < victim.lastUse) victim = resident
      }
      if (victim === undefined) return
      this.drop(victim, 'evicted')
    }
  }

  #tell({ name, version }: Resident<M>, told: Parameters<typeof tellModelEvent>[2]): void {
    tellModelEvent(this.#settings.onEvent, { name, version }, told)
  }
}
