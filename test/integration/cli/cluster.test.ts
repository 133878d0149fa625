/** Both commands against a Cluster of three masters, and the program as it is installed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeEnvelope } from '../../../src/codec/envelope.js'
import { RedisStore } from '../../../src/l2/redis-store.js'
import { RedisCluster } from '../../support/cluster.js'
import { RedisServer } from '../../support/redis-server.js'
import { waitFor } from '../../support/wait.js'
import { findings, hitpath, type Said } from '../../unit/cli/recording-terminal.js'

const PROGRAM = join(import.meta.dirname, '..', '..', '..', 'dist', 'esm', 'cli.js')
const PATIENT = ['--namespace', 'prices', '--config', join(import.meta.dirname, 'patient.yaml')]
const ENTRIES = 60

let cluster: RedisCluster
let url: string

beforeAll(async () => {
  cluster = await RedisCluster.start()
  url = cluster.masters[1]?.url ?? ''
  const store = new RedisStore({ cluster: { nodes: cluster.startupNodes }, namespace: 'prices' })
  for (let i = 0; i < ENTRIES; i++) {
    const bytes = encodeEnvelope({ freshUntil: Number.POSITIVE_INFINITY }, Float32Array.of(i))
    await store.set({ name: `sfeatures:${i}`, bytes, ttlMs: 600_000 }, { origin: 'me' })
  }
  await store.close()
})

afterAll(() => cluster.stop())

/** The program in a process of its own. */
async function program(args: readonly string[]): Promise<Said> {
  const child = spawn(process.execPath, [PROGRAM, ...args])
  let [out, err] = ['', '']
  child.stdout.on('data', (text) => {
    out += text
  })
  child.stderr.on('data', (text) => {
    err += text
  })
  const [code] = (await once(child, 'close')) as [number]
  return { code, out, err }
}

describe('the doctor', () => {
  test('looks at every master, and at where the buckets lie', async () => {
    const said = await hitpath(['doctor', '--json', '--redis', url, '--cluster', ...PATIENT])
    expect(findings(said, 'CLUSTER_STATE')).toMatchObject([
      { level: 'ok', found: expect.stringContaining('3 masters') },
    ])
    expect(findings(said, 'CLUSTER_OPTION')).toEqual([])
    expect(findings(said, 'CLUSTER_BUCKETS')[0]?.found).toContain('{prices#0} to {prices#7}')
    expect(findings(said, 'VERSION')).toMatchObject([{ found: expect.stringMatching(/^all masters: /) }])
    expect(findings(said, 'LATENCY')).toHaveLength(3)
    for (const { found } of findings(said, 'LATENCY')) expect(found).toContain('a script')
    expect(findings(said, 'CLUSTER_REPLICAS')).toMatchObject([{ level: 'note' }])
    expect(findings(said, 'BUS')).toMatchObject([
      { level: 'ok', found: expect.stringContaining(`${ENTRIES} messages`) },
    ])
    expect(said.code).toBe(0)
  })

  test('finds out that one server is a node of a Cluster', async () => {
    const said = await hitpath(['doctor', '--json', '--redis', url, '--namespace', 'prices'])
    expect(findings(said, 'CLUSTER_OPTION')).toMatchObject([{ level: 'note' }])
    expect(findings(said, 'CLUSTER_STATE')).toMatchObject([{ level: 'ok' }])
  })
})

describe('inspect', () => {
  test('counts the entries of all masters', async () => {
    const { out } = await hitpath(['inspect', '--json', '--redis', url, '--cluster', '--namespace', 'prices'])
    const said = JSON.parse(out)
    expect(said).toMatchObject({
      masters: 3,
      walk: { complete: true },
      entries: { read: ENTRIES, damaged: 0 },
    })
    expect(said.namespaces).toMatchObject([{ name: 'prices', entries: ENTRIES, bucketsSeen: 8 }])
    expect(said.arrays).toMatchObject({ 'float32 [1]': { count: ENTRIES } })
  })

  test('finds one key on whichever master it is', async () => {
    for (const key of ['features:1', 'features:2', 'features:3', 'features:4']) {
      const { out } = await hitpath([
        'inspect',
        '--json',
        '--redis',
        url,
        '--namespace',
        'prices',
        '--key',
        key,
      ])
      expect(JSON.parse(out)).toMatchObject({ name: `s${key}`, state: 'fresh', shape: [1] })
    }
  })
})

describe('the program', () => {
  test('help, version and unknown commands', async () => {
    expect(await program(['--help'])).toMatchObject({
      code: 0,
      err: '',
      out: expect.stringContaining('doctor'),
    })
    expect(await program(['--version'])).toMatchObject({ code: 0, err: '' })
    expect(await program(['inspekt'])).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('mean inspect'),
    })
  })

  test('doctor of a whole Cluster, without colours in a pipe', async () => {
    const said = await program(['doctor', '--redis', url, ...PATIENT])
    expect(said).toMatchObject({ code: 0, err: '' })
    expect(said.out).toContain('the Cluster is ok: 3 masters')
    expect(said.out).not.toContain('\u001b')
  })

  test('inspect, and its end when the reader is gone', async () => {
    const said = await program(['inspect', '--redis', url, '--namespace', 'prices', '--json'])
    expect(JSON.parse(said.out).entries.read).toBe(ENTRIES)
    expect([said.code, said.err]).toEqual([0, ''])
    const child = spawn(process.execPath, [PROGRAM, 'inspect', '--redis', url, '--namespace', 'prices'])
    child.stdout.destroy()
    let err = ''
    child.stderr.on('data', (text) => {
      err += text
    })
    await once(child, 'close')
    expect(err).toBe('')
  })

  test('Ctrl-C ends a walk, and shows what was seen until then', async () => {
    const many = await RedisServer.start()
    const fill = "for i = 1, 100000 do redis.call('SET', 'hp:{many#0}:e:s' .. i, 'x') end"
    await many.command('eval', fill, 0)
    const child = spawn(process.execPath, [
      PROGRAM,
      ...['inspect', '--redis', many.url, '--namespace', 'many', '--limit', '1000000'],
    ])
    try {
      const closed = once(child, 'close')
      let out = ''
      child.stdout.on('data', (text) => {
        out += text
      })
      await waitFor('the walk', async () => {
        const clients = String(await many.command('client', 'list'))
        return /\bcmd=(scan|strlen|pttl|get|object)/.test(clients) || child.exitCode !== null
      })
      child.kill('SIGINT')
      expect(await closed).toEqual([0, null])
      expect(out).toMatch(/entries read: (a sample \(interrupted\)|all of them)/)
    } finally {
      child.kill('SIGKILL')
      await many.stop()
    }
  })

  test('a server that is not there: exit code 1 and no stack', async () => {
    const said = await program(['doctor', '--redis', 'redis://:geheim@127.0.0.1:1'])
    expect(said.code).toBe(1)
    expect(said.err).toBe('')
    expect(said.out).toContain('ECONNREFUSED')
    expect(said.out).not.toMatch(/geheim|\n\s+at /)
  })
})
