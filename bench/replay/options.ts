/** The command line of the replay, checked once. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

export interface Options {
  readonly requests: number
  readonly seed: number
  /** Where the figures go as JSON; nowhere when undefined. */
  readonly jsonFile: string | undefined
  /** Bars that each symbol of the platform receives. */
  readonly steps: number
  /** Where the page goes. */
  readonly pageFile: string
}

export const USAGE = 'usage: npm start -- [--requests N] [--seed N] [--json FILE] [--bars N] [--page FILE]'

/** @throws Error with a sentence that names the option, what was expected and what came. */
export function parseOptions(args: readonly string[], defaultRequests: number): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      requests: { type: 'string', default: String(defaultRequests) },
      seed: { type: 'string', default: '1' },
      json: { type: 'string' },
      bars: { type: 'string', default: '60' },
      page: { type: 'string', default: fileURLToPath(new URL('../results/platform.html', import.meta.url)) },
    },
  })
  return {
    requests: wholeNumber('requests', values.requests, 1, 10_000_000),
    seed: wholeNumber('seed', values.seed, 0, 2 ** 32 - 1),
    jsonFile: values.json,
    steps: wholeNumber('bars', values.bars, 1, 250),
    pageFile: resolve(values.page),
  }
}

function wholeNumber(option: string, text: string, low: number, high: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= low && value <= high) return value
  throw new Error(`--${option}: expected a whole number from ${low} to ${high}, got "${text}"`)
}
