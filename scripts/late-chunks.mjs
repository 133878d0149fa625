/**
 * Divides the build: what an import of an entry reads, and chunks that are read when something in them is first used.
 *
 * V8 reads 29 KB in a millisecond, and an ES module cannot be imported later by code that does not wait. So a chunk is a function in a
 * file of CommonJS, the same for both builds, which is handed the modules that it has in common with its entry: their constants are constants
 * of that function then. In the entry, src/native/late.ts stands for the classes of a chunk and calls its functions, if both are of one build.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'

/** Modules whose importers in the entry get them late, by the chunk that holds them with all that they alone need. */
const LATE = {
  portable: /^native\/portable\/binding\.js$/,
  tiers: /^(config|l2|observe|serving|tiered)\/(?!policies\.)/,
}

const LATE_JS = 'native/late.js'

/**
 * @param out the compiled modules
 * @param entry name of the module that users import, in `out`
 * @param main the entry whose modules decide what all entries hand to a chunk, so that one file serves them all
 * @returns the plugin for the bundle of the entry, and what each chunk is bundled from; the same `contract` means the same chunk
 */
export function divide(out, entry, main) {
  const modules = readModules(out)
  const isEager = (path) => chunkOf(path) === undefined
  const eager = reach(modules, [entry], isEager)
  const handed = reach(modules, [main], isEager)
  const wanted = new Map()
  for (const path of eager) {
    for (const imported of modules.get(path)) {
      if (eager.has(imported.target)) continue
      const chunk = chunkOf(imported.target)
      if (!wanted.has(chunk)) wanted.set(chunk, new Border())
      wanted.get(chunk).add(path, imported)
    }
  }
  const code = hashOfModules(out, modules)
  const chunks = [...wanted].map(([name, { modules: late }]) => {
    const common = commonModules(modules, handed, [...late.keys()])
    const contract = contractOf(late, common)
    return { name, late, common, contract, build: hash(code, contract) }
  })
  return { entryPlugin: entryPlugin(out, chunks), chunks: chunks.map((chunk) => chunkBundle(out, chunk)) }
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
  const statements = code.matchAll(/^(?:import|export) (?:(\{[^}]*\}|\*[^']*?) from )?'(\.[^']+)'/gm)
  return [...statements].map(([, what = '*', source]) => ({
    target: posix.join(posix.dirname(path), source),
    names: what.startsWith('{') ? namesOf(what.slice(1, -1)) : ['*'],
  }))
}

function namesOf(list) {
  const names = list.split(',').map((name) => name.trim().split(' as ')[0])
  return names.filter((name) => name !== '')
}

/** By module, what others import of it across the border between an entry and a chunk. */
class Border {
  modules = new Map()

  add(path, { target, names }) {
    if (names.includes('*')) throw new Error(`${path}: what is imported of ${target} must be named`)
    this.modules.set(target, new Set([...(this.modules.get(target) ?? []), ...names]))
  }
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
function commonModules(modules, handed, from) {
  const common = new Border()
  for (const path of reach(modules, from, (path) => !handed.has(path))) {
    for (const imported of modules.get(path)) if (handed.has(imported.target)) common.add(path, imported)
  }
  return common.modules
}

/** The same for every entry that the chunk can serve. */
function contractOf(late, common) {
  return JSON.stringify([...late, ...common].map(([path, names]) => [path, ...[...names].sort()]).sort())
}

/** Of all modules: an entry and a chunk rely on more than names, so both must come of the same sources. */
function hashOfModules(out, modules) {
  return hash(...[...modules.keys()].sort().flatMap((path) => [path, readFileSync(join(out, path), 'utf8')]))
}

function hash(...texts) {
  return createHash('sha256').update(JSON.stringify(texts)).digest('hex').slice(0, 16)
}

/** In the bundle of the entry, late modules are stand-ins. */
function entryPlugin(out, chunks) {
  const sources = new Map()
  for (const { name, late, common, build } of chunks) {
    const chunk = `\0late/${name}`
    sources.set(chunk, chunkModule(out, name, build, common))
    for (const [path, names] of late) {
      const code = readFileSync(join(out, path), 'utf8')
      const lines = [...names].map((exported) => standIn(path, code, exported))
      const imports = `import { load } from '\\0late/${name}'; import { lateClass } from ${quoted(out, LATE_JS)}`
      sources.set(`${chunk}/${path}`, [imports, ...lines].join('\n'))
    }
  }
  return {
    name: 'late-chunks',
    resolveId(id, importer) {
      if (sources.has(id)) return id
      const path = pathOf(out, id, importer)
      const standIn = `\0late/${path && chunkOf(path)}/${path}`
      return sources.has(standIn) ? standIn : undefined
    },
    load: (id) => sources.get(id),
  }
}

function standIn(path, code, name) {
  switch (kindOf(code, name)) {
    case 'class':
      return `export const ${name} = /*#__PURE__*/ lateClass('${name}', () => load().${name})`
    case 'function':
      return `export const ${name} = (...args) => load().${name}(...args)`
    default:
      throw new Error(`${name} of ${path}: not declared as a class or function there, so it cannot be late`)
  }
}

/** What a compiled module declares by that name, or by the one that it exports so: undefined for anything but a class or a function. */
function kindOf(code, name) {
  const aliases = new Map(
    [...code.matchAll(/^export const ([\w$]+) = ([\w$]+);?\s*$/gm)].map((found) => found.slice(1)),
  )
  const declarations = code.matchAll(/^(?:export )?(?:async )?(class|function)\b[\s*]*([\w$]+)/gm)
  const declared = aliases.get(name) ?? name
  return [...declarations].find(([, , found]) => found === declared)?.[1]
}

/** What loads a chunk: one module for each, for a chunk may be needed while modules that another one takes are still being run. */
function chunkModule(out, chunk, build, common) {
  const imports = [`import { lateChunk } from ${quoted(out, LATE_JS)}`]
  const fields = [...common].map(([path, names], at) => {
    const members = [...names].map((name) => [name, `common_${at}_${name}`])
    const list = members.map(([name, local]) => `${name} as ${local}`).join(', ')
    imports.push(`import { ${list} } from ${quoted(out, path)}`)
    return `'${path}': { ${members.map((pair) => pair.join(': ')).join(', ')} }`
  })
  const file = `dist/cjs/${chunk}.js`
  const load = `export const load = /*#__PURE__*/ lateChunk('${file}', '${build}', () => ({ ${fields.join(', ')} }))`
  return [...imports, load].join('\n')
}

/** What a chunk is bundled from: its modules, with those of the entry out of the argument of the function that the file exports. */
function chunkBundle(out, { name, late, common, contract, build }) {
  const lines = [...late].map(
    ([path, names]) => `export { ${[...names].join(', ')} } from ${quoted(out, path)}`,
  )
  const entry = `\0chunk/${name}`
  return {
    name,
    entry,
    contract,
    banner: `module.exports = { build: "${build}", make(common) {\n"use strict";\nconst exports = {};`,
    footer: 'return exports;\n} };',
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

function quoted(out, path) {
  return JSON.stringify(join(out, path))
}

/** A compiled module, as it is named in `out`. */
function pathOf(out, id, importer) {
  if (!id.startsWith('.') && !id.startsWith(out)) return undefined
  const path = id.startsWith('.') ? join(dirname(importer), id) : join(id)
  return path.startsWith(out) ? path.slice(out.length + 1).replaceAll('\\', '/') : undefined
}
