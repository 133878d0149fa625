/** The documents of the project, and the blocks of code in them. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface Document {
  /** From the top of the project, with slashes. */
  readonly path: string
  readonly text: string
}

export interface Block {
  readonly document: string
  /** Of the first line of the code, from 1. */
  readonly line: number
  readonly language: string
  /** The words after the language: `redis` asks for a server. */
  readonly words: readonly string[]
  readonly code: string
}

/** README.md and its like, and every document beside the code. */
export const DOCUMENTS: readonly Document[] = [
  'README.md',
  'CONTRIBUTING.md',
  'bench/README.md',
  ...readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `src/${name.replaceAll('\\', '/')}`)
    .sort(),
].map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))

export function textOf(path: string): string {
  const document = DOCUMENTS.find((one) => one.path === path)
  if (document === undefined) throw new Error(`there is no document ${path}`)
  return document.text
}

/** Blocks of a language in all documents. */
export function blocksOf(language: string): readonly Block[] {
  return DOCUMENTS.flatMap(({ path, text }) => fenced(path, text)).filter((one) => one.language === language)
}

export function nameOf({ document, line, code }: Block): string {
  return `${document}:${line}: ${code.split('\n')[0]}`
}

/** What a link in a document points to, from the top of the project, and the heading in it. */
export function linksOf({
  path,
  text,
}: Document): readonly { readonly path: string; readonly anchor: string }[] {
  return [...withoutCode(text).matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].map(
    ([, to = '', anchor = '']) => ({ path: to === '' ? path : join(dirname(path), to), anchor }),
  )
}

/** The anchors that GitHub gives the headings of a document. */
export function anchorsOf(text: string): ReadonlySet<string> {
  return new Set(
    [...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\- _]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '')
}

function fenced(document: string, text: string): Block[] {
  return [...text.matchAll(/^```(\w+)([^\n]*)\n([\s\S]*?)^```/gm)].map((match) => {
    const [, language = '', words = '', code = ''] = match
    const line = text.slice(0, match.index).split('\n').length + 1
    return { document, line, language, words: words.split(' ').filter(Boolean), code }
  })
}
