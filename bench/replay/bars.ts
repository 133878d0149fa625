/**
 * The market: every daily bar of the S&P 500 from 2000-01-03 to 2020-04-17, as `vega-datasets` publishes it.
 * Read once, checked, and kept row-major: bar `i` is `values[5 * i .. 5 * i + 4]`.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

/** The columns of a bar, in the order in which windows hold them. */
export const FIELDS = ['open', 'high', 'low', 'close', 'volume'] as const
export const FIELD_COUNT = FIELDS.length

export interface Bars {
  readonly length: number
  /** [length, 5] float64, row-major, in index points (volume in shares). */
  readonly values: Float64Array
  /** ISO dates, ascending. */
  readonly dates: readonly string[]
}

/** Reads the file shipped inside the npm package; nothing is downloaded. */
export function loadBars(): Bars {
  const entry = createRequire(import.meta.url).resolve('vega-datasets')
  return parseBars(readFileSync(join(entry, '..', '..', 'data', 'sp500-2000.csv'), 'utf8'))
}

/** @throws Error when a column is missing or a row holds anything but a positive number in ascending dates. */
export function parseBars(csv: string): Bars {
  const [header = '', ...rows] = csv.trim().split(/\r?\n/)
  const names = header.split(',')
  const columns = FIELDS.map((field) => names.indexOf(field))
  if (columns.includes(-1))
    throw new Error(`bars: expected the columns ${FIELDS.join(', ')}, got "${header}"`)

  const values = new Float64Array(rows.length * FIELD_COUNT)
  const dates: string[] = []
  rows.forEach((row, bar) => {
    const cells = row.split(',')
    const date = cells[0] ?? ''
    if (bar > 0 && date <= dates[bar - 1]!) throw new Error(`bars: ${date} does not follow ${dates[bar - 1]}`)
    dates.push(date)
    columns.forEach((column, field) => {
      const value = Number(cells[column])
      if (!(value > 0)) throw new Error(`bars: ${FIELDS[field]} of ${date} is "${cells[column]}"`)
      values[bar * FIELD_COUNT + field] = value
    })
  })
  return { length: rows.length, values, dates }
}
