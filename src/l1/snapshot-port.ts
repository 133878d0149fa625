/** A cache as a snapshot file sees it, and what both kinds of caches do with one. */
import { doubles, words } from '../native/binding.js'
import { STAGING_BITS, STAGING_COUNT, STAGING_EXTRA, STAGING_FORM, STAGING_SLOT } from '../native/layout.js'
import type { Engine } from './engine.js'
import type { OpenBlock } from './snapshot-file.js'
import { faulty } from './snapshot-format.js'
import type { Stretch } from './snapshot-reader.js'
import { plainArrayDtypes } from './stored-value.js'

/** What became of records. */
export interface Taken {
  restored: number
  kept: number
  expired: number
  rejected: number
  foreign: number
}

/** Records that are stored. */
export interface TakenRecords {
  readonly taken: Taken
  readonly records: number
  /** Of the file. */
  readonly bytes: number
}

export interface SnapshotPort {
  readonly kind: number
  /** Keeps the entries: it reads and writes records. */
  readonly engine: Engine
  /** About how many entries there are. */
  size(): number
  /** The live entries; undefined: let others have a turn. A block may be filled anew once two more came. */
  blocks(): Generator<OpenBlock | undefined, void>
  /** Entries that blocks() left out. */
  readonly skipped: number
  /** So many bytes of records are about to come. */
  expect(bytes: number): Promise<void> | undefined
  /**
   * Stores the records of stretches, each verified before its first, and nothing more once it is not asked for more.
   * @throws HitpathError SNAPSHOT_CORRUPT
   */
  restore(
    stretches: AsyncIterable<Stretch>,
    seed: Uint8Array,
    taking: () => Taking,
  ): AsyncGenerator<TakenRecords>
}

export interface Taking {
  /** What the deadlines in the file are compared with, in ms. */
  readonly wallNow: number
  readonly replace: boolean
}

/** Writes records into `out`. Gives the bytes that the first wants when it does not fit, else 0. */
export function stageSlice(engine: Engine, cursor: number, slots: number, out: Buffer): number {
  engine.begin(0)
  words[STAGING_SLOT / 4] = cursor
  words[STAGING_COUNT / 4] = slots
  doubles[STAGING_EXTRA / 8] = Date.now()
  engine.binding.saveRecords(out)
  engine.check()
  return doubles[STAGING_EXTRA / 8 + 1] as number
}

/** For a call that takes records. */
export function stageTaking(engine: Engine, { wallNow, replace }: Taking): void {
  engine.begin(0)
  words[STAGING_BITS / 4] = replace ? 1 : 0
  words[STAGING_FORM / 4] = plainArrayDtypes
  doubles[STAGING_EXTRA / 8] = wallNow
}

/** Every checksum and every length of a stretch. @throws HitpathError SNAPSHOT_CORRUPT */
export async function verify(engine: Engine, stretch: Stretch, seed: Uint8Array): Promise<Stretch> {
  engine.begin(0)
  const faults = engine.binding.verifyBlocks(stretch.bytes, seed, stretch.table)
  engine.check()
  const fault = await (faults as Promise<number>)
  if (fault !== 0) throw faulty(fault, stretch.first)
  return stretch
}

/** What `act` makes of each, in order; while one is worked on, the next is on its way. */
export async function* ahead<T, U>(
  source: AsyncIterable<T>,
  act: (item: T) => Promise<U>,
): AsyncGenerator<U> {
  let first: Promise<U> | undefined
  let second: Promise<U> | undefined
  try {
    for await (const item of source) {
      second = act(item)
      second.catch(() => {}) // awaited in the next round
      if (first !== undefined) yield await first
      first = second
    }
    if (first !== undefined) yield await first
  } finally {
    await Promise.allSettled([first, second]) // what they work on is about to be overwritten
  }
}
