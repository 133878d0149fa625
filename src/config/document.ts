/**
 * A configuration file as plain data, and where in it each entry stands.
 *
 * Always true: whatever the file holds, reading it ends in data or in INVALID_CONFIG, within bounded time and memory: at most 1 MiB
 * is read, and aliases may not multiply what is there.
 */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname, join } from 'node:path'
import type * as Yaml from 'yaml'
import { HitpathError } from '../errors.js'
import { packageRoot } from '../native/here.js'

/** The way to an entry: `['l2', 'sentinels', 0, 'port']`. */
export type EntryPath = readonly (string | number)[]

export interface ConfigDocument {
  readonly value: unknown
  /** INVALID_CONFIG about the entry at `path`, with the place of its key in the file: `file:line:column: path problem`. */
  error(path: EntryPath, problem: string, cause?: unknown): HitpathError
}

const MAX_FILE_BYTES = 2 ** 20
/** As `yaml` counts them: how often the content of an anchor may be met, times the aliases within it. */
const MAX_ALIASES = 100

/** The parser, loaded with the first file: it takes 30 ms, and few programs read one. */
function yaml(): typeof Yaml {
  return createRequire(join(packageRoot, 'package.json'))('yaml') as typeof Yaml
}

/** @throws HitpathError INVALID_CONFIG when the file cannot be read, or is no YAML, or no JSON when its name ends in `.json` */
export function readDocument(file: string): ConfigDocument {
  const text = readText(file)
  return parseText(text, file, extname(file).toLowerCase() === '.json')
}

function readText(file: string): string {
  let problem = 'cannot be read'
  try {
    const descriptor = openSync(file, 'r')
    try {
      const stat = fstatSync(descriptor)
      if (!stat.isFile()) problem = 'is no file'
      else if (stat.size > MAX_FILE_BYTES)
        problem = `has ${stat.size} bytes; at most ${MAX_FILE_BYTES} are read`
      else return readFileSync(descriptor, 'utf8')
    } finally {
      closeSync(descriptor)
    }
  } catch (cause) {
    const reason = cause instanceof Error ? `: ${cause.message}` : ''
    throw new HitpathError('INVALID_CONFIG', `${file} cannot be read${reason}`, { cause })
  }
  throw new HitpathError('INVALID_CONFIG', `${file} ${problem}`)
}

function parseText(text: string, file: string, json: boolean): ConfigDocument {
  const { LineCounter, parseDocument } = yaml()
  const lines = new LineCounter()
  try {
    if (json) JSON.parse(text)
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true })
    const [problem] = [...document.errors, ...document.warnings]
    if (problem !== undefined) {
      const { line, col } = lines.linePos(problem.pos[0])
      const message = `${file}:${line}:${col}: ${problem.message}`
      throw new HitpathError('INVALID_CONFIG', message, { cause: problem })
    }
    const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES })
    return {
      value,
      error(path, entryProblem, cause) {
        const at = offsetOf(document, path)
        const place = at === undefined ? undefined : lines.linePos(at)
        const where = place === undefined ? file : `${file}:${place.line}:${place.col}`
        const entry = path.length === 0 ? 'the file' : pathText(path)
        return new HitpathError('INVALID_CONFIG', `${where}: ${entry} ${entryProblem}`, { cause })
      },
    }
  } catch (cause) {
    if (cause instanceof HitpathError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new HitpathError(
      'INVALID_CONFIG',
      `${file} is no ${json ? 'JSON' : 'YAML'} that can be used: ${reason}`,
      {
        cause,
      },
    )
  }
}

/** Where the key of the entry begins, or an item of a list; of the nearest entry around it that has a place. */
function offsetOf(document: Yaml.Document.Parsed, path: EntryPath): number | undefined {
  const { isAlias, isMap, isNode, isScalar, isSeq } = yaml()
  let node: unknown = document.contents
  let offset: number | undefined
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document)
    let next: unknown
    let place: unknown
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => (isScalar(key) ? String(key.value) : key) === String(step))
      next = pair?.value
      place = pair?.key
    } else if (isSeq(node) && typeof step === 'number') {
      next = node.items[step]
      place = next
    }
    if (!isNode(place) || !place.range) break
    offset = place.range[0]
    node = next
  }
  return offset
}

function pathText(path: EntryPath): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (/^[\w-]+$/.test(step)) text += text === '' ? step : `.${step}`
    else text += `[${JSON.stringify(step.length > 40 ? `${step.slice(0, 40)}…` : step)}]`
  }
  return text
}
