/**
 * A real server of its own for each test: on a free loopback port, in a temporary directory, without persistence.
 *
 * Always true: every server that was started is killed when the test process exits, whatever way it exits.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { freePort } from './ports.js'
import { onPath, serverBinary } from './redis-binary.js'
import { waitFor } from './wait.js'

export interface ServerOptions {
  /** More words of the command line: `['--maxmemory', '1mb']`. */
  readonly args?: readonly string[]
  /** Another server program than the one on the PATH. */
  readonly binary?: string
  readonly port?: number
  /** Lines of a configuration file that the server may rewrite: a sentinel must have one. */
  readonly config?: string
}

const alive = new Set<RedisServer>()
process.once('exit', () => {
  for (const server of alive) server.kill()
})

export class RedisServer {
  readonly port: number
  readonly #options: ServerOptions
  readonly #directory = mkdtempSync(join(tmpdir(), 'hitpath-redis-'))
  #process: ChildProcess | undefined

  private constructor(port: number, options: ServerOptions) {
    this.port = port
    this.#options = options
  }

  /** Starts a server and waits until it answers. */
  static async start(options: ServerOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(options.port ?? (await freePort()), options)
    if (options.config !== undefined) writeFileSync(server.#configFile, options.config)
    await server.#spawn()
    return server
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get pid(): number {
    const pid = this.#process?.pid
    if (pid === undefined) throw new Error('the server is not running')
    return pid
  }

  get #configFile(): string {
    return join(this.#directory, 'server.conf')
  }

  /** One command over a connection of its own. */
  async command(...words: readonly (string | number | Buffer)[]): Promise<unknown> {
    return command(this.port, ...words)
  }

  async flushAll(): Promise<void> {
    await this.command('flushall')
  }

  /** SIGKILL: connections are reset, nothing is said. Returns at once. */
  kill(): void {
    alive.delete(this)
    this.#process?.kill('SIGKILL')
  }

  /** Ends the server and removes its directory. */
  async stop(): Promise<void> {
    await this.#ended()
    rmSync(this.#directory, { recursive: true, force: true })
  }

  /** Kills the server if it runs and starts an empty one on the same port. */
  async restart(): Promise<void> {
    await this.#ended()
    await this.#spawn()
  }

  /** SIGSTOP: connections stay open, connects succeed, nothing answers. */
  freeze(): void {
    this.#process?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#process?.kill('SIGCONT')
  }

  async #ended(): Promise<void> {
    const child = this.#process
    if (child === undefined) return
    this.kill()
    child.ref() // or the process that waits here may end first
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    this.#process = undefined
  }

  async #spawn(): Promise<void> {
    const { args = [], binary = serverBinary(), config } = this.#options
    const words = [
      ...(config === undefined ? [] : [this.#configFile]),
      ...['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#directory],
      ...(config === undefined ? ['--save', '', '--appendonly', 'no'] : []),
      ...args,
    ]
    // With setpriv the kernel kills the server even when this process is killed and runs no exit handler.
    const setpriv = onPath('setpriv')
    const child =
      setpriv === undefined
        ? spawn(binary, words, { stdio: ['ignore', 'pipe', 'pipe'] })
        : spawn(setpriv, ['--pdeathsig', 'KILL', binary, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    alive.add(this)
    let said = ''
    const hear = (text: Buffer) => {
      said = (said + text).slice(-2000)
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.unref()
    await waitFor(`redis-server on port ${this.port}`, async () => {
      if (child.exitCode !== null) return 'exited'
      return String(await this.command('ping')).toUpperCase() === 'PONG' && 'ready'
    }).then((state) => {
      if (state === 'exited') throw new Error(`redis-server ended at once:\n${said}`)
    })
  }
}

/** One command to the server on a loopback port, over a connection of its own. Fails within two seconds. */
export async function command(
  port: number,
  ...words: readonly (string | number | Buffer)[]
): Promise<unknown> {
  const client = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    connectTimeout: 2000,
    commandTimeout: 2000,
    enableReadyCheck: false,
    disableClientInfo: true,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    const [name = 'ping', ...rest] = words
    return await client.call(String(name), ...rest)
  } finally {
    client.disconnect()
  }
}
