/**
 * lmdb at its fastest, in memory: the settings and calls that won a search over eleven sets of options
 * (README, "What is measured how"), in a folder of its own under /dev/shm.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open, type RootDatabase } from 'lmdb'

export type MemoryLmdb = RootDatabase<Buffer, string>

/** Its folder goes when the process ends. */
export function openMemoryLmdb(): MemoryLmdb {
  const folder = mkdtempSync(join(memoryFolder(), 'hitpath-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return open<Buffer, string>({
    path: folder,
    encoding: 'binary',
    noSync: true,
    overlappingSync: false,
    useWritemap: true,
    noMemInit: true,
    mapSize: 512 * 2 ** 20,
    pageSize: 16_384,
  })
}

function memoryFolder(): string {
  return process.platform === 'linux' ? '/dev/shm' : tmpdir()
}
