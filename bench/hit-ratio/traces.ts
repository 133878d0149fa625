/**
 * Recorded accesses and what known policies make of them. The folder is not part of the package: the traces have
 * licences of their own (see its README). `NAME.trc.br` is brotli over `TRC1`, a count, and that many key ids.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'

const MAGIC = 'TRC1'
const HEADER_BYTES = 8

/** One size of one trace, with the hit ratios (0 .. 1) of the policies that were simulated. */
export interface Cell {
  readonly trace: string
  /** Share of the trace's keys. */
  readonly sizeFraction: number
  readonly capacity: number
  /** Whether it enters the averages: 32 entries or more, and no stress trace. */
  readonly counted: boolean
  readonly hitRatio: Readonly<Record<string, number>>
}

/** Why nothing can be replayed; undefined when the folder is there. */
export function tracesAbsent(folder: string): string | undefined {
  if (existsSync(join(folder, 'reference.json'))) return undefined
  return `no traces in ${folder} (--traces DIR or HITPATH_TRACES names the folder)`
}

export function readCells(folder: string): readonly Cell[] {
  const reference = JSON.parse(readFileSync(join(folder, 'reference.json'), 'utf8')) as { cells: Cell[] }
  return reference.cells
}

/** How many requests a trace holds, by the figures beside it. */
export function requestsOf(folder: string, trace: string): number {
  const meta = JSON.parse(readFileSync(join(folder, `${trace}.meta.json`), 'utf8')) as { requests: number }
  return meta.requests
}

/** The key ids of a trace in the order of access. */
export function readTrace(folder: string, trace: string): Uint32Array {
  return decodeTrace(brotliDecompressSync(readFileSync(join(folder, `${trace}.trc.br`))))
}

/** The size in bytes of each request of a trace that has sizes. */
export function readSizes(folder: string, trace: string): Uint32Array {
  const bytes = brotliDecompressSync(readFileSync(join(folder, `${trace}.size.u32.br`)))
  return Uint32Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readUInt32LE(at * 4))
}

/** Shares by ttl (`240s`, `1.5h`), of each cluster whose statistics name any. */
export function readTtlMixes(folder: string): readonly Readonly<Record<string, number>>[] {
  const { clusters } = JSON.parse(readFileSync(join(folder, 'twitter-2020Mar-stats.json'), 'utf8')) as {
    clusters: { ttl: Record<string, number> }[]
  }
  return clusters.map(({ ttl }) => ttl).filter((mix) => Object.keys(mix).length > 0)
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds of `240s` or `10.6h`. */
export function parseTtl(text: string): number {
  const [, count, unit] = /^([\d.]+)([smhd])$/.exec(text) ?? []
  if (count === undefined || unit === undefined) throw new Error(`no ttl: ${JSON.stringify(text)}`)
  return Number(count) * UNIT_MS[unit]!
}

export function decodeTrace(bytes: Buffer): Uint32Array {
  const magic = bytes.toString('latin1', 0, MAGIC.length)
  if (magic !== MAGIC)
    throw new Error(`a trace begins with ${MAGIC}; this one begins with ${JSON.stringify(magic)}`)
  const count = bytes.readUInt32LE(MAGIC.length)
  if (bytes.length !== HEADER_BYTES + count * 4) {
    throw new Error(
      `a trace of ${count} requests has ${HEADER_BYTES + count * 4} bytes; this one has ${bytes.length}`,
    )
  }
  const ids = new Uint32Array(count)
  for (let at = 0; at < count; at++) ids[at] = bytes.readUInt32LE(HEADER_BYTES + at * 4)
  return ids
}
