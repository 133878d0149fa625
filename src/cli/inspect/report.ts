/** A survey as text for a person, or as plain data. */
import { bytesText, columns, countText, durationText, type Paint, plain } from '../terminal.js'
import { type Census, type Hot, SIZE_BOUNDS, TTL_BOUNDS } from './census.js'
import type { Survey } from './survey.js'

export interface SurveyView extends Survey {
  /** Undefined: all were listed. */
  readonly namespace: string | undefined
  readonly limit: number
  readonly shown: string
  readonly masters: number
}

const TOP = 10
const BAR = 30

export function surveyText(view: SurveyView, paint: Paint): string {
  const { census, namespace } = view
  const what = namespace === undefined ? `namespaces of ${view.shown}` : `${namespace} in ${view.shown}`
  const parts = [`${paint('bold', plain(what))}\n${indented([extent(view)])}`]
  if (census.namespaces.size === 0) parts.push(indented(['there is nothing of hitpath']))
  else parts.push(block('namespaces', namespaceRows(census), paint))
  if (census.strangeKeys > 0)
    parts.push(indented([`${countText(census.strangeKeys)} keys look like hitpath's and are not`]))
  if (namespace !== undefined && census.read + census.large + census.foreign > 0)
    parts.push(...details(view, paint))
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

/** What was seen, and of how much. */
function extent({ walk, keys, census, interrupted, limit, namespace, masters }: SurveyView): string {
  const read = namespace === undefined ? '' : `, ${countText(census.read)} entries read`
  const seen = `${countText(keys)} keys seen${masters > 1 ? ` on ${masters} masters` : ''}${read}`
  if (walk.complete) return `${seen}: all of them${census.large > 0 ? ` but ${census.large} large ones` : ''}`
  const why = interrupted ? 'interrupted' : `--limit ${limit}`
  if (walk.share === undefined || walk.share === 0) return `${seen}: a sample (${why})`
  const about = Math.round(keys / walk.share)
  return `${seen}: a sample (${why}) of about ${countText(about)} keys`
}

function namespaceRows(census: Census): string[] {
  const rows = [...census.namespaces].sort(([, a], [, b]) => b.entries - a.entries)
  const head = ['', 'entries', 'tags', 'leases', 'buckets seen']
  return columns(
    [
      head,
      ...rows.map(([name, { entries, tags, leases, buckets }]) => [
        plain(name, 80),
        countText(entries),
        countText(tags),
        countText(leases),
        countText(buckets.size),
      ]),
    ],
    [1, 2, 3, 4],
  )
}

function details(view: SurveyView, paint: Paint): string[] {
  const { census, states, heatBy } = view
  const { kinds } = census
  const mean = census.read === 0 ? 0 : census.envelopeBytes / (census.read + census.large)
  const summary = columns([
    [
      'keys',
      `${countText(kinds.string)} strings, ${countText(kinds.number)} numbers, ${countText(kinds.array)} arrays (digests)`,
    ],
    [
      'now',
      `${states.fresh} fresh, ${states.stale} stale, ${states.expired} expired, ${states.tag} with an invalidated tag, ${states.cleared} cleared`,
    ],
    [
      'stored',
      `${bytesText(census.envelopeBytes)}, ${bytesText(mean)} an entry; decoded ${bytesText(census.payloadBytes)}`,
    ],
    [
      'formats',
      [...census.formats].map(([format, count]) => `${format}: ${countText(count)}`).join(', ') || 'none',
    ],
    [
      'besides',
      `${census.compressed} deflated, ${census.negative} negative, ${census.large} too large to read`,
    ],
    ['unreadable', `${census.damaged} damaged, ${census.foreign} foreign`],
  ])
  return [
    block('entries', summary, paint),
    block('types', sizedRows(census.types), paint),
    block('arrays', sizedRows(census.shapes), paint),
    block('groups of string keys', countRows(census.groups), paint),
    block('tags', countRows(census.tags), paint),
    block('bytes of an entry', histogramRows(census.sizes, SIZE_BOUNDS, bytesText), paint),
    block('time to live left', ttlRows(census), paint),
    block(`hottest by ${heatBy ?? ''}`, heatBy === undefined ? [] : hotRows(census.hottest()), paint),
    block(
      'unreadable, for example',
      census.suspects.map(({ key, why }) => `${plain(key, 100)}: ${plain(why)}`),
      paint,
    ),
  ]
}

function ttlRows(census: Census): string[] {
  return histogramRows(
    [...census.ttls, census.neverExpires],
    [...TTL_BOUNDS, Number.POSITIVE_INFINITY],
    durationText,
    'never ends',
  )
}

function sizedRows(counts: ReadonlyMap<string, { count: number; bytes: number }>): string[] {
  const rows = [...counts].sort(([, a], [, b]) => b.count - a.count).slice(0, TOP)
  return columns(
    rows.map(([name, { count, bytes }]) => [plain(name, 60), countText(count), bytesText(bytes)]),
    [1, 2],
  )
}

function countRows(counts: ReadonlyMap<string, number>): string[] {
  const rows = [...counts].sort(([, a], [, b]) => b - a)
  const shown = columns(
    rows.slice(0, TOP).map(([name, count]) => [plain(name, 60), countText(count)]),
    [1],
  )
  return rows.length > TOP ? [...shown, `and ${countText(rows.length - TOP)} more`] : shown
}

function hotRows(hottest: readonly Hot[]): string[] {
  return columns(
    hottest.map(({ namespace, name, heat }) => [
      plain(`${namespace} ${shownName(name)}`, 90),
      heat >= 0 ? String(heat) : `idle for ${durationText((-1 - heat) * 1000)}`,
    ]),
  )
}

/** The caller's key of a name. */
export function shownName(name: string): string {
  return name[0] === 's' ? name.slice(1) : name[0] === 'd' ? `array ${name.slice(1)}` : name.slice(1)
}

function histogramRows(
  counts: readonly number[],
  bounds: readonly number[],
  text: (bound: number) => string,
  last = `more than ${text(bounds[bounds.length - 1] as number)}`,
): string[] {
  const most = Math.max(...counts, 1)
  const rows = counts.flatMap((count, i) => {
    if (count === 0) return []
    const bound = bounds[i]
    const label =
      bound === undefined
        ? last
        : bound === Number.POSITIVE_INFINITY
          ? `more than ${text(bounds[i - 1] as number)}`
          : `up to ${text(bound)}`
    return [[label, countText(count), '#'.repeat(Math.max(1, Math.round((count / most) * BAR)))]]
  })
  return columns(rows, [1])
}

function block(title: string, rows: readonly string[], paint: Paint): string {
  return rows.length === 0 ? '' : `  ${paint('bold', title)}\n${indented(rows, '    ')}`
}

function indented(rows: readonly string[], by = '  '): string {
  return rows.map((row) => by + row.trimEnd()).join('\n')
}

/** Everything, under names that stay. */
export function surveyJson(view: SurveyView): object {
  const { census } = view
  return {
    target: view.shown,
    namespace: view.namespace ?? null,
    masters: view.masters,
    walk: {
      complete: view.walk.complete,
      share: view.walk.share ?? null,
      interrupted: view.interrupted,
      limit: view.limit,
    },
    keysSeen: view.keys,
    strangeKeys: census.strangeKeys,
    namespaces: [...census.namespaces].map(([name, { buckets, epoch, ...counts }]) => ({
      name,
      ...counts,
      bucketsSeen: buckets.size,
      epoch: epoch ?? null,
    })),
    ...(view.namespace === undefined ? {} : entriesJson(view)),
  }
}

function entriesJson({ census, states, heatBy }: SurveyView): object {
  const { read, large, gone, compressed, negative, damaged, foreign, envelopeBytes, payloadBytes, kinds } =
    census
  const sized = (counts: Census['types']) => Object.fromEntries(counts)
  return {
    entries: { read, large, gone, compressed, negative, damaged, foreign, envelopeBytes, payloadBytes },
    kinds,
    states,
    formats: Object.fromEntries(census.formats),
    types: sized(census.types),
    arrays: sized(census.shapes),
    groups: Object.fromEntries(census.groups),
    tags: Object.fromEntries(census.tags),
    sizes: { upTo: SIZE_BOUNDS, counts: census.sizes },
    ttls: { upToMs: TTL_BOUNDS, counts: census.ttls, never: census.neverExpires },
    hottest: {
      by: heatBy ?? null,
      keys: census.hottest().map(({ namespace, name, heat }) => ({
        namespace,
        name,
        ...(heat >= 0 ? { frequency: heat } : { idleSeconds: -1 - heat }),
      })),
    },
    suspects: census.suspects,
  }
}
