/**
 * What must go when a tag goes: a bar invalidates the features of its symbol, they invalidate its predictions.
 *
 * Always true: the rules have no cycle, not even between templates that could mean one tag, so that following them ends; a tag comes
 * after every tag that it depends on, so that nothing made anew from what is about to go outlives it.
 */
import { describe, HitpathError } from '../../errors.js'
import { refuseUnknownOptions } from '../../options.js'
import { Template } from './template.js'

/** `{ 'bar:{symbol}': ['features:{symbol}'] }`: when a tag of the form goes, those go too. */
export type DependencyRules = Readonly<Record<string, readonly string[]>>

interface Rule {
  readonly from: Template
  readonly to: readonly Template[]
}

export class DependencyGraph {
  readonly #rules: readonly Rule[]
  /** Rules for one tag alone, found at once. */
  readonly #exact = new Map<string, Rule>()
  readonly #open: readonly Rule[]

  /**
   * @param path how the rules are called in a message
   * @throws HitpathError INVALID_OPTION for a template that is none, a placeholder that the left side does not bind, or a cycle, named
   */
  constructor(rules: DependencyRules, path = 'DependencyGraph') {
    refuseUnknownOptions(rules, path, typeof rules === 'object' && rules !== null ? Object.keys(rules) : [])
    this.#rules = Object.entries(rules).map(([from, to]) => ruleOf(from, to, path))
    this.#open = this.#rules.filter(({ from }) => !from.exact)
    for (const rule of this.#rules) if (rule.from.exact) this.#exact.set(rule.from.text, rule)
    this.#refuseCycles(path)
  }

  /** Rules there are. */
  get size(): number {
    return this.#rules.length
  }

  /** The tags and all that depend on them, each once, none before what it depends on. O(tags * rules). */
  closure(tags: Iterable<string>): string[] {
    if (this.#rules.length === 0) return [...new Set(tags)]
    return ordered([...tags], (tag) => this.#dependents(tag))
  }

  #dependents(tag: string): string[] {
    const found: string[] = []
    const exact = this.#exact.get(tag)
    if (exact !== undefined) for (const to of exact.to) found.push(to.text)
    for (const { from, to } of this.#open) {
      const bindings = from.match(tag)
      if (bindings !== undefined) for (const template of to) found.push(template.expand(bindings))
    }
    return found
  }

  /** Rules follow one another when a tag that one gives may be of the other's form. */
  #refuseCycles(path: string): void {
    const next = ({ to }: Rule): Rule[] =>
      to.flatMap((target) => {
        const exact = target.exact ? this.#exact.get(target.text) : undefined
        const forms = target.exact ? this.#open : this.#rules
        const open = forms.filter(({ from }) => target.overlaps(from))
        return exact === undefined ? open : [exact, ...open]
      })
    ordered([...this.#rules].reverse(), next, (cycle) => {
      const named = cycle.map(({ from }) => from.text).join(' -> ')
      throw new HitpathError(
        'INVALID_OPTION',
        `${path} has a cycle: ${named}; give tags forms that cannot be taken for one another`,
      )
    })
  }
}

function ruleOf(from: string, to: unknown, path: string): Rule {
  const source = new Template(from, `a tag of ${path}`)
  const where = `${path}[${describe(from)}]`
  if (new Set(source.names).size !== source.names.length || /\}\{/.test(from))
    throw new HitpathError('INVALID_OPTION', `${where}: placeholders must differ and have text between them`)
  if (!Array.isArray(to))
    throw new HitpathError('INVALID_OPTION', `${where} must be an array of tags; got ${describe(to)}`)
  const targets = to.map((text) => new Template(text, `a tag of ${where}`))
  for (const { names, text } of targets) {
    const free = names.find((name) => !source.names.includes(name))
    if (free !== undefined)
      throw new HitpathError(
        'INVALID_OPTION',
        `${where}: ${describe(text)} has {${free}}, which is not bound`,
      )
  }
  return { from: source, to: targets }
}

interface Visit<T> {
  readonly node: T
  readonly next: readonly T[]
  at: number
}

/** What can be reached, each once, in topological order: depth first, without recursion. `onCycle` gets the nodes of a cycle, closed. */
function ordered<T>(
  starts: readonly T[],
  next: (node: T) => readonly T[],
  onCycle?: (cycle: readonly T[]) => void,
): T[] {
  const finished: T[] = []
  const seen = new Set<T>()
  const path = new Set<T>()
  for (let i = starts.length - 1; i >= 0; i--) {
    const stack: Visit<T>[] = []
    const enter = (node: T): void => {
      if (onCycle !== undefined && path.has(node)) {
        const nodes = stack.map((visit) => visit.node)
        onCycle([...nodes.slice(nodes.indexOf(node)), node])
      }
      if (seen.has(node)) return
      seen.add(node)
      path.add(node)
      stack.push({ node, next: next(node), at: 0 })
    }
    enter(starts[i] as T)
    for (let visit = stack.at(-1); visit !== undefined; visit = stack.at(-1)) {
      if (visit.at < visit.next.length) {
        enter(visit.next[visit.next.length - 1 - visit.at++] as T)
      } else {
        stack.pop()
        path.delete(visit.node)
        finished.push(visit.node)
      }
    }
  }
  return finished.reverse()
}
