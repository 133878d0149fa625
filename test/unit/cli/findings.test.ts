import { describe, expect, test } from 'vitest'
import { judgeAccess } from '../../../src/cli/doctor/access.js'
import { type BucketBus, judgeBus, judgeReaders } from '../../../src/cli/doctor/bus.js'
import { judgeBuckets, judgeCluster } from '../../../src/cli/doctor/cluster.js'
import { commandsUsed } from '../../../src/cli/doctor/commands-used.js'
import { judgeEngine, loadedEngine } from '../../../src/cli/doctor/engine.js'
import { merged, ok } from '../../../src/cli/doctor/finding.js'
import { type HostFacts, judgeHost } from '../../../src/cli/doctor/host.js'
import { judgeClock, judgeClocks, judgeLatency, type Measures } from '../../../src/cli/doctor/measures.js'
import { unreachable } from '../../../src/cli/doctor/redis.js'
import { fieldsOfInfo, judgeServer } from '../../../src/cli/doctor/server.js'
import { judgeTracking } from '../../../src/cli/doctor/tracking.js'
import { rangesOf } from '../../../src/cli/slots.js'
import { HitpathError } from '../../../src/errors.js'
import * as scripts from '../../../src/l2/scripts.js'

/** Of a server 7.0.15, shortened. */
const INFO = `# Server\r
redis_version:7.0.15\r
redis_mode:standalone\r
# Memory\r
used_memory:1468336\r
maxmemory:104857600\r
maxmemory_policy:volatile-lru\r
# Persistence\r
loading:0\r
rdb_last_bgsave_status:ok\r
aof_enabled:0\r
# Stats\r
evicted_keys:0\r
latest_fork_usec:0\r
# Replication\r
role:master\r
connected_slaves:1\r
slave0:ip=127.0.0.1,port=7001,state=online,offset=14,lag=0\r
`

const CONFIG: Readonly<Record<string, string>> = {
  'maxmemory-policy': 'volatile-lru',
  timeout: '0',
  'tcp-keepalive': '300',
  'client-output-buffer-limit': 'normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60',
  appendfsync: 'everysec',
  'stop-writes-on-bgsave-error': 'yes',
  'min-replicas-to-write': '0',
}

/** Levels by code, of a server whose INFO has these lines in place of its own and whose CONFIG these values. */
function levels(lines: Readonly<Record<string, string>> = {}, config: Readonly<Record<string, string>> = {}) {
  const info = new Map([...fieldsOfInfo(INFO), ...Object.entries(lines)])
  const found = judgeServer({ info, config: new Map(Object.entries({ ...CONFIG, ...config })) })
  return Object.fromEntries(found.map(({ code, level }) => [code, level]))
}

describe('a server', () => {
  test('a well kept one has nothing to complain of', () => {
    expect(new Set(Object.values(levels()))).toEqual(new Set(['ok']))
  })

  test.each([
    ['VERSION', 'error', { redis_version: '6.0.16' }, {}],
    ['VERSION', 'ok', { redis_version: '7.2.4', valkey_version: '8.1.1' }, {}],
    ['ROLE', 'error', { role: 'slave', master_host: 'a', master_port: '1' }, {}],
    ['ROLE', 'error', {}, { 'min-replicas-to-write': '2' }],
    ['ROLE', 'warning', { loading: '1' }, {}],
    ['MAXMEMORY', 'note', { maxmemory: '0' }, {}],
    ['MAXMEMORY', 'warning', { maxmemory_policy: 'noeviction' }, {}],
    ['MAXMEMORY', 'error', { maxmemory_policy: 'noeviction', used_memory: '103857600' }, {}],
    ['MAXMEMORY', 'warning', { maxmemory_policy: 'allkeys-lfu' }, {}],
    ['EVICTED', 'note', { evicted_keys: '5' }, {}],
    ['PERSISTENCE', 'error', { rdb_last_bgsave_status: 'err' }, {}],
    ['PERSISTENCE', 'ok', { rdb_last_bgsave_status: 'err' }, { 'stop-writes-on-bgsave-error': 'no' }],
    ['PERSISTENCE', 'warning', { aof_enabled: '1' }, { appendfsync: 'always' }],
    ['PERSISTENCE', 'warning', { latest_fork_usec: '250000' }, {}],
    ['IDLE', 'note', {}, { timeout: '300' }],
    ['IDLE', 'warning', {}, { timeout: '2' }],
    ['IDLE', 'note', {}, { 'tcp-keepalive': '0' }],
    [
      'BUFFERS',
      'warning',
      {},
      { 'client-output-buffer-limit': 'normal 1048576 0 0 slave 0 0 0 pubsub 0 0 0' },
    ],
    ['BUFFERS', 'warning', {}, { 'client-output-buffer-limit': 'normal 0 0 0 slave 0 0 0 pubsub 65536 0 0' }],
  ])('%s is %s for %o %o', (code, level, lines, config) => {
    expect(levels(lines, config)[code]).toBe(level)
  })

  test('whatever is not ok says why it matters and what to do', () => {
    const found = judgeServer({ info: undefined, config: new Map() })
    expect(found.map(({ code, level }) => [code, level])).toEqual([
      ['INFO', 'note'],
      ['CONFIG', 'note'],
    ])
    for (const { why, remedy } of found)
      expect([why, remedy]).toEqual([expect.any(String), expect.any(String)])
  })

  test('Valkey is called by its name', () => {
    const info = fieldsOfInfo(
      'redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1\r\nserver_mode:standalone\r\n',
    )
    expect(judgeServer({ info, config: new Map() })[0]?.found).toBe('Valkey 8.1.1, standalone')
  })
})

describe('access', () => {
  const commands = commandsUsed('hp', 'prices', true)

  test('every command of the scripts is among those that are looked at', () => {
    const looked = new Set(commands.map(({ words: [command] }) => command))
    const lua = Object.values(scripts).flatMap((one) => (typeof one === 'object' ? [one.lua] : []))
    const called = lua.flatMap((text) => [...text.matchAll(/redis\.call\('(\w+)'/g)].map(([, name]) => name))
    expect(called.length).toBeGreaterThan(20)
    expect(called.filter((name) => !looked.has(name as string))).toEqual([])
  })

  test('what is denied is an error where the caches need it, with the rule that permits it', () => {
    const denied = commands.filter(({ words: [command] }) => ['HSET', 'XADD', 'OBJECT'].includes(command))
    const found = judgeAccess({ user: 'app', by: 'ACL DRYRUN', denied, unknown: [] })
    expect(found.map(({ level }) => level)).toEqual(['error', 'note'])
    expect(found[0]?.found).toBe('the user app may not run HSET hp:{prices#0}:gen, XADD hp:{prices#0}:bus')
    expect(found[0]?.remedy).toBe('ACL SETUSER app +hset +xadd ~hp:*')
    expect(found[1]?.remedy).toBe('ACL SETUSER app +object|idletime +object|freq ~hp:*')
  })

  test('what cannot be looked at is said to be unknown', () => {
    const unknown = commands.filter(({ writes }) => writes)
    expect(judgeAccess({ user: undefined, by: 'trial', denied: [], unknown })[0]?.found).toContain(
      'not known: HSET',
    )
  })

  test('tracking that does not work matters where it is used', () => {
    expect(judgeTracking({ refused: 'NOPERM' }, 'tracking').level).toBe('error')
    expect(judgeTracking({ refused: 'NOPERM' }, undefined).level).toBe('note')
  })
})

describe('measurements', () => {
  const measured = (p99Ms: number, skewMs = 0, uncertaintyMs = 1): Measures => ({
    ping: { samples: 200, p50Ms: p99Ms / 2, p99Ms },
    script: undefined,
    clock: { skewMs, uncertaintyMs },
  })

  test.each([
    [1, 'ok'],
    [30, 'note'],
    [130, 'warning'],
    [400, 'error'],
  ])('a p99 of %d ms against a deadline of 250 ms: %s', (p99Ms, level) => {
    expect(judgeLatency(measured(p99Ms), 250).level).toBe(level)
  })

  test.each([
    [0, 'ok'],
    [40, 'ok'],
    [-300, 'note'],
    [3000, 'warning'],
  ])('a clock that is %d ms ahead: %s', (skewMs, level) => {
    expect(judgeClock(measured(1, skewMs)).level).toBe(level)
  })

  test('a skew within its uncertainty is none', () => {
    expect(judgeClock(measured(1, 300, 400)).level).toBe('ok')
  })

  test('masters whose clocks lie apart', () => {
    expect(judgeClocks([measured(1), measured(1, 20)])).toEqual([])
    expect(judgeClocks([measured(1), measured(1, 300)])[0]?.level).toBe('warning')
    expect(judgeClocks([measured(1, -1000), measured(1, 300)])[0]?.level).toBe('error')
  })
})

describe('a Cluster', () => {
  const slots = [
    [0, 5460, ['10.0.0.1', 6379, 'id1'], ['10.0.0.4', 6379, 'id4']],
    [5461, 10922, ['10.0.0.2', 6379, 'id2'], ['10.0.0.5', 6379, 'id5']],
    [10923, 16383, ['10.0.0.3', 6379, 'id3'], ['10.0.0.6', 6379, 'id6']],
  ]
  const facts = { state: 'ok', ranges: rangesOf(slots), lost: [], undeclared: false }

  test('that is whole', () => {
    expect(judgeCluster(facts, false).map(({ level, found }) => [level, found])).toEqual([
      ['ok', 'the Cluster is ok: 3 masters, 16384 of 16384 slots'],
    ])
  })

  test('with slots that nobody has', () => {
    const found = judgeCluster({ ...facts, state: 'fail', ranges: rangesOf(slots.slice(1)) }, false)
    expect(found[0]).toMatchObject({ code: 'CLUSTER_STATE', level: 'error' })
    expect(found[0]?.found).toContain('10923 of 16384')
  })

  test('with a master that cannot be reached', () => {
    const lost = [{ address: '10.0.0.1:6379', message: 'connect ECONNREFUSED' }]
    expect(judgeCluster({ ...facts, lost }, false)[0]).toMatchObject({ code: 'CLUSTER_NODE', level: 'error' })
  })

  test('that the configuration takes for one server', () => {
    const undeclared = { ...facts, undeclared: true }
    expect(judgeCluster(undeclared, true)[0]).toMatchObject({ code: 'CLUSTER_OPTION', level: 'error' })
    expect(judgeCluster(undeclared, false)[0]).toMatchObject({ code: 'CLUSTER_OPTION', level: 'note' })
  })

  test('where one bucket leaves masters idle', () => {
    expect(judgeBuckets(facts, 'hp', 'prices', 1)[0]?.level).toBe('warning')
    expect(judgeBuckets(facts, 'hp', 'prices', 64)[0]).toMatchObject({
      level: 'ok',
      found: expect.stringContaining('3 of 3'),
    })
  })

  test('a reply that is none has no slots', () => {
    expect(rangesOf(undefined)).toEqual([])
    expect(rangesOf([['x'], null])).toEqual([])
  })

  test('one finding stands for all masters that it is true of', () => {
    const perNode = ['a', 'b', 'c'].map((address) => ({
      address,
      findings: [ok('X', 'same'), ok('Y', address === 'b' ? 'other' : 'most')],
    }))
    expect(merged(perNode).map(({ found }) => found)).toEqual(['all masters: same', 'a, c: most', 'b: other'])
  })
})

describe('a bus', () => {
  const bucket: BucketBus = {
    bucket: 0,
    messages: 10,
    oldestMs: 600_000,
    newestMs: 50,
    unreadable: 0,
    error: undefined,
  }

  test.each([
    ['ok', {}],
    ['ok', { messages: 0, oldestMs: undefined, newestMs: undefined }],
    ['error', { error: 'WRONGTYPE' }],
    ['warning', { unreadable: 2 }],
    ['warning', { messages: 10_050, oldestMs: 2000 }],
    ['ok', { messages: 10_050, oldestMs: 3_600_000 }],
  ])('%s: %o', (level, part) => {
    expect(judgeBus({ namespace: 'prices', buckets: [{ ...bucket, ...part }] }, 10_000)[0]?.level).toBe(level)
  })

  test('readers', () => {
    expect(judgeReaders({ waiting: 2, longestIdleMs: 0 })).toMatchObject({ level: 'ok' })
    expect(judgeReaders({ waiting: 2, longestIdleMs: 90_000 })).toMatchObject({ level: 'note' })
    expect(judgeReaders({ waiting: undefined, longestIdleMs: undefined }).found).toContain('not permitted')
  })
})

describe('this machine', () => {
  const host: HostFacts = {
    node: '20.20.2',
    platform: 'linux',
    arch: 'x64',
    glibc: '2.36',
    memoryBytes: 16 * 2 ** 30,
    limitBytes: 2 ** 30,
  }

  test.each([
    [undefined, 'ok'],
    [256 * 2 ** 20, 'ok'],
    [700 * 2 ** 20, 'warning'],
    [2 * 2 ** 30, 'error'],
  ])('a cache of %s bytes under a bound of 1 GiB: %s', (cacheBytes, level) => {
    expect(judgeHost(host, cacheBytes)[1]?.level).toBe(level)
  })

  test('an old Node.js', () => {
    expect(judgeHost({ ...host, node: '20.9.0' }, undefined)[0]?.level).toBe('error')
    expect(judgeHost({ ...host, node: '26.0.0' }, undefined)[0]?.level).toBe('ok')
  })

  test('an engine that could not be loaded says what was tried', () => {
    const failures = ['build/Release/hitpath.node: not found']
    expect(judgeEngine({ kind: 'none', instructions: undefined, failures }, 'x64')[0]).toMatchObject({
      level: 'error',
      found: failures[0],
    })
    expect(judgeEngine({ kind: 'portable', instructions: undefined, failures }, 'x64')[0]?.level).toBe(
      'warning',
    )
  })

  test('a portable engine that was asked for is only noted', () => {
    const asked = { kind: 'portable', instructions: undefined, failures: [] } as const
    expect(judgeEngine(asked, 'x64')).toMatchObject([{ code: 'ENGINE', level: 'note' }])
  })

  test('the engine of this process, and what it hashes with', async () => {
    const engine = await loadedEngine()
    expect(engine.kind).not.toBe('none')
    if (engine.kind === 'native')
      expect(engine.instructions).toMatch(/^(avx512|avx2|sse2|neon|sve|vsx|scalar|other)$/)
  })

  test('instructions of the processor', () => {
    const of = (instructions: string, arch: string) =>
      judgeEngine({ kind: 'native', instructions, failures: [] }, arch)[1]?.level
    expect([of('avx512', 'x64'), of('avx2', 'x64'), of('sse2', 'x64')]).toEqual(['ok', 'ok', 'note'])
    expect([of('neon', 'arm64'), of('scalar', 'arm64')]).toEqual(['ok', 'note'])
  })
})

test.each([
  ['connect ECONNREFUSED 127.0.0.1:1', 'start the server'],
  ['getaddrinfo ENOTFOUND redis', 'name service'],
  ['WRONGPASS invalid username-password pair or user is disabled.', 'password'],
  ['NOAUTH Authentication required.', 'password'],
  ['Redis did not answer within 10000 ms', 'nc -vz'],
  [
    'RedisStore with a host or url needs the package ioredis, which could not be loaded',
    'npm install ioredis',
  ],
  ['self-signed certificate', 'NODE_EXTRA_CA_CERTS'],
  ['Connection is closed.', 'TLS'],
  ['something that nobody has heard of', 'redis-cli'],
])('a connection that fails with %s: %s', (message, remedy) => {
  const finding = unreachable(new HitpathError('L2_UNAVAILABLE', message))
  expect(finding).toMatchObject({ code: 'CONNECTION', level: 'error', found: `no connection: ${message}` })
  expect(finding.remedy).toContain(remedy)
})
