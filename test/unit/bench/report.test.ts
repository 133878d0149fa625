import { describe, expect, it } from 'vitest'
import { type Results, SCHEMA } from '../../../bench/harness/results.js'
import { reportPage, shareOfLimit } from '../../../bench/report/page.js'
import { readmePlots } from '../../../bench/report/plots.js'
import { expectWellFormed } from '../../support/html.js'

const LATENCY = {
  samples: 1000,
  clockNs: 40,
  p50: 100,
  p99: 400,
  p999: 2000,
  max: 90_000,
  quantiles: [
    [0, 80],
    [0.5, 100],
    [0.99, 400],
    [0.9999, 30_000],
    [1, 90_000],
  ],
} as const

const RESULTS: Results = {
  schema: SCHEMA,
  form: 'full',
  startedAt: '2026-01-02T03:04:05.000Z',
  durationMs: 65_000,
  revision: 'abc1234',
  machine: { cpu: 'A <fast> one', cores: 2, memoryGiB: 8, platform: 'linux x64', kernel: '6', load: 0.1 },
  versions: { node: '20.0.0', hitpath: '0.1.0', 'lru-cache': '11.0.0', lmdb: 'absent' },
  noise: { figures: 1, median: 0.02, worst: 0.05, worstFigure: 'get-built-1k' },
  subjects: [],
  figures: [
    {
      id: 'get-built-1k',
      subject: 'get-built-1k',
      suite: 'l1-read',
      title: 'A hit, "built" & small',
      unit: 'ns',
      contenders: { hitpath: [50, 52, 51], 'lru-cache': [100, 104, 98] },
      latency: { hitpath: LATENCY, 'lru-cache': { ...LATENCY, p50: 150 } },
    },
    {
      id: 'bytes-1m',
      subject: 'bytes-1m',
      suite: 'memory',
      title: 'Bytes an entry',
      unit: 'B',
      contenders: { hitpath: [96], 'lru-cache': [370] },
    },
  ],
  curves: [
    {
      id: 'storm-delay',
      subject: 'storm',
      suite: 'expiry',
      title: 'A storm',
      x: { title: 'time after the deadline', unit: 'ms', scale: 'linear' },
      y: { title: 'longest turn', unit: 'ms', scale: 'log' },
      lines: [
        {
          name: 'hitpath',
          kind: 'measured',
          points: [
            [-10, 0.4],
            [0, 0],
            [10, 0.9],
          ],
        },
      ],
      marks: [{ title: 'deadline', from: 0 }],
      note: 'own <time>',
    },
    {
      id: 'nobody-asked',
      subject: 'x',
      suite: 'x',
      title: 'A curve that no section knows',
      x: { title: 'size', unit: 'B', scale: 'log' },
      y: { title: 'hit ratio', unit: '%', scale: 'linear' },
      lines: [
        {
          name: 'opt',
          kind: 'reference',
          points: [
            [64, 20],
            [65_536, 40],
          ],
        },
      ],
    },
  ],
  verdicts: [
    {
      id: 'get-built-1k',
      figure: 'get-built-1k',
      statistic: 'ratio',
      of: 'hitpath',
      peer: 'lru-cache',
      limit: { max: 0.55 },
      why: 'Because.',
      result: { median: 0.51, low: 0.5, high: 0.52 },
      margin: 0.02,
      ruling: 'met',
    },
  ],
  failures: [],
}

describe('the report', () => {
  it('is a well-formed page that says what was measured, on what', async () => {
    const page = await reportPage(RESULTS)

    expectWellFormed(page)
    expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/)
    for (const text of ['1 of 1 targets', 'A &lt;fast&gt; one', 'lru-cache 11.0.0', 'abc1234', 'p99.9'])
      expect(page).toContain(text)
    expect(page).not.toContain('lmdb')
  })

  it('draws every curve, those that no section asks for last, and those of endurance', async () => {
    const [storm] = RESULTS.curves as [Results['curves'][number]]
    const endurance: Results = {
      ...RESULTS,
      form: 'endurance',
      curves: [{ ...storm, id: 'endurance-steady-rss', title: 'Memory over time' }],
    }
    const page = await reportPage(RESULTS, endurance)

    const places = ['An expiry storm', 'Memory over time', 'A curve that no section knows'].map((text) =>
      page.indexOf(text),
    )
    expect(places.every((place) => place > 0)).toBe(true)
    expect(places).toEqual([...places].sort((a, b) => a - b))
  })

  it('makes plots that stand alone for light and dark', async () => {
    const plots = await readmePlots(RESULTS)

    expect([...plots.keys()].sort()).toEqual(['latency.svg', 'memory.svg', 'storm.svg'])
    for (const svg of plots.values()) {
      expect(svg.startsWith('<svg ')).toBe(true)
      expect(svg).toContain('prefers-color-scheme: dark')
    }
    expect(plots.get('latency.svg')).toContain('lru-cache')
  })

  it('puts results on one scale, better below one', () => {
    const result = (median: number) => ({ median, low: median, high: median })

    expect(shareOfLimit({ result: result(0.5), limit: { max: 1 } })).toBe(0.5)
    expect(shareOfLimit({ result: result(4), limit: { min: 2 } })).toBe(0.5)
    expect(shareOfLimit({ result: result(-3), limit: { max: 1 } })).toBeCloseTo(0.001)
    expect(shareOfLimit({ result: result(1), limit: { max: 0 } })).toBeUndefined()
    expect(shareOfLimit({ result: result(Number.POSITIVE_INFINITY), limit: { max: 1 } })).toBeUndefined()
  })
})
