import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DependencyGraph } from '../../../../src/serving/events/dependency-graph.js'
import { Template } from '../../../../src/serving/events/template.js'

const MARKET = {
  'predictions:{symbol}': ['signals:{symbol}'],
  'bar:{symbol}': ['features:{symbol}', 'chart:{symbol}'],
  'features:{symbol}': ['predictions:{symbol}', 'signals:{symbol}'],
}

describe('DependencyGraph', () => {
  it('gives a tag and what depends on it, each once, nothing before what it depends on', () => {
    const tags = new DependencyGraph(MARKET).closure(['bar:X'])

    expect(tags).toEqual(['bar:X', 'features:X', 'predictions:X', 'signals:X', 'chart:X'])
  })

  it('orders the tags that it is given among themselves', () => {
    const graph = new DependencyGraph(MARKET)

    expect(graph.closure(['signals:X', 'features:X', 'features:X'])).toEqual([
      'features:X',
      'predictions:X',
      'signals:X',
    ])
    expect(graph.closure(['unrelated', 'bar:Y'])[0]).toBe('unrelated')
  })

  it('takes a symbol as it is, whatever characters it has', () => {
    const graph = new DependencyGraph({ 'bar:{symbol}': ['f:{symbol}:end'] })

    for (const symbol of ['BINANCE:BTC/USDT', 'a*b?[c]', '$&$1', 'é\n', '__proto__'])
      expect(graph.closure([`bar:${symbol}`])).toEqual([`bar:${symbol}`, `f:${symbol}:end`])
    expect(graph.closure(['bar:'])).toEqual(['bar:'])
  })

  it('binds several placeholders, and a rule for one tag alone', () => {
    const graph = new DependencyGraph({
      'tick:{venue}/{symbol}': ['venue:{venue}', 'all'],
      all: ['dashboard'],
    })

    expect(graph.closure(['tick:NYSE/A/B'])).toEqual(['tick:NYSE/A/B', 'venue:NYSE', 'all', 'dashboard'])
  })

  it.each([
    [{ a: ['a'] }, 'a -> a'],
    [{ a: ['b'], b: ['c'], c: ['a'] }, 'a -> b -> c -> a'],
    [{ x: ['a'], a: ['b'], b: ['a'] }, 'a -> b -> a'],
    [{ 'f:{s}': ['g:{s}'], 'g:{t}': ['f:{t}'] }, 'f:{s} -> g:{t} -> f:{s}'],
    [{ 'f:{s}': ['f:{s}:more'] }, 'f:{s} -> f:{s}'],
    [{ 'f:{s}': ['g:BTC'], 'g:{s}': ['f:{s}'] }, 'f:{s} -> g:{s} -> f:{s}'],
  ])('refuses the cycle of %j and names it', (rules, named) => {
    expect(() => new DependencyGraph(rules)).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringMatching(new RegExp(`cycle: .*${named.replace(/[{}]/g, '\\$&')}`)),
      }),
    )
  })

  it.each([
    [{ 'f:{a': ['x'] }, /placeholders such as/],
    [{ 'f:{a}': ['x:{b}'] }, /\{b\}, which is not bound/],
    [{ '{a}{b}': ['x'] }, /text between/],
    [{ '{a}:{a}': ['x'] }, /must differ/],
    [{ a: 'b' as never }, /array of tags/],
    [{ a: [7 as never] }, /string/],
    [{ '': ['a'] }, /not empty/],
    [7 as never, /an object/],
  ])('refuses %j', (rules, message) => {
    expect(() => new DependencyGraph(rules as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringMatching(message) }),
    )
  })

  it('follows a chain of ten thousand rules', () => {
    const rules = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`t${i}`, [`t${i + 1}`]]))

    expect(new DependencyGraph(rules).closure(['t0'])).toHaveLength(10_001)
  })

  it('agrees with an obvious closure, and with its order, on random graphs', () => {
    const edges = fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { maxLength: 30 })
    fc.assert(
      fc.property(edges, fc.array(fc.nat(11), { maxLength: 5 }), (pairs, starts) => {
        const rules: Record<string, string[]> = {}
        for (const [a, b] of pairs) {
          if (a === b) continue
          const from = `n${Math.min(a, b)}:{s}`
          rules[from] = [...(rules[from] ?? []), `n${Math.max(a, b)}:{s}`]
        }
        const tags = new DependencyGraph(rules).closure(starts.map((n) => `n${n}:X`))

        const reached = new Set(starts.map((n) => `n${n}:X`))
        for (const tag of reached)
          for (const to of rules[tag.replace('X', '{s}')] ?? []) reached.add(to.replace('{s}', 'X'))
        expect([...tags].sort()).toEqual([...reached].sort())
        for (const [from, to] of Object.entries(rules))
          for (const one of to) {
            const [before, after] = [from, one].map((text) => tags.indexOf(text.replace('{s}', 'X')))
            if (before! >= 0) expect(after).toBeGreaterThan(before!)
          }
      }),
    )
  })
})

describe('Template.overlaps', () => {
  it('says whether some tag has both forms, as trying short tags does', () => {
    const text = fc.array(fc.constantFrom('a', 'b', '{p}', ':'), { minLength: 1, maxLength: 4 })
    const letters = ['a', 'b', ':']
    const words = letters.flatMap((x) => [
      x,
      ...letters.flatMap((y) => [x + y, ...letters.map((z) => x + y + z)]),
    ])
    const all = words.concat(words.flatMap((word) => words.map((other) => word + other)))
    fc.assert(
      fc.property(text, text, (a, b) => {
        const [one, other] = [a, b].map((parts) => new Template(parts.join(''), 'it'))
        const both = all.some((word) => one!.match(word) !== undefined && other!.match(word) !== undefined)
        expect(one!.overlaps(other!)).toBe(both)
      }),
      { numRuns: 60 },
    )
  })
})
