/**
 * Divides the build: what an import of an entry reads, and chunks that are read when something in them is first used.
 *
 * V8 reads 30 KB in a millisecond, and an ES module cannot be imported later by code that does not wait. So a chunk is a function in a
 * file of CommonJS, the same for both builds, which is handed the modules that it has in common with its entry: their constants are constants
 * of that function then. In the entry, src/native/late.ts stands for the classes of a chunk and calls its functions.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'

/** Modules whose importers in the entry get them late, by the chunk that holds them with all that they alone need. */
const LATE = {
  portable: /^native\/portable\/binding\.js$/,
  tiers: /^(config|l2|observe|serving|tiered)\/(?!policies\.)/,
}

/**
 * @param out the compiled modules
 * @param entry name of the module that users import, in `out`
 * @returns the plugin for the bundle of the entry, and for each chunk its name, the source of a module that exports it, and its plugin
 */
export function divide(out, entry) {
  const modules = readModules(out)
  const eager = reach(modules, [entry], (path) => chunkOf(path) === undefined)
  const wanted = new Map(Object.keys(LATE).map((name) => [name, new Map()]))
  for (const path of eager) {
    for (const { target, names } of modules.get(path)) {
      if (eager.has(target)) continue
      const late = wanted.get(chunkOf(target))
      late.set(target, new Set([...(late.get(target) ?? []), ...names]))
    }
  }
  const chunks = [...wanted].map(([name, late]) => ({
    name,
    late,
    common: commonModules(modules, eager, [...late.keys()]),
  }))
  return { entryPlugin: entryPlugin(out, eager, chunks), chunks: chunks.map((chunk) => parts(out, chunk)) }
}

function chunkOf(path) {
  return Object.keys(LATE).find((name) => LATE[name].test(path))
}

/** The imports of each compiled module, by its path. */
function readModules(out) {
  const paths = readdirSync(out, { recursive: true }).map((path) => path.replaceAll('\\', '/'))
  const scripts = paths.filter((path) => path.endsWith('.js'))
  return new Map(scripts.map((path) => [path, importsOf(path, readFileSync(join(out, path), 'utf8'))]))
}

function importsOf(path, code) {
  return [...code.matchAll(/^(?:import|export) \{([^}]*)\} from '(\.[^']+)'/gm)].map(([, list, source]) => ({
    target: posix.join(posix.dirname(path), source),
    names: list
      .split(',')
      .map((name) => name.trim().split(' as ')[0])
      .filter((name) => name !== ''),
  }))
}

/** All modules that these import, these included. */
function reach(modules, from, may) {
  const reached = new Set()
  const walk = (path) => {
    if (reached.has(path) || !may(path)) return
    reached.add(path)
    for (const { target } of modules.get(path)) walk(target)
  }
  from.forEach(walk)
  return reached
}

/** What a chunk takes from modules of the entry: names by module. */
function commonModules(modules, eager, from) {
  const common = new Map()
  for (const path of reach(modules, from, (path) => !eager.has(path))) {
    for (const { target, names } of modules.get(path)) {
      if (eager.has(target)) common.set(target, new Set([...(common.get(target) ?? []), ...names]))
    }
  }
  return common
}

/** In the bundle of the entry, late modules are stand-ins. */
function entryPlugin(out, eager, chunks) {
  const sources = new Map([['\0late', lateModule(out, chunks)]])
  for (const { name, late } of chunks) {
    for (const [path, names] of late) {
      const lines = [...names].map((exported) => standIn(path, name, exported))
      const imports = `import { ${name} } from '\0late'; import { lateClass } from '${join(out, 'native/late.js')}'`
      sources.set(`\0late/${path}`, [imports, ...lines].join('\n'))
    }
  }
  return {
    name: 'late-chunks',
    resolveId(id, importer) {
      if (sources.has(id)) return id
      const path = pathOf(out, id, importer)
      return path !== undefined && sources.has(`\0late/${path}`) ? `\0late/${path}` : undefined
    },
    load: (id) => sources.get(id),
  }
}

function standIn(path, chunk, name) {
  if (/^[A-Z].*[a-z]/.test(name)) {
    return `export const ${name} = /*#__PURE__*/ lateClass(() => ${chunk}().${name})`
  }
  if (/^[A-Z]/.test(name)) throw new Error(`${name} of ${path}: neither class nor function, so it cannot be late`)
  return `export const ${name} = (...args) => ${chunk}().${name}(...args)`
}

/** Exports for each chunk what loads it, with the modules that it shares. */
function lateModule(out, chunks) {
  const lines = [`import { lateChunk } from '${join(out, 'native/late.js')}'`]
  for (const { name, common } of chunks) {
    const fields = [...common].map(([path, names], at) => {
      const members = [...names].map((exported) => [exported, `${name}_${at}_${exported}`])
      const list = members.map(([exported, local]) => `${exported} as ${local}`).join(', ')
      lines.push(`import { ${list} } from '${join(out, path)}'`)
      return `'${path}': { ${members.map((pair) => pair.join(': ')).join(', ')} }`
    })
    lines.push(
      `export const ${name} = /*#__PURE__*/ lateChunk('dist/cjs/${name}.js', () => ({ ${fields.join(', ')} }))`,
    )
  }
  return lines.join('\n')
}

/** What a chunk is bundled from: its modules, with those of the entry out of the argument of the function that the file exports. */
function parts(out, { name, late, common }) {
  const lines = [...late].map(([path, names]) => `export { ${[...names].join(', ')} } from '${join(out, path)}'`)
  const entry = `\0chunk/${name}`
  return {
    name,
    entry,
    banner: 'module.exports = (function (common) {\n"use strict";\nconst exports = {};',
    footer: 'return exports;\n});',
    plugin: {
      name: 'common-modules',
      resolveId(id, importer) {
        if (id === entry) return id
        const path = pathOf(out, id, importer)
        return path !== undefined && common.has(path) ? `\0common/${path}` : undefined
      },
      load(id) {
        if (id === entry) return lines.join('\n')
        if (!id.startsWith('\0common/')) return undefined
        const path = id.slice('\0common/'.length)
        return `export const { ${[...common.get(path)].join(', ')} } = common['${path}']`
      },
    },
  }
}

/** A compiled module, as it is named in `out`. */
function pathOf(out, id, importer) {
  if (!id.startsWith('.') && !id.startsWith(out)) return undefined
  const path = id.startsWith('.') ? join(dirname(importer), id) : id
  return path.startsWith(out) ? path.slice(out.length + 1).replaceAll('\\', '/') : undefined
}
