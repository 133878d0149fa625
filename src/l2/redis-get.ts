/**
 * GET without promises: a command of ioredis whose reply goes to a receiver in the turn in which it was parsed.
 *
 * Of a round trip that is awaited, the code that runs between a reply and the next command is cold, so each function and each hop of a
 * promise counts; ioredis' own Command has a dozen. This one is an object of the same prototype, with what is different about it.
 *
 * Always true: a receiver is told once. What is not plain takes the usual way: a Cluster, keys that are not all ASCII, a client that keeps stacks
 * for its errors, and a client that someone looks into, since tracers wait for the promises of commands.
 */
import { tracingChannel } from 'node:diagnostics_channel'
import { Deadlines } from './deadlines.js'
import { failure } from './failure.js'
import { type AnyClient, isCluster, UNSENT } from './redis-client.js'
import { keepShape } from './shapes.js'
import type { Receiver } from './store.js'

type Sends = AnyClient['sendCommand']
type GetClass = new (
  key: string,
  text: string,
  deadlines: Deadlines,
  receiver: Receiver,
) => {
  reject(error: unknown): void
}

/** ioredis 5.10 and up tells of its commands here. */
const TRACED: { readonly hasSubscribers?: boolean } = tracingChannel('ioredis:command')

export class Gets {
  readonly #deadlines: Deadlines
  #client: AnyClient | undefined
  #sends: Sends | undefined
  #class: GetClass | undefined

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines
  }

  /** Whether the GET was sent, of which the receiver will be told, or is told already; if not, nothing was done. */
  tell(client: AnyClient, key: string, receiver: Receiver): boolean {
    if (client !== this.#client || client.sendCommand !== this.#sends) this.#meet(client)
    if (this.#class === undefined || TRACED.hasSubscribers === true) return false
    const text = `*2\r\n$3\r\nget\r\n$${key.length}\r\n${key}\r\n`
    // so that units are bytes; it makes the text flat, which writing it would do else
    if (Buffer.byteLength(text) !== text.length) return false
    const get = new this.#class(key, text, this.#deadlines, receiver)
    try {
      client.sendCommand(get)
    } catch (error) {
      get.reject(error)
    }
    return true
  }

  #meet(client: AnyClient): void {
    this.#client = client
    this.#sends = client.sendCommand
    const isPlain =
      !isCluster(client) && !client.options['showFriendlyErrorStack'] && isOfIoredis(this.#sends)
    this.#class = isPlain ? classOf(client) : undefined
  }
}

/** Whether the function is the one of ioredis, and no wrapper of it. */
function isOfIoredis(sends: Sends): boolean {
  return Function.prototype.toString.call(sends).includes('.commandQueue')
}

const classes = new WeakMap<object, GetClass>()

/** The class of GETs of the client's version of ioredis; undefined when its commands are of another make. */
function classOf(client: AnyClient): GetClass | undefined {
  let prototype: unknown
  try {
    const made: unknown = client.getBuffer.call(UNSENT as never, '')
    prototype = Object.getPrototypeOf(made)
    if (typeof Reflect.get(made as object, 'toWritable') !== 'function') {
      Promise.resolve(made).catch(() => {}) // it is a promise, of one who looked for more than it was given
      return undefined
    }
  } catch {
    return undefined
  }
  const known = classes.get(prototype as object)
  if (known !== undefined) return known
  const made = getClass(prototype as object)
  classes.set(prototype as object, made)
  return made
}

function getClass(prototype: object): GetClass {
  class Get {
    readonly name = 'get'
    readonly args: readonly string[]
    readonly promise = undefined
    /** Nor is there one to be traced. */
    readonly isTraced = true
    readonly inTransaction = false
    readonly resolve: (reply: Buffer | null) => void
    readonly reject: (error: unknown) => void
    readonly #text: string

    constructor(key: string, text: string, deadlines: Deadlines, receiver: Receiver) {
      this.args = [key]
      this.#text = text
      const call = deadlines.begin((error) => receiver.failed(error))
      this.resolve = (reply) => {
        const isLate = call.reject === undefined
        deadlines.answered(call)
        if (!isLate) receiver.found(reply)
      }
      this.reject = (error) => {
        if (call.reject === undefined) return
        deadlines.refused(call)
        receiver.failed(failure(error))
      }
    }

    toWritable(): string {
      return this.#text
    }
  }
  Object.setPrototypeOf(Get.prototype, prototype)
  const none = (): void => {}
  keepShape(new Get('', '', new Deadlines(Number.POSITIVE_INFINITY, none, 0), { found: none, failed: none }))
  return Get
}
