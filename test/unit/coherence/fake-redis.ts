/** As much of a server with streams and tracking as the buses see, and its clients; every failure is at the test's command. */
import { EventEmitter } from 'node:events'
import type { BusClient } from '../../../src/coherence/bus.js'

export type Entry = [id: string, fields: string[]]

export class FakeRedis {
  entries: Entry[] = []
  /** Milliseconds that the server's clock is ahead of the local one. */
  aheadMs = 1_700_000_000_000
  /** Nothing is answered any more, nothing is closed. */
  silent = false
  refusing = false
  readonly clients: FakeClient[] = []
  #sequence = 0

  readonly connect = (): FakeClient => {
    const client = new FakeClient(this)
    this.clients.push(client)
    return client
  }

  get client(): FakeClient {
    return this.clients.at(-1) as FakeClient
  }

  get lastId(): string {
    return this.entries.at(-1)?.[0] ?? '0-0'
  }

  add(name: string, overrides: Readonly<Record<string, string>> = {}): string {
    const id = overrides['id'] ?? `1000-${++this.#sequence}`
    const version = String((performance.now() + this.aheadMs) * 1000)
    const fields = { k: 's', n: name, v: version, o: 'other', p: this.lastId, ...overrides }
    const words = Object.entries(fields).filter(([field]) => field !== 'id')
    this.entries.push([id, words.flat()])
    for (const client of this.clients) client.wake()
    return id
  }

  cut(): void {
    for (const client of this.clients) client.drop()
  }
}

interface Blocked {
  readonly position: string
  readonly answer: (reply: unknown) => void
  readonly fail: (error: Error) => void
  timer?: NodeJS.Timeout
}

export class FakeClient extends EventEmitter implements BusClient {
  status = 'wait'
  readonly commands: string[] = []
  readonly #server: FakeRedis
  readonly #blocked = new Set<Blocked>()

  constructor(server: FakeRedis) {
    super()
    this.#server = server
  }

  async connect(): Promise<void> {
    this.status = 'connecting'
    if (this.#server.silent) return new Promise(() => {})
    await Promise.resolve()
    if (this.#server.refusing) {
      this.emit('error', new Error('connect ECONNREFUSED'))
      this.drop()
      throw new Error('Connection is closed.')
    }
    this.status = 'ready'
    this.emit('ready')
  }

  disconnect(): void {
    queueMicrotask(() => this.drop())
  }

  /** The connection ends, for whatever reason. */
  drop(): void {
    if (this.status === 'end') return
    this.status = 'end'
    for (const { fail, timer } of this.#blocked) {
      clearTimeout(timer)
      fail(new Error('Connection is closed.'))
    }
    this.#blocked.clear()
    this.emit('close')
    this.emit('end')
  }

  async subscribe(channel: string): Promise<number> {
    this.commands.push(`SUBSCRIBE ${channel}`)
    return 1
  }

  call(command: string, ...args: (string | number)[]): Promise<unknown> {
    this.commands.push([command, ...args].join(' '))
    if (this.#server.silent) return new Promise(() => {})
    if (this.status !== 'ready') return Promise.reject(new Error('Connection is closed.'))
    if (command === 'TIME') return Promise.resolve(this.#time())
    if (command === 'XREVRANGE') return Promise.resolve(this.#server.entries.slice(-1))
    if (command === 'XREAD') return this.#read(args)
    return Promise.resolve(command === 'CLIENT' && args[0] === 'ID' ? 7 : 'OK')
  }

  /** Something was added. */
  wake(): void {
    if (this.#server.silent) return
    for (const blocked of this.#blocked) {
      const found = this.#after(blocked.position)
      if (found.length === 0) continue
      this.#blocked.delete(blocked)
      clearTimeout(blocked.timer)
      blocked.answer([['bus', found]])
    }
  }

  /** Ends a blocking read with these entries, whatever the stream holds. */
  forge(entries: readonly Entry[]): void {
    for (const { answer, timer } of this.#blocked) {
      clearTimeout(timer)
      answer([['bus', entries]])
    }
    this.#blocked.clear()
  }

  #time(): string[] {
    const us = Math.round((performance.now() + this.#server.aheadMs) * 1000)
    return [String(Math.floor(us / 1e6)), String(us % 1e6)]
  }

  #read(args: readonly (string | number)[]): Promise<unknown> {
    const position = String(args.at(-1))
    const found = this.#after(position)
    if (found.length > 0) return Promise.resolve([['bus', found]])
    const block = args.indexOf('BLOCK')
    if (block < 0) return Promise.resolve(null)
    return new Promise((answer, fail) => {
      const blocked: Blocked = { position, answer, fail }
      this.#blocked.add(blocked)
      blocked.timer = setTimeout(
        () => {
          if (this.#server.silent) return
          this.#blocked.delete(blocked)
          answer(null)
        },
        Number(args[block + 1]),
      )
    })
  }

  #after(position: string): Entry[] {
    const order = (id: string) => Number(id.split('-')[0]) * 1e6 + Number(id.split('-')[1])
    return this.#server.entries.filter(([id]) => order(id) > order(position))
  }
}
