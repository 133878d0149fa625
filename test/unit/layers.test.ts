import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

interface LayerCheck {
  brokenLayers(root: string): string[]
}

const { brokenLayers } = (await import(
  new URL('../../scripts/check-layers.mjs', import.meta.url).href
)) as LayerCheck

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hitpath-layers-'))
})

afterEach(() => {
  rmSync(root, { recursive: true })
})

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

describe('the layers of src', () => {
  test.each([
    ['src/key/digest.ts', `import { load } from '../native/load.js'`],
    [
      'src/l1/local-cache.ts',
      `import {\n  a,\n  b,\n} from '../codec/value.js'\nimport { c } from '../errors.js'`,
    ],
    ['src/tiered/tiered-cache.ts', `import type { Store } from '../l2/store.js'`],
    ['src/index.ts', `export * from './serving/model-cache.js'`],
    ['src/key/digest.ts', `// import { x } from '../l1/x.js'\n/* import '../l1/x.js' */`],
    ['src/cli/doctor/engine.ts', `const { native } = await import('../../native/binding.js')`],
    ['src/l2/redis.ts', `import { Redis } from 'ioredis'\nimport fs from 'node:fs'`],
  ])('%s may: %s', (path, text) => {
    write(path, text)
    expect(brokenLayers(root)).toEqual([])
  })

  test.each([
    ['src/key/digest.ts', `import { x } from '../l1/x.js'`, 'key may not know l1'],
    ['src/key/digest.ts', `import type { X } from '../l1/x.js'`, 'key may not know l1'],
    ['src/key/digest.ts', `export * from '../l1/x.js'`, 'key may not know l1'],
    ['src/key/digest.ts', `import '../l1/x.js'`, 'key may not know l1'],
    ['src/key/digest.ts', `const x = await import('../l1/x.js')`, 'key may not know l1'],
    [
      'src/observe/metrics.ts',
      `import { RedisStore } from '../l2/redis.js'`,
      'observe may import only types of l2',
    ],
    ['src/errors.ts', `import { x } from './key/digest.js'`, 'a file directly in src/ is a leaf'],
    ['src/l1/cache.ts', `import { x } from '../index.js'`, 'only users import the index'],
    ['src/l1/cache.ts', `import { x } from '../../bench/run.js'`, 'src imports nothing above itself'],
    ['src/tiered/cache.ts', `import { x } from '../cli/command.js'`, 'tiered may not know cli'],
    ['src/misc/cache.ts', `import { x } from '../key/digest.js'`, 'no layer is called misc'],
  ])('%s may not: %s', (path, text, rule) => {
    write(path, text)
    expect(brokenLayers(root)).toEqual([expect.stringContaining(`${path} imports`)])
    expect(brokenLayers(root)[0]).toContain(rule)
  })
})

describe('the includes of native', () => {
  test.each([
    ['native/addon/module.cc', '#include <napi.h>\n#include "core/cache.h"'],
    ['native/core/cache.h', '#include "hash_map.h"\n#include "arena.h"\n#include <cstdint>'],
    ['native/core/hash_map.cc', '#include "hash_map.h"'],
  ])('%s may: %s', (path, text) => {
    write(path, text)
    expect(brokenLayers(root)).toEqual([])
  })

  test.each([
    ['native/core/cache.h', '#include <node_api.h>'],
    ['native/core/cache.h', '#include <napi.h>'],
    ['native/core/cache.h', '  #  include "node.h"'],
    ['native/core/cache.h', '#include "../addon/module.h"'],
    ['native/test/map_test.cc', '#include <js_native_api.h>'],
    ['native/core/hash_map.h', '#include "arena.h"'],
    ['native/core/eviction.cc', '#include "core/timer_wheel.h"'],
  ])('%s may not: %s', (path, text) => {
    write(path, text)
    expect(brokenLayers(root)).toEqual([expect.stringContaining(`${path} includes`)])
  })
})

test('the layers of this repository hold', () => {
  expect(brokenLayers(join(import.meta.dirname, '..', '..'))).toEqual([])
})
