/**
 * Where a command writes: results to stdout, progress and complaints to stderr. Colours only where a person reads.
 *
 * Always true: what came from elsewhere (keys, values, replies of servers) is written without control characters, so that it can neither
 * move the cursor nor change the terminal.
 */
export interface Terminal {
  out(text: string): void
  err(text: string): void
  /** One line on stderr that the next one replaces; nothing where nobody watches. '' removes it. */
  progress(text: string): void
  /** Whether `out` may be coloured. */
  readonly colour: boolean
  /** Aborted by the first SIGINT; one that comes before it was asked for ends the process, as usual. */
  readonly signal: AbortSignal
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Somebody pressed Ctrl-C: the work has ended, and nothing went wrong. */
export class Interrupted extends Error {
  constructor() {
    super('interrupted')
  }
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

export type Style = keyof typeof CODES

export type Paint = (style: Style, text: string) => string

export function painter({ colour }: Terminal): Paint {
  return colour ? (style, text) => `\u001b[${CODES[style]}m${text}\u001b[0m` : (_, text) => text
}

/** Text from elsewhere, on one line, without what a terminal would obey. */
export function plain(text: string, maxCharacters = 200): string {
  const safe = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029\ud800-\udfff]/gu, (unit) => {
    return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
  return safe.length > maxCharacters ? `${safe.slice(0, maxCharacters)}…` : safe
}

/** A URL, or text that holds some, with `***` in place of every password. */
export function redacted(text: string): string {
  return text.replace(/(\w+:\/\/[^\s/@:]*):\S*@/g, '$1:***@').replace(/([?&]\w*password=)[^\s&]*/gi, '$1***')
}

export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let amount = bytes
  let unit = 0
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024
    unit++
  }
  return `${unit === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${units[unit]}`
}

export function durationText(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return 'for ever'
  const size = Math.abs(ms)
  if (size < 1000) return `${size < 10 ? Number(ms.toFixed(2)) : Math.round(ms)} ms`
  if (size < 120_000) return `${Number((ms / 1000).toFixed(1))} s`
  if (size < 7_200_000) return `${Math.round(ms / 60_000)} min`
  return size < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`
}

export function countText(count: number): string {
  return count.toLocaleString('en-US')
}

/** Rows in columns; numbers of a column named in `right` end at the same place. */
export function columns(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  }
  return rows.map((row) =>
    row
      .map((cell, i) => {
        const width = widths[i] ?? 0
        if (right.includes(i)) return cell.padStart(width)
        return i === row.length - 1 ? cell : cell.padEnd(width)
      })
      .join('  '),
  )
}
