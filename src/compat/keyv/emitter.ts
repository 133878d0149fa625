/** Node's EventEmitter, in the words that both versions of Keyv ask of an adapter: the declarations compile without the types of Node. */
import { EventEmitter } from 'node:events'

export type StoreListener = (...told: never[]) => void

export interface StoreEmitter {
  on(event: string | symbol, listener: StoreListener): this
  addListener(event: string | symbol, listener: StoreListener): this
  once(event: string | symbol, listener: StoreListener): this
  off(event: string | symbol, listener: StoreListener): this
  removeListener(event: string | symbol, listener: StoreListener): this
  prependListener(event: string | symbol, listener: StoreListener): this
  prependOnceListener(event: string | symbol, listener: StoreListener): this
  removeAllListeners(event?: string | symbol): this
  emit(event: string | symbol, ...told: unknown[]): boolean
  listenerCount(event: string | symbol): number
  eventNames(): (string | symbol)[]
  listeners(event: string | symbol): ((...told: unknown[]) => void)[]
  rawListeners(event: string | symbol): ((...told: unknown[]) => void)[]
}

export const Emitter = EventEmitter as unknown as new () => StoreEmitter
