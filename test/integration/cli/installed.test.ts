/** The program where parts of an installation are missing: what is there is used, and what is not is named. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeEnvelope } from '../../../src/codec/envelope.js'
import { RedisServer } from '../../support/redis-server.js'

const root = join(import.meta.dirname, '..', '..', '..')
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hitpath-installed-'))
})

afterAll(() => rmSync(folder, { recursive: true }))

/** A copy of the package with some of its parts and of its dependencies. */
function installed(name: string, parts: readonly string[], packages: readonly string[]): string {
  const place = join(folder, name)
  mkdirSync(join(place, 'node_modules'), { recursive: true })
  for (const part of ['package.json', 'dist/esm', ...parts])
    cpSync(join(root, part), join(place, part), { recursive: true })
  for (const each of packages)
    symlinkSync(join(root, 'node_modules', each), join(place, 'node_modules', each), 'junction')
  return join(place, 'dist', 'esm', 'cli.js')
}

function run(program: string, ...args: readonly string[]) {
  const { NODE_PATH: _, ...env } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    env,
    encoding: 'utf8',
  })
  return { code: status, out: stdout, err: stderr }
}

test('without ioredis the doctor says what to install, and inspect too', () => {
  const program = installed('alone', ['build/Release/hitpath.node'], ['msgpackr', 'yaml'])
  const doctor = run(program, 'doctor', '--redis', 'redis://:geheim@127.0.0.1:1')
  expect(doctor).toMatchObject({ code: 1, err: '' })
  expect(doctor.out).toContain('the native engine is loaded')
  expect(doctor.out).toMatch(/do: +npm install ioredis/)
  const inspect = run(program, 'inspect', '--redis', 'redis://:geheim@127.0.0.1:1')
  expect(inspect).toMatchObject({ code: 1, out: '' })
  expect(inspect.err).toContain('npm install ioredis')
  expect(doctor.out + inspect.err).not.toMatch(/geheim|\n\s+at /)
})

test('without a binary the doctor names what it looked for, and goes on', () => {
  const program = installed('bare', [], ['msgpackr', 'yaml', 'ioredis'])
  const { out, err } = run(program, 'doctor', '--redis', 'redis://127.0.0.1:1')
  expect(err).not.toMatch(/\n\s+at /)
  expect(out).toContain('hitpath.node')
  expect(out).toMatch(/(error|warning) +.*(binary|engine)/)
  expect(out).toContain('ECONNREFUSED')
})

test.each(['ioredis', 'ioredis6'])('with %s both commands work', async (client) => {
  const program = installed(client, ['build/Release/hitpath.node'], ['msgpackr', 'yaml'])
  symlinkSync(join(root, 'node_modules', client), join(folder, client, 'node_modules', 'ioredis'), 'junction')
  const server = await RedisServer.start()
  try {
    await server.command('set', 'hp:{prices#0}:e:sa', encodeEnvelope({ freshUntil: Infinity }, { bid: 1 }))
    const target = ['--redis', server.url, '--namespace', 'prices', '--json']
    const doctor = run(program, 'doctor', ...target, '--config', join(import.meta.dirname, 'patient.yaml'))
    expect(doctor).toMatchObject({ code: 0, err: '' })
    expect(JSON.parse(doctor.out).counts).toMatchObject({ error: 0, warning: 0 })
    const inspect = run(program, 'inspect', ...target)
    expect(JSON.parse(inspect.out)).toMatchObject({
      entries: { read: 1, damaged: 0 },
      types: { object: { count: 1 } },
    })
    const one = run(program, 'inspect', ...target, '--key', 'a')
    expect(JSON.parse(one.out)).toMatchObject({ state: 'fresh', value: '{ bid: 1 }' })
  } finally {
    await server.stop()
  }
})
