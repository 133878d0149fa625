/**
 * The snapshot of a SharedCache, whose values stand in the region: native code reads and writes whole records.
 *
 * Threads of the pool restore, so that neither the event loop nor one core is held: while some store a stretch, each one shard after the
 * other, another verifies the next and files its records by shard.
 */
import { Buffer } from 'node:buffer'
import { availableParallelism } from 'node:os'
import { doubles, type LoadedBlocks, type RestoredCounts, words } from '../native/binding.js'
import { STAGING_COUNT, STAGING_LENGTH, STAGING_SLOT } from '../native/layout.js'
import { LOADED_BYTES } from '../native/record.js'
import { type Engine, NO_SLOT } from './engine.js'
import { OpenBlock } from './snapshot-file.js'
import { faulty, KIND } from './snapshot-format.js'
import {
  ahead,
  type SnapshotPort,
  stageSlice,
  stageTaking,
  type Taken,
  type TakenRecords,
  type Taking,
} from './snapshot-port.js'
import type { Stretch } from './snapshot-reader.js'

/** The pool has four threads unless it is told otherwise, and one of them reads. */
const THREADS = 3
/** Slots of one call: of an empty cache, a millisecond. */
const SLOTS = 32_768

export class RegionPort implements SnapshotPort {
  readonly kind: number = KIND.shared
  readonly skipped: number = 0
  readonly engine: Engine
  readonly #threads: number

  constructor(engine: Engine) {
    this.engine = engine
    this.#threads = Math.min(THREADS, availableParallelism(), engine.token.shards)
  }

  size(): number {
    return this.engine.size()
  }

  *blocks(): Generator<OpenBlock | undefined, void> {
    const blocks = [new OpenBlock(), new OpenBlock()] as const
    let [block, other] = blocks
    for (let cursor = 0; cursor !== NO_SLOT; ) {
      const wanted = stageSlice(this.engine, cursor, SLOTS, block.room)
      if (wanted === 0) {
        cursor = words[STAGING_SLOT / 4] as number
        block.records += words[STAGING_COUNT / 4] as number
        block.used += doubles[STAGING_LENGTH / 8] as number
        yield undefined
      } else if (block.records === 0) {
        block.reset(wanted)
      } else {
        yield block
        ;[block, other] = [other, block]
        block.reset(wanted)
      }
    }
    if (block.records > 0) yield block
  }

  expect(bytes: number): Promise<void> | undefined {
    this.engine.begin(0)
    doubles[STAGING_LENGTH / 8] = bytes
    const prepared = this.engine.binding.expectBytes()
    this.engine.check()
    return prepared
  }

  async *restore(
    stretches: AsyncIterable<Stretch>,
    seed: Uint8Array,
    taking: () => Taking,
  ): AsyncGenerator<TakenRecords> {
    const rooms = [Buffer.alloc(0), Buffer.alloc(0)]
    let turn = 0
    const load = async (stretch: Stretch): Promise<readonly [Stretch, LoadedBlocks]> => {
      const own = turn++ % rooms.length
      const wanted = LOADED_BYTES * stretch.records
      if ((rooms[own] as Buffer).length < wanted) rooms[own] = Buffer.allocUnsafeSlow(wanted)
      return [stretch, await this.#load(stretch, seed, taking(), rooms[own] as Buffer)]
    }
    for await (const [{ records, recordBytes }, loaded] of ahead(stretches, load))
      yield { taken: await this.#store(loaded), records, bytes: recordBytes }
  }

  async #load(stretch: Stretch, seed: Uint8Array, taking: Taking, room: Buffer): Promise<LoadedBlocks> {
    stageTaking(this.engine, taking)
    const loading = this.engine.binding.loadBlocks(stretch.bytes, seed, stretch.table, room)
    this.engine.check()
    const loaded = await (loading as Promise<LoadedBlocks | number>)
    if (typeof loaded === 'number') throw faulty(loaded, stretch.first)
    return loaded
  }

  async #store(loaded: LoadedBlocks): Promise<Taken> {
    const parts: Promise<RestoredCounts>[] = []
    try {
      for (let thread = 0; thread < this.#threads; thread++) {
        this.engine.begin(0)
        const counts = this.engine.binding.storeBlocks(loaded)
        this.engine.check()
        parts.push(counts as Promise<RestoredCounts>)
      }
    } finally {
      await Promise.all(parts) // they read the stretch
    }
    const sum = { restored: 0, kept: 0, expired: 0, rejected: 0, foreign: 0 }
    for (const [status, restored, kept, expired, rejected, foreign] of await Promise.all(parts)) {
      this.engine.check(status)
      sum.restored += restored
      sum.kept += kept
      sum.expired += expired
      sum.rejected += rejected
      sum.foreign += foreign
    }
    return sum
  }
}
