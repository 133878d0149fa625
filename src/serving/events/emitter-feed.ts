/**
 * Events that an EventEmitter or an EventTarget pushes. It cannot be slowed: the queue coalesces and is bounded instead. Of an idle key the
 * invalidation begins within `emit`.
 */
import { describe, HitpathError } from '../../errors.js'
import { BaseFeed, type Intake } from './feed.js'

type Hear = (...args: unknown[]) => void

/** An EventEmitter, by its shape. */
export interface EmitterLike {
  on(event: string | symbol, listener: Hear): unknown
  off(event: string | symbol, listener: Hear): unknown
}

/** An EventTarget, by its shape. */
export interface TargetLike {
  addEventListener(event: string, listener: Hear): unknown
  removeEventListener(event: string, listener: Hear): unknown
}

export class EmitterFeed<E> extends BaseFeed {
  readonly #intake: Intake<E>
  readonly #stop: () => void

  /** @throws HitpathError INVALID_ARGUMENT */
  constructor(
    intake: Intake<E>,
    emitter: EmitterLike | TargetLike,
    name: string | symbol,
    map: (...args: never[]) => E | undefined,
  ) {
    super()
    this.#intake = intake
    const hear: Hear = (...args) => {
      try {
        const event = intake.parsed(() => map(...(args as never[])))
        if (event !== undefined) intake.accept(event)
      } catch {
        // counted and reported: the emitter is not ours to fail
      }
    }
    this.#stop = listen(emitter, name, hear)
    this.link(true)
  }

  protected override async stop(): Promise<void> {
    this.#stop()
    await this.#intake.idle()
  }
}

function listen(emitter: EmitterLike | TargetLike, name: string | symbol, hear: Hear): () => void {
  const shape = emitter as unknown
  if (typeof shape === 'object' && shape !== null) {
    if ('on' in emitter && 'off' in emitter) {
      emitter.on(name, hear)
      return () => void emitter.off(name, hear)
    }
    if ('addEventListener' in emitter && typeof name === 'string') {
      emitter.addEventListener(name, hear)
      return () => void emitter.removeEventListener(name, hear)
    }
  }
  throw new HitpathError(
    'INVALID_ARGUMENT',
    `events are heard of an EventEmitter or EventTarget; got ${describe(emitter)}`,
  )
}
