/** Contenders measured in turn: each round asks all of them, one after the other, so that a slow second slows them all. */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { packageRoot } from '../../native/here.js'
import { Interrupted } from '../terminal.js'
import type { Case, Reply, Setting } from './protocol.js'

export interface Plan extends Setting {
  readonly rounds: number
  readonly roundMs: number
}

export interface Outcome {
  readonly which: Case
  /** Rounds by contender, aligned, in ns; a contender without the case is not there. */
  readonly rounds: ReadonlyMap<string, readonly number[]>
  /** hitpath a second time in each round over its first: what noise alone does. */
  readonly noise: readonly number[]
}

const PROGRAM = join(packageRoot, 'dist', 'esm', 'cli-bench.js')

export class Contenders {
  readonly #children: readonly (readonly [name: string, child: ChildProcess])[]
  readonly #signal: AbortSignal
  /** Those that failed, with what they said: they are asked nothing more. */
  readonly left = new Map<string, string>()

  /** @param modules by name, where they lie */
  constructor(modules: ReadonlyMap<string, string>, setting: Setting, signal: AbortSignal) {
    this.#signal = signal
    this.#children = [...modules].map(([name, file]) => {
      const args = [name, file, JSON.stringify(setting)]
      return [name, fork(PROGRAM, args, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] })]
    })
    signal.addEventListener('abort', () => this.close(), { once: true })
  }

  close(): void {
    for (const [, child] of this.#children) child.kill('SIGKILL')
  }

  /** @throws Interrupted; what hitpath answered when it failed */
  async measure(which: Case, { rounds, roundMs }: Plan, onRound: (done: number) => void): Promise<Outcome> {
    const times = new Map<string, number[]>()
    const noise: number[] = []
    // The first round compiles and warms up.
    for (let round = -1; round < rounds; round++) {
      const from = Math.max(0, round) % this.#children.length
      const inTurn = [...this.#children.slice(from), ...this.#children.slice(0, from)]
      for (const [name, child] of inTurn) {
        const ns = this.left.has(name) ? undefined : await this.#ask(name, child, which, roundMs)
        if (ns === undefined || round < 0) continue
        const list = times.get(name) ?? []
        times.set(name, list)
        list.push(ns)
        if (name !== 'hitpath') continue
        const again = await this.#ask(name, child, which, roundMs)
        if (again !== undefined) noise.push(again / ns)
      }
      onRound(round + 1)
    }
    for (const name of this.left.keys()) times.delete(name)
    return { which, rounds: times, noise }
  }

  #ask(name: string, child: ChildProcess, which: Case, ms: number): Promise<number | undefined> {
    this.#signal.throwIfAborted()
    return new Promise((resolve, reject) => {
      const done = (): void => {
        child.off('message', hear)
        child.off('exit', gone)
      }
      const hear = (reply: Reply): void => {
        done()
        if (!('error' in reply)) resolve(reply.ns)
        else fail(reply.error)
      }
      const fail = (why: string): void => {
        if (name === 'hitpath') reject(new Error(`${name}: ${why}`))
        else {
          this.left.set(name, why)
          resolve(undefined)
        }
      }
      const gone = (code: number | null, killed: string | null): void => {
        done()
        // Ctrl-C reaches the whole group of processes, and may reach them first.
        if (this.#signal.aborted || killed === 'SIGINT') reject(new Interrupted())
        else fail(`its process ended (${killed ?? `exit code ${code}`})`)
      }
      if (child.exitCode !== null || child.signalCode !== null) {
        gone(child.exitCode, child.signalCode)
        return
      }
      child.on('message', hear)
      child.once('exit', gone)
      child.send({ which, ms }, () => {}) // one that goes now tells by its exit
    })
  }
}
