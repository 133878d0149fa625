/**
 * lmdb at its fastest, in memory: the settings and calls that won a search over eleven sets of options
 * (README, "What is measured how"), in a folder of its own under /dev/shm.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open, type RootDatabase } from 'lmdb'

export interface MemoryLmdb {
  readonly db: RootDatabase<Buffer, string>
  close(): Promise<void>
}

export function openMemoryLmdb(): MemoryLmdb {
  const folder = mkdtempSync(join(memoryFolder(), 'hitpath-bench-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  const db = open<Buffer, string>({
    path: folder,
    encoding: 'binary',
    noSync: true,
    overlappingSync: false,
    useWritemap: true,
    noMemInit: true,
    mapSize: 256 * 2 ** 20,
    pageSize: 16_384,
  })
  return {
    db,
    async close() {
      await db.close()
      remove()
    },
  }
}

function memoryFolder(): string {
  return process.platform === 'linux' ? '/dev/shm' : tmpdir()
}
