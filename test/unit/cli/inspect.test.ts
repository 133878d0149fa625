import { describe, expect, test } from 'vitest'
import { Census } from '../../../src/cli/inspect/census.js'
import { judgeEntry, readEntry, typeOfValue } from '../../../src/cli/inspect/entry.js'
import { shareOf } from '../../../src/cli/inspect/walk.js'
import { type EnvelopeHeader, encodeEnvelope } from '../../../src/codec/envelope.js'
import { NdArray } from '../../../src/key/c-order-array.js'
import { type KeyParts, Keyspace, keyParts, keysPattern } from '../../../src/l2/names.js'

function part(kind: KeyParts['kind'], name = '', namespace = 'prices'): KeyParts {
  return { namespace, bucket: 0, kind, name }
}

describe('bytes of an entry', () => {
  const whole = encodeEnvelope(
    { freshUntil: 1000, deadAt: 2000, tags: [{ name: 'a', version: 3 }] },
    { bid: 1 },
  )

  test('are read by the codec', () => {
    expect(readEntry(whole)).toMatchObject({ kind: 'value', value: { bid: 1 }, head: { freshUntil: 1000 } })
  })

  test('cut off, or with a payload that is no value, are damaged', () => {
    expect(readEntry(whole.subarray(0, whole.length - 1))).toMatchObject({ kind: 'damaged' })
    const torn = Buffer.from(whole)
    torn[torn.length - 1] = 0xc1
    torn[torn.length - 9] = 0xc1
    expect(readEntry(torn)).toMatchObject({ kind: 'damaged' })
  })

  test('of another format say which; others are foreign', () => {
    const later = Buffer.from(whole)
    later[2] = 2
    expect(readEntry(later)).toEqual({ kind: 'format', format: 2 })
    expect(readEntry(Buffer.from('{"bid":1}'))).toEqual({ kind: 'foreign' })
    expect(readEntry(Buffer.alloc(0))).toEqual({ kind: 'foreign' })
  })

  test('types and shapes', () => {
    const values: [unknown, string, readonly number[] | undefined][] = [
      [new NdArray(new Float32Array(6), [2, 3]), 'float32', [2, 3]],
      [Float64Array.of(1, 2), 'float64', [2]],
      [Buffer.from('x'), 'Buffer', undefined],
      [new Map(), 'Map', undefined],
      [[1], 'array', undefined],
      [{}, 'object', undefined],
      [null, 'null', undefined],
      [1n, 'bigint', undefined],
      ['s', 'string', undefined],
    ]
    for (const [value, name, shape] of values) expect(typeOfValue(value)).toEqual({ name, shape })
  })
})

describe('whether a read would take an entry', () => {
  const head = {
    epoch: 5,
    freshUntil: 1000,
    deadAt: 2000,
    tags: [{ name: 'a', version: 3 }],
    negative: false,
  } as unknown as EnvelopeHeader
  test.each([
    ['fresh', 999, 5, 3],
    ['fresh', 1000, 5, undefined],
    ['stale', 1001, 5, 3],
    ['expired', 2001, 5, 3],
    ['cleared', 999, 6, 3],
    ['tag', 999, 5, 4],
    ['tag', 999, 5, null],
  ])('%s at %d under epoch %d and tag %s', (state, now, epoch, tag) => {
    expect(judgeEntry(head, now, epoch, () => tag).state).toBe(state)
  })
})

describe('keys of a namespace', () => {
  test('come back in their parts, whatever is in the name', () => {
    const keys = new Keyspace('hp', 'a:b', 4)
    const name = 's{x}\n:e:\ud800'
    const bucket = keys.bucketOf(name)
    const of = (key: string | Buffer) => keyParts('hp', Buffer.from(key as Buffer))
    expect(of(keys.entry(bucket, name))).toEqual({ namespace: 'a:b', bucket, kind: 'entry', name })
    expect(of(keys.tag(3, ''))).toEqual({ namespace: 'a:b', bucket: 3, kind: 'tag', name: '' })
    expect(of(keys.lease(0, 'n1'))).toMatchObject({ kind: 'lease', name: 'n1' })
    const { bus, sequence, generations } = keys.of(2)
    expect([bus, sequence, generations, keys.epoch].map((key) => of(key)?.kind)).toEqual([
      'bus',
      'sequence',
      'generations',
      'epoch',
    ])
    for (const other of ['hp:{a}:e:x', 'hp:{a#01}:e:x', 'hp:{a#0}:x', 'hp:{a#0}:buss', 'hq:{a#0}:bus', 'x'])
      expect(of(other)).toBeUndefined()
  })

  test('patterns name a namespace, those within it, or all', () => {
    expect(keysPattern('hp')).toBe('hp:{*#*}:*')
    expect(keysPattern('hp', 'a*')).toBe('hp:{a\\*#*}:*')
    expect(keysPattern('hp', 'a', true)).toBe('hp:{a[#:]*}:*')
    expect(String(keysPattern('hp', 'a', true, 'x*'))).toBe('hp:{a[#:]*}:e:sx*')
  })
})

test('a cursor tells how much of the table was walked', () => {
  // of a table of 8: 0, 4, 2, 6, 1, 5, 3, 7
  expect(['0', '4', '2', '6', '1', '7'].map((cursor) => shareOf(cursor) * 8)).toEqual([0, 1, 2, 3, 4, 7])
})

test('a census counts what it is shown', () => {
  const census = new Census()
  const envelope = (value: unknown, more = {}) =>
    encodeEnvelope({ freshUntil: Number.POSITIVE_INFINITY, ...more }, value)
  for (const kind of ['bus', 'sequence', 'tag', 'lease'] as const) census.addKey(part(kind))
  const entries: [string, Buffer, number][] = [
    ['sfeatures:a', envelope(new Float32Array(8), { tags: [{ name: 't', version: 1 }] }), 500],
    ['sfeatures:b', envelope(new Float32Array(8)), 30_000],
    ['n7', envelope({ a: 1 }), Number.POSITIVE_INFINITY],
    [`d${'0'.repeat(32)}`, envelope(undefined, { negative: true }), 500],
    ['splain', Buffer.from('hello'), 500],
    ['storn', envelope({ a: 1 }).subarray(0, 50), 500],
  ]
  for (const [name, bytes, ttlMs] of entries) {
    census.addKey(part('entry', name))
    census.addEntry(part('entry', name), bytes, ttlMs)
  }
  expect(census.namespaces.get('prices')).toMatchObject({ entries: 6, tags: 1, leases: 1, own: 2 })
  expect(census.kinds).toEqual({ string: 4, number: 1, array: 1 })
  expect(census).toMatchObject({ read: 6, damaged: 1, foreign: 1, negative: 1, neverExpires: 1 })
  expect(Object.fromEntries(census.groups)).toEqual({ 'features:': 2, '(no colon)': 2 })
  expect(census.shapes.get('float32 [8]')?.count).toBe(2)
  expect(census.ttls.slice(0, 3)).toEqual([4, 0, 1])
  expect(census.tagsByNamespace()).toEqual(new Map([['prices', new Set(['t'])]]))
  expect(census.states(0, () => (tag) => (tag === 't' ? 2 : undefined))).toMatchObject({ fresh: 3, tag: 1 })
  expect(census.suspects.map(({ key }) => key)).toEqual(['prices splain', 'prices storn'])
})

test('a census keeps the hottest, however many it is shown', () => {
  const census = new Census()
  for (let heat = 0; heat < 5000; heat++) census.addHeat({ namespace: 'a', name: `s${heat}`, heat })
  census.addHeat({ namespace: 'a', name: 's4999', heat: 4999 })
  expect(census.hottest().map(({ heat }) => heat)).toEqual([
    4999, 4998, 4997, 4996, 4995, 4994, 4993, 4992, 4991, 4990,
  ])
})
