/**
 * One connection from its birth to its end, and the rule that whatever is asked is answered in time.
 *
 * Always true: an answer that does not come within its limit, a closed connection and `end` do the same: everything asked is rejected
 * and the socket is destroyed, since a socket that is only half closed would wait for a peer that may be gone. An error
 * listener stays on the client for ever.
 */
import { HitpathError } from '../errors.js'
import type { BusClient } from './bus.js'

/** A client that never reports its end is given up after this time; its socket is destroyed by then. */
const END_LIMIT_MS = 200

export class Conversation {
  readonly client: BusClient
  /** Resolves when the client has let go of its connection. */
  readonly closed: Promise<void>
  readonly #now: () => number
  readonly #waiting = new Set<(cause: Error) => void>()
  #cause: Error | undefined
  #lastError: Error | undefined
  #heardAt: number
  #release: () => void = () => {}

  constructor(client: BusClient, now: () => number) {
    this.client = client
    this.#now = now
    this.#heardAt = now()
    this.closed = new Promise((resolve) => {
      this.#release = resolve
    })
    // The one that explains why the connection will close.
    client.on('error', (error) => {
      this.#lastError = asError(error)
    })
    const gone = () => this.end(this.#lastError ?? unavailable('the connection was closed'))
    client.on('close', gone)
    client.on('end', gone)
    client.on('end', () => this.#release())
  }

  /** When the server was last heard, on the local clock. */
  get heardAt(): number {
    return this.#heardAt
  }

  heard(): void {
    this.#heardAt = this.#now()
  }

  /** Waits until the client may be used. */
  async ready(limitMs: number): Promise<void> {
    const { client } = this
    await this.#within(limitMs, 'the connection', () => {
      if (client.status === 'ready') return Promise.resolve()
      const ready = new Promise<void>((resolve) => client.on('ready', () => resolve()))
      return client.status === 'wait' ? client.connect() : ready
    })
    this.heard()
  }

  /** @returns the answer. @throws if it is an error, or late, or the connection ends */
  async ask(limitMs: number, command: string, ...args: (string | number)[]): Promise<unknown> {
    const reply = await this.#within(limitMs, command, () => this.client.call(command, ...args))
    this.heard()
    return reply
  }

  /** PING, where messages may flow: each that is heard grants the answer, which waits behind them, the whole limit anew. */
  async ping(limitMs: number): Promise<void> {
    await this.#within(limitMs, 'PING', () => this.client.call('PING'), true)
    this.heard()
  }

  async subscribe(limitMs: number, channel: string): Promise<void> {
    await this.#within(limitMs, 'SUBSCRIBE', () => this.client.subscribe(channel))
    this.heard()
  }

  /** Does nothing for a while. @throws if the connection ends meanwhile */
  pause(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#cause !== undefined) return reject(this.#cause)
      const timer = setTimeout(() => {
        this.#waiting.delete(fail)
        resolve()
      }, ms)
      const fail = (cause: Error) => {
        clearTimeout(timer)
        reject(cause)
      }
      this.#waiting.add(fail)
    })
  }

  /** Ends everything; the first cause is the one that counts. */
  end(cause: Error): void {
    if (this.#cause !== undefined) return
    this.#cause = cause
    for (const fail of this.#waiting) fail(cause)
    this.#waiting.clear()
    hangUp(this.client)
    const timer = setTimeout(this.#release, END_LIMIT_MS)
    void this.closed.then(() => clearTimeout(timer))
  }

  #within<T>(limitMs: number, what: string, act: () => Promise<T>, patient = false): Promise<T> {
    const askedAt = this.#now()
    return new Promise<T>((resolve, reject) => {
      if (this.#cause !== undefined) return reject(this.#cause)
      let pending = true
      const settle = () => {
        pending = false
        clearTimeout(timer)
        this.#waiting.delete(fail)
      }
      const fail = (cause: Error) => {
        settle()
        reject(cause)
      }
      const judge = () => {
        if (!pending) return
        const left = patient && this.#heardAt > askedAt ? this.#heardAt + limitMs - this.#now() : 0
        if (left > 0) arm(left)
        else this.end(late(what, limitMs))
      }
      // After the event loop stood still the answer may lie in the socket: it is read before the check phase.
      const arm = (ms: number) => {
        timer = setTimeout(() => setImmediate(judge), ms)
      }
      let timer: NodeJS.Timeout | undefined
      arm(limitMs)
      this.#waiting.add(fail)
      act().then(
        (value) => {
          settle()
          resolve(value)
        },
        (error: unknown) => fail(asError(error)),
      )
    })
  }
}

/** Closes a client's connection without waiting for the peer. */
export function hangUp(client: BusClient): void {
  client.disconnect()
  const stream: unknown = Reflect.get(client, 'stream')
  if (typeof stream === 'object' && stream !== null && 'destroy' in stream) {
    if (typeof stream.destroy === 'function') stream.destroy()
  }
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

export function unavailable(message: string): HitpathError {
  return new HitpathError('L2_UNAVAILABLE', message)
}

function late(what: string, limitMs: number): HitpathError {
  return new HitpathError('L2_TIMEOUT', `${what} took more than ${limitMs} ms: the link is taken for dead`)
}
