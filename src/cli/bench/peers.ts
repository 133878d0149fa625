/** The caches that are compared, each as its users make it: bounded, with a ttl where it has one. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { packageRoot } from '../../native/here.js'

export interface Contestant {
  get(key: string): unknown
  set(key: string, value: unknown): unknown
  /** By the array itself; without it, md5 of its bytes makes a string key. */
  getArray?(array: Float64Array): unknown
  setArray?(array: Float64Array, value: unknown): unknown
  /** It does not evict: a full one refuses, or it has no bound. */
  readonly unbounded?: true
}

type Make = (module: Readonly<Record<string, unknown>>, entries: number) => Contestant

type Class = new (options: unknown) => Contestant

/** Longer than any comparison. */
const TTL_MS = 3_600_000

/** A bare Map is the floor: it neither expires nor evicts. */
export const FLOOR = 'Map'

const MAKE: Readonly<Record<string, Make>> = {
  hitpath: ({ LocalCache }, entries) => {
    interface Store {
      get(key: unknown): unknown
      set(key: unknown, value: unknown): unknown
    }
    const cache = new (LocalCache as new (options: unknown) => Store)({ maxEntries: entries, ttl: TTL_MS })
    return {
      get: (key) => cache.get(key),
      set: (key, value) => cache.set(key, value),
      getArray: (array) => cache.get(array),
      setArray: (array, value) => cache.set(array, value),
    }
  },
  // up to 7 the class is the module, up to 6 its ttl is called maxAge
  'lru-cache': ({ LRUCache, default: before8 }, max) =>
    LRUCache === undefined
      ? new (before8 as Class)({ max, ttl: TTL_MS, maxAge: TTL_MS })
      : new (LRUCache as Class)({ max, ttl: TTL_MS }),
  '@isaacs/ttlcache': (module, max) =>
    new ((module['TTLCache'] ?? module['default']) as Class)({ max, ttl: TTL_MS }),
  'quick-lru': (module, maxSize) => new (module['default'] as Class)({ maxSize, maxAge: TTL_MS }),
  'tiny-lru': (module, max) =>
    ((module['lru'] ?? module['default']) as (max: number, ttl: number) => Contestant)(max, TTL_MS),
  'lru.min': ({ createLRU }, max) => (createLRU as (options: unknown) => Contestant)({ max }),
  'node-cache': (module) => {
    const cache = new (module['default'] as Class)({
      stdTTL: TTL_MS / 1000,
      checkperiod: 0,
      useClones: false,
    })
    return { get: (key) => cache.get(key), set: (key, value) => cache.set(key, value), unbounded: true }
  },
  [FLOOR]: () => {
    const map = new Map<string, unknown>()
    return { get: (key) => map.get(key), set: (key, value) => map.set(key, value), unbounded: true }
  },
}

export const NAMES: readonly string[] = Object.keys(MAKE)

/** Where a contender's module lies, seen from a project; undefined when it is not installed there. */
export function moduleOf(name: string, project: string): string | undefined {
  // as its users load it
  if (name === 'hitpath') return join(packageRoot, 'dist', 'esm', 'index.js')
  if (name === FLOOR) return ''
  try {
    return createRequire(join(project, 'package.json')).resolve(name)
  } catch {
    return undefined
  }
}

/** The version of the package that a module is of; undefined where no package.json above it has its name. */
export function releaseOf(name: string, file: string): string | undefined {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    try {
      const found = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, unknown>
      if (found['name'] === name) return String(found['version'])
    } catch {
      // the next folder may have it
    }
  }
  return undefined
}

/** @param file of `moduleOf` */
export async function contestant(name: string, file: string, entries: number): Promise<Contestant> {
  const make = MAKE[name]
  if (make === undefined) throw new Error(`${name} is not known`)
  const module = file === '' ? {} : ((await import(pathToFileURL(file).href)) as Record<string, unknown>)
  return make(module, entries)
}
