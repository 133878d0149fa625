import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

test('values, views and whole caches are collected once nobody holds them', () => {
  const fixture = fileURLToPath(new URL('./fixtures/memory.mjs', import.meta.url))
  const { status, stderr } = spawnSync(process.execPath, ['--expose-gc', fixture], {
    encoding: 'utf8',
    timeout: 50_000,
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})
