/**
 * What the comment and the type of one option say: its row in the reference. A comment that does not say its default, or a number that
 * does not say its unit, is wrong.
 */
import { relative } from 'node:path'
import ts from 'typescript-js'

/** Words of which a number's comment must have one; the first that stands there is its unit. */
const UNITS =
  /\b(milliseconds|seconds|bytes|entries|keys|rows|sets|share|parts|shards|slots|messages|failures|changes|hits|models|names|numbers|events|batches|groups|connections|times|dimensions|beta|port|index|steps?|multiples|units?)\b/i
const DURATIONS = new Set(['Duration', 'Milliseconds'])
const NUMBERS = new Set(['number', 'Count', 'Size'])
/**
 * The rows of a property, several for one whose type is an object with commented properties. What the comment lacks is added to `wrong`.
 */
export function rowsOf(property, path, owner, to) {
  const { root, wrong, checker } = to
  const name = `${path}${property.name.getText()}`
  const comment = docOf(property)
  const complain = (what) => {
    const file = property.getSourceFile()
    const { line } = file.getLineAndCharacterOfPosition(property.getStart())
    wrong.push(`${relative(root, file.fileName)}:${line + 1}: ${owner}.${name} ${what}`)
  }
  const type = property.type
  const nested = nestedIn(type, checker)
  if (nested.some((member) => docOf(member) !== ''))
    return nested.flatMap((member) => rowsOf(member, `${name}.`, owner, to))
  if (comment === '') {
    complain('has no comment')
    return []
  }
  const optional = property.questionToken !== undefined
  const byDefault = optional ? defaultOf(comment) : 'required'
  if (byDefault === undefined) complain('does not say its default')
  const unit = unitOf(type, comment)
  if (unit === undefined) complain('is a number and does not say of what')
  const meaning = cell(comment.replace(DEFAULT_SENTENCE, '').trim())
  if (meaning === '') complain('says its default and nothing else')
  return [{ name, type: typeText(type), byDefault: cell(byDefault ?? ''), unit: unit ?? '', meaning }]
}

/** The properties of an object type that stands in place, or of an interface of bounds. */
function nestedIn(type, checker) {
  if (type === undefined) return []
  if (ts.isTypeLiteralNode(type)) return type.members.filter(ts.isPropertySignature)
  if (!ts.isTypeReferenceNode(type) || !/Bounds$/.test(type.typeName.getText())) return []
  const symbol = checker.getSymbolAtLocation(type.typeName)
  const { declarations = [] } =
    symbol?.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : (symbol ?? {})
  return declarations
    .filter(ts.isInterfaceDeclaration)
    .flatMap(({ members }) => members.filter(ts.isPropertySignature))
}

const END = String.raw`(?=[.;](?:\s|$)|$)`
const DEFAULT_SENTENCE = /(?:^|(?<=[.:)]\s))Default:? (?:is )?(.+?)\.(?:\s|$)/
const DEFAULT_INLINE = new RegExp(String.raw`[,;(]\s*default:? ([^;)]+?)(?:[),;]|${END})`)
const DEFAULT_MARKED = /(`[^`]+`)(?: \(default\)|, the default)/

function defaultOf(comment) {
  const [, text] =
    DEFAULT_SENTENCE.exec(comment) ?? DEFAULT_INLINE.exec(comment) ?? DEFAULT_MARKED.exec(comment) ?? []
  return text
}

function unitOf(type, comment) {
  const parts = partsOf(type)
  if (parts.some((part) => DURATIONS.has(part))) return 'ms'
  if (parts.includes('string') || !parts.some((part) => NUMBERS.has(part))) return '–'
  const [, unit] = UNITS.exec(comment) ?? []
  return unit?.toLowerCase()
}

/** The members of a union, or of an array, by their text; of functions and objects nothing. */
function partsOf(type) {
  if (type === undefined) return []
  if (ts.isUnionTypeNode(type)) return type.types.flatMap(partsOf)
  if (ts.isTypeOperatorNode(type)) return partsOf(type.type)
  if (ts.isArrayTypeNode(type)) return partsOf(type.elementType)
  return [type.getText()]
}

function typeText(type) {
  const text = type
    .getText()
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\breadonly /g, '')
    .replace(/\s+/g, ' ')
    .replace(/^\| /, '')
    .replace(/ \| undefined$/, '')
  return `\`${text.replaceAll('|', '\\|')}\``
}

/** The text of the last comment before a node, on one line. */
export function docOf(node) {
  const [last] = (ts.getJSDocCommentsAndTags(node) ?? []).filter(ts.isJSDoc).slice(-1)
  return last === undefined ? '' : (ts.getTextOfJSDocComment(last.comment) ?? '').replace(/\s+/g, ' ').trim()
}

function cell(text) {
  return text.replaceAll('|', '\\|')
}
