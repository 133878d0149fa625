import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  announced,
  checkNamespace,
  crc16,
  decodeName,
  encodeName,
  escapeGlob,
  Keyspace,
} from '../../../src/l2/names.js'

const anyString = fc.string({
  unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)),
})

describe('crc16', () => {
  test('is CRC-16/XMODEM of the UTF-8', () => {
    expect(crc16('123456789')).toBe(0x31c3)
    expect(crc16('')).toBe(0)
    // Python: binascii.crc_hqx('sé😀'.encode(), 0)
    expect(crc16('sé😀')).toBe(26020)
  })
})

describe('names', () => {
  test('any two names have other bytes, and come back from them', () => {
    fc.assert(
      fc.property(anyString, (name) => {
        expect(decodeName(Buffer.from(encodeName(name) as Buffer))).toBe(name)
      }),
      { numRuns: 2000 },
    )
  })

  test('text is its own UTF-8', () => {
    expect(encodeName('sé😀')).toBe('sé😀')
    expect(encodeName('s\ud83d')).toEqual(Buffer.from([0x73, 0xed, 0xa0, 0xbd]))
  })

  test('a name that UTF-8 cannot carry is announced as a glob', () => {
    expect(announced('d', 'sa*')).toEqual(['d', 'sa*'])
    expect(announced('d', 'sa*\ud83db')).toEqual(['p', 'a\\*?b'])
    expect(escapeGlob('a*?[]\\b')).toBe('a\\*\\?\\[\\]\\\\b')
  })
})

describe('a keyspace', () => {
  const keys = new Keyspace('hp', 'ns', 8)

  test('names its keys by prefix, namespace and bucket', () => {
    expect(keys.entry(3, 'sa')).toBe('hp:{ns#3}:e:sa')
    expect(keys.tag(3, 'a')).toBe('hp:{ns#3}:t:a')
    expect(keys.lease(3, 'sa')).toBe('hp:{ns#3}:l:sa')
    expect(keys.of(3)).toMatchObject({
      bus: 'hp:{ns#3}:bus',
      sequence: 'hp:{ns#3}:seq',
      generations: 'hp:{ns#3}:gen',
    })
    expect(keys.epoch).toBe('hp:{ns#0}:epoch')
  })

  test('finds bucket and name in a key, and no other namespace', () => {
    fc.assert(
      fc.property(anyString, fc.nat(7), (name, bucket) => {
        expect(keys.parse(Buffer.from(keys.entry(bucket, name) as Buffer))).toEqual({ bucket, name })
      }),
    )
    for (const key of [
      'hp:{ns#8}:e:sa',
      'hp:{ns#01}:e:sa',
      'hp:{ns#1#0}:e:sa',
      'hp:{nsx#0}:e:sa',
      'hp:{ns#0}:t:a',
    ])
      expect(keys.parse(Buffer.from(key))).toBe(undefined)
  })

  test('one bucket is bucket 0; several are the crc of the name', () => {
    expect(new Keyspace('hp', 'ns', 1).bucketOf('anything')).toBe(0)
    expect(keys.bucketOf('sabc')).toBe(crc16('sabc') % 8)
    expect(Number(keys.field('sabc'))).toBe((crc16('sabc') >> 4) & 1023)
    expect(() => keys.of(8)).toThrow('8 buckets')
  })
})

test.each(['', 'a b', 'a{b', 'a}', 'a\n', '\ud83d', 'x'.repeat(129), 7, undefined])(
  'no namespace: %j',
  (namespace) => {
    expect(() => checkNamespace(namespace, 'namespace')).toThrow('namespace must be a string of 1 to 128')
  },
)
