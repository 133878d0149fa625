/** Views of a region whose bytes are held in place while they live. */
import { isTypedArray } from '../key/ndarray.js'
import { doubles, native } from '../native/binding.js'
import { STAGING_EXTRA } from '../native/layout.js'
import type { Engine } from './engine.js'

/** A value whose bytes stay in place until it is released. */
export interface Pinned<V> extends Disposable {
  readonly value: V
  /** Lets the bytes go. The value must not be read afterwards: its memory is given to others. */
  release(): void
}

/** In which of the reads of a pinned view its bytes are given back. */
export interface Pin {
  readonly engine: Engine
  readonly shard: number
  readonly block: number
}

export function unpin({ engine, shard, block }: Pin): void {
  engine.address()
  doubles[STAGING_EXTRA / 8 + 1] = shard
  doubles[STAGING_EXTRA / 8 + 2] = block
  native.unpin()
}

const views = new FinalizationRegistry<Pin>(unpin)

/** Gives the pin back when the view is collected. */
export function holdView(value: unknown, pin: Pin): void {
  views.register(memoryOf(value), pin)
}

/** The typed array of a value, whose life decides on the pin: an ndarray's data may outlive the ndarray. */
function memoryOf(value: unknown): object {
  return isTypedArray(value) ? value : (value as { readonly data: object }).data
}

export function pinned<V>(value: V, pin: Pin | undefined): Pinned<V> {
  let held = pin
  const token = {}
  const release = (): void => {
    if (held === undefined) return
    views.unregister(token)
    unpin(held)
    held = undefined
  }
  if (pin !== undefined) views.register(memoryOf(value), pin, token)
  return { value, release, [Symbol.dispose]: release }
}
