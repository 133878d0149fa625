/**
 * Who may know whom: the layers of the design, checked on every import of src/ and every include of native/.
 *
 * A file directly in src/ is a leaf: any layer may import it, and it imports leaves only. index.ts may import
 * anything. Everything else follows the tables.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Layers that each layer may import besides itself and the leaves. */
const MAY_IMPORT = {
  native: [],
  observe: [],
  config: ['native'],
  key: ['native'],
  codec: ['key'],
  l1: ['native', 'key', 'codec', 'observe'],
  l2: ['key', 'codec', 'observe'],
  coherence: ['l2', 'key', 'codec', 'observe'],
  tiered: ['key', 'codec', 'l1', 'l2', 'coherence', 'config', 'observe'],
  serving: ['key', 'codec', 'l1', 'coherence', 'tiered', 'observe'],
  compat: ['key', 'l1', 'tiered'],
  cli: ['native', 'config', 'key', 'codec', 'l2', 'coherence'],
}

/** Layers of which only the types may be imported: interfaces, no code. */
const MAY_IMPORT_TYPES = {
  observe: ['l1', 'l2', 'coherence', 'tiered', 'serving'],
}

const INDEPENDENT_CORE_HEADERS = ['hash_map', 'timer_wheel', 'arena', 'eviction']

const NODE_HEADER = /^(napi|node|v8|uv|js_native_api)([-_./].*)?\.?h?$|^node_api/

/** Each import or export with a source, import() included. */
const IMPORT =
  /\b(import|export)\s+(type\s+)?(?:[\w$*\s,{}]+?\sfrom\s*)?['"]([^'"]+)['"]|\bimport\s*\(\s*['"]([^'"]+)['"]\s*\)/g
const INCLUDE = /^\s*#\s*include\s*[<"]([^>"]+)[>"]/gm

/** @returns the broken rules under `root`, one line each */
export function brokenLayers(root) {
  return [...brokenImports(join(root, 'src')), ...brokenIncludes(join(root, 'native'))]
}

function brokenImports(src) {
  return files(src, /\.ts$/).flatMap((file) =>
    importsOf(readFileSync(join(src, file), 'utf8')).flatMap(({ source, typeOnly }) => {
      if (!source.startsWith('.')) return []
      const target = posix.normalize(posix.join(posix.dirname(file), source))
      const rule = brokenRule(file, target, typeOnly)
      return rule === undefined ? [] : [`src/${file} imports ${source}: ${rule}`]
    }),
  )
}

function importsOf(text) {
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
  return [...code.matchAll(IMPORT)].map(([, , type, source, dynamic]) => ({
    source: source ?? dynamic,
    typeOnly: type !== undefined,
  }))
}

function brokenRule(file, target, typeOnly) {
  if (target.startsWith('..')) return 'src imports nothing above itself'
  const from = layerOf(file)
  const to = layerOf(target)
  if (from === 'index' || from === to) return undefined
  if (to === 'index') return 'only users import the index'
  if (to === 'leaf') return undefined
  if (from === 'leaf') return 'a file directly in src/ is a leaf'
  if (!(from in MAY_IMPORT)) return `no layer is called ${from}: add it to scripts/check-layers.mjs`
  if (MAY_IMPORT[from].includes(to)) return undefined
  if (MAY_IMPORT_TYPES[from]?.includes(to))
    return typeOnly ? undefined : `${from} may import only types of ${to}`
  return `${from} may not know ${to}`
}

function layerOf(file) {
  const parts = file.split('/')
  if (parts.length > 1) return parts[0]
  return /^index\.[jt]s$/.test(parts[0]) ? 'index' : 'leaf'
}

function brokenIncludes(native) {
  return files(native, /\.(h|cc)$/).flatMap((file) =>
    [...readFileSync(join(native, file), 'utf8').matchAll(INCLUDE)].flatMap(([, header]) => {
      const rule = brokenInclude(file, header)
      return rule === undefined ? [] : [`native/${file} includes ${header}: ${rule}`]
    }),
  )
}

function brokenInclude(file, header) {
  if (NODE_HEADER.test(header) && !file.startsWith('addon/'))
    return 'only native/addon includes headers of Node'
  if (file.startsWith('core/') && /(^|\/)addon\//.test(header)) return 'the core does not know the addon'
  const from = file.startsWith('core/') ? stem(file) : undefined
  const to = stem(header)
  if (from !== to && INDEPENDENT_CORE_HEADERS.includes(from) && INDEPENDENT_CORE_HEADERS.includes(to)) {
    return `${INDEPENDENT_CORE_HEADERS.join(', ')} do not include one another`
  }
  return undefined
}

function stem(path) {
  return posix.basename(path).replace(/\.(h|cc)$/, '')
}

function files(directory, pattern) {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true })
    .map((name) => name.split(sep).join('/'))
    .filter((name) => pattern.test(name))
    .sort()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const broken = brokenLayers(dirname(dirname(fileURLToPath(import.meta.url))))
  for (const line of broken) console.error(line)
  process.exit(broken.length > 0 ? 1 : 0)
}
