import { expect, it } from 'vitest'
import { Child } from '../../support/processes.js'
import { RedisServer, waitFor } from '../../support/redis.js'
import type { EventsProcess } from './events-process.js'
import { client } from './events-world.js'

const SYMBOLS = Array.from({ length: 20 }, (_, i) => `S${i}`)
const SCRIPT = new URL('./events-process.ts', import.meta.url)

it('two consumers of a group keep the caches of both processes right, though one is killed amid its events', async () => {
  const server = await RedisServer.start()
  const redis = client(server.port)
  const start = async (consumer: string): Promise<Child<EventsProcess>> => {
    const child = await Child.start<EventsProcess>(SCRIPT, [String(server.port), consumer])
    await child.call('follow')
    return child
  }
  const versions = new Map<string, number>()
  const change = async (symbol: string): Promise<void> => {
    const version = (versions.get(symbol) ?? 0) + 1
    versions.set(symbol, version)
    await redis.set(`data:${symbol}`, version)
    await redis.xadd('md', '*', 'symbol', symbol)
  }
  const settled = (): Promise<unknown> =>
    waitFor('every event to be handled', async () => {
      const [group] = (await redis.xinfo('GROUPS', 'md')) as unknown[][]
      const fields = new Map(
        Array.from({ length: group!.length / 2 }, (_, i) => [group![2 * i], group![2 * i + 1]]),
      )
      return fields.get('pending') === 0 && fields.get('lag') === 0
    })
  const current = (): number[] => SYMBOLS.map((symbol) => versions.get(symbol) as number)
  // The bus tells the other process a moment after the event is acknowledged.
  const areCurrent = async (...children: Child<EventsProcess>[]): Promise<void> => {
    let read: unknown
    const look = async (): Promise<boolean> => {
      read = await Promise.all(children.map((child) => child.call('read', SYMBOLS)))
      return JSON.stringify(read) === JSON.stringify(children.map(current))
    }
    await waitFor('every process to serve what is current', look).catch(() => {
      expect(read).toEqual(children.map(current))
    })
  }
  for (const symbol of SYMBOLS) await change(symbol)
  const [one, two] = [await start('one'), await start('two')]

  for (let round = 0; round < 30; round++) {
    for (const symbol of SYMBOLS) if ((round + symbol.length) % 2 === 0) await change(symbol)
    void one.call('read', SYMBOLS)
    void two.call('read', SYMBOLS)
  }
  await settled()
  await areCurrent(one, two)

  // Stopped with events in hand, then killed: the other takes them over, and it takes them up itself when it is back.
  two.signal('SIGSTOP')
  for (let round = 0; round < 10; round++) for (const symbol of SYMBOLS) await change(symbol)
  await two.stop()
  await settled()
  await areCurrent(one)
  const again = await start('two')
  for (const symbol of SYMBOLS) await change(symbol)
  await settled()
  await areCurrent(one, again)
  expect((await one.call('stats')).failed).toBe(0)

  await Promise.all([one.stop(), again.stop()])
  redis.disconnect()
  await server.stop()
})
