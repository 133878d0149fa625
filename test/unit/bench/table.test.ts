import { expect, test } from 'vitest'
import { judge } from '../../../bench/harness/judge.js'
import { columns, contenderTable, verdictTable } from '../../../bench/harness/table.js'
import type { Target } from '../../../bench/targets.js'

test('columns hold text to the left and figures to the right', () => {
  const lines = columns([
    ['name', 'ns'],
    ['Map', '9'],
    ['lru-cache', '100'],
  ])
  expect(lines).toEqual(['name        ns', 'Map          9', 'lru-cache  100'])
})

const figure = { id: 'get', title: 'A hit', unit: 'ns' }
const measured = { contenders: { hitpath: [50, 50], peer: [100, 100] }, noise: [0.98, 1.02] }

test('a verdict is a row with both times, the ratio, its spread and the limit', () => {
  const target: Target = {
    id: 'get',
    figure: 'get',
    statistic: 'ratio',
    of: 'hitpath',
    peer: 'peer',
    limit: { max: 0.4 },
    why: '',
  }
  const [head, row] = verdictTable([{ verdict: judge(target, measured, 'full'), figure, measured }])
  expect(head!.split(/ {2,}/)).toEqual(['figure', 'hitpath', 'peer', 'against', 'result', 'spread', 'target'])
  const cells = ['A hit', '50.0 ns', '100 ns', 'peer', '0.500', '0.500 to 0.500', '<= 0.4', 'MISSED, near']
  expect(row!.split(/ {2,}/)).toEqual(cells)
})

test('contenders are listed with their noise', () => {
  expect(contenderTable(figure, measured)).toEqual([
    '  A hit',
    '    hitpath      50.0 ns  (50.0 to 50.0)',
    '    peer          100 ns  (100 to 100)',
    '    noise: hitpath against itself 0.990 to 1.01',
  ])
})
