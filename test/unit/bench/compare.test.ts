import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { medianInterval, ratioOfMedians } from '../../../bench/compare/bootstrap.js'
import { comparePaired, compareResults, differencesOfSetting } from '../../../bench/compare/changes.js'
import { readCompareOptions } from '../../../bench/compare/options.js'
import { changeTable } from '../../../bench/compare/table.js'
import { type FigureResult, type Results, SCHEMA } from '../../../bench/harness/results.js'

const rounds = (middle: number, spread = 0.01): number[] =>
  [-2, -1, 0, 1, 2, 0.5, -0.5].map((step) => middle * (1 + step * spread))

function results(hitpath: number[], peer: number[], noise = [0.99, 1, 1.01]): Results {
  const figure: FigureResult = {
    id: 'get',
    title: 'A hit',
    unit: 'ns',
    subject: 'get',
    suite: 'l1-read',
    contenders: { hitpath, peer },
    noise,
  }
  return {
    schema: SCHEMA,
    form: 'full',
    startedAt: '2026-01-01T00:00:00.000Z',
    durationMs: 1,
    machine: { cpu: 'A', cores: 2, memoryGiB: 8, platform: 'linux x64', kernel: '6', load: 0 },
    versions: { node: '20.0.0', hitpath: '0.1.0' },
    subjects: [],
    figures: [figure],
    curves: [],
    verdicts: [
      {
        id: 'get',
        figure: 'get',
        statistic: 'ratio',
        of: 'hitpath',
        peer: 'peer',
        limit: { max: 0.6 },
        why: '',
        result: { median: 0.5, low: 0.5, high: 0.5 },
        margin: 0.01,
        ruling: 'met',
      },
    ],
    failures: [],
  }
}

describe('bootstrap intervals', () => {
  test('hold the ratio of the medians and are the same each time', () => {
    const interval = ratioOfMedians(rounds(100), rounds(120))!
    expect(interval.low).toBeLessThanOrEqual(1.2)
    expect(interval.high).toBeGreaterThanOrEqual(1.2)
    expect(interval.low).toBeGreaterThan(1.1)
    expect(ratioOfMedians(rounds(100), rounds(120))).toEqual(interval)
  })

  test('say nothing of fewer than three rounds', () => {
    expect(medianInterval([1, 2])).toBeUndefined()
    expect(medianInterval([1, 1, 1])).toEqual({ low: 1, high: 1 })
  })
})

describe('two results', () => {
  test('differ when hitpath lost against its peer', () => {
    const [change] = compareResults(results(rounds(50), rounds(100)), results(rounds(60), rounds(100)))
    expect(change).toMatchObject({ figure: 'get', contender: 'hitpath', peer: 'peer', direction: 'worse' })
    expect(change!.ratio).toBeCloseTo(1.2)
  })

  test('are the same on a machine of half the speed', () => {
    const [change] = compareResults(results(rounds(50), rounds(100)), results(rounds(100), rounds(200)))
    expect(change).toMatchObject({ direction: 'same' })
  })

  test('are the same when the change is smaller than the noise', () => {
    const noisy = [0.92, 1, 1.08]
    const [change] = compareResults(
      results(rounds(50, 0), rounds(100, 0), noisy),
      results(rounds(51, 0), rounds(100, 0), noisy),
    )
    expect(change!.interval!.low).toBeGreaterThan(1)
    expect(change!.direction).toBe('same')
  })

  test('differ in what a target judges under another name, where more may be better', () => {
    const threads = (two: number): Results => {
      const all = results(rounds(two), rounds(100))
      const [figure, verdict] = [all.figures[0]!, all.verdicts[0]!]
      const contenders = { 'two threads': rounds(two), peer: rounds(100) }
      return {
        ...all,
        figures: [{ ...figure, contenders }],
        verdicts: [{ ...verdict, of: 'two threads', limit: { min: 1.8 } }],
      }
    }
    const [change, ...others] = compareResults(threads(190), threads(150))
    expect(change).toMatchObject({ contender: 'two threads', peer: 'peer', direction: 'worse' })
    expect(others).toEqual([])
  })

  test('are compared by the ratio of a target, whatever else the figure is judged by', () => {
    const both = (own: number, peer: number): Results => {
      const all = results(rounds(own), rounds(peer))
      return { ...all, verdicts: [{ ...all.verdicts[0]!, statistic: 'difference' }, ...all.verdicts] }
    }
    const [change] = compareResults(both(50, 100), both(100, 200))
    expect(change).toMatchObject({ peer: 'peer', unit: '×', direction: 'same' })
  })

  test('are compared as they are when one of them has no such peer', () => {
    const alone = results(rounds(50), rounds(100))
    const [figure] = alone.figures
    const after = { ...alone, figures: [{ ...figure!, contenders: { hitpath: rounds(50) } }] }
    for (const [change] of [compareResults(alone, after), compareResults(after, alone)]) {
      expect(change).toMatchObject({ unit: 'ns', ratio: 1, direction: 'same' })
      expect(change!.peer).toBeUndefined()
    }
  })

  test('cannot be told apart by two rounds', () => {
    const [change] = compareResults(results([50, 50], [100, 100]), results([90, 90], [100, 100]))
    expect(change!.direction).toBe('unknown')
  })

  test('name what differs besides the code', () => {
    const before = results([1], [1])
    const after = { ...before, versions: { node: '22.0.0', hitpath: '0.2.0' } }
    expect(differencesOfSetting(before, after)).toEqual(['node: 20.0.0 before, 22.0.0 after'])
  })
})

describe('two revisions timed in turn', () => {
  const figure = { id: 'get', title: 'A hit', unit: 'ns' }

  test('are compared round by round, so that slow seconds do not count', () => {
    const before = [100, 300, 100, 200, 100]
    const after = before.map((ns) => ns * 0.8)
    const change = comparePaired(figure, 'hitpath', { before, again: before, after })
    expect(change).toMatchObject({ direction: 'better', margin: 0 })
    expect(change.ratio).toBeCloseTo(0.8)
  })

  test('are the same when the earlier one differs as much from itself', () => {
    const before = [100, 100, 100, 100, 100]
    const again = [112, 88, 115, 90, 111]
    const change = comparePaired(figure, 'hitpath', { before, again, after: before.map((ns) => ns * 1.05) })
    expect(change.direction).toBe('same')
  })
})

test('the table puts the largest change first', () => {
  const [worse] = compareResults(results(rounds(50), rounds(100)), results(rounds(60), rounds(100)))
  const same = { ...worse!, figure: 'other', direction: 'same' as const }
  const lines = changeTable([same, worse!])
  expect(lines[1]).toContain('WORSE')
  expect(lines[1]).toContain('hitpath / peer')
})

describe('the command line', () => {
  test('takes two files, or two revisions', () => {
    expect(readCompareOptions(['a.json', 'b.json'])).toMatchObject({ areRevisions: false, failOn: 'never' })
    expect(
      readCompareOptions(['--revisions', 'HEAD~1', 'HEAD', '--only', 'get-built-1k', '--fail-on', 'worse']),
    ).toMatchObject({
      areRevisions: true,
      sides: ['HEAD~1', 'HEAD'],
      only: ['get-built-1k'],
      failOn: 'worse',
    })
  })

  test('explains what it does not understand', () => {
    expect(() => readCompareOptions(['a.json'])).toThrow('two files or two revisions are compared; got 1')
    expect(() => readCompareOptions(['a', 'b', '--fail-on', 'luck'])).toThrow('--fail-on must be one of')
  })
})

describe('the program', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hitpath-compare-test-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const compare = (...args: readonly string[]) => {
    const program = fileURLToPath(new URL('../../../bench/compare/main.ts', import.meta.url))
    const { status, stderr } = spawnSync(process.execPath, ['--import', 'tsx', program, ...args], {
      encoding: 'utf8',
    })
    return [status, stderr.trim()]
  }
  const good = file('good.json', JSON.stringify(results(rounds(50), rounds(100))))

  test('names the file that holds no results', () => {
    const cut = file('cut.json', '{')
    expect(compare(cut, good)[1]).toContain(`${cut} cannot be read: `)
    const nothing = file('null.json', 'null')
    expect(compare(good, nothing)).toEqual([
      1,
      `${nothing}: expected results of schema ${SCHEMA}; got undefined`,
    ])
  })

  test('does not pass for having compared nothing', () => {
    const asked = ['--only', 'set', '--fail-on', 'worse']
    expect(compare(good, good, ...asked)).toEqual([
      1,
      'the two have no figure of hitpath in common that is called set',
    ])
    expect(compare(good, good)).toEqual([0, ''])
  })

  test('names what is no revision', () => {
    const sides = ['--revisions', 'no-such-revision', 'HEAD']
    expect(compare(...sides, '--only', 'get-prepared-1k')).toEqual([
      1,
      'no-such-revision is no revision of this repository',
    ])
  })
})
