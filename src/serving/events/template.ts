/**
 * Tags with placeholders: `features:{symbol}` stands for `features:BTCUSDT` and every other text of that form.
 *
 * A placeholder stands for one character or more, of any kind. Of several, each but the last ends where the text behind it first
 * allows. Always true: whether two templates may mean the same tag is decided from their text, exactly.
 */
import { describe, HitpathError } from '../../errors.js'

const PLACEHOLDER = /\{([A-Za-z_]\w*)\}/g
/** In a token list: any one character, and any number of them. */
const ANY = -1
const STAR = -2

/** What the placeholders of a template stand for. */
export type Bindings = ReadonlyMap<string, string>

export class Template {
  readonly text: string
  /** Names of the placeholders, in order. */
  readonly names: readonly string[]
  /** The text between the placeholders; one more than there are names. */
  readonly #literals: readonly string[]
  /** Undefined for one that stands for itself alone. */
  readonly #form: RegExp | undefined

  /** @throws HitpathError INVALID_OPTION naming `path`: no string, empty, or braces that are no placeholder */
  constructor(text: unknown, path: string) {
    if (typeof text !== 'string' || text === '') throw refused(path, 'a string that is not empty', text)
    const parts = text.split(PLACEHOLDER)
    this.text = text
    this.names = parts.filter((_, i) => i % 2 === 1)
    this.#literals = parts.filter((_, i) => i % 2 === 0)
    if (this.#literals.some((literal) => /[{}]/.test(literal)))
      throw refused(path, 'text with placeholders such as {symbol}', text)
    if (this.names.length > 0)
      this.#form = new RegExp(`^${this.#literals.map(escapeRegExp).join('(.+?)')}$`, 's')
  }

  /** Whether it stands for itself alone. */
  get exact(): boolean {
    return this.names.length === 0
  }

  /** What the placeholders stand for in a tag of this form; undefined for another tag. */
  match(tag: string): Bindings | undefined {
    if (this.#form === undefined) return tag === this.text ? new Map() : undefined
    const found = this.#form.exec(tag)
    if (found === null) return undefined
    return new Map(this.names.map((name, i) => [name, found[i + 1] as string]))
  }

  /** The text with each placeholder replaced, its value passed through `write`. */
  expand(bindings: Bindings, write: (value: string) => string = same): string {
    let text = this.#literals[0] as string
    for (let i = 0; i < this.names.length; i++)
      text += write(bindings.get(this.names[i] as string) ?? '') + (this.#literals[i + 1] as string)
    return text
  }

  /** Whether some tag is of both forms. O(length * length). */
  overlaps(other: Template): boolean {
    if (this.exact) return other.exact ? this.text === other.text : other.match(this.text) !== undefined
    if (other.exact) return this.match(other.text) !== undefined
    return intersect(this.#tokens(), other.#tokens())
  }

  #tokens(): readonly number[] {
    return this.#literals.flatMap((literal, i) => [
      ...(i === 0 ? [] : [ANY, STAR]),
      ...Array.from({ length: literal.length }, (_, at) => literal.charCodeAt(at)),
    ])
  }
}

/** Whether two token lists match a common text: which pairs of places can be reached together. */
function intersect(a: readonly number[], b: readonly number[]): boolean {
  const width = b.length + 1
  const reached = new Uint8Array((a.length + 1) * width)
  reached[0] = 1
  for (let i = 0; i <= a.length; i++) {
    for (let j = 0; j <= b.length; j++) {
      const at = i * width + j
      if (reached[at] === 0) continue
      const x = a[i]
      const y = b[j]
      if (x === STAR) reached[at + width] = 1
      if (y === STAR) reached[at + 1] = 1
      if (x === undefined || y === undefined || (x === STAR && y === STAR)) continue
      if (x < 0 || y < 0 || x === y) reached[at + (x === STAR ? 0 : width) + (y === STAR ? 0 : 1)] = 1
    }
  }
  return reached[a.length * width + b.length] === 1
}

function same(value: string): string {
  return value
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

function refused(path: string, expected: string, value: unknown): HitpathError {
  return new HitpathError('INVALID_OPTION', `${path} must be ${expected}; got ${describe(value)}`)
}
