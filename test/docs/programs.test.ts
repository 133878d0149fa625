/** The programs of the documents run, and print what they say that they print. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { RedisCluster, RedisServer } from '../support/redis.js'
import { type Block, blocksOf, nameOf, ROOT } from './documents.js'

const PROGRAMS = blocksOf('js')

/** Inside the package, so that `hitpath` is the package itself. */
let folder: string
let redis: RedisServer
let cluster: RedisCluster
beforeAll(async () => {
  mkdirSync(join(ROOT, 'build-ts'), { recursive: true })
  folder = mkdtempSync(join(ROOT, 'build-ts', 'documents-'))
  redis = await RedisServer.start()
  cluster = await RedisCluster.start()
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await redis.stop()
  await cluster.stop()
})

describe('the programs of the documents', () => {
  test('are there, and each says what it prints', () => {
    expect(PROGRAMS.length).toBeGreaterThan(15)
    expect(PROGRAMS.filter((block) => promised(block).length === 0).map(nameOf)).toEqual([])
  })

  // The defaults that they run with have deadlines of 250 ms, which a machine that stands still may miss.
  const again = { retry: 2 }
  test.each(PROGRAMS.map((block) => [nameOf(block), block] as const))('%s', again, async (_, block) => {
    const { stdout, stderr, status } = await run(block)
    expect(stderr).toBe('')
    expect(stdout.trimEnd().split('\n')).toEqual(promised(block))
    expect(status).toBe(0)
  })
})

async function run(block: Block): Promise<{ stdout: string; stderr: string; status: number | null }> {
  const file = join(folder, `${PROGRAMS.indexOf(block)}.mjs`)
  writeFileSync(file, block.code)
  await redis.flushAll()
  await cluster.flushAll()
  // SECURITY.md says that nothing makes code of strings.
  const child = spawn(process.execPath, ['--disallow-code-generation-from-strings', file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 50_000,
    env: {
      ...process.env,
      REDIS_URL: redis.url,
      REDIS_NODES: cluster.nodes.map(({ url }) => url).join(','),
    },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (text) => {
    stdout += text
  })
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const [status] = (await once(child, 'close')) as [number | null]
  return { stdout, stderr, status }
}

/** What a program says that it prints, line by line: `console.log(...) // this`. */
function promised({ code }: Block): readonly string[] {
  return [...code.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, text]) => text!)
}
