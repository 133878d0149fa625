import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { LocalCache, Monitor, registerPrometheus, TieredCache } from '../../../src/index.js'
import { World } from '../tiered/world.js'

/** Value by series, as scraped. */
function parsed(text: string): Map<string, number> {
  const series = new Map<string, number>()
  for (const line of text.split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*(?:\{[^}]*\})?) (\S+)$/.exec(line)
    if (match !== null) series.set(match[1] as string, Number(match[2]))
  }
  return series
}

test('what is scraped is what the caches counted, in seconds and bytes', async () => {
  await using world = new World()
  const { cache } = world.process()
  const local = new LocalCache<number>({ maxEntries: 10 })
  using monitor = new Monitor({ caches: { tiers: cache, local }, sample: 1 })
  const register = new Registry()
  registerPrometheus(monitor, register)
  await cache.set('key', 1)
  cache.getSync('key')
  await cache.get('none')
  await cache.getOrSet('made', () => new Promise((made) => setTimeout(made, 20, 1)))
  local.set('key', 1)
  local.get('key')

  const text = await register.metrics()
  const series = parsed(text)
  expect(series.get('hitpath_requests_total{cache="tiers",result="hit"}')).toBe(1)
  expect(series.get('hitpath_requests_total{cache="tiers",result="miss"}')).toBe(2)
  expect(series.get('hitpath_requests_total{cache="local",result="hit"}')).toBe(1)
  expect(series.get('hitpath_tier_hits_total{cache="tiers",tier="l1",reason="fresh"}')).toBe(1)
  expect(series.get('hitpath_tier_misses_total{cache="tiers",tier="l1",reason="absent"}')).toBe(2)
  expect(series.get('hitpath_factory_calls_total{cache="tiers",result="ok"}')).toBe(1)
  expect(series.get('hitpath_link_up{cache="tiers"}')).toBe(1)
  expect(series.get('hitpath_circuit_state{cache="tiers",state="closed"}')).toBe(1)
  expect(series.get('hitpath_l1_entries{cache="local"}')).toBe(1)
  expect(series.has('hitpath_link_up{cache="local"}')).toBe(false)

  // A real histogram: cumulative, rising, in seconds; the factory took 20 ms and more.
  const buckets = [...series].filter(([name]) => /^hitpath_latency_seconds_bucket.*factory/.test(name))
  const counts = buckets.map(([, count]) => count)
  expect(counts).toEqual([...counts].sort((a, b) => a - b))
  expect(buckets.at(-1)?.[0]).toContain('le="+Inf"')
  expect(series.get('hitpath_latency_seconds_count{cache="tiers",tier="factory"}')).toBe(1)
  const took = series.get('hitpath_latency_seconds_sum{cache="tiers",tier="factory"}') as number
  for (const [name, count] of buckets) {
    const le = /le="([^"]+)"/.exec(name)?.[1] as string
    expect(count).toBe(le === '+Inf' || Number(le) >= took ? 1 : 0)
  }
  expect(series.get('hitpath_latency_seconds_count{cache="tiers",tier="l1"}')).toBe(1)

  // Scraping again counts nothing again.
  expect(parsed(await register.metrics()).get('hitpath_requests_total{cache="tiers",result="hit"}')).toBe(1)
  // What only rises ends in _total, and nothing else does.
  for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm))
    expect([name, String(name).endsWith('_total')]).toEqual([name, type === 'counter'])
  local.close()
})

test('OpenMetrics, JSON and reset', async () => {
  await using cache = new TieredCache({ l1: new LocalCache() })
  using monitor = new Monitor({ caches: { cache } })
  const register = new Registry()
  register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never)
  registerPrometheus(monitor, register)
  await cache.get('none')
  const text = await register.metrics()
  expect(text).toMatch(/^# TYPE hitpath_requests counter$/m)
  expect(text).toMatch(/^hitpath_requests_total\{cache="cache",result="miss"\} 1$/m)
  expect(text).toMatch(/# EOF\n$/)
  register.resetMetrics()
  const json = await register.getMetricsAsJSON()
  expect(json.find(({ name }) => name === 'hitpath_requests')?.type).toBe('counter')
  monitor.close()
  expect(register.getMetricsAsArray()).toEqual([])
})

test('names that are taken, prefixes, and leaving', () => {
  const local = new LocalCache()
  const register = new Registry()
  const one = new Monitor({ caches: { local } })
  using two = new Monitor({ caches: { local } })
  const leave = registerPrometheus(one, register)
  const count = register.getMetricsAsArray().length
  expect(() => registerPrometheus(two, register)).toThrowError(
    expect.objectContaining({ code: 'INVALID_ARGUMENT' }) as Error,
  )
  expect(register.getMetricsAsArray()).toHaveLength(count)
  const leaveTwo = registerPrometheus(two, register, { prefix: 'other_' })
  expect(register.getMetricsAsArray()).toHaveLength(2 * count)
  leaveTwo()
  leaveTwo()
  expect(register.getMetricsAsArray()).toHaveLength(count)
  one.close()
  leave()
  expect(register.getMetricsAsArray()).toEqual([])
  const wrong = (call: () => unknown, code: string): void =>
    expect(call).toThrowError(expect.objectContaining({ code }) as Error)
  wrong(() => registerPrometheus(two, {} as never), 'INVALID_ARGUMENT')
  wrong(() => registerPrometheus(two, register, { prefix: '1' }), 'INVALID_OPTION')
  wrong(() => registerPrometheus(two, register, { prefx: '' } as never), 'INVALID_OPTION')
  local.close()
})
