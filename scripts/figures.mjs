/**
 * Writes the measured figures into README.md, all and the few of the head, between their marks, from what `npm run bench` kept:
 * `node scripts/figures.mjs [--check] [FILE]`; FILE is bench/results/latest.json unless it is given.
 *
 * With --check it writes nothing and fails when README.md has other figures than the file.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const SCHEMA = 'hitpath-bench/2'
const BLOCK = /(<!-- figures -->\n)[\s\S]*?(<!-- \/figures -->)/
const SHORT = /(<!-- headline -->\n)[\s\S]*?(<!-- \/headline -->)/

/** The verdicts that stand near the top: a few of each kind, met or not. */
const HEADLINE = [
  'get-built-1m',
  'get-interned-1k',
  'get-prepared-1k',
  'lru-face-built-1k',
  'lru-face-interned-1m',
  'array-60x5',
  'rows-1m',
  'predict-half',
  'shared-get',
  'tiered-await',
  'l2-get-tiered',
  'invalidation-p99',
]

/** Markdown of the figures. `results` is what bench/run.ts writes. */
export function renderFigures(results) {
  if (results?.schema !== SCHEMA)
    throw new Error(`expected results of schema ${SCHEMA}; got ${results?.schema}`)
  if (results.form !== 'full')
    throw new Error('expected results of the full form; the CI form is a gate only')
  const failed = (results.failures ?? []).map(({ subject }) => subject)
  if (failed.length > 0) throw new Error(`expected results of a whole run; ${failed.join(', ')} failed in it`)
  const absent = HEADLINE.filter((id) => !results.verdicts.some(({ figure }) => figure === id))
  if (absent.length > 0)
    throw new Error(`expected results of a whole run; there is nothing of ${absent.join(', ')}`)
  const rows = results.verdicts
    .map((verdict) => ({ verdict, figure: results.figures.find(({ id }) => id === verdict.figure) }))
    .filter(({ figure }) => figure !== undefined)
  return [
    `${machineLine(results)} Lower is better unless the target says "at least".`,
    '',
    '| what | hitpath | against | result | target |',
    '| --- | ---: | --- | ---: | --- |',
    ...rows.map(({ verdict, figure }) => row(verdict, figure)),
    '',
    summary(results.verdicts),
    '',
  ].join('\n')
}

/** The same for a few of them, without the machine and the targets. */
export function renderHeadline(results) {
  const { verdicts, figures } = results
  const chosen = verdicts.filter(({ figure, of }) => HEADLINE.includes(figure) && !of.includes('getOrSet'))
  return [
    '| what | hitpath | against | result |',
    '| --- | ---: | --- | ---: |',
    ...chosen.map((verdict) => {
      const full = row(
        verdict,
        figures.find(({ id }) => id === verdict.figure),
      )
      return `${full.slice(0, full.lastIndexOf(' | '))} |`
    }),
    '',
  ].join('\n')
}

function row(verdict, figure) {
  const { of, peer, statistic, result, ruling } = verdict
  const own = shown(median(figure.contenders[of]), figure.unit)
  const against = peer === undefined ? '' : `${peer}: ${shown(median(figure.contenders[peer]), figure.unit)}`
  const measured = {
    ratio: `${rounded(result.median)} ×`,
    difference: `${result.median < 0 ? '' : '+'}${shown(result.median, figure.unit)}`,
    value: shown(result.median, figure.unit),
  }[statistic]
  const unmet = { noise: ', within noise', near: ', **not met**', missed: ', **not met**' }[ruling] ?? ''
  return `| ${cell(figure.title)} | ${own} | ${cell(against)} | ${measured} | ${target(verdict, figure.unit)}${unmet} |`
}

function target({ limit, statistic }, unit) {
  if (limit === undefined) return ''
  const measure = statistic === 'ratio' ? '×' : unit
  return limit.max === undefined ? `at least ${limit.min} ${measure}` : `at most ${limit.max} ${measure}`
}

function machineLine({ machine, versions, startedAt }) {
  const peers = ['lru-cache', 'lmdb', 'xxhash-wasm'].filter((name) => versions[name] !== undefined)
  return (
    `Node ${versions.node}, ${machine.cpu.trim()}, ${machine.cores} cores, ${startedAt.slice(0, 10)}; ` +
    `${peers.map((name) => `${name} ${versions[name]}`).join(', ')}.`
  )
}

function summary(verdicts) {
  const met = verdicts.filter(({ ruling }) => ruling === 'met').length
  return `${met} of ${verdicts.length} targets met.`
}

function shown(value, unit) {
  return `${rounded(value)} ${unit}`
}

/** Three significant digits, and no exponent. */
function rounded(value) {
  if (!Number.isFinite(value)) return String(value)
  const magnitude = Math.abs(value)
  if (magnitude >= 1000) return Math.round(value).toLocaleString('en-US')
  if (magnitude >= 100) return value.toFixed(0)
  if (magnitude >= 10) return value.toFixed(1)
  return value.toFixed(magnitude >= 1 ? 2 : 3)
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function cell(text) {
  return text.replaceAll('|', '\\|')
}

function main() {
  const root = dirname(dirname(fileURLToPath(import.meta.url)))
  const readme = join(root, 'README.md')
  let check
  let files
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { check: { type: 'boolean', default: false } },
    })
    check = values.check
    files = positionals
  } catch (error) {
    return fail(error.message)
  }
  const file = files[0] ?? join(root, 'bench', 'results', 'latest.json')
  if (!existsSync(file)) return fail(`${relative(process.cwd(), file)} is not there: npm run bench makes it`)
  const before = readFileSync(readme, 'utf8')
  if (!BLOCK.test(before)) return fail('README.md has no <!-- figures --> … <!-- /figures -->')
  let block
  let short
  try {
    const results = JSON.parse(readFileSync(file, 'utf8'))
    block = renderFigures(results)
    short = renderHeadline(results)
  } catch (error) {
    return fail(`${relative(process.cwd(), file)}: ${error.message}`)
  }
  const after = before
    .replace(BLOCK, (_, open, close) => `${open}${block}${close}`)
    .replace(SHORT, (_, open, close) => `${open}${short}${close}`)
  if (check && after !== before)
    return fail('README.md has other figures than the results: node scripts/figures.mjs')
  if (!check) writeFileSync(readme, after)
}

function fail(message) {
  console.error(`figures: ${message}`)
  process.exitCode = 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
