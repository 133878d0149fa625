/** The doctor against real servers. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../support/ports.js'
import { RedisServer } from '../../support/redis-server.js'
import { Sentinel } from '../../support/sentinel.js'
import { findings, hitpath, type Said } from '../../unit/cli/recording-terminal.js'

const PATIENT = join(import.meta.dirname, 'patient.yaml')

let server: RedisServer
let folder: string

beforeAll(async () => {
  server = await RedisServer.start()
  folder = mkdtempSync(join(tmpdir(), 'hitpath-cli-'))
})

afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true })
})

function doctor(url: string, ...more: string[]): Promise<Said> {
  return hitpath(['doctor', '--json', '--redis', url, '--namespace', 'prices', '--config', PATIENT, ...more])
}

function urlOf(user: string, password: string): string {
  return `redis://${user}:${password}@127.0.0.1:${server.port}`
}

test('a server that is as it should be', async () => {
  await server.command('config', 'set', 'maxmemory', '100mb')
  await server.command('config', 'set', 'maxmemory-policy', 'volatile-lru')
  const said = await doctor(server.url)
  for (const code of [
    'ENGINE',
    'NODE',
    'MEMORY',
    'CONNECTION',
    'VERSION',
    'ROLE',
    'MAXMEMORY',
    'IDLE',
    'BUFFERS',
  ])
    expect(findings(said, code)).toMatchObject([{ level: 'ok' }])
  expect(findings(said, 'ACL')).toMatchObject([{ level: 'ok', found: expect.stringContaining('ACL DRYRUN') }])
  expect(findings(said, 'TRACKING')).toMatchObject([{ level: 'ok' }])
  expect(findings(said, 'LATENCY')[0]?.found).toMatch(/PING p50 .* a script p50/)
  expect(findings(said, 'CLOCK')[0]?.found).toMatch(/the server's clock is .* ± /)
  expect(findings(said, 'BUS')[0]?.found).toContain('is empty')
  expect([said.code, said.err]).toEqual([0, ''])
})

test.each([
  ['noeviction', 'warning'],
  ['allkeys-lru', 'warning'],
  ['volatile-ttl', 'ok'],
])('maxmemory-policy %s: %s', async (policy, level) => {
  await server.command('config', 'set', 'maxmemory', '100mb')
  await server.command('config', 'set', 'maxmemory-policy', policy)
  const said = await doctor(server.url)
  expect(findings(said, 'MAXMEMORY')).toMatchObject([{ level, found: expect.stringContaining(policy) }])
  expect(said.code).toBe(0)
  expect((await doctor(server.url, '--strict')).code).toBe(level === 'warning' ? 1 : 0)
})

describe('a restricted user', () => {
  const all = ['on', '>geheim', '~*', '&*', '+@all']

  test('who may not write: asked by a script where ACL is refused', async () => {
    await server.command('acl', 'setuser', 'noacl', ...all, '-acl', '-xadd', '-hset', '-config')
    const said = await doctor(urlOf('noacl', 'geheim'))
    expect(said.code).toBe(1)
    expect(findings(said, 'ACL')).toMatchObject([
      {
        level: 'error',
        found: 'the user may not run HSET hp:{prices#0}:gen, XADD hp:{prices#0}:bus',
        remedy: 'ACL SETUSER <user> +hset +xadd ~hp:*',
      },
    ])
    expect(findings(said, 'CONFIG')).toMatchObject([{ level: 'note' }])
    expect(JSON.stringify(said)).not.toContain('geheim')
  })

  test('who may use other keys only', async () => {
    await server.command('acl', 'setuser', 'elsewhere', 'on', '>geheim', '~other:*', '&*', '+@all')
    const said = await doctor(urlOf('elsewhere', 'geheim'))
    expect(findings(said, 'ACL').map(({ level }) => level)).toContain('error')
    expect(findings(said, 'ACL')[0]?.found).toContain('the user elsewhere may not run GET hp:{prices#0}:e:…')
    expect(findings(said, 'BUS')).toMatchObject([{ level: 'error' }])
  })

  test('who may ask nothing: each command is tried, and nothing is changed by it', async () => {
    const before = await server.command('dbsize')
    await server.command(
      'acl',
      'setuser',
      'poor',
      ...all,
      '-acl',
      '-eval',
      '-info',
      '-client|tracking',
      '-client|list',
      '-time',
    )
    const said = await doctor(urlOf('poor', 'geheim'))
    const denied = findings(said, 'ACL').map(({ found }) => found)
    expect(denied[0]).toContain('EVAL')
    expect(denied[0]).toContain('TIME')
    expect(denied.join()).toContain('CLIENT TRACKING')
    expect(denied.join()).toContain('not known: HSET')
    expect(findings(said, 'TRACKING')).toMatchObject([{ level: 'note' }])
    expect(findings(said, 'INFO')).toMatchObject([{ level: 'note' }])
    expect(findings(said, 'CLOCK')).toMatchObject([{ found: 'TIME is not permitted' }])
    expect(findings(said, 'BUS_READERS')).toMatchObject([{ level: 'note' }])
    expect(await server.command('dbsize')).toBe(before)
  })
})

describe('no connection', () => {
  test('a server that is not there', async () => {
    const said = await doctor(`redis://:geheim@127.0.0.1:${await freePort()}`)
    expect(findings(said, 'CONNECTION')).toMatchObject([
      {
        level: 'error',
        found: expect.stringContaining('ECONNREFUSED'),
        remedy: expect.stringContaining('start'),
      },
    ])
    expect(said.code).toBe(1)
    expect(said.out).not.toContain('geheim')
    expect(findings(said, 'ENGINE')).toMatchObject([{ level: 'ok' }])
  })

  test('a wrong password, and none where one is wanted', async () => {
    const wrong = await doctor(urlOf('nobody', 'geheim'))
    expect(findings(wrong, 'CONNECTION')[0]?.found).toContain('WRONGPASS')
    expect(wrong.out).not.toContain('geheim')
    const locked = await RedisServer.start()
    try {
      await locked.command('config', 'set', 'requirepass', 'offen')
      const none = await doctor(locked.url)
      expect(findings(none, 'CONNECTION')).toMatchObject([
        {
          level: 'error',
          found: expect.stringContaining('NOAUTH'),
          remedy: expect.stringContaining('password'),
        },
      ])
      expect(none.code).toBe(1)
    } finally {
      await locked.stop()
    }
  })

  test('a server that is no node of a Cluster', async () => {
    const said = await doctor(server.url, '--cluster')
    expect(findings(said, 'CONNECTION')[0]?.remedy).toContain('leave out --cluster')
  })

  test('a host that does not exist', async () => {
    const said = await doctor('redis://no-such-host.invalid:6379')
    expect(findings(said, 'CONNECTION')).toMatchObject([{ level: 'error' }])
    expect(said.code).toBe(1)
  })
})

describe('a configuration', () => {
  function file(name: string, text: string): string {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }

  test('names the server, the namespaces of the types, the deadline and the bytes of the cache', async () => {
    const path = file(
      'good.yaml',
      `namespace: desk\nl1: { type: shared, maxBytes: 64MiB }\nl2: { host: 127.0.0.1, port: ${server.port}, commandTimeout: 200ms }\ntypes: { ticks: { ttl: 1s }, models: { ttl: 1h } }\n`,
    )
    const said = await hitpath(['doctor', '--config', path, '--json'])
    expect(findings(said, 'CONFIGURATION')).toMatchObject([{ level: 'ok' }])
    expect(findings(said, 'BUS').map(({ found }) => found)).toEqual([
      expect.stringContaining('desk:ticks'),
      expect.stringContaining('desk:models'),
    ])
    expect(findings(said, 'LATENCY')[0]?.found).toContain('calls have 200 ms')
    expect(findings(said, 'MEMORY')[0]?.found).toContain('the cache may take 64.0 MiB')
  })

  test('with a mistake is an error that says where', async () => {
    const path = file('bad.yaml', 'l1:\n  maxEntrys: 5\n')
    const said = await hitpath(['doctor', '--config', path, '--json'])
    expect(said.code).toBe(1)
    expect(findings(said, 'CONFIGURATION')[0]?.found).toMatch(/bad\.yaml:2:3: l1\.maxEntrys is unknown/)
  })

  test('without l2 has nothing to connect to', async () => {
    const said = await hitpath([
      'doctor',
      '--config',
      file('alone.yaml', 'l1: { maxEntries: 5 }\n'),
      '--json',
    ])
    expect(findings(said, 'REDIS')[0]?.found).toContain('no l2')
    expect(said.code).toBe(0)
  })
})

test('a replica is refused', async () => {
  const replica = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', String(server.port)] })
  try {
    expect(findings(await doctor(replica.url), 'ROLE')).toMatchObject([{ level: 'error' }])
  } finally {
    await replica.stop()
  }
})

test('through sentinels it looks at the master', async () => {
  const sentinel = await Sentinel.start()
  try {
    const words = sentinel.addresses.flatMap(({ host, port }) => ['--sentinel', `${host}:${port}`])
    const said = await hitpath(['doctor', '--json', ...words, '--master', sentinel.name])
    expect(findings(said, 'ROLE')).toMatchObject([
      { level: 'ok', found: expect.stringContaining('1 replica') },
    ])
  } finally {
    await sentinel.stop()
  }
})

test('the environment names the server, so that the password is in no list of processes', async () => {
  const said = await hitpath(['doctor', '--json'], { env: { HITPATH_REDIS_URL: server.url } })
  expect(findings(said, 'CONNECTION')).toMatchObject([{ level: 'ok' }])
})

test('as text it says what was found, why and what to do', async () => {
  await server.command('config', 'set', 'maxmemory-policy', 'allkeys-lru')
  const { out } = await hitpath(['doctor', '--redis', server.url, '--config', PATIENT])
  expect(out).toMatch(/warning {2}maxmemory .*allkeys-lru/)
  expect(out).toMatch(/why: it may evict the keys that order a namespace/)
  expect(out).toMatch(/do: {2}CONFIG SET maxmemory-policy volatile-lru/)
  expect(out).toContain('1 warning')
})
