/**
 * What the bus says, applied to the first tier.
 *
 * Always true: a foreign change breaks the fills under way before it removes anything (R1, R17); an entry goes only for a message
 * with a higher version, so late and repeated messages do nothing (R11) and own ones leave what was just written (R12). After a
 * gap nothing is believed that was here before (R8). While the link is down `whenUnlinked` decides.
 */
import type { BusMessage } from '../coherence/bus.js'
import type { Core } from './core.js'
import { erasePattern } from './patterns.js'

const LONGEST_TIMER_MS = 2 ** 31 - 1

export class BusLink {
  readonly #core: Core<unknown>
  readonly #family: string
  readonly #onUp: () => void
  readonly #hasChildren: () => boolean
  readonly #unsubscribe: (() => void)[] = []
  #clamp: NodeJS.Timeout | undefined
  /** Called with the names that were set elsewhere: who waits for a leaseholder wakes. */
  readonly waiting = new Map<string, Set<() => void>>()

  constructor(core: Core<unknown>, onUp: () => void, hasChildren: () => boolean) {
    this.#core = core
    this.#family = familyOf(core.origin)
    this.#onUp = onUp
    this.#hasChildren = hasChildren
    const { bus } = core
    if (bus === undefined) return
    this.#unsubscribe.push(
      bus.onMessage((message) => this.apply(message)),
      bus.onGap((reason) => this.gap(reason)),
      bus.onLink((up, cause) => this.#changed(up, cause)),
      bus.onError((error) => core.report(error)),
    )
    if (core.settings.whenUnlinked === 0) core.judgeEachHit(true)
  }

  close(): void {
    clearTimeout(this.#clamp)
    for (const end of this.#unsubscribe) end()
  }

  apply({ kind, name, version, origin }: BusMessage): void {
    const core = this.#core
    const foreign = familyOf(origin) !== this.#family
    if (foreign) core.recorder.invalidated(kind)
    switch (kind) {
      case 'set':
      case 'delete':
        this.#entryChanged(name, version, foreign)
        break
      case 'tag':
        // Of a bus that cannot tell versions it is Infinity: what is known of this tag is not.
        core.tags.merge(name, version)
        break
      case 'pattern':
        if (foreign) {
          core.generations.bumpAll()
          for (const flight of core.flights.values()) flight.overtake()
          erasePattern(core, name, this.#hasChildren())
        }
        break
      case 'clear':
        this.#cleared(version)
        break
    }
    if (core.events.wants('invalidate')) core.events.emit('invalidate', { kind, target: name, foreign })
  }

  gap(reason: string): void {
    const core = this.#core
    core.counters.gaps++
    core.recorder.invalidated('gap')
    core.epochKnown = core.l2 === undefined
    core.tags.forget()
    core.flush()
    for (const flight of core.flights.values()) flight.overtake()
    this.#wakeAll()
    if (core.events.wants('invalidate'))
      core.events.emit('invalidate', { kind: 'gap', target: reason, foreign: true })
  }

  #entryChanged(name: string, version: number, foreign: boolean): void {
    const core = this.#core
    if (foreign) core.generations.bump(name)
    else core.ownWrites.bump(name)
    // Of the threads that share an origin each breaks its own.
    const flight = foreign || core.shared ? core.flights.get(name) : undefined
    if (foreign) flight?.overtake()
    else flight?.outdate()
    const l1 = core.names.l1Of(name)
    if (l1 !== undefined) core.drop({ name, l1 }, version)
    this.#wake(name)
  }

  #cleared(version: number): void {
    const core = this.#core
    if (Number.isFinite(version)) core.raiseEpoch(version)
    else {
      core.epochKnown = false
      core.flush()
    }
    for (const flight of core.flights.values()) flight.overtake()
    this.#wakeAll()
  }

  #changed(up: boolean, cause: unknown): void {
    const core = this.#core
    clearTimeout(this.#clamp)
    if (up) {
      core.unlinkedSince = undefined
      core.judgeEachHit(false)
    } else {
      core.unlinkedSince = core.time.now()
      const { whenUnlinked } = core.settings
      if (whenUnlinked === 0) core.judgeEachHit(true)
      else if (whenUnlinked < Infinity) {
        this.#clamp = setTimeout(() => core.judgeEachHit(true), Math.min(whenUnlinked, LONGEST_TIMER_MS))
        this.#clamp.unref()
      }
    }
    core.events.emit('link', { up, cause })
    if (up) this.#onUp()
  }

  /** Ends when something is heard of the name, or after `ms`. */
  heard(name: string, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.waiting.get(name) ?? new Set()
      const done = (): void => {
        clearTimeout(timer)
        waiting.delete(done)
        if (waiting.size === 0) this.waiting.delete(name)
        resolve()
      }
      const timer = setTimeout(done, ms)
      this.waiting.set(name, waiting.add(done))
    })
  }

  #wake(name: string): void {
    for (const done of [...(this.waiting.get(name) ?? [])]) done()
  }

  #wakeAll(): void {
    for (const name of [...this.waiting.keys()]) this.#wake(name)
  }
}

/** Threads that share a first tier are one family. */
function familyOf(origin: string): string {
  const dot = origin.indexOf('.')
  return dot < 0 ? origin : origin.slice(0, dot)
}
