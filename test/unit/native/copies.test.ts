/** The built package with and without its binary, and several copies of it in one process: each program runs in a process of its own. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packageRoot } from '../../../src/native/here.js'
import { VERSION } from '../../../src/version.js'

const FILES = {
  esm: ['index.js', 'package.json'],
  cjs: ['index.js', 'package.json', 'portable.js', 'tiers.js'],
}

/** A folder inside the package, so that its dependencies are found, with a copy of the package that has no binary. */
let folder: string
beforeAll(() => {
  mkdirSync(join(packageRoot, 'build-ts'), { recursive: true })
  folder = mkdtempSync(join(packageRoot, 'build-ts', 'copies-'))
  const copy = join(folder, 'copy')
  mkdirSync(copy)
  cpSync(join(packageRoot, 'package.json'), join(copy, 'package.json'))
  for (const [format, files] of Object.entries(FILES)) {
    for (const file of files)
      cpSync(join(packageRoot, 'dist', format, file), join(copy, 'dist', format, file), { recursive: true })
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const FULL = pathToFileURL(join(packageRoot, 'dist')).href

interface Run {
  readonly stdout: string
  readonly stderr: string
  readonly status: number | null
}

/** `full` and `bare` in the program stand for the folders of the builds with and without a binary. */
function run(program: string, engine?: string): Run {
  const file = join(folder, 'program.mjs')
  const bare = pathToFileURL(join(folder, 'copy', 'dist')).href
  writeFileSync(
    file,
    `import assert from 'node:assert/strict'\nconst full = ${JSON.stringify(FULL)}, bare = ${JSON.stringify(bare)}\n${program}`,
  )
  const env: NodeJS.ProcessEnv = { ...process.env, HITPATH_ENGINE: engine }
  if (engine === undefined) delete env['HITPATH_ENGINE']
  const { stdout, stderr, status } = spawnSync(process.execPath, [file], { encoding: 'utf8', env })
  return { stdout: stdout.trim(), stderr, status }
}

test('the version in the sources is that of the package', async () => {
  const { default: manifest } = await import('../../../package.json', { with: { type: 'json' } })
  expect(VERSION).toBe(manifest.version)
})

describe('where no binary loads', () => {
  test('auto serves with the portable engine, after one warning that says why and what to do', () => {
    const { stdout, stderr, status } = run(`
      const { LocalCache } = await import(bare + '/esm/index.js')
      const warnings = []
      process.on('warning', ({ name, code, message }) => warnings.push({ name, code, message }))
      const caches = [new LocalCache(), new LocalCache(), new LocalCache({ engine: 'auto' })]
      for (const cache of caches) assert.equal(cache.set('key', 1).get('key'), 1)
      assert.deepEqual(caches.map(({ engine }) => engine), ['portable', 'portable', 'portable'])
      await new Promise((resolve) => setImmediate(resolve))
      assert.equal(warnings.length, 1)
      assert.equal(warnings[0].code, 'HITPATH_PORTABLE')
      assert.match(warnings[0].message, /build\\/Release\\/hitpath\\.node: /)
      assert.match(warnings[0].message, /npx cmake-js compile/)
      assert.match(warnings[0].message, /HITPATH_ENGINE=portable/)
      console.log('done')`)
    expect({ stdout, status }).toEqual({ stdout: 'done', status: 0 })
    expect(stderr.match(/\[HITPATH_PORTABLE\]/g)).toHaveLength(1)
  })

  test('the warning is not repeated by a second copy, nor by a worker', () => {
    const { stdout, stderr, status } = run(`
      import { Worker } from 'node:worker_threads'
      import { createRequire } from 'node:module'
      const { LocalCache } = await import(bare + '/esm/index.js')
      new LocalCache()
      const twin = createRequire(import.meta.url)(new URL(bare + '/cjs/index.js').pathname)
      new twin.LocalCache()
      const program = \`import(\${JSON.stringify(bare)} + '/esm/index.js').then(({ LocalCache }) => new LocalCache())\`
      const worker = new Worker(program, { eval: true })
      await new Promise((resolve) => worker.on('exit', resolve))
      console.log('done')`)
    expect({ stdout, status }).toEqual({ stdout: 'done', status: 0 })
    expect(stderr.match(/\[HITPATH_PORTABLE\]/g)).toHaveLength(1)
  })

  test('nobody is warned of what he asked for', () => {
    const asked = run(
      `const { LocalCache } = await import(bare + '/esm/index.js')
       console.log(new LocalCache().engine)`,
      'portable',
    )
    expect(asked).toEqual({ stdout: 'portable', stderr: '', status: 0 })
    const option = run(`
      const { LocalCache } = await import(bare + '/esm/index.js')
      console.log(new LocalCache({ engine: 'portable' }).engine)`)
    expect(option).toEqual({ stdout: 'portable', stderr: '', status: 0 })
  })

  test('native is refused with NATIVE_LOAD and each attempt', () => {
    const { stdout, status } = run(
      `const error = await import(bare + '/esm/index.js').catch((reason) => reason)
       assert.equal(error.code, 'NATIVE_LOAD')
       assert.match(error.message, /build\\/Release.*: [^]*prebuilds.*: /)
       console.log('refused')`,
      'native',
    )
    expect({ stdout, status }).toEqual({ stdout: 'refused', status: 0 })
    const option = run(`
      const { LocalCache } = await import(bare + '/esm/index.js')
      assert.throws(() => new LocalCache({ engine: 'native' }), { code: 'NATIVE_LOAD' })
      console.log('refused')`)
    expect(option).toMatchObject({ stdout: 'refused', status: 0 })
  })

  test('a SharedCache is refused, with what to do', () => {
    const { stdout, status } = run(`
      import { Worker } from 'node:worker_threads'
      const { SharedCache, LocalCache, TypedCaches } = await import(bare + '/esm/index.js')
      const refused = { name: 'HitpathError', code: 'UNSUPPORTED', message: /LocalCache.*HITPATH_ENGINE/s }
      assert.throws(() => SharedCache.create({ maxBytes: 2 ** 20 }), refused)
      const region = new SharedArrayBuffer(8192)
      assert.throws(() => SharedCache.attach({ kind: 'hitpath.SharedCache', region }), { name: 'HitpathError' })
      console.log('refused')`)
    expect({ stdout, status }).toEqual({ stdout: 'refused', status: 0 })
  })

  test('a handle from where the binary loads is refused too', () => {
    const { stdout, status } = run(`
      const native = await import(full + '/esm/index.js')
      const { handle } = native.SharedCache.create({ maxBytes: 2 ** 20 })
      // Another thread of the same process whose environment asks for the portable engine.
      const { Worker } = await import('node:worker_threads')
      const program = \`
        const { workerData, parentPort } = require('node:worker_threads')
        import(\${JSON.stringify(full)} + '/esm/index.js').then(({ SharedCache }) => {
          try { SharedCache.attach(workerData) } catch ({ code }) { parentPort.postMessage(code) }
        })\`
      const worker = new Worker(program, { eval: true, workerData: handle, env: { HITPATH_ENGINE: 'portable' } })
      console.log(await new Promise((resolve) => worker.on('message', resolve)))`)
    expect({ stdout, status }).toEqual({ stdout: 'UNSUPPORTED', status: 0 })
  })
})

test.each(['Native', 'c++', 'auto '])('HITPATH_ENGINE=%s is refused', (engine) => {
  const { stdout } = run(
    `const error = await import(full + '/esm/index.js').catch((reason) => reason)
     console.log(error.name, error.code)`,
    engine,
  )
  expect(stdout).toBe('HitpathError INVALID_OPTION')
})

describe('several copies in one process', () => {
  const COPIES = `
    import { createRequire } from 'node:module'
    const require = createRequire(import.meta.url)
    const copies = [
      await import(full + '/esm/index.js'),
      require(new URL(full + '/cjs/index.js').pathname),
      await import(bare + '/esm/index.js'), // it has no binary: it uses the one that is loaded
      require(new URL(bare + '/cjs/index.js').pathname),
    ]
    const array = Float64Array.of(1, 2, 3)
    const pairs = copies.flatMap((one) => copies.map((other) => [one, other]))`

  test.each([undefined, 'portable'])('a prepared key of one serves in the others (engine %s)', (engine) => {
    const { stdout, stderr, status } = run(
      `${COPIES}
      for (const [one, other] of pairs) {
        const l1 = new one.LocalCache()
        const tiered = new other.TieredCache({ l1, ttl: '1m' })
        for (const key of ['text', 7, array]) {
          const prepared = l1.key(key)
          assert.ok(prepared instanceof other.PreparedKey)
          await tiered.set(prepared, 'value')
          assert.equal(await tiered.get(prepared), 'value')
          assert.equal(await tiered.get(key), 'value')
        }
        assert.throws(() => new one.TieredCache({ l1 }), { code: 'INVALID_OPTION' }) // it serves another already
        await tiered.close()
      }
      console.log('done')`,
      engine,
    )
    expect({ stdout, stderr, status }).toEqual({ stdout: 'done', stderr: '', status: 0 })
  })

  test('errors, handles and digests of one are known to the others', () => {
    const { stdout, stderr, status } = run(`${COPIES}
      for (const [one, other] of pairs) {
        const cache = new one.LocalCache()
        cache.close()
        try { cache.get('key'); assert.fail() } catch (error) { assert.ok(error instanceof other.HitpathError) }
        assert.ok(!(new Error('none') instanceof other.HitpathError))
        assert.ok(!(new one.HitpathError('CLOSED', '') instanceof other.PredictionError))
        const shared = one.SharedCache.create({ maxBytes: 2 ** 16 }).set('key', 'value')
        assert.equal(other.SharedCache.attach(shared.handle).get('key'), 'value')
        assert.equal(one.digest(array), other.digest(array))
      }
      console.log('done')`)
    expect({ stdout, stderr, status }).toEqual({ stdout: 'done', stderr: '', status: 0 })
  })

  test('calls of several, one within the other, do not disturb each other', () => {
    const { stdout, status } = run(`${COPIES}
      const caches = copies.map(({ LocalCache }) => new LocalCache({ maxEntries: 500 }))
      for (let i = 0; i < 20_000; i++) {
        const cache = caches[i % caches.length]
        cache.set('features:' + (i % 901), i)
        for (const other of caches) other.get('features:' + ((i * 7) % 901))
      }
      for (const cache of caches) cache.validate()
      console.log(caches.every(({ size }) => size === 500))`)
    expect({ stdout, status }).toEqual({ stdout: 'true', status: 0 })
  })
})

test('contexts with globals of their own, as a test runner makes them, each have a copy that works beside the others', () => {
  const { stdout, stderr, status } = run(`
    import { readFileSync } from 'node:fs'
    import { createRequire } from 'node:module'
    import { dirname } from 'node:path'
    import vm from 'node:vm'
    const entry = new URL(full + '/cjs/index.js').pathname
    const nodes = createRequire(entry)
    /** The package as a context sees it: its own arrays and errors, Node's own modules. */
    function load() {
      const globals = { process, Buffer, performance, queueMicrotask, setImmediate, setTimeout, clearTimeout, setInterval, clearInterval }
      const context = vm.createContext({ ...globals, AbortController, AbortSignal, WebAssembly, TextEncoder, TextDecoder })
      context.globalThis = vm.runInContext('this', context)
      const modules = new Map()
      const load = (file) => {
        if (modules.has(file)) return modules.get(file).exports
        const module = { exports: {} }
        modules.set(file, module)
        const text = readFileSync(file, 'utf8')
        const body = vm.runInContext('(function (exports, require, module, __filename, __dirname) {' + text + '\\n})', context, { filename: file })
        const from = createRequire(file)
        const own = (id) => (id.startsWith('.') && id.endsWith('.js') ? load(from.resolve(id)) : from(id))
        body.call(module.exports, module.exports, Object.assign(own, from), module, file, dirname(file))
        return module.exports
      }
      return { hitpath: load(entry), Float64Array: vm.runInContext('Float64Array', context) }
    }
    const hitpath = nodes(entry)
    const copies = [load(), load(), { hitpath, Float64Array }]
    assert.notEqual(copies[0].Float64Array, copies[1].Float64Array)
    const uses = copies.map(({ hitpath, Float64Array }, id) => {
      const local = new hitpath.LocalCache({ maxEntries: 500 })
      const shared = hitpath.SharedCache.create({ maxBytes: 2 ** 20 })
      return { id, local, shared, window: Float64Array.of(1, 2, id), hitpath }
    })
    for (let i = 0; i < 5_000; i++) {
      for (const { id, local, shared, window } of uses) {
        local.set('features:' + (i % 901), i * 10 + id).set(window, i)
        shared.set('features:' + (i % 101), window)
      }
      for (const { id, local, shared, window } of uses) {
        assert.equal(local.get('features:' + (i % 901)), i * 10 + id)
        assert.equal(local.get(window), i)
        assert.equal(shared.get('features:' + (i % 101))[2], id)
      }
    }
    for (const { local, shared, hitpath } of uses) {
      local.validate()
      shared.validate()
      const tiered = new hitpath.TieredCache({ ttl: '1m' })
      assert.equal(await tiered.getOrSet('key', () => 'value'), 'value')
      await tiered.close()
    }
    // A region goes from one to the other.
    const { shared } = uses[0]
    assert.equal(uses[1].hitpath.SharedCache.attach(shared.handle).get('features:0')[2], 0)
    // What Node's own modules throw and hand over is not of the context's kinds.
    await assert.rejects(uses[0].local.restore('/nowhere/at/all'), { code: 'SNAPSHOT_IO' })
    const { threads } = new hitpath.TieredCache({ l1: uses[2].shared, ttl: '1m' })
    const l1 = copies[0].hitpath.SharedCache.attach(uses[2].shared.handle)
    await new copies[0].hitpath.TieredCache({ l1, ttl: '1m', threads }).close()
    console.log('done')`)
  expect({ stdout, stderr, status }).toEqual({ stdout: 'done', stderr: '', status: 0 })
})
