/**
 * The timer that reclaims expired entries while nothing else happens.
 *
 * One unref'd timer a thread serves all its caches, which it holds weakly. A slice does at most SLICE steps of a cache, well under a
 * millisecond, and comes back after one millisecond while there is more; so a million entries that expire together never
 * hold the event loop.
 */
import { describe } from '../errors.js'
import { isRefusal } from './engine.js'

const SLICE = 2000
const SOON_MS = 1
const LATEST_MS = 250

export interface Maintained {
  /** Does at most `budget` steps; milliseconds until there is more to do. */
  maintain(budget: number): number
}

const caches = new Set<WeakRef<Maintained>>()
let timer: NodeJS.Timeout | undefined

function run(): void {
  timer = undefined
  let wait = LATEST_MS
  for (const ref of caches) {
    const cache = ref.deref()
    if (cache === undefined) caches.delete(ref)
    else wait = Math.min(wait, maintained(cache, ref))
  }
  schedule(wait)
}

/** A clock that throws, or a region that another thread closed or found damaged, ends the care for that cache only. */
function maintained(cache: Maintained, ref: WeakRef<Maintained>): number {
  try {
    return cache.maintain(SLICE)
  } catch (error) {
    caches.delete(ref)
    if (!isRefusal(error)) {
      process.emitWarning(
        `expired entries wait for the next write: ${describe(error)}`,
        'HitpathWarning',
        'HITPATH_CLOCK',
      )
    }
    return LATEST_MS
  }
}

function schedule(waitMs: number): void {
  if (caches.size === 0 || timer !== undefined) return
  timer = setTimeout(run, Math.max(SOON_MS, Math.min(LATEST_MS, waitMs)))
  timer.unref()
}

/** Begins to look after a cache; the returned function ends it. */
export function maintain(cache: Maintained): () => void {
  const ref = new WeakRef(cache)
  caches.add(ref)
  schedule(LATEST_MS)
  return () => caches.delete(ref)
}
