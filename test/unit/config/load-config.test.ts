import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/load-config.js'
import type { HitpathConfig } from '../../../src/config/types.js'
import { HitpathError } from '../../../src/errors.js'
import { LocalCache, SharedCache } from '../../../src/index.js'
import { checkOptions, type RedisStoreOptions } from '../../../src/l2/redis-options.js'
import type { TieredCacheOptions } from '../../../src/tiered/options.js'

let directory: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hitpath-config-'))
})

afterAll(() => {
  rmSync(directory, { recursive: true })
})

function written(text: string, name = 'hitpath.yaml'): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

function load(text: string, name?: string): HitpathConfig {
  return loadConfig(written(text, name))
}

/** The message, without the directory. */
function refusal(text: string, name?: string): string {
  try {
    load(text, name)
  } catch (error) {
    expect(error).toBeInstanceOf(HitpathError)
    expect(error).toMatchObject({ code: 'INVALID_CONFIG' })
    return (error as Error).message.replaceAll(`${directory}/`, '')
  }
  return 'not refused'
}

const ORIGINAL = `
memory_cache:
  max_size: 10000
  ttl: 60

distributed_cache:
  host: "localhost"
  port: 6379
  db: 2
  ttl: 300
`

describe('the file of the original design', () => {
  const tiers: HitpathConfig = {
    l1: { type: 'local', maxEntries: 10_000 },
    l1Ttl: 60_000,
    l2: { host: 'localhost', port: 6379, db: 2 },
    l2Ttl: 300_000,
  }

  test('is read as it is, its seconds as milliseconds', () => {
    expect(load(ORIGINAL)).toEqual(tiers)
  })

  test('is the same in JSON', () => {
    const json = JSON.stringify({
      memory_cache: { max_size: 10_000, ttl: 60 },
      distributed_cache: { host: 'localhost', port: 6379, db: 2, ttl: 300 },
    })
    expect(load(json, 'hitpath.json')).toEqual(tiers)
  })

  test('without distributed_cache is the first tier alone', () => {
    expect(load('memory_cache:\n  max_size: 5\n  ttl: 60\n')).toEqual({
      l1: { type: 'local', maxEntries: 5 },
      ttl: 60_000,
    })
  })

  test('takes durations with a unit, and policies beside it', () => {
    expect(load("memory_cache: {ttl: '250ms'}\npolicies: {price: {ttl: 500}}")).toEqual({
      l1: { type: 'local' },
      ttl: 250,
      policies: { price: { ttl: 500 } },
    })
  })
})

describe('the native form', () => {
  test('has every option', () => {
    const config = load(`
l1: {type: shared, maxBytes: 256MiB, maxEntries: 100000, ttl: 60s, shards: 4, maxPinned: 0.5}
l2:
  host: redis.internal
  port: 6380
  db: 1
  username: cache
  password: secret
  tls: true
  ttl: 5m
  prefix: hp
  buckets: 8
  busLength: 5000
  commandTimeout: 50
namespace: prices
jitter: 0.2
grace: 10m
graceRetry: 2s
softTimeout: 100
hardTimeout: 2s
earlyRefresh: true
negativeTtl: false
staleWhileRevalidate: 30s
tier: both
policies:
  features: {ttl: 1m, l1Ttl: 10s, l2Ttl: 2m, jitter: 0, grace: false}
  model: {ttl: .inf, tier: l1}
bus: tracking
whenUnlinked: 10s
lease: 5s
l2Timeout: 200
replay: {maxEntries: 100, maxBytes: 1MiB}
breaker: {failures: 3, resetAfter: 500ms}
compressAbove: 4KiB
foreign: msgpack
`)
    expect(config).toEqual({
      l1: { type: 'shared', maxBytes: 2 ** 28, maxEntries: 100_000, shards: 4, maxPinned: 0.5 },
      l1Ttl: 60_000,
      l2: {
        host: 'redis.internal',
        port: 6380,
        db: 1,
        username: 'cache',
        password: 'secret',
        tls: {},
        prefix: 'hp',
        buckets: 8,
        busLength: 5000,
        commandTimeout: 50,
        namespace: 'prices',
      },
      l2Ttl: 300_000,
      namespace: 'prices',
      jitter: 0.2,
      grace: 600_000,
      graceRetry: 2000,
      softTimeout: 100,
      hardTimeout: 2000,
      earlyRefresh: true,
      negativeTtl: false,
      staleWhileRevalidate: 30_000,
      tier: 'both',
      policies: {
        features: { ttl: 60_000, l1Ttl: 10_000, l2Ttl: 120_000, jitter: 0, grace: false },
        model: { ttl: Infinity, tier: 'l1' },
      },
      bus: 'tracking',
      whenUnlinked: 10_000,
      lease: 5000,
      l2Timeout: 200,
      replay: { maxEntries: 100, maxBytes: 2 ** 20 },
      breaker: { failures: 3, resetAfter: 500 },
      compressAbove: 4096,
      foreign: 'msgpack',
    } satisfies HitpathConfig)
  })

  test.each([
    ['url', 'l2: {url: "redis://u:p@redis:6379/2"}', { url: 'redis://u:p@redis:6379/2' }],
    [
      'Sentinel',
      'l2: {sentinels: [{host: a}], name: main}',
      { sentinels: [{ host: 'a', port: 26_379 }], name: 'main' },
    ],
    [
      'Cluster',
      'l2: {cluster: [{host: a}, {host: b, port: 2}]}',
      {
        cluster: {
          nodes: [
            { host: 'a', port: 6379 },
            { host: 'b', port: 2 },
          ],
        },
      },
    ],
    [
      'Cluster with an account',
      'l2: {cluster: [{host: a}], password: p, tls: true}',
      {
        cluster: {
          nodes: [{ host: 'a', port: 6379 }],
          options: { redisOptions: { tls: {}, password: 'p' } },
        },
      },
    ],
    ['a socket', 'l2: {path: /run/redis.sock, db: 1, tls: false}', { path: '/run/redis.sock', db: 1 }],
    ['the default address', 'l2: {}', {}],
  ])('l2 by %s', (_, text, l2) => {
    expect(load(text)).toEqual({ l1: { type: 'local' }, l2 })
  })

  test('the namespace may stand in l2', () => {
    expect(load('l2: {namespace: a}')).toMatchObject({ namespace: 'a', l2: { namespace: 'a' } })
  })

  test.each(['', '{}', '# nothing but a remark\n'])('%j is the first tier with its defaults', (text) => {
    expect(load(text)).toEqual({ l1: { type: 'local' } })
  })

  test('an anchor may be used again', () => {
    const { policies } = load('policies:\n  a: &p {ttl: 1s}\n  b: *p\n')
    expect(policies).toEqual({ a: { ttl: 1000 }, b: { ttl: 1000 } })
  })

  test('gives options that the caches take', () => {
    const { type: _, ...local } = load('l1: {maxEntries: 10, policy: lru, engine: portable}').l1
    new LocalCache(local).close()
    const { type: __, ...shared } = load('l1: {type: shared, maxBytes: 1MiB}').l1
    SharedCache.create(shared).close()
    const { l1: ___, l2: ____, ...tiered } = load(ORIGINAL)
    const options: TieredCacheOptions = tiered
    const store: RedisStoreOptions =
      load('l2: {cluster: [{host: a}], tls: true, commandTimeout: 1s}').l2 ?? {}
    expect(checkOptions(store)).toMatchObject({ buckets: 8, timeoutMs: 1000 })
    expect(options).toEqual({ l1Ttl: 60_000, l2Ttl: 300_000 })
  })

  test('is found by a file: URL', () => {
    expect(loadConfig(pathToFileURL(written('ttl: 5')))).toEqual({ l1: { type: 'local' }, ttl: 5 })
  })
})

describe('what is unknown or wrong is refused', () => {
  test.each([
    [
      'a misspelt entry',
      ORIGINAL.replace('port', 'prot'),
      'hitpath.yaml:8:3: distributed_cache.prot is unknown; did you mean port? ' +
        'Allowed here: host, port, db, username, password, ttl, namespace',
    ],
    [
      'a misspelt section',
      'memory_cach:\n  ttl: 1\n',
      /^hitpath.yaml:1:1: memory_cach is unknown; did you mean memory_cache\? Allowed here: memory_cache, /,
    ],
    [
      'another style of a name',
      'l1: {max_entries: 5}',
      /^hitpath.yaml:1:6: l1.max_entries is unknown; did you mean maxEntries\?/,
    ],
    [
      'a name that is like none',
      'l1: {colour: 5}',
      /^hitpath.yaml:1:6: l1.colour is unknown. Allowed here: type, ttl, /,
    ],
    ['__proto__', '__proto__: {l1: 5}', /^hitpath.yaml:1:1: __proto__ is unknown. Allowed here/],
    ['constructor', 'l1: {constructor: 5}', /^hitpath.yaml:1:6: l1.constructor is unknown. Allowed/],
    [
      'text for a number',
      'l2:\n  port: "6379"\n',
      'hitpath.yaml:2:3: l2.port must be an integer from 1 to 65535; got "6379"',
    ],
    [
      'a port that is none',
      'l2: {port: 65536}',
      'hitpath.yaml:1:6: l2.port must be an integer from 1 to 65535; got 65536',
    ],
    [
      'no ttl',
      'memory_cache: {ttl: 0}',
      'hitpath.yaml:1:16: memory_cache.ttl must be a positive number of seconds, or a string such as 60s, or .inf; got 0',
    ],
    [
      'half a unit',
      'ttl: 5 minutes',
      'hitpath.yaml:1:1: ttl must be a positive number of milliseconds, or a string such as 60s, or .inf; got "5 minutes"',
    ],
    [
      'an endless timeout',
      'l2Timeout: .inf',
      'hitpath.yaml:1:1: l2Timeout must be a positive number of milliseconds, or a string such as 60s; got Infinity',
    ],
    [
      'a policy',
      'policies:\n  price:\n    tll: 5\n',
      /^hitpath.yaml:3:5: policies.price.tll is unknown; did you mean ttl\?/,
    ],
    [
      'a policy of an odd name',
      'policies: {"a b": {jitter: 2}}',
      'hitpath.yaml:1:20: policies["a b"].jitter must be a number from 0 to 0.5; got 2',
    ],
    [
      'a type',
      'l1: {type: sharde}',
      'hitpath.yaml:1:6: l1.type must be one of local, shared; got "sharde"; did you mean shared?',
    ],
    [
      'a choice with a duration',
      'whenUnlinked: never',
      'hitpath.yaml:1:1: whenUnlinked must be serve, bypass, or a duration such as 30s; got "never"',
    ],
    [
      'bytes',
      'l1: {type: shared, maxBytes: 5MB}',
      'hitpath.yaml:1:20: l1.maxBytes must be a number of bytes from 4096 to 549755813888, or a string such as 256MiB (units: KiB, MiB, GiB); got "5MB"',
    ],
    [
      'an option of the other type',
      'l1:\n  maxBytes: 1MiB\n',
      'hitpath.yaml:2:3: l1.maxBytes is an option of type shared; the type here is local',
    ],
    [
      'an empty section',
      'distributed_cache:\n',
      'hitpath.yaml:1:1: distributed_cache must be a mapping; got nothing',
    ],
    [
      'an item of a list',
      'l2:\n  name: m\n  sentinels:\n    - host: a\n    - hots: b\n',
      /^hitpath.yaml:5:7: l2.sentinels\[1\].hots is unknown; did you mean host\?/,
    ],
    [
      'an item that is no mapping',
      'l2:\n  cluster:\n    - a:1\n',
      'hitpath.yaml:3:7: l2.cluster[0] must be a mapping; got "a:1"',
    ],
    [
      'an empty list',
      'l2: {cluster: []}',
      'hitpath.yaml:1:6: l2.cluster must be a list of one or more; got an array of 0',
    ],
    ['a list at the top', '- l1', 'hitpath.yaml: the file must be a mapping; got an array of 1'],
    [
      'both forms of one tier',
      'memory_cache: {}\nl1: {}',
      'hitpath.yaml:1:1: memory_cache and l1 say the same; give one of them',
    ],
    [
      'two addresses',
      'l2: {host: a, url: "redis://b"}',
      'hitpath.yaml:1:6: l2.host and url both say where Redis is; give one of them',
    ],
    [
      'a port without its host',
      'l2: {port: 1, url: "redis://b"}',
      'hitpath.yaml:1:6: l2.port does not go with url, but with host',
    ],
    [
      'another kind of URL',
      'l2: {url: "http://b"}',
      'hitpath.yaml:1:6: l2.url must begin with redis://, rediss:// or unix://',
    ],
    [
      'sentinels without a name',
      'l2: {sentinels: [{host: a}]}',
      'hitpath.yaml:1:6: l2.sentinels needs l2.name beside it, the name of the master',
    ],
    [
      'a database of a cluster',
      'l2: {cluster: [{host: a}], db: 1}',
      'hitpath.yaml:1:28: l2.db does not go with cluster, but with host or path or sentinels',
    ],
    [
      'two namespaces',
      'namespace: a\nl2: {namespace: b}',
      'hitpath.yaml:2:6: l2.namespace is "b", but namespace is "a"',
    ],
    [
      'a namespace with braces',
      'namespace: "a{b}"',
      'hitpath.yaml:1:1: namespace must be 1 to 128 characters without braces, blanks or control characters; got "a{b}"',
    ],
    [
      'an entry of an alias',
      'policies:\n  a: &p {tll: 1}\n  b: *p\n',
      /^hitpath.yaml:2:10: policies.a.tll is unknown/,
    ],
  ])('%s', (_, text, message) => {
    const refused = refusal(text)
    if (typeof message === 'string') expect(refused).toBe(message)
    else expect(refused).toMatch(message)
  })

  test('a password is not shown', () => {
    expect(refusal('l2: {password: 123456}')).toBe(
      'hitpath.yaml:1:6: l2.password must be a string that is not empty; a number needs quotes',
    )
  })

  test('in JSON with the place too', () => {
    expect(refusal('{\n\t"l2": {\n\t\t"prot": 5\n\t}\n}', 'a.json')).toMatch(
      /^a.json:3:3: l2.prot is unknown; did you mean port\?/,
    )
  })
})

describe('a bad file is refused', () => {
  test.each([
    ['no YAML', 'l1: [1', /^hitpath.yaml:1:7: Flow sequence/],
    ['an entry twice', 'l1: {}\nl1: {}', 'hitpath.yaml:2:1: Map keys must be unique'],
    ['a tag of another language', 'l1: !!python/object:os.system x', /^hitpath.yaml:1:5: Unresolved tag/],
    ['an unknown alias', 'l1: *x', /Unresolved alias|no YAML that can be used: .*x/],
    ['two documents', 'l1: {}\n---\nl2: {}', /^hitpath.yaml:2:1: Source contains multiple documents/],
    ['a key that is no name', '? [l1]\n: 5', /^hitpath.yaml:1:3: With stringKeys, all keys must be strings/],
  ])('%s', (_, text, message) => {
    const refused = refusal(text)
    if (typeof message === 'string') expect(refused).toBe(message)
    else expect(refused).toMatch(message)
  })

  test('YAML in a .json', () => {
    expect(refusal('l1: {}', 'a.json')).toMatch(/^a.json is no JSON that can be used: /)
  })

  test('no such file, a directory, more than 1 MiB', () => {
    expect(() => loadConfig(join(directory, 'none.yaml'))).toThrow(/none.yaml cannot be read: ENOENT/)
    expect(() => loadConfig(directory)).toThrow(/is no file$/)
    expect(refusal(`# ${'x'.repeat(2 ** 20)}`)).toBe(
      'hitpath.yaml has 1048578 bytes; at most 1048576 are read',
    )
  })

  test.each([undefined, '', 5, new URL('http://localhost/a.yaml')])('%j is no path', (path) => {
    expect(() => loadConfig(path as string)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })

  test('a bomb of aliases, in little time', () => {
    const levels = Array.from({ length: 30 }, (_, i) =>
      i === 0 ? 'a0: &a0 [x, x]' : `a${i}: &a${i} [${Array(10).fill(`*a${i - 1}`)}]`,
    )
    const begun = performance.now()
    expect(refusal(levels.join('\n'))).toMatch(/Excessive alias count/)
    expect(performance.now() - begun).toBeLessThan(2000)
  })

  test('a tower of lists', () => {
    expect(refusal('['.repeat(100_000))).not.toBe('not refused')
    expect(refusal(`${'['.repeat(5000)}${']'.repeat(5000)}`)).not.toBe('not refused')
  })

  test('whatever it holds, it is data or INVALID_CONFIG', () => {
    const words = [
      'l1',
      'l2',
      ':',
      ' ',
      '\n',
      '  ',
      '- ',
      '{',
      '}',
      '[',
      ']',
      '&a',
      '*a',
      '!!x',
      '"',
      "'",
      '5',
      '#',
      '|',
      '?',
      '<<',
      '\t',
      'ttl',
    ]
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.constantFrom(...words), fc.string()), { maxLength: 30 }), (parts) => {
        refusal(parts.join(''))
      }),
      { numRuns: 500 },
    )
  })
})

test('the examples of CONFIGURATION.md are read', () => {
  const text = readFileSync(new URL('../../../src/config/CONFIGURATION.md', import.meta.url), 'utf8')
  const [original, ours, typed] = [...text.matchAll(/```yaml\n(.*?)```/gs)].map(([, example]) =>
    load(example as string),
  )
  expect(original).toEqual(load(ORIGINAL))
  expect(ours).toEqual({
    l1: { type: 'shared', maxBytes: 2 ** 28, maxEntries: 100_000 },
    l1Ttl: 60_000,
    l2: { host: 'redis.internal', port: 6379, password: 'secret', commandTimeout: 100, namespace: 'prices' },
    l2Ttl: 300_000,
    namespace: 'prices',
    grace: 600_000,
    policies: { features: { ttl: 30_000, l1Ttl: 5000 }, model: { ttl: Infinity, tier: 'l1' } },
  })
  expect(typed).toMatchObject({
    l1: { type: 'local', maxEntries: 50_000 },
    types: {
      marketFeatures: { ttl: 60_000, share: 4 },
      predictions: { ttl: 30_000, shared: { maxBytes: 2 ** 26 } },
      models: { ttl: 3_600_000, tier: 'l1' },
    },
  })
})
