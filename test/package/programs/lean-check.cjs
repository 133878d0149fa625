// An import of the root must load no other package, no module of Node that takes long and few need, and of hitpath only what a LocalCache
// or a SharedCache needs.
const assert = require('node:assert/strict')
const { createRequire } = require('node:module')
const { basename } = require('node:path')

const HEAVY = ['crypto', 'net', 'os', 'perf_hooks', 'stream', 'tls', 'worker_threads', 'zlib']

exports.check = (before, { LocalCache, TieredCache }) => {
  const modules = process.moduleLoadList.filter((name) => !before.has(name))
  const heavy = modules.filter((name) => HEAVY.some((module) => name === `NativeModule ${module}`))
  assert.deepEqual(heavy, [], 'modules of Node that an import should not load')
  const packages = loaded().filter((path) => /node_modules.(?!hitpath\b)/.test(path))
  assert.deepEqual(packages, [], 'packages that an import should not load')

  assert.deepEqual(late(), [], 'files that an import should not load')
  const l1 = new LocalCache({ maxEntries: 10 })
  l1.set('key', 'value').get('key')
  assert.deepEqual(late(), [], 'files that a LocalCache should not load')
  const tiered = new TieredCache({ l1 })
  assert.equal(tiered.getSync('key'), undefined)
  assert.equal(tiered.constructor, TieredCache)
  assert.deepEqual(late(), ['tiers.js'])
  return tiered.close()
}

function loaded() {
  return Object.keys(createRequire(__filename).cache)
}

/** The parts of hitpath that are loaded when they are first used. */
function late() {
  return loaded()
    .map((path) => basename(path))
    .filter((name) => ['portable.js', 'tiers.js'].includes(name))
}
