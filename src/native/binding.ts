/**
 * The engine under the caches of this thread: its typed surface, which one it is, and the staging area.
 *
 * The staging area is this thread's own memory in which JavaScript and the engine hand each other numbers; its words are named in
 * layout.ts. Always true: a call reads and writes them, so no code of the user's runs between staging and reading.
 */
import { HitpathError } from '../errors.js'
import { shared } from '../shared.js'
import { startAddon } from './addon.js'
import { announcePortable, type EngineChoice, type EngineName, engineOfEnvironment } from './choice.js'
import { LAYOUT_FINGERPRINT, STAGING_BYTES, STAGING_SCRATCH, STAGING_TICK } from './layout.js'
import { portableBinding } from './portable/binding.js'

/** Status of native/core/cache.h, and what became of records. */
export type RestoredCounts = readonly [
  status: number,
  restored: number,
  kept: number,
  expired: number,
  rejected: number,
  foreign: number,
]

/** Blocks of a snapshot that are verified, whose records are hashed and filed by shard. */
export interface LoadedBlocks {
  readonly loaded: unique symbol
}

/** What `open` gives for a region: its life is that of the opened cache. */
export interface Token {
  readonly id: number
  readonly slots: number
  readonly slotsAt: number
  readonly shardBytes: number
  readonly shards: number
  readonly maxEntries: number
  readonly arenaBytes: number
  readonly maxPayload: number
  readonly defaultTtl: number
  readonly flags: number
}

export interface NativeStats {
  readonly entries: number
  readonly hits: number
  readonly misses: number
  readonly inserts: number
  readonly updates: number
  readonly deletes: number
  readonly evictions: number
  readonly expirations: number
  readonly invalidations: number
  readonly rejections: number
  readonly tags: number
  readonly arenaBytes: number
  readonly freeBytes: number
  readonly pinnedBytes: number
  readonly largestFreeBytes: number
  readonly regionBytes: number
  readonly shards: number
  readonly slots: number
  readonly smallShare: number
  readonly longestHand: number
}

/** What a region is made of. */
export type RegionConfig = readonly [
  shards: number,
  maxEntries: number,
  arenaBytes: number,
  defaultTtl: number,
  flags: number,
  maxPinned: number,
]

/** An engine: the functions of native/addon. Those on keys take what staging does not say: the string, the array, the value. */
export interface Native {
  readonly engine: EngineName
  /** Bytes of the digest of an array, with what tells the engines' digests apart. */
  readonly digestBytes: number
  findString(key: string): void
  findStaged(array?: unknown): void
  lookString(key: string): void
  lookStaged(array?: unknown): void
  copyString(key: string, out: unknown): void
  copyStaged(array: unknown, out: unknown): void
  setString(key: string, value?: unknown, tags?: readonly string[]): void
  setStaged(array: unknown, value?: unknown, tags?: readonly string[]): void
  eraseString(key: string): void
  eraseStaged(array?: unknown): void
  takeString(key: string): void
  takeStaged(): void
  eraseAt(): void
  unpin(): void
  victim(): void
  digestStaged(array: unknown): void
  /** Remembers where the staged array lies; an engine that is not native does not. */
  learnArray?(array: unknown): void
  findKnown?(): void
  findMany(keys: readonly unknown[]): void
  getRows(matrix: unknown, out: unknown, found: unknown, digests?: unknown, steps?: unknown): void
  setRows(matrix: unknown, values: unknown, found: unknown, ttls?: unknown): void
  saveRecords(out: Uint8Array): void
  sumRecords(bytes: Uint8Array, seed: Uint8Array, out: Uint8Array): void
  restoreRecords(bytes: Uint8Array, where: Uint32Array): void
  verifyBlocks(bytes: Uint8Array, seed: Uint8Array, table: Float64Array): Promise<number> | undefined
  loadBlocks(
    bytes: Uint8Array,
    seed: Uint8Array,
    table: Float64Array,
    room: Uint8Array,
  ): Promise<LoadedBlocks | number> | undefined
  storeBlocks(loaded: LoadedBlocks): Promise<RestoredCounts> | undefined
  expectBytes(): Promise<void> | undefined
  regionBytes(...config: RegionConfig): number
  create(region: Uint8Array, random: Uint8Array, ...config: RegionConfig): void
  open(region: Uint8Array): Token | number
  remember(words: Uint32Array): void
  close(): void
  closeRegion(): void
  advance(budget: number): number
  size(): number
  drainRemovals(): void
  eraseTag(tag: string): number
  erasePattern(glob: string, longKeysAt: Uint32Array): number
  matches(glob: string, key: string): boolean
  /** What long keys are hashed with on this processor: `avx512`, `avx2`, `sse2`, `neon`, ...; an engine that is not native has none. */
  instructions?(): string
  clear(): void
  scan(cursor: number): unknown[]
  stats(): NativeStats
  probeLengths(): { readonly mean: number; readonly longest: number }
  validate(): string | null
}

/** This thread's; all copies of the package that it loads use the same. */
const staging = shared(
  `staging ${LAYOUT_FINGERPRINT}`,
  () => new Uint8Array(new SharedArrayBuffer(STAGING_BYTES)),
)

/** Words of the staging area. Index them with an offset of layout.ts over 4 or 8. */
export const words = new Uint32Array(staging.buffer)
export const doubles = new Float64Array(staging.buffer)
/** The scratch of a call. */
export const scratch = staging.subarray(STAGING_SCRATCH)

function startPortable(): Native {
  // Until a ticker writes the time, hits on entries with a deadline are not judged by it.
  if (doubles[STAGING_TICK / 8] === 0) doubles[STAGING_TICK / 8] = Number.POSITIVE_INFINITY
  const functions = shared(`portable ${LAYOUT_FINGERPRINT}`, () =>
    portableBinding({ words, doubles, scratch }),
  )
  return { ...functions }
}

/** Why `auto` fell back on the portable engine. */
let failure: HitpathError | undefined

/** The engine of caches that do not name another. */
function start(choice: EngineChoice): Native {
  if (choice === 'portable') return startPortable()
  try {
    return startAddon(staging)
  } catch (error) {
    if (choice === 'native' || !(error instanceof HitpathError)) throw error
    failure = error
    return startPortable()
  }
}

/**
 * The engine that `HITPATH_ENGINE` names. A constant, so that V8 compiles a call of its functions into the code that calls: caches of the
 * other engine take a branch of their own (`Engine.other`).
 */
export const native: Native = start(engineOfEnvironment())

/**
 * The binding of a cache, which announces the portable engine when nobody asked for it.
 * @throws HitpathError NATIVE_LOAD when the addon is asked for and does not load
 */
export function bindingOf(choice: EngineChoice | undefined): Native {
  if (choice === undefined || choice === 'auto') {
    if (failure !== undefined) announcePortable(failure)
    return native
  }
  if (choice === native.engine) return native
  return choice === 'portable' ? startPortable() : startAddon(staging)
}
