/**
 * Hit ratio where entries are not alike: by bytes over the recorded trace that has sizes, and with ttls that no trace has and that are
 * therefore dealt (synthetic, and called so). Counts, not times.
 */
import { inChild } from '../harness/child.js'
import type { Curve, Line } from '../harness/results.js'
import type { Answer, Run, Subject, Suite } from '../harness/subject.js'
import { BYTE_CACHES, type ByBytes, TRACE } from '../hit-ratio/by-bytes.js'
import { hitRatio, shareOfKeys } from '../hit-ratio/curves.js'
import { SYNTHETIC_NOTE, TTL_CACHES } from '../hit-ratio/synthetic-ttl.js'
import { tracesAbsent } from '../hit-ratio/traces.js'

const PERCENT = 100
const BY_BYTES = new URL('../hit-ratio/by-bytes.ts', import.meta.url).href
const BY_TTL = new URL('../hit-ratio/synthetic-ttl.ts', import.meta.url).href
const BYTE_SHARES = [0.01, 0.05, 0.1, 0.25]
const TTL_SHARES = [0.01, 0.05, 0.1, 0.25]
const TTL_TRACES = ['web12', 'oltp'] as const

/** By contender, one value for each share. */
type Ratios = Readonly<Record<string, readonly number[]>>

/** By name, what `replay` answers for it. */
async function eachOf<T>(
  names: readonly string[],
  replay: (name: string) => Promise<readonly T[]>,
): Promise<Readonly<Record<string, readonly T[]>>> {
  const found: Record<string, readonly T[]> = {}
  for (const name of names) found[name] = await replay(name)
  return found
}

function linesOf(ratios: Ratios, shares: readonly number[]): readonly Line[] {
  return Object.entries(ratios).map(([name, values]) => ({
    name,
    kind: 'measured',
    points: values.map((ratio, index) => [shares[index]! * PERCENT, ratio * PERCENT] as const),
  }))
}

/** One round: the mean over the sizes, in %. */
function meansOf(ratios: Ratios): Readonly<Record<string, readonly number[]>> {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length
  return Object.fromEntries(Object.entries(ratios).map(([name, values]) => [name, [mean(values) * PERCENT]]))
}

const pick = (found: Readonly<Record<string, readonly ByBytes[]>>, of: keyof ByBytes): Ratios =>
  Object.fromEntries(Object.entries(found).map(([name, values]) => [name, values.map((value) => value[of])]))

async function measureBytes({ tracesDir, progress }: Run): Promise<Answer> {
  const skipped = tracesAbsent(tracesDir)
  if (skipped !== undefined) return { figures: {}, skipped }
  const found = await eachOf(BYTE_CACHES, (name) => {
    progress(`${name} by bytes`)
    return inChild<readonly ByBytes[]>(BY_BYTES, 'replayByBytes', tracesDir, name, BYTE_SHARES)
  })
  const requests = pick(found, 'requests')
  const bytes = pick(found, 'bytes')
  const x = { ...shareOfKeys, title: "bytes, of the trace's" }
  const note = "hitpath's bytes include keys, headers and rounding; the others count values alone."
  const curve = (id: string, title: string, ratios: Ratios, y = hitRatio): Curve => ({
    id,
    title,
    x,
    y,
    lines: linesOf(ratios, BYTE_SHARES),
    note,
  })
  return {
    figures: {
      'hit-ratio-bytes': { contenders: meansOf(requests) },
      'byte-hit-ratio': { contenders: meansOf(bytes) },
    },
    curves: [
      curve('hit-ratio-bytes', `Hit ratio of caches bounded by bytes: ${TRACE}`, requests),
      curve('byte-hit-ratio', `Bytes that hit, of caches bounded by bytes: ${TRACE}`, bytes, {
        ...hitRatio,
        title: 'bytes that hit',
      }),
    ],
  }
}

async function measureTtl({ tracesDir, progress }: Run): Promise<Answer> {
  const skipped = tracesAbsent(tracesDir)
  if (skipped !== undefined) return { figures: {}, skipped }
  const byTrace = new Map<string, Ratios>()
  for (const trace of TTL_TRACES) {
    progress(`${trace} with a synthetic ttl`)
    const ratios = await eachOf(TTL_CACHES, (name) =>
      inChild<readonly number[]>(BY_TTL, 'replayWithTtl', tracesDir, trace, name, TTL_SHARES),
    )
    byTrace.set(trace, ratios)
  }
  const all = TTL_CACHES.map((name) => [name, [...byTrace.values()].flatMap((ratios) => ratios[name]!)])
  return {
    figures: { 'hit-ratio-ttl': { contenders: meansOf(Object.fromEntries(all)) } },
    curves: [...byTrace].map(([trace, ratios]) => ({
      id: `hit-ratio-ttl-${trace}`,
      title: `Hit ratio with a synthetic ttl: ${trace}`,
      x: shareOfKeys,
      y: hitRatio,
      lines: linesOf(ratios, TTL_SHARES),
      note: SYNTHETIC_NOTE,
    })),
    notes: [SYNTHETIC_NOTE],
  }
}

const subjects: readonly Subject[] = [
  {
    id: 'hit-ratio-bytes',
    figures: [
      { id: 'hit-ratio-bytes', title: 'Mean hit ratio of caches bounded by bytes', unit: '%' },
      { id: 'byte-hit-ratio', title: 'Mean share of bytes that hit, of caches bounded by bytes', unit: '%' },
    ],
    measure: measureBytes,
  },
  {
    id: 'hit-ratio-ttl',
    figures: [{ id: 'hit-ratio-ttl', title: 'Mean hit ratio with a synthetic ttl', unit: '%' }],
    measure: measureTtl,
  },
]

export const suite: Suite = {
  id: 'hit-ratio-overlays',
  title: 'Hit ratio by bytes, and with a synthetic ttl',
  subjects,
}
