// An import of the root must load no other package, and no module of Node that takes long and few need.
const assert = require('node:assert/strict')
const { createRequire } = require('node:module')

const HEAVY = ['crypto', 'net', 'os', 'perf_hooks', 'stream', 'tls', 'worker_threads', 'zlib']

exports.check = (before) => {
  const modules = process.moduleLoadList.filter((name) => !before.has(name))
  const heavy = modules.filter((name) => HEAVY.some((module) => name === `NativeModule ${module}`))
  assert.deepEqual(heavy, [], 'modules of Node that an import should not load')
  const cache = Object.keys(createRequire(__filename).cache)
  const packages = cache.filter((path) => /node_modules.(?!hitpath\b)/.test(path))
  assert.deepEqual(packages, [], 'packages that an import should not load')
}
