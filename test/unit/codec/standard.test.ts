import { createRequire } from 'node:module'
import { addExtension, Packr } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { decodeValue, encodeValue } from '../../../src/codec/value.js'

interface SuiteCase {
  readonly msgpack: readonly string[]
  readonly nil?: null
  readonly bool?: boolean
  readonly number?: number
  readonly bignum?: string
  readonly string?: string
  readonly binary?: string
  readonly array?: unknown[]
  readonly map?: object
  readonly timestamp?: readonly [number, number]
  readonly ext?: readonly [number, string]
}

const suite = createRequire(import.meta.url)('msgpack-test-suite') as Readonly<
  Record<string, readonly SuiteCase[]>
>

function expectedOf(one: SuiteCase): unknown {
  if (one.timestamp !== undefined) {
    return new Date(one.timestamp[0] * 1000 + Math.trunc(one.timestamp[1] / 1e6))
  }
  if (one.binary !== undefined) return Buffer.from(one.binary.replaceAll('-', ''), 'hex')
  return (
    one.map ?? one.array ?? one.string ?? one.number ?? (one.bignum && BigInt(one.bignum)) ?? one.bool ?? null
  )
}

describe('the msgpack of others', () => {
  const cases = Object.entries(suite).flatMap(([group, entries]) =>
    entries.flatMap((one) => one.msgpack.map((bytes) => [group, bytes, one] as const)),
  )

  test.each(cases)('%s: %s', (_, text, one) => {
    const bytes = Buffer.from(text.replaceAll('-', ''), 'hex')
    if (one.ext !== undefined) {
      expect(() => decodeValue(bytes)).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }))
      return
    }
    const value = decodeValue(bytes)
    // a Date has milliseconds, and msgpackr may round the nanoseconds of others up
    if (value instanceof Date)
      expect(Math.abs(value.getTime() - (expectedOf(one) as Date).getTime())).toBeLessThan(2)
    // integers of 64 bits mean BigInt here
    else if (typeof value === 'bigint')
      expect([value, Number(value)]).toContain(one.number ?? BigInt(one.bignum ?? 0))
    else expect(value).toEqual(expectedOf(one))
  })

  test('a plain value is written as any msgpack library writes it', () => {
    const value = { symbol: 'BTCUSDT', prices: [1, 2.5, -3], open: true, note: null }
    const theirs = new Packr({ useRecords: false, variableMapSize: true }).pack(value)
    expect(Buffer.from(encodeValue(value))).toEqual(theirs)
  })

  test('an extension that the application registers with msgpackr changes nothing', () => {
    class Price {}
    addExtension({ Class: Map, type: 0x68, pack: () => Buffer.of(1), unpack: () => new Price() })
    const value = new Map([[1, Float64Array.of(1)]])
    expect(decodeValue(encodeValue(value))).toStrictEqual(value)
  })
})
