import { Redis as Redis5 } from 'ioredis'
import { Redis as Redis6 } from 'ioredis6'
import { describe, expect, test } from 'vitest'
import { encodeName } from '../../../src/l2/names.js'
import { mget, type RedisClient } from '../../../src/l2/redis-client.js'

interface Sent {
  readonly name: string
  readonly args: readonly (string | Buffer)[]
  readonly resolve: (values: readonly (Buffer | null)[]) => void
  readonly promise: Promise<unknown>
  readonly errorStack?: unknown
  toWritable(socket: unknown): string | Buffer
}

/** A client that is never connected: what it would send is kept. */
function clientOf(
  Redis: typeof Redis5,
  options: object = {},
): { readonly client: RedisClient; readonly sent: Sent[] } {
  const client = new Redis({ lazyConnect: true, ...options }) as unknown as RedisClient
  const sent: Sent[] = []
  client.sendCommand = (command) => {
    sent.push(command as Sent)
    return (command as Sent).promise
  }
  return { client, sent }
}

/** A command in RESP, made in the obvious way. */
function resp(...words: (string | Buffer)[]): string {
  const parts = words.map((word) => {
    const bytes = Buffer.from(word as string)
    return `$${bytes.length}\r\n${bytes.toString('latin1')}\r\n`
  })
  return `*${words.length}\r\n${parts.join('')}`
}

describe.each([
  ['ioredis 5', Redis5],
  ['ioredis 6', Redis6 as unknown as typeof Redis5],
])('MGET by %s', (_, Redis) => {
  test('of ASCII keys is a command that was given them, and not flattened', async () => {
    const { client, sent } = clientOf(Redis)
    const keys = ['hp:{n#0}:e:sBTC', 'hp:{n#0}:e:n60', '']
    const values = mget(client, keys)
    const [command] = sent as [Sent]
    expect(command.args).toBe(keys)
    expect(command.toWritable(undefined)).toBe(resp('mget', ...keys))
    command.resolve([Buffer.from('value'), null, null])
    expect(await values).toEqual([Buffer.from('value'), null, null])
  })

  test.each([true, false])('says where it was asked when showFriendlyErrorStack is %s', (wanted) => {
    const { client, sent } = clientOf(Redis, { showFriendlyErrorStack: wanted })
    void mget(client, ['a'])
    expect((sent[0] as Sent).errorStack instanceof Error).toBe(wanted)
  })

  test.each([
    ['other letters', ['hp:{n#0}:e:süß', 'hp:{n#0}:e:s鍵']],
    ['lone surrogates', ['hp:{n#0}:e:s\ud800', 'hp:{n#0}:e:sBTC']],
  ])('of keys with %s counts bytes', (_, keys) => {
    const { client, sent } = clientOf(Redis)
    void mget(client, keys)
    const wire = Buffer.from((sent[0] as Sent).toWritable(undefined) as string)
    expect(wire.toString('latin1')).toBe(resp('mget', ...keys.map((key) => encodeName(key))))
  })
})

test('MGET by a client that wraps another is asked of it, and what was tried before harms nobody', async () => {
  const wrapped = {
    mgetBuffer: async (keys?: readonly string[]) => {
      if (keys === undefined) throw new Error('wrong number of arguments')
      return keys.map(() => null)
    },
  }
  expect(await mget(wrapped as unknown as RedisClient, ['a', 'b'])).toEqual([null, null])
})

test('MGET by a client of another make is asked of the client', async () => {
  const asked: unknown[] = []
  class Other {
    readonly #answer = [null]
    mgetBuffer(keys: unknown): Promise<unknown> {
      const answer = Promise.resolve(this.#answer)
      asked.push(keys)
      return answer
    }
  }
  const client = new Other() as unknown as RedisClient
  expect(await mget(client, ['a'])).toEqual([null])
  expect(await mget(client, ['b'])).toEqual([null])
  expect(asked).toEqual([['a'], ['b']])
})

test('a client that has no MGET is told so', () => {
  expect(() => mget({} as RedisClient, ['a'])).toThrow(/mgetBuffer is not a function/)
})
