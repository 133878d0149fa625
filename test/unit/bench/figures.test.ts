import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { SCHEMA } from '../../../bench/harness/results.js'

const PROGRAM = fileURLToPath(new URL('../../../scripts/figures.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'hitpath-figures-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Always with --check, or of a file that is not there: a mistake here must not write README.md. */
function figures(...args: readonly string[]) {
  const { status, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8' })
  return { status, stderr }
}

describe('the figures of README.md', () => {
  test('are of a whole run', () => {
    const some = join(folder, 'some.json')
    writeFileSync(some, JSON.stringify({ schema: SCHEMA, form: 'full', verdicts: [], figures: [] }))
    const { status, stderr } = figures('--check', some)

    expect(status).toBe(1)
    expect(stderr).toContain('expected results of a whole run; there is nothing of get-built-1m')
  })

  test('are of a run in which nothing failed', () => {
    const broken = join(folder, 'broken.json')
    const failures = [{ subject: 'expiry', message: 'rounds are not aligned' }]
    writeFileSync(
      broken,
      JSON.stringify({ schema: SCHEMA, form: 'full', failures, verdicts: [], figures: [] }),
    )
    const { status, stderr } = figures('--check', broken)

    expect(status).toBe(1)
    expect(stderr).toContain('expected results of a whole run; expiry failed in it')
  })

  test('are not written for an option that is none', () => {
    const { status, stderr } = figures('--chek', join(folder, 'none.json'))

    expect(status).toBe(1)
    expect(stderr).toContain("Unknown option '--chek'")
  })
})
