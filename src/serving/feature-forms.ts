/**
 * What an extraction gave first: names, element types and shapes, for each form of window. An extraction that gives something else later
 * is broken, or another version under the same name, and whoever reads the cached features of both cannot know.
 */
import { describe, HitpathError } from '../errors.js'
import { dtypeRow } from '../key/dtype.js'
import { isNdArrayLike, viewOf } from '../key/ndarray.js'

/** Forms of windows that are remembered; the one seen first goes first. */
const MAX_FORMS = 256

type Form = ReadonlyMap<string, string>

export class FeatureForms {
  readonly #owner: string
  readonly #forms = new Map<string, Form>()

  constructor(owner: string) {
    this.#owner = owner
  }

  /** @throws HitpathError SHAPE_MISMATCH that names the first feature that differs from before */
  check(windowForm: string, features: object): void {
    const form: Form = new Map(Object.entries(features).map(([name, value]) => [name, formOf(value)]))
    const before = this.#forms.get(windowForm)
    if (before !== undefined) {
      for (const name of new Set([...before.keys(), ...form.keys()])) {
        const [was, is] = [before.get(name) ?? 'nothing', form.get(name) ?? 'nothing']
        if (was === is) continue
        throw new HitpathError(
          'SHAPE_MISMATCH',
          `${this.#owner} gave ${is} as ${describe(name)} for a window ${windowForm}, and ${was} before; ` +
            `give it another version, or shapes: 'any'`,
        )
      }
      return
    }
    this.#forms.set(windowForm, form)
    if (this.#forms.size > MAX_FORMS) {
      const [oldest] = this.#forms.keys()
      this.#forms.delete(oldest as string)
    }
  }
}

function formOf(value: unknown): string {
  if (!isNdArrayLike(value)) return value === null ? 'null' : typeof value
  const { dtype, shape } = viewOf(value)
  return `${dtypeRow(dtype).name}[${shape}]`
}
