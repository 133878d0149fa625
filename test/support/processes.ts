/**
 * Several real processes in one test. A child is a script that calls `serve` with its functions; the test calls them by name.
 *
 * Arguments and results are structured clones: Buffers, Maps and BigInts cross, functions do not. An error crosses with its
 * message, name and code. Children are killed when the test process exits.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

// biome-ignore lint/suspicious/noExplicitAny: the functions of a child take what they like; the caller sees their own types
type Functions = Record<string, (...args: any[]) => unknown>

interface Request {
  readonly id: number
  readonly name: string
  readonly args: readonly unknown[]
}

interface Reply {
  readonly id: number
  readonly result?: unknown
  readonly error?: { readonly name: string; readonly message: string; readonly code?: unknown }
}

const READY = 'ready'
const alive = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

/** In the child: answers the parent's calls until the parent is gone. */
export function serve(functions: Functions): void {
  process.on('message', (request: Request) => {
    void answer(functions, request)
  })
  process.on('disconnect', () => process.exit())
  process.send?.(READY)
}

async function answer(functions: Functions, { id, name, args }: Request): Promise<void> {
  try {
    const result = await functions[name]?.(...args)
    process.send?.({ id, result } satisfies Reply)
  } catch (error) {
    const { name: kind, message, code } = error as Error & { code?: unknown }
    process.send?.({ id, error: { name: kind, message, code } } satisfies Reply)
  }
}

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** In the test: a child process, seen through the type of the functions that it serves. */
export class Child<F extends Functions> {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0

  private constructor(child: ChildProcess) {
    this.#process = child
    alive.add(child)
    child.on('message', (reply: Reply) => this.#settle(reply))
    child.once('exit', (code, signal) => {
      alive.delete(child)
      for (const { reject } of this.#waiting.values()) reject(new Error(`the child ended: ${signal ?? code}`))
      this.#waiting.clear()
    })
  }

  /**
   * Forks a script (TypeScript by tsx, or built JavaScript) and waits until it serves.
   *
   * @param script as `new URL('./child.ts', import.meta.url)`
   */
  static async start<F extends Functions>(script: URL, args: readonly string[] = []): Promise<Child<F>> {
    const path = fileURLToPath(script)
    const execArgv = /\.[cm]?ts$/.test(path) ? ['--import', 'tsx'] : []
    const child = fork(path, [...args], { execArgv, serialization: 'advanced', stdio: 'inherit' })
    const self = new Child<F>(child)
    const [first] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [unknown]
    if (first !== READY) throw new Error(`${path} ended before it served`)
    return self
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  call<N extends keyof F & string>(name: N, ...args: Parameters<F[N]>): Promise<Awaited<ReturnType<F[N]>>> {
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#process.send({ id, name, args } satisfies Request, (error) => {
        if (error !== null && this.#waiting.delete(id)) reject(error)
      })
    })
  }

  /** Sends a signal: SIGSTOP freezes the process in whatever it does. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.kill('SIGKILL')
    await once(this.#process, 'exit')
  }

  #settle(reply: Reply | typeof READY): void {
    if (reply === READY) return
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if (reply.error === undefined) {
      waiting?.resolve(reply.result)
    } else {
      const { name, message, code } = reply.error
      waiting?.reject(Object.assign(new Error(message), { name, code }))
    }
  }
}
