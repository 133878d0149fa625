/** What warming needs of a TieredCache: which entries the second tier holds hot, and a read that is nobody's request. */
import { HitpathError } from '../errors.js'
import type { PreparedKey } from '../key/prepared.js'
import type { HottestNames, HottestOptions } from '../l2/store.js'
import type { Core } from './core.js'
import type { Named } from './names.js'
import type { Policy } from './options.js'
import type { Reader } from './reader.js'
import type { Start } from './start.js'

export interface HottestKeys extends Omit<HottestNames, 'names'> {
  /** The hottest first. */
  readonly keys: readonly (string | number | PreparedKey)[]
}

export interface Promoted {
  /** Entries that came from the second tier. */
  readonly promoted: number
  /** Those that the first tier had. */
  readonly present: number
  /** Those that the second tier did not give: gone, invalid, or it did not answer. */
  readonly missing: number
  /** That the second tier sent. */
  readonly bytes: number
}

export async function hottestKeys<V>(
  core: Core<V>,
  start: Start,
  options: HottestOptions,
): Promise<HottestKeys> {
  core.refuseClosed()
  options.signal?.throwIfAborted()
  const { l2 } = core
  if (l2 === undefined) return { keys: [], scanned: 0, by: 'idle time' }
  if (l2.hottest === undefined)
    throw new HitpathError('INVALID_OPTION', 'the store of this cache does not know which entries are hot')
  await start.ready()
  const { names, scanned, by } = await l2.hottest(options)
  const keys = names.map((name) => core.names.keyOf(name)).filter((key) => key !== undefined)
  return { keys, scanned, by }
}

export async function promoteNamed<V>(
  core: Core<V>,
  reader: Reader<V>,
  all: readonly Named[],
  policy: Policy,
): Promise<Promoted> {
  core.refuseClosed()
  const wanted = all.filter(({ l1 }) => {
    const entry = core.peek(l1)
    return entry === undefined || core.judge(entry) === 'invalid' || core.judge(entry) === 'stale'
  })
  let bytes = 0
  const batch = await reader.readMany(
    { names: wanted.map(({ name }) => name), named: wanted },
    policy,
    (read) => {
      bytes += read
    },
  )
  const now = core.time.now()
  const promoted = wanted.filter((_, i) => batch.isFound(i, now)).length
  return { promoted, present: all.length - wanted.length, missing: wanted.length - promoted, bytes }
}
