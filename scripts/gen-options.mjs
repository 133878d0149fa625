/**
 * Writes src/OPTIONS.md: every option of every exported class and function, from the comments of the types.
 * `node scripts/gen-options.mjs [--check]`; with --check it writes nothing and fails when the file is stale.
 *
 * What is documented: interfaces named `…Options` that an entry point of package.json exports or that a constructor, a static
 * method or a function of one takes, and those in EXTRA. Each option needs a comment that says its default (`Default 5.`, `Default: none.`,
 * or `('xg' (default)`) unless it is required, and, when it is a number, its unit, by one of the words in UNITS.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript-js'
import { docOf, rowsOf } from './option-rows.mjs'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const TARGET = join(ROOT, 'src', 'OPTIONS.md')

/** Options that are reached by no export named so. */
const EXTRA = {
  'src/compat/lru-cache/types.ts': [
    'OptionsBase',
    'SetOptions',
    'GetOptions',
    'HasOptions',
    'PeekOptions',
    'FetchOptions',
    'MemoOptions',
  ],
  'src/l2/store.ts': ['HottestOptions'],
}
const EXTRA_USE = { OptionsBase: 'new LRUCache', HottestOptions: 'TieredCache.hottest' }

/** Which come first; the others follow as they are found. */
const ORDER = [
  'LocalCacheOptions',
  'SharedCacheOptions',
  'AttachOptions',
  'SetOptions',
  'RowOptions',
  'TieredCacheOptions',
  'PolicyOptions',
  'CallOptions',
  'WriteOptions',
  'LoadOptions',
  'RedisStoreOptions',
]

/** Methods that only hitpath itself calls. */
const INTERNAL = new Set(['snapshotPort'])

/** @returns the Markdown; throws one Error with a line for each option whose comment lacks something */
export function renderOptions(root = ROOT, entries = entryPoints(root), extra = EXTRA) {
  const program = ts.createProgram(
    [...entries, ...Object.keys(extra)].map((file) => join(root, file)),
    {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      types: [],
      lib: ['lib.es5.d.ts'],
      strict: true,
      noEmit: true,
    },
  )
  const checker = program.getTypeChecker()
  const found = new Map()
  for (const entry of entries) discover(program.getSourceFile(join(root, entry)), checker, found)
  for (const [file, names] of Object.entries(extra)) {
    for (const node of program.getSourceFile(join(root, file)).statements) {
      if (!ts.isInterfaceDeclaration(node) || !names.includes(node.name.text)) continue
      add(found, checker.getSymbolAtLocation(node.name), EXTRA_USE[node.name.text])
    }
  }
  const sections = [...found.values()].sort((a, b) => rank(a) - rank(b))
  const wrong = []
  const text = [
    HEAD,
    contents(sections, root),
    ...sections.map((one) => section(one, found, checker, root, wrong)),
  ].join('\n')
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
  return text
}

const HEAD = `# Options

<!-- Written by scripts/gen-options.mjs from the comments of the types. Change those, then run it. -->

Durations are milliseconds, or text such as \`'250ms'\`, \`'60s'\`, \`'1.5m'\`, \`'2h'\`, \`'1d'\`. An unknown option is refused with \`INVALID_OPTION\`.
`

function entryPoints(root) {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return Object.values(exports)
    .map((conditions) => conditions?.import?.types)
    .filter((types) => typeof types === 'string')
    .map((types) => types.replace('./dist/esm/', 'src/').replace(/\.d\.ts$/, '.ts'))
}

/** Adds what one entry point takes to `found`: by symbol, so that two interfaces of one name stay two. */
function discover(file, checker, found) {
  if (file === undefined) throw new Error('an entry point of package.json has no source')
  const exported = checker
    .getExportsOfModule(checker.getSymbolAtLocation(file))
    .map((symbol) => real(symbol, checker))
  const known = new Set(exported)
  for (const symbol of exported) if (isOptions(symbol)) add(found, symbol)
  for (const symbol of exported) {
    for (const declaration of symbol.declarations ?? []) {
      if (ts.isFunctionDeclaration(declaration)) taken(declaration, symbol.name, () => true, checker, found)
      if (ts.isClassDeclaration(declaration)) ofClass(declaration, symbol, known, checker, found)
    }
  }
}

function ofClass(declaration, symbol, known, checker, found) {
  for (const member of declaration.members) {
    if (ts.isConstructorDeclaration(member)) taken(member, `new ${symbol.name}`, () => true, checker, found)
    else if (ts.isMethodDeclaration(member) && isStatic(member) && ts.isIdentifier(member.name))
      taken(member, `${symbol.name}.${member.name.text}`, () => true, checker, found)
  }
  for (const property of checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol))) {
    for (const member of property.declarations ?? []) {
      if (!ts.isMethodDeclaration(member) || INTERNAL.has(property.name)) continue
      if (!ts.isIdentifier(member.name)) continue
      taken(member, `${symbol.name}#${member.name.text}`, (options) => known.has(options), checker, found)
    }
  }
}

/** The options among the parameters of a signature. */
function taken(signature, use, wanted, checker, found) {
  for (const parameter of signature.parameters) {
    const visit = (node) => {
      if (ts.isFunctionTypeNode(node)) return
      if (ts.isTypeReferenceNode(node)) {
        const symbol = real(checker.getSymbolAtLocation(node.typeName), checker)
        if (symbol !== undefined && isOptions(symbol) && wanted(symbol)) add(found, symbol, use)
      }
      ts.forEachChild(node, visit)
    }
    if (parameter.type !== undefined) visit(parameter.type)
  }
}

function isOptions(symbol) {
  return symbol.name.endsWith('Options') && declarationOf(symbol) !== undefined
}

/** An interface, or an alias for a union of object types and of other options. */
function declarationOf(symbol) {
  return (symbol.declarations ?? []).find(
    (node) =>
      ts.isInterfaceDeclaration(node) || (ts.isTypeAliasDeclaration(node) && ts.isUnionTypeNode(node.type)),
  )
}

function add(found, symbol, use) {
  const one = found.get(symbol) ?? { symbol, name: symbol.name, uses: new Set() }
  if (use !== undefined) one.uses.add(use)
  found.set(symbol, one)
}

function real(symbol, checker) {
  return symbol !== undefined && symbol.flags & ts.SymbolFlags.Alias
    ? checker.getAliasedSymbol(symbol)
    : symbol
}

function isStatic(member) {
  return (ts.getCombinedModifierFlags(member) & ts.ModifierFlags.Static) !== 0
}

function rank({ symbol, name }) {
  if (fileOf(symbol).includes('/compat/')) return 2 * ORDER.length
  const place = ORDER.indexOf(name)
  return place === -1 ? ORDER.length : place
}

function fileOf(symbol) {
  return symbol.declarations[0].getSourceFile().fileName
}

function titleOf(one, root) {
  const [, face] =
    /src\/compat\/([^/]+)\//.exec(relative(root, fileOf(one.symbol)).replaceAll('\\', '/')) ?? []
  return face === undefined ? one.name : `${one.name} of ${face}`
}

function anchor(title) {
  return title
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')
}

function contents(sections, root) {
  const links = sections.map((one) => `[${titleOf(one, root)}](#${anchor(titleOf(one, root))})`)
  return `${links.join(' · ')}\n`
}

function section(one, found, checker, root, wrong) {
  const { symbol } = one
  const declaration = declarationOf(symbol)
  const { inlined, linked } = bases(declaration, found, checker)
  const rows = new Map()
  for (const node of [...inlined, declaration]) {
    for (const property of own(node, checker)) {
      for (const row of rowsOf(property, '', one.name, { root, wrong, checker })) {
        // What is picked from the options of a constructor is, in a call, in its place.
        const byDefault = ts.isExpressionWithTypeArguments(node) ? "the cache's" : row.byDefault
        rows.set(row.name, { ...row, byDefault })
      }
    }
  }
  const lines = [`## ${titleOf(one, root)}`, '']
  const comment = docOf(declaration)
  if (comment !== '') lines.push(comment, '')
  if (one.uses.size > 0)
    lines.push(`Taken by ${[...one.uses].map((use) => `\`${use.replace('#', '.')}()\``).join(', ')}.`, '')
  const ending = rows.size === 0 ? '.' : ts.isInterfaceDeclaration(declaration) ? ', and:' : ':'
  for (const { base, text } of linked)
    lines.push(`All of [${titleOf(base, root)}](#${anchor(titleOf(base, root))})${text}${ending}`, '')
  if (rows.size > 0) {
    lines.push('| option | type | default | unit | meaning |', '| --- | --- | --- | --- | --- |')
    for (const { name, type, byDefault, unit, meaning } of rows.values())
      lines.push(`| \`${name}\` | ${type} | ${byDefault} | ${unit} | ${meaning} |`)
    lines.push('')
  }
  return lines.join('\n')
}

/** What an interface extends: what has a section of its own is linked to, the rest stands in this one. */
function bases(declaration, found, checker) {
  const inlined = []
  const linked = []
  if (ts.isTypeAliasDeclaration(declaration)) {
    for (const node of declaration.type.types) {
      if (!ts.isTypeReferenceNode(node)) continue
      const base = found.get(real(checker.getSymbolAtLocation(node.typeName), checker))
      if (base !== undefined) linked.push({ base, text: ', in place of what follows' })
    }
    return { inlined: declaration.type.types.filter(ts.isTypeLiteralNode), linked }
  }
  for (const clause of declaration.heritageClauses ?? []) {
    for (const node of clause.types) {
      const left = node.expression.getText()
      const [first, second] = node.typeArguments ?? []
      const of = left === 'Omit' && ts.isTypeReferenceNode(first) ? first.typeName : node.expression
      const symbol = real(checker.getSymbolAtLocation(of), checker)
      const base = found.get(symbol)
      if (base !== undefined) linked.push({ base, text: left === 'Omit' ? ` but ${names(second)}` : '' })
      else if (symbol?.declarations?.some(ts.isInterfaceDeclaration)) {
        const node = symbol.declarations.find(ts.isInterfaceDeclaration)
        const upper = bases(node, found, checker)
        inlined.push(...upper.inlined, node)
        linked.push(...upper.linked)
      } else {
        inlined.push(node)
      }
    }
  }
  return { inlined, linked }
}

function names(node) {
  return node
    .getText()
    .split('|')
    .map((text) => `\`${text.trim().replaceAll("'", '')}\``)
    .join(', ')
}

/** The property declarations of an interface, or of a mapped type such as Pick. */
function own(node, checker) {
  if (ts.isTypeAliasDeclaration(node)) return []
  if (ts.isInterfaceDeclaration(node) || ts.isTypeLiteralNode(node))
    return node.members.filter(ts.isPropertySignature)
  return checker
    .getPropertiesOfType(checker.getTypeAtLocation(node))
    .flatMap((property) => (property.declarations ?? []).filter(ts.isPropertySignature))
}

function main() {
  try {
    const text = renderOptions()
    if (!process.argv.includes('--check')) return writeFileSync(TARGET, text)
    if (readFileSync(TARGET, 'utf8') !== text)
      throw new Error('src/OPTIONS.md is stale: node scripts/gen-options.mjs')
  } catch (error) {
    console.error(`options: ${error.message.replaceAll('\n', '\noptions: ')}`)
    process.exitCode = 1
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
