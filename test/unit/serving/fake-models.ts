/** Models that know whether they were disposed, and loads that the test ends. */
import { setImmediate } from 'node:timers/promises'
import type { LoadContext } from '../../../src/index.js'

export class FakeModel {
  readonly label: string
  disposals = 0

  constructor(label: string) {
    this.label = label
  }

  release(): Promise<void> {
    this.disposals++
    return Promise.resolve()
  }
}

/** Loads that wait until the test says what they give. */
export class FakeLoader {
  readonly calls: (LoadContext & {
    readonly give: (model?: FakeModel) => Promise<FakeModel>
    readonly fail: (error: unknown) => Promise<void>
  })[] = []

  readonly load = (context: LoadContext): Promise<FakeModel> =>
    new Promise((resolve, reject) => {
      const made = new FakeModel(`${context.name}@${context.version}#${this.calls.length}`)
      this.calls.push({
        ...context,
        give: async (model = made) => {
          resolve(model)
          await setImmediate()
          return model
        },
        fail: async (error) => {
          reject(error)
          await setImmediate()
        },
      })
    })
}

/** A load that is done at once; `made` keeps what it gave. */
export function instant(made: FakeModel[] = []): (context: LoadContext) => FakeModel {
  return ({ name, version }) => {
    const model = new FakeModel(`${name}@${version}#${made.length}`)
    made.push(model)
    return model
  }
}
