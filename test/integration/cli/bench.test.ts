import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { Interrupted } from '../../../src/cli/terminal.js'
import { hitpath as inProcess } from '../../unit/cli/recording-terminal.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

interface Said {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function hitpath(...args: string[]): Promise<Said> {
  return hitpathIn(ROOT, ...args)
}

function hitpathIn(cwd: string, ...args: string[]): Promise<Said> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(ROOT, 'dist/esm/cli.js'), ...args], { cwd })
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    child.stderr.on('data', (chunk) => {
      err += chunk
    })
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

const SMALL = ['--entries', '1024', '--seconds', '1', '--peer', 'lru-cache', '--peer', 'node-cache']

describe('npx hitpath bench', () => {
  it('measures what is installed and says in words what it means', async () => {
    const { code, out, err } = await hitpath('bench', ...SMALL)

    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(/^hitpath \d\S+ on the (native|portable) engine, Node/)
    expect(out).toMatch(/hit, key built for the call +\d.* +\d.*\(\d/)
    expect(out).toContain('Arrays as keys: hitpath')
    expect(out).toMatch(/hitpath pays|does not pay|It depends/)
    expect(out).not.toContain('quick-lru')
  })

  it('gives every round to machines', async () => {
    const { code, out } = await hitpath('bench', ...SMALL, '--json')
    const { summary, raw, setting, peers } = JSON.parse(out)

    expect(code).toBe(0)
    expect(peers['lru-cache']).toMatch(/^\d+\.\d+\.\d+/)
    expect(setting).toEqual({ entries: 1024, keyLength: 32, window: '60x5' })
    expect(raw.map((each: { case: string }) => each.case)).toEqual([
      'hit-built',
      'hit-kept',
      'set-evict',
      'array',
    ])
    // node-cache does not evict: it has no such case
    expect(Object.keys(raw[2].rounds).sort()).toEqual(['hitpath', 'lru-cache'])
    for (const rounds of Object.values<number[]>(raw[0].rounds)) {
      expect(rounds).toHaveLength(9)
      expect(Math.min(...rounds)).toBeGreaterThan(0)
    }
    expect(summary[0].hitpathNs).toBeGreaterThan(0)
  })

  it('gives words and, into a file, the figures of the same run', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hitpath-bench-'))
    const file = join(folder, 'figures.json')
    try {
      const { code, out } = await hitpath('bench', ...SMALL, '--out', file)
      const { peers, summary } = JSON.parse(readFileSync(file, 'utf8'))

      expect(code).toBe(0)
      expect(out).toContain(`lru-cache ${peers['lru-cache']}`)
      expect(out).toContain(`takes ${summary[3].rival.ratio.toFixed(2)} of the time of md5 and`)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('says at once that a file cannot be written', async () => {
    const { code, err } = await hitpath(
      'bench',
      ...SMALL,
      '--out',
      join(tmpdir(), 'no such folder', 'a.json'),
    )

    expect(code).toBe(2)
    expect(err).toContain('--out: ENOENT')
  })

  it('fails with a sentence when a limit is missed, and only then', async () => {
    const generous = await hitpath('bench', ...SMALL, '--limit', 'array=1000')
    const impossible = await hitpath('bench', ...SMALL, '--limit', 'array=0.000001')

    expect([generous.code, generous.err]).toEqual([0, ''])
    expect(impossible.code).toBe(1)
    expect(impossible.err).toMatch(/^array: it takes 0\.\d\d of the time of .*; the limit is 0\.000001\n$/)
  })

  it('takes few of large arrays, so that they end in the time that was given', async () => {
    const { code, out } = await hitpath('bench', ...SMALL, '--window', '1000x1000', '--json')

    expect(code).toBe(0)
    expect(JSON.parse(out).summary[3].rival.ratio).toBeGreaterThan(0)
  })

  it('leaves out what fails, and says so', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hitpath-bench-'))
    const broken = join(folder, 'node_modules', 'lru-cache')
    mkdirSync(broken, { recursive: true })
    writeFileSync(join(broken, 'index.js'), "throw new Error('of another \\u001b[31mage')")
    try {
      const { code, out } = await hitpathIn(folder, 'bench', '--entries', '1024', '--seconds', '1')

      expect(code).toBe(0)
      expect(out).toContain('lru-cache is left out, it fails: of another \\u001b[31mage')
      expect(out).toContain('there is nothing here to compare it with')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('ends at Ctrl-C without a complaint about itself', async () => {
    const pressed = new AbortController()
    const { code, err } = await inProcess(['bench', ...SMALL], {
      signal: pressed.signal,
      onProgress: () => pressed.abort(new Interrupted()),
    })

    expect([code, err]).toEqual([130, 'hitpath: interrupted\n'])
  })

  it('has every option that the recipe for CI uses', async () => {
    const recipe = parse(readFileSync(join(ROOT, 'src/recipes/cache-targets.yml'), 'utf8'))
    const commands: string[] = recipe.jobs.targets.steps.flatMap(({ run }: { run?: string }) =>
      run?.startsWith('npx hitpath bench') ? [run] : [],
    )
    const used = commands.flatMap((command) => [...command.matchAll(/--[\w-]+/g)].map(([option]) => option))
    const { out } = await hitpath('bench', '--help')

    expect(commands).toHaveLength(1)
    for (const option of used) expect(out).toContain(`  ${option} `)
  })

  it('refuses what it does not know', async () => {
    const wrong = [
      ['--peer', 'nothing'],
      ['--window', '5by5'],
      ['--entries', '3'],
      ['--limit', 'hit=0.5'],
      ['--limit', 'array=0.5', '--peer', 'Map'],
    ]
    for (const args of wrong) {
      const { code, err } = await hitpath('bench', ...args)
      expect(code).toBe(2)
      expect(err).toContain(args[0])
    }
  })
})
