/** The constructor's options: checked and defaulted as lru-cache does, with its errors. */
import type { OptionsBase } from './types.js'

const warned = new Set<string>()

export function isPositiveInteger(value: unknown): value is number {
  return !!value && value === Math.floor(value as number) && value > 0 && Number.isFinite(value)
}

function refuseUnless(right: boolean, message: string): void {
  if (!right) throw new TypeError(message)
}

/** @throws TypeError with lru-cache's words */
export function checkOptions<K, V, FC>(options: OptionsBase<K, V, FC>): void {
  const { max = 0, maxSize = 0, maxEntrySize = 0, ttl = 0, perf, policy = 'lru' } = options
  const { sizeCalculation, fetchMethod, memoMethod } = options
  refuseUnless(
    perf === undefined || typeof perf?.now === 'function',
    'perf option must have a now() method if specified',
  )
  refuseUnless(max === 0 || isPositiveInteger(max), 'max option must be a nonnegative integer')
  if (max > Number.MAX_SAFE_INTEGER) throw new Error(`invalid max value: ${max}`)
  if (sizeCalculation) {
    refuseUnless(
      Boolean(maxSize || maxEntrySize),
      'cannot set sizeCalculation without setting maxSize or maxEntrySize',
    )
    refuseUnless(typeof sizeCalculation === 'function', 'sizeCalculation set to non-function')
  }
  refuseUnless(
    memoMethod === undefined || typeof memoMethod === 'function',
    'memoMethod must be a function if defined',
  )
  refuseUnless(
    fetchMethod === undefined || typeof fetchMethod === 'function',
    'fetchMethod must be a function if specified',
  )
  if ((maxEntrySize || maxSize) !== 0) {
    refuseUnless(
      maxSize === 0 || isPositiveInteger(maxSize),
      'maxSize must be a positive integer if specified',
    )
    refuseUnless(
      isPositiveInteger(maxEntrySize || maxSize),
      'maxEntrySize must be a positive integer if specified',
    )
  }
  refuseUnless(!ttl || isPositiveInteger(ttl), 'ttl must be a positive integer if specified')
  refuseUnless(Boolean(max || ttl || maxSize), 'At least one of max, maxSize, or ttl is required')
  refuseUnless(policy === 'lru' || policy === 'xg', "policy must be 'lru' or 'xg'")
  refuseUnless(policy === 'lru' || max !== 0, "policy 'xg' requires max")
}

/** Tells once a process of a cache that nothing bounds. */
export function warnUnbounded(Cache: new (...given: never[]) => unknown): void {
  const code = 'LRU_CACHE_UNBOUNDED'
  if (warned.has(code)) return
  warned.add(code)
  const text = 'TTL caching without ttlAutopurge, max, or maxSize can result in unbounded memory consumption.'
  const type = 'UnboundedCacheWarning'
  if (typeof process.emitWarning === 'function') process.emitWarning(text, type, code, Cache)
  else console.error(`[${code}] ${type}: ${text}`)
}
