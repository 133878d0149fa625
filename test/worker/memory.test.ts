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

// A quarter of fewer operations is not warm yet: heap and region still grow. HITPATH_SOAK=100000000 for the long form.
test('mixed operations leave the resident set where it was', () => {
  const fixture = fileURLToPath(new URL('./fixtures/soak.mjs', import.meta.url))
  const operations = process.env['HITPATH_SOAK'] ?? '8000000'
  // V8 may take 16 MiB more for young objects at some moment, which is not ours to judge: it is kept from it.
  const flags = ['--expose-gc', '--max-semi-space-size=2']
  const { status, stderr } = spawnSync(process.execPath, [...flags, fixture, operations], {
    encoding: 'utf8',
    timeout: 55_000 + Number(operations) / 100,
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
}, 3_600_000)
