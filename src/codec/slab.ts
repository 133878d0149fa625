/**
 * Memory that small values share: an ArrayBuffer of one's own costs many times what a view costs, and each is work for the collector.
 *
 * Always true: parts that were taken never overlap and begin at multiples of 8, and no byte is given out twice. A value that survives its
 * neighbours keeps the slab's 16 KB alive and no more.
 */
import { markAsUntransferable } from 'node:worker_threads'

/** The most that one value keeps alive. */
export const SLAB_BYTES = 16_384

export class Slab {
  readonly bytes = new Uint8Array(SLAB_BYTES)
  readonly words = new Uint32Array(this.bytes.buffer)
  readonly doubles = new Float64Array(this.bytes.buffer)
  /** Where the next part begins. */
  used = 0

  constructor() {
    // to transfer the memory of one value to a thread would take that of the others along
    markAsUntransferable(this.bytes.buffer)
  }

  /** This slab, or a new one where `length` bytes do not fit any more. */
  static withRoom(slab: Slab | undefined, length: number): Slab {
    return slab === undefined || slab.used + length > SLAB_BYTES ? new Slab() : slab
  }

  /** Takes what lies before `end`. */
  take(end: number): void {
    this.used = (end + 7) & ~7
  }
}
