/** What is asked of a ModelCache: a name, a version, a loader. */
import { describe, HitpathError } from '../errors.js'
import type { Signal } from '../platform.js'
import type { ResidentId } from './model-cache-lease.js'

/** What a loader is told. Its signal is aborted when nobody waits for the model any more. */
export interface LoadContext {
  readonly name: string
  readonly version: string
  readonly signal: Signal
}

export type LoadModel<M> = (context: LoadContext) => M | PromiseLike<M>

export interface Wanted<M> extends ResidentId {
  readonly load: LoadModel<M>
  readonly exact: boolean
}

/** What `swap` put in the place of all other versions of a name. */
export interface Active<M> {
  readonly version: string
  readonly load: LoadModel<M>
  /** Number of the call of swap(). */
  readonly turn: number
}

/** @throws HitpathError INVALID_ARGUMENT */
export function modelId(name: unknown, version: unknown): ResidentId {
  if (typeof name !== 'string' || name === '') {
    throw new HitpathError(
      'INVALID_ARGUMENT',
      `a model's name is a string that is not empty; got ${describe(name)}`,
    )
  }
  const text = modelVersion(version)
  // The length says where the name ends.
  return { name, version: text, key: `${name.length}:${name}${text}` }
}

/** 1 and '1' are the same. @throws HitpathError INVALID_ARGUMENT */
export function modelVersion(version: unknown): string {
  if (typeof version === 'number' ? Number.isFinite(version) : typeof version === 'string' && version !== '')
    return String(version)
  throw new HitpathError(
    'INVALID_ARGUMENT',
    `a model's version is a finite number or a string that is not empty; got ${describe(version)}`,
  )
}
