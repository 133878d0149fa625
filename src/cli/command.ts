/**
 * What a command of `npx hitpath` is: a table of options, from which both its parser and its help are made, and what it does.
 *
 * Always true: exit codes are 0 fine, 1 something that must be acted on, 2 wrong use, 130 interrupted; wrong use is one sentence on stderr.
 */
import { parseArgs } from 'node:util'
import { nearest } from '../config/nearest.js'
import type { Terminal } from './terminal.js'

export const EXIT = { fine: 0, found: 1, usage: 2, interrupted: 130 } as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export interface OptionSpec {
  /** What follows the option, as the help shows it; without, it is a flag. */
  readonly value?: string
  /** It may be given more than once. */
  readonly multiple?: true
  readonly text: string
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>

/** What was given, under the names of the options. */
export type Given<S extends OptionSpecs> = {
  readonly [K in keyof S]?: S[K] extends { readonly multiple: true }
    ? readonly string[]
    : S[K] extends { readonly value: string }
      ? string
      : boolean
}

export interface Command {
  /** A few lines: what it is for. */
  readonly purpose: string
  readonly options: OptionSpecs
  readonly examples: readonly string[]
  /** More for the help: what exit codes mean, what it leaves alone. */
  readonly notes: string
  run(args: readonly string[], terminal: Terminal): Promise<ExitCode>
}

/** The command line is wrong: exit code 2. */
export class UsageError extends Error {}

const HELP: OptionSpec = { text: 'this text' }

/** @throws UsageError for what is no option of the command */
export function parseOptions<const S extends OptionSpecs>(specs: S, args: readonly string[]): Given<S> {
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { value, multiple = false }]) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), multiple },
    ]),
  )
  try {
    return parseArgs({ args: [...args], options, strict: true }).values as Given<S>
  } catch (error) {
    throw new UsageError(explained(error, Object.keys(specs)))
  }
}

/** @throws UsageError unless it is an integer from `min` to `max` */
export function integerGiven(text: string, option: string, min: number, max: number): number {
  const number = Number(text)
  if (/^\d+$/.test(text) && number >= min && number <= max) return number
  throw new UsageError(`--${option} must be an integer from ${min} to ${max}; got ${JSON.stringify(text)}`)
}

export function helpText(name: string, { purpose, options, examples, notes }: Command): string {
  const all: [string, OptionSpec][] = [...Object.entries(options), ['help', HELP]]
  const heads = all.map(([option, { value }]) => `--${option}${value === undefined ? '' : ` ${value}`}`)
  const width = Math.max(...heads.map((head) => head.length)) + 2
  const lines = all.map(([, { text, multiple }], i) => {
    const said = multiple ? `${text}; may be given several times` : text
    return `  ${heads[i]?.padEnd(width)}${wrapped(said, 78 - width).join(`\n${' '.repeat(width + 2)}`)}`
  })
  return [
    `npx hitpath ${name} [options]`,
    '',
    ...wrapped(purpose, 80),
    '',
    'Options:',
    ...lines,
    '',
    'Examples:',
    ...examples.map((example) => `  ${example}`),
    '',
    ...wrapped(notes, 80),
    '',
  ].join('\n')
}

/** Lines of at most `width` characters, where words allow. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  for (const paragraph of text.split('\n')) {
    let line = ''
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line)
        line = word
      } else line = line === '' ? word : `${line} ${word}`
    }
    lines.push(line)
  }
  return lines
}

/** In place of the sentences of parseArgs, which say how to pass what looks like an option. */
function explained(error: unknown, names: readonly string[]): string {
  const { code, message } = error as { code?: unknown; message: string }
  const [, quoted = ''] = /'([^']+)'/.exec(message) ?? []
  switch (code) {
    case 'ERR_PARSE_ARGS_UNKNOWN_OPTION': {
      const near = nearest(quoted.replace(/^-+/, ''), names)
      return `${quoted} is no option${near === undefined ? '' : `; did you mean --${near}?`}`
    }
    case 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL':
      return `${quoted} is too much: options begin with --`
    case 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE':
      return /argument missing|ambiguous/.test(message)
        ? `${quoted.replace(/ <value>$/, '')} needs a value`
        : `${quoted} takes no value`
    default:
      return message
  }
}
