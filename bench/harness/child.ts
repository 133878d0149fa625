/**
 * A child process that calls exported functions of bench modules on behalf of the parent.
 *
 * Every measurement runs in a child: its heap, its compiled code and its string table are its own, and die with it.
 * A call names a module and an export; arguments and result are what JSON can carry.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { builtEnvironment } from './built.js'

export interface Call {
  readonly module: string
  readonly name: string
  readonly args: readonly unknown[]
}

export type Outcome = { readonly value: unknown } | { readonly error: string }

const ENTRY = new URL('./child-entry.ts', import.meta.url).href
const PATIENCE_MS = 10_000

export class Child {
  readonly #process: ChildProcess

  /**
   * @param flags for Node, besides those that every child has
   * @param entry the URL of child-entry.ts in the tree that is measured
   */
  constructor(flags: readonly string[] = [], entry: string = ENTRY) {
    this.#process = fork(fileURLToPath(entry), [], {
      env: builtEnvironment(entry),
      execArgv: ['--expose-gc', '--import', 'tsx', '--max-old-space-size=8192', ...flags],
    })
  }

  /** Calls `name` of the module at the URL `module` with `args`; rejects with the child's stack. */
  call<T>(module: string, name: string, ...args: readonly unknown[]): Promise<T> {
    const child = this.#process
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        child.off('message', answered)
        child.off('exit', exited)
      }
      const answered = (answer: Outcome): void => {
        settle()
        if ('error' in answer) reject(new Error(answer.error))
        else resolve(answer.value as T)
      }
      const exited = (code: number | null, signal: string | null): void => {
        settle()
        reject(new Error(`the child process for ${name} ended (${signal ?? `code ${code}`})`))
      }
      child.on('message', answered)
      child.on('exit', exited)
      const call: Call = { module, name, args }
      child.send(call)
    })
  }

  /** Lets the child end by itself, so that it leaves no files behind; ends it when it does not. */
  stop(): Promise<void> {
    const child = this.#process
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
    return new Promise((resolve) => {
      const patience = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
      child.once('exit', () => {
        clearTimeout(patience)
        resolve()
      })
      child.disconnect()
    })
  }
}

/** One call in a child of its own. */
export function inChild<T>(module: string, name: string, ...args: readonly unknown[]): Promise<T> {
  return inChildWith<T>([], module, name, ...args)
}

/** The same with flags for Node. */
export async function inChildWith<T>(
  flags: readonly string[],
  module: string,
  name: string,
  ...args: readonly unknown[]
): Promise<T> {
  const child = new Child(flags)
  try {
    return await child.call<T>(module, name, ...args)
  } finally {
    await child.stop()
  }
}
