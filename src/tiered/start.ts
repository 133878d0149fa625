/**
 * What must be known before the second tier is believed: the server's clock, the namespace's epoch, and the bus's position.
 *
 * Always true: the first calls wait for the bus, so that nothing is put into the first tier that no message would remove, but no longer
 * than one call of the second tier may take; without it they go on unlinked. What failed is tried again by the next call.
 */
import type { L2Store } from '../l2/store.js'
import type { Core } from './core.js'

const RESAMPLE_MS = 30_000
/** After errors, as it may be another server, or its clock was set; and while the server's clock is known only vaguely. */
const RESAMPLE_SOON_MS = 1000
const VAGUE_MS = 5

export class Start {
  readonly #core: Core<unknown>
  #waited: Promise<void> | undefined
  #hasWaited = false
  #learning: Promise<void> | undefined
  #epoch: Promise<void> | undefined
  #sampledAt = Number.NEGATIVE_INFINITY
  #sampling = false
  #errors = 0

  constructor(core: Core<unknown>) {
    this.#core = core
  }

  /** Begins to connect, without waiting. */
  begin(): void {
    if (this.#core.l2 !== undefined) this.#waitForBus().catch(() => {})
  }

  /** @throws HitpathError what the second tier says when nothing is known yet and it does not answer */
  async ready(): Promise<void> {
    const core = this.#core
    if (core.l2 === undefined) return
    core.refuseClosed()
    await this.#waitForBus()
    this.#hasWaited = true
    if (!this.isReady()) await this.#learn()
  }

  /** Whether there is nothing to wait for: most calls find it so, and need no promise of `ready`. @throws HitpathError CLOSED */
  isReady(): boolean {
    const core = this.#core
    core.refuseClosed()
    if (!this.#hasWaited || !core.serverClock.known || !core.epochKnown) return false
    const now = core.time.now()
    const since = now - this.#sampledAt
    if (since > RESAMPLE_MS || (since > RESAMPLE_SOON_MS && this.#isDoubtful(now))) this.#resample()
    return true
  }

  #isDoubtful(now: number): boolean {
    const { counters, serverClock } = this.#core
    return counters.errors !== this.#errors || serverClock.uncertaintyAt(now) > VAGUE_MS
  }

  /** Reads the epoch, once for all who ask now. */
  readEpoch(): Promise<void> {
    const core = this.#core
    this.#epoch ??= core.guard
      .run(() => (core.l2 as L2Store).epoch())
      .then((epoch) => {
        core.raiseEpoch(epoch)
        core.epochKnown = true
      })
      .finally(() => {
        this.#epoch = undefined
      })
    return this.#epoch
  }

  /** Waits for the bus the first time only; its link tells the rest. */
  #waitForBus(): Promise<void> {
    this.#waited ??= this.#startBus()
    return this.#waited
  }

  async #startBus(): Promise<void> {
    const { bus, settings } = this.#core
    if (bus === undefined) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, settings.l2TimeoutMs)
    })
    await Promise.race([bus.start().catch((error: unknown) => this.#core.report(error)), late])
    clearTimeout(timer)
  }

  #learn(): Promise<void> {
    this.#learning ??= Promise.all([this.#sample(), this.readEpoch()])
      .then(() => {})
      .finally(() => {
        this.#learning = undefined
      })
    return this.#learning
  }

  async #sample(): Promise<void> {
    const core = this.#core
    const sent = core.time.now()
    const server = await core.guard.run(() => (core.l2 as L2Store).serverTime())
    core.serverClock.sample(sent, core.time.now(), server)
    this.#sampledAt = core.time.now()
    this.#errors = core.counters.errors
  }

  #resample(): void {
    if (this.#sampling) return
    this.#sampling = true
    this.#core.detach(
      this.#sample().finally(() => {
        this.#sampling = false
      }),
    )
  }
}
