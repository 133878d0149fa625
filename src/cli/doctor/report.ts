/** The findings as text for a person, or as JSON. */
import { wrapped } from '../command.js'
import { painter, plain, redacted, type Style, type Terminal } from '../terminal.js'
import { version } from '../version.js'
import type { Level, Section } from './finding.js'

const STYLES: Readonly<Record<Level, Style>> = { ok: 'green', note: 'cyan', warning: 'yellow', error: 'red' }
const WIDTH = 100
const INDENT = '           '

export function textReport(sections: readonly Section[], terminal: Terminal): string {
  const paint = painter(terminal)
  const lines = [paint('bold', `hitpath ${version()} doctor`)]
  for (const { title, findings } of sections) {
    lines.push('', paint('bold', safe(title)))
    for (const { level, found, why, remedy } of findings) {
      const [head = '', ...rest] = wrapped(safe(found), WIDTH - INDENT.length)
      lines.push(`  ${paint(STYLES[level], level.padEnd(8))} ${head}`, ...rest.map((line) => INDENT + line))
      if (why !== undefined) lines.push(...labelled('why', why).map((line) => paint('dim', line)))
      if (remedy !== undefined) lines.push(...labelled('do', remedy))
    }
  }
  const counts = countsOf(sections)
  const summary = (['error', 'warning', 'note'] as const)
    .filter((level) => counts[level] > 0)
    .map((level) => paint(STYLES[level], `${counts[level]} ${level}${counts[level] === 1 ? '' : 's'}`))
  lines.push('', summary.length === 0 ? paint('green', 'all is well') : summary.join(', '), '')
  return lines.join('\n')
}

export function jsonReport(sections: readonly Section[]): string {
  const findings = sections.flatMap(({ title, findings: mine }) =>
    mine.map((finding) => ({ section: redacted(title), ...finding, found: redacted(finding.found) })),
  )
  return `${JSON.stringify({ version: version(), counts: countsOf(sections), findings }, null, 2)}\n`
}

function countsOf(sections: readonly Section[]): Record<Level, number> {
  const counts = { ok: 0, note: 0, warning: 0, error: 0 }
  for (const { findings } of sections) for (const { level } of findings) counts[level]++
  return counts
}

function labelled(label: string, text: string): string[] {
  return wrapped(safe(text), WIDTH - INDENT.length - 5).map(
    (line, i) => `${INDENT}${(i === 0 ? `${label}:` : '').padEnd(5)}${line}`,
  )
}

/** Replies of servers may hold anything. */
function safe(text: string): string {
  return plain(redacted(text), 2000)
}
