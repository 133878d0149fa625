import { channel } from 'node:diagnostics_channel'
import { Redis as Redis5 } from 'ioredis'
import { Redis as Redis6 } from 'ioredis6'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Deadlines } from '../../../src/l2/deadlines.js'
import type { RedisClient } from '../../../src/l2/redis-client.js'
import { Gets } from '../../../src/l2/redis-get.js'

afterEach(() => {
  vi.useRealTimers()
})

interface Item {
  readonly command: { resolve(reply: unknown): void; reject(error: unknown): void }
}

/** A client whose socket keeps what is written. */
function clientOf(
  Redis: typeof Redis5,
  options: object = {},
): {
  readonly client: RedisClient
  readonly written: unknown[]
  readonly sent: () => Item
} {
  const client = new Redis({ lazyConnect: true, enableOfflineQueue: false, ...options })
  const written: unknown[] = []
  const stream = { writable: true, write: (text: unknown) => written.push(text) }
  Object.assign(client, { status: 'ready', stream, condition: { select: 0, subscriber: false } })
  const { commandQueue } = client as unknown as { readonly commandQueue: { shift(): Item | undefined } }
  return { client: client as unknown as RedisClient, written, sent: () => commandQueue.shift() as Item }
}

function receiver(): { readonly told: unknown[]; found(bytes: unknown): void; failed(error: unknown): void } {
  const told: unknown[] = []
  return { told, found: (bytes) => told.push(bytes), failed: (error) => told.push(error) }
}

const none = (): void => {}
const patient = (): Gets => new Gets(new Deadlines(Number.POSITIVE_INFINITY, none, 0))

describe.each([
  ['ioredis 5', Redis5],
  ['ioredis 6', Redis6 as unknown as typeof Redis5],
])('GET by %s', (_, Redis) => {
  test('is written at once, and its reply told in the turn in which it came, once', () => {
    const { client, written, sent } = clientOf(Redis)
    const gets = patient()
    const [first, second] = [receiver(), receiver()]
    expect(gets.tell(client, 'hp:{n#0}:e:sBTC', first)).toBe(true)
    expect(gets.tell(client, '', second)).toBe(true)
    expect(written).toEqual([
      '*2\r\n$3\r\nget\r\n$15\r\nhp:{n#0}:e:sBTC\r\n',
      '*2\r\n$3\r\nget\r\n$0\r\n\r\n',
    ])
    const { command } = sent()
    const { resolve } = command // as who wraps it calls it
    resolve(Buffer.from('value'))
    command.reject(new Error('closed'))
    resolve(null)
    sent().command.resolve(null)
    expect(first.told).toEqual([Buffer.from('value')])
    expect(second.told).toEqual([null])
  })

  test('tells what went wrong as our error', () => {
    const { client, sent } = clientOf(Redis)
    const [refused, unsent] = [receiver(), receiver()]
    const gets = patient()
    gets.tell(client, 'key', refused)
    sent().command.reject(Object.assign(new Error('WRONGTYPE'), { name: 'ReplyError' }))
    expect(refused.told).toMatchObject([{ code: 'L2_ERROR' }])
    ;(client as { status: string }).status = 'reconnecting'
    expect(gets.tell(client, 'key', unsent)).toBe(true)
    expect(unsent.told).toMatchObject([{ code: 'L2_UNAVAILABLE' }])
  })

  test('tells what a socket throws, once, and keeps no deadline of it', async () => {
    vi.useFakeTimers()
    const { client } = clientOf(Redis)
    const { stream } = client as unknown as { readonly stream: { write(): void } }
    stream.write = () => {
      throw new Error('write after end')
    }
    const thrown = receiver()
    const silences = vi.fn()
    const gets = new Gets(new Deadlines(100, silences, 0))
    expect(gets.tell(client, 'key', thrown)).toBe(true)
    expect(thrown.told).toMatchObject([{ code: 'L2_UNAVAILABLE', cause: { message: 'write after end' } }])
    await vi.advanceTimersByTimeAsync(200)
    expect(thrown.told).toHaveLength(1)
    expect(silences).not.toHaveBeenCalled()
  })

  test('ends with the deadline, and what comes later is dropped', async () => {
    vi.useFakeTimers()
    const { client, sent } = clientOf(Redis)
    const late = receiver()
    new Gets(new Deadlines(100, none, 10_000)).tell(client, 'key', late)
    await vi.advanceTimersByTimeAsync(99)
    expect(late.told).toEqual([])
    await vi.advanceTimersByTimeAsync(10)
    sent().command.resolve(null)
    expect(late.told).toMatchObject([{ code: 'L2_TIMEOUT' }])
  })

  test.each([
    ['a key that is not all ASCII', {}, 'sü'],
    ['a lone surrogate', {}, 's\ud800'],
    ['a client that keeps stacks', { showFriendlyErrorStack: true }, 'key'],
  ])('is left to the usual way for %s', (_why, options, key) => {
    const { client, written } = clientOf(Redis, options)
    expect(patient().tell(client, key, receiver())).toBe(false)
    expect(written).toEqual([])
  })

  test('is left to the usual way while someone looks into the commands of the client', () => {
    const { client, written } = clientOf(Redis)
    const gets = patient()
    const { sendCommand } = client
    expect(gets.tell(client, 'a', receiver())).toBe(true)
    client.sendCommand = (command) => sendCommand.call(client, command)
    expect(gets.tell(client, 'b', receiver())).toBe(false)
    client.sendCommand = sendCommand
    const start = channel('tracing:ioredis:command:start')
    start.subscribe(none)
    expect(gets.tell(client, 'c', receiver())).toBe(false)
    start.unsubscribe(none)
    expect(gets.tell(client, 'd', receiver())).toBe(true)
    expect(written).toHaveLength(2)
  })
})

test('a client of another make is left to the usual way', () => {
  const client = { status: 'ready', options: {}, sendCommand: none, getBuffer: async () => null }
  expect(patient().tell(client as unknown as RedisClient, 'key', receiver())).toBe(false)
})

test('a getBuffer that looks for more than a command needs does no harm', async () => {
  const rejections: unknown[] = []
  const note = (reason: unknown): void => void rejections.push(reason)
  process.on('unhandledRejection', note)
  const { client } = clientOf(Redis5)
  client.getBuffer = async function (this: { readonly metrics: { readonly reads: number } }) {
    return this.metrics.reads as never
  } as never
  expect(patient().tell(client, 'key', receiver())).toBe(false)
  await new Promise((resolve) => setTimeout(resolve, 10))
  process.off('unhandledRejection', note)
  expect(rejections).toEqual([])
})
