/**
 * The native binary of this thread: where it is found, its typed surface, and the staging area.
 *
 * Always true: a binary whose layout is not that of layout.ts is refused. The staging area is this thread's own memory
 * in which JavaScript and the binding hand each other numbers; its words are named in layout.ts. A call reads and
 * writes them, so no code of the user's may run between staging and reading.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, HitpathError } from '../errors.js'
import { packageRoot } from './here.js'
import { LAYOUT_FINGERPRINT, STAGING_BYTES, STAGING_SCRATCH } from './layout.js'

/** Status of native/core/cache.h, and what became of records. */
export type RestoredCounts = readonly [
  status: number,
  restored: number,
  kept: number,
  expired: number,
  rejected: number,
]

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

/** The functions of native/addon. Those on keys take what staging does not say: the string, the array, the value. */
export interface Native {
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
  findMany(keys: readonly unknown[]): void
  getRows(matrix: unknown, out: unknown, found: unknown, digests?: unknown, steps?: unknown): void
  setRows(matrix: unknown, values: unknown, found: unknown, ttls?: unknown): void
  saveRecords(out: Uint8Array): void
  sumRecords(bytes: Uint8Array, seed: Uint8Array, out: Uint8Array): void
  checkRecords(bytes: Uint8Array): boolean
  restoreRecords(bytes: Uint8Array, where: Uint32Array): void
  restoreShared(bytes: Uint8Array): Promise<RestoredCounts> | undefined
  expectBytes(): void
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

interface Module {
  readonly fingerprint: bigint
  start(staging: Uint8Array): Native
}

const requireFrom = createRequire(join(packageRoot, 'package.json'))

function load(): Module {
  const candidates = [
    `prebuilds/${process.platform}-${process.arch}/hitpath.node`,
    'build/Release/hitpath.node',
  ]
  const failures: string[] = []
  for (const candidate of candidates) {
    try {
      const found = requireFrom(join(packageRoot, candidate)) as Module
      if (found.fingerprint === LAYOUT_FINGERPRINT) return found
      failures.push(`${candidate}: built from another version of the sources`)
    } catch (error) {
      failures.push(
        `${candidate}: ${error instanceof Error ? error.message.split('\n')[0] : describe(error)}`,
      )
    }
  }
  throw new HitpathError(
    'NATIVE_LOAD',
    `no native binary for ${process.platform}-${process.arch} could be loaded:\n  ${failures.join('\n  ')}\n` +
      'Build it with `npx cmake-js compile` in the package (it needs a C++20 compiler and CMake).',
  )
}

const staging = new Uint8Array(new SharedArrayBuffer(STAGING_BYTES))

/** Words of the staging area. Index them with an offset of layout.ts over 4 or 8. */
export const words = new Uint32Array(staging.buffer)
export const doubles = new Float64Array(staging.buffer)
/** The scratch of a call. */
export const scratch = staging.subarray(STAGING_SCRATCH)

/** A copy in an object of ours, whose functions V8 may take for constants. */
export const native: Native = { ...load().start(staging) }
