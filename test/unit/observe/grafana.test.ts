/** The dashboard asks for nothing that registerPrometheus does not expose. */
import { readFileSync } from 'node:fs'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { LocalCache, Monitor, registerPrometheus } from '../../../src/index.js'

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

const dashboard = JSON.parse(
  readFileSync(new URL('../../../src/observe/grafana.json', import.meta.url), 'utf8'),
) as {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] }
}
const targets = dashboard.panels.flatMap((panel) => panel.targets ?? [])
const exprs = [
  ...targets.map(({ expr }) => expr),
  ...dashboard.templating.list.flatMap(({ definition }) => definition ?? []),
]
/** Added by Prometheus to what it scrapes. */
const SCRAPED = ['instance', 'job']

function exposed(): Map<string, readonly string[]> {
  const local = new LocalCache()
  using monitor = new Monitor({ caches: { local } })
  const register = new Registry()
  registerPrometheus(monitor, register)
  const metrics = new Map<string, readonly string[]>()
  for (const metric of register.getMetricsAsArray() as unknown as {
    name: string
    type: string
    labelNames: string[]
  }[]) {
    const labels = [...metric.labelNames, ...SCRAPED]
    if (metric.type !== 'histogram') metrics.set(metric.name, labels)
    else {
      metrics.set(`${metric.name}_bucket`, [...labels, 'le'])
      for (const part of ['sum', 'count']) metrics.set(`${metric.name}_${part}`, labels)
    }
  }
  local.close()
  return metrics
}

test('every expression names metrics and labels that there are', () => {
  const metrics = exposed()
  const asked = new Set<string>()
  for (const expr of exprs) {
    const here = [...expr.matchAll(/\b(hitpath_\w+)(?:\{([^}]*)\})?/g)]
    expect(here.length, expr).toBeGreaterThan(0)
    const known = new Set<string>()
    for (const [, name, matchers = ''] of here) {
      const labels = metrics.get(name as string)
      expect(labels, `${name} of ${expr}`).toBeDefined()
      asked.add(name as string)
      for (const label of labels ?? []) known.add(label)
      for (const matcher of matchers === '' ? [] : matchers.split(',')) {
        const [, label] = /^(\w+)(?:=~|!~|!=|=)"[^"]*"$/.exec(matcher) ?? []
        expect(labels, `${matcher} of ${expr}`).toContain(label)
      }
    }
    const grouped = [...expr.matchAll(/\b(?:by|without|ignoring|on|group_left|group_right) \(([^)]*)\)/g)]
    for (const [, list = ''] of grouped)
      for (const label of list.split(',').map((one) => one.trim()))
        if (label !== '') expect([...known], `${label} of ${expr}`).toContain(label)
  }
  // And nothing that is exposed is left out.
  expect([...metrics.keys()].filter((name) => !asked.has(name))).toEqual([])
})

test('legends name labels that the expression keeps', () => {
  for (const { expr, legendFormat } of targets) {
    const [, by] = /^(?:sum|min|max|histogram_quantile\([\d.]+, sum) by \(([^)]*)\)/.exec(expr) ?? []
    if (by === undefined) continue
    for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
      expect(by.split(', '), `${legendFormat} of ${expr}`).toContain(label)
  }
})

test('brackets balance, counters are under a rate, and panels do not overlap', () => {
  for (const expr of exprs) {
    const open: string[] = []
    for (const character of expr.replace(/"[^"]*"/g, '')) {
      if ('([{'.includes(character)) open.push(character)
      const partner = { ')': '(', ']': '[', '}': '{' }[character]
      if (partner !== undefined) expect(open.pop(), expr).toBe(partner)
    }
    expect(open, expr).toEqual([])
  }
  for (const { expr } of targets)
    for (const { index } of expr.matchAll(/hitpath_\w+(?:_total|_bucket|_sum|_count)\{/g))
      expect(expr.slice(0, index), expr).toMatch(/rate\($/)
  const taken = new Set<string>()
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
  for (const { title, gridPos } of dashboard.panels) {
    expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        expect(taken.has(`${x},${y}`), title).toBe(false)
        taken.add(`${x},${y}`)
      }
  }
})
