/** What a ModelCache is told, and what it tells. */
import { channel } from 'node:diagnostics_channel'
import { type Duration, parseDuration } from '../duration.js'
import { describe, HitpathError } from '../errors.js'
import type { Clock } from '../l1/engine.js'
import { clockOption } from '../l1/options.js'
import { functionOption, integerOption, oneOfOption, refuseUnknownOptions } from '../options.js'
import type { Signal } from '../platform.js'

export interface ModelCacheOptions<M extends object> {
  /** Time after which a model is loaded again, in milliseconds or as '3600s'; `Infinity`: never. Default `'3600s'`. */
  readonly ttl?: Duration
  /**
   * What a lease does after `ttl`. `'block'` (default) waits for the load. `'background'` serves the old model while the new one
   * loads, for one more `ttl` at most.
   */
  readonly refresh?: 'block' | 'background'
  /** Loaded models, 1 to 4,096. Above it the idle one that was used longest ago is disposed. Default: 4,096. */
  readonly maxModels?: number
  /** Bytes of loaded models as `sizeOf` counts them, with the same consequence. Default: no bound. */
  readonly maxBytes?: number
  /** Bytes of a model, asked once after its load. Default: none; needed with `maxBytes`. */
  readonly sizeOf?: (model: M) => number
  /** Ends a model that nobody uses. Default: its `release()` if it has one, as the sessions of onnxruntime do. */
  readonly dispose?: (model: M) => unknown
  /** Told of errors that reach no caller: of `dispose`, of loads in the background. Default: a process warning. */
  readonly onError?: (error: unknown) => void
  /** Told of what happens, for monitoring; `diagnostics_channel` `hitpath:model` carries the same. Default: none. */
  readonly onEvent?: (event: ModelEvent) => void
  /** Milliseconds for `ttl`. Default: monotonic. */
  readonly clock?: Clock
}

/** Why a model left: its time was over, the bounds, a newer load or version, `delete()`, `close()`, nobody waited for it any more. */
export type RetireReason = 'expired' | 'evicted' | 'replaced' | 'deleted' | 'closed' | 'abandoned'

interface Named {
  readonly name: string
  readonly version: string
}

/** What happened to a model. Times in milliseconds. */
export type ModelHappening =
  | { readonly type: 'load'; readonly ms: number; readonly bytes: number }
  | { readonly type: 'load-error'; readonly ms: number; readonly error: unknown }
  | { readonly type: 'stale' }
  | { readonly type: 'swap'; readonly before: readonly string[]; readonly ms: number }
  /** New leases no longer get it; `leases` still hold it. */
  | { readonly type: 'retire'; readonly reason: RetireReason; readonly leases: number }
  | { readonly type: 'dispose'; readonly reason: RetireReason }
  | { readonly type: 'dispose-error'; readonly error: unknown }
  /** A lease was garbage collected without release(). */
  | { readonly type: 'leak' }

export type ModelEvent = Named & ModelHappening

/** Counted since construction, apart from the first four. */
export interface ModelCacheStats {
  /** Loaded and given to new leases. */
  readonly models: number
  /** Leases that are not released. */
  readonly leases: number
  /** Replaced, expired or evicted while leased, and still leased. */
  readonly retired: number
  /** Of all loaded models, the retired ones too. */
  readonly bytes: number
  /** Leases given without waiting. */
  readonly hits: number
  /** Of the hits, those of a model beyond its ttl. */
  readonly stale: number
  /** Calls of a loader. */
  readonly loads: number
  readonly loadErrors: number
  /** Callers that waited for the load of another. */
  readonly joined: number
  readonly swaps: number
  readonly evicted: number
  readonly expired: number
  readonly disposed: number
  readonly disposeErrors: number
  readonly leaks: number
}

const OWNER = 'ModelCache'
const MAX_MODELS = 4096
const OPTIONS = [
  'ttl',
  'refresh',
  'maxModels',
  'maxBytes',
  'sizeOf',
  'dispose',
  'onError',
  'onEvent',
  'clock',
] as const satisfies readonly (keyof ModelCacheOptions<object>)[]

export interface ModelSettings<M extends object> {
  readonly ttlMs: number
  readonly background: boolean
  readonly maxModels: number
  readonly maxBytes: number
  readonly sizeOf: (model: M) => number
  readonly dispose: (model: M) => unknown
  readonly onError: (error: unknown) => void
  readonly onEvent: ((event: ModelEvent) => void) | undefined
  readonly clock: Clock | undefined
}

/** @throws HitpathError INVALID_OPTION, INVALID_TTL */
export function readModelOptions<M extends object>(options: ModelCacheOptions<M>): ModelSettings<M> {
  refuseUnknownOptions(options, OWNER, OPTIONS)
  const { ttl = '3600s', refresh = 'block', maxModels, maxBytes, sizeOf, dispose, onError, onEvent } = options
  if (maxBytes !== undefined && sizeOf === undefined) {
    throw new HitpathError('INVALID_OPTION', `${OWNER}.maxBytes needs ${OWNER}.sizeOf`)
  }
  const optional = <F extends (...args: never[]) => unknown>(value: F | undefined, name: string) =>
    value === undefined ? undefined : functionOption(value, `${OWNER}.${name}`)
  return {
    ttlMs: parseDuration(ttl, `${OWNER}.ttl`, { allowInfinity: true }),
    background: oneOfOption(refresh, `${OWNER}.refresh`, ['block', 'background']) === 'background',
    maxModels: integerOption(maxModels ?? MAX_MODELS, `${OWNER}.maxModels`, { max: MAX_MODELS }),
    maxBytes: maxBytes === undefined ? Infinity : integerOption(maxBytes, `${OWNER}.maxBytes`),
    sizeOf: optional(sizeOf, 'sizeOf') ?? (() => 0),
    dispose: optional(dispose, 'dispose') ?? releaseOf,
    onError: optional(onError, 'onError') ?? warn,
    onEvent: optional(onEvent, 'onEvent'),
    clock: clockOption(options.clock, `${OWNER}.clock`),
  }
}

export interface LeaseOptions {
  /** Ends this caller's wait; others keep waiting. The loader's own signal is aborted once nobody waits any more. Default: none. */
  readonly signal?: Signal | undefined
  /** This version and no other, whatever `swap` put in its place. Default `false`. */
  readonly exact?: boolean | undefined
}

/** @throws HitpathError INVALID_OPTION; the signal's reason when it is aborted */
export function readLeaseOptions(options: LeaseOptions | undefined): LeaseOptions {
  if (options === undefined) return {}
  refuseUnknownOptions(options, 'options', ['signal', 'exact'])
  if (options.signal?.aborted === true) throw options.signal.reason
  return options
}

function releaseOf(model: object): unknown {
  if ('release' in model && typeof model.release === 'function') return model.release()
  return undefined
}

function warn(error: unknown): void {
  const text = error instanceof Error ? error.message : describe(error)
  process.emitWarning(`a model cache failed in the background: ${text}`, 'HitpathWarning', 'HITPATH_MODEL')
}

const models = channel('hitpath:model')

/** To the listener, and to whoever subscribed to the channel. */
export function tellModelEvent(
  listener: ((event: ModelEvent) => void) | undefined,
  { name, version }: Named,
  happening: ModelHappening,
): void {
  if (listener === undefined && !models.hasSubscribers) return
  const event = { name, version, ...happening }
  if (models.hasSubscribers) models.publish(event)
  if (listener !== undefined) guarded(() => listener(event), 'onEvent')
}

/** For errors that reach no caller. */
export function report(onError: (error: unknown) => void, error: unknown): void {
  guarded(() => onError(error), 'onError')
}

/** Nothing that a listener throws reaches the cache; it becomes a process warning. */
function guarded(call: () => void, name: string): void {
  try {
    call()
  } catch (error) {
    process.emitWarning(`${OWNER}.${name} threw: ${describe(error)}`, 'HitpathWarning', 'HITPATH_LISTENER')
  }
}
