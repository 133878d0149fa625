/** One master, one replica and three sentinels that notice a dead master within a second. */
import { freePort } from './ports.js'
import { RedisServer } from './redis-server.js'
import { waitFor } from './wait.js'

const NAME = 'hitpath'
/** Sentinels that were not scheduled for two seconds do nothing for thirty more. */
const PATIENCE = { timeoutMs: 100_000 }

export class Sentinel {
  /** Name of the master, as the sentinels know it. */
  readonly name = NAME
  readonly servers: readonly RedisServer[]
  readonly sentinels: readonly RedisServer[]

  private constructor(servers: readonly RedisServer[], sentinels: readonly RedisServer[]) {
    this.servers = servers
    this.sentinels = sentinels
  }

  static async start(): Promise<Sentinel> {
    const master = await RedisServer.start({ args: ['--repl-diskless-sync-delay', '0'] })
    const replica = await RedisServer.start({
      args: ['--replicaof', '127.0.0.1', String(master.port), '--repl-diskless-sync-delay', '0'],
    })
    await waitFor('the replica to be in step', async () =>
      String(await replica.command('info', 'replication')).includes('master_link_status:up'),
    )
    const sentinels: RedisServer[] = []
    for (let i = 0; i < 3; i++) {
      const config = [
        `sentinel monitor ${NAME} 127.0.0.1 ${master.port} 2`,
        `sentinel down-after-milliseconds ${NAME} 500`,
        `sentinel failover-timeout ${NAME} 2000`,
        '',
      ].join('\n')
      sentinels.push(await RedisServer.start({ port: await freePort(), config, args: ['--sentinel'] }))
    }
    for (const sentinel of sentinels) {
      const knowsAll = async () => {
        const state = fields(await sentinel.command('sentinel', 'master', NAME))
        return state.get('num-slaves') === '1' && state.get('num-other-sentinels') === '2'
      }
      await waitFor('the sentinels to know all', knowsAll, PATIENCE)
    }
    return new Sentinel([master, replica], sentinels)
  }

  /** For ioredis: `{ sentinels, name }`. */
  get addresses(): { host: string; port: number }[] {
    return this.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }))
  }

  /** The port of the present master. */
  async masterPort(): Promise<number> {
    const reply = await this.sentinels[0]?.command('sentinel', 'get-master-addr-by-name', NAME)
    return Number((reply as string[] | undefined)?.[1])
  }

  /** Kills the master and waits until the sentinels have promoted the other server, whose port it returns. */
  async failover(): Promise<number> {
    const before = await this.masterPort()
    this.servers.find((server) => server.port === before)?.kill()
    const promoted = async () => {
      const port = await this.masterPort()
      const server = this.servers.find((one) => one.port === port)
      return port !== before && String(await server?.command('role')).startsWith('master') ? port : undefined
    }
    return waitFor('a new master', promoted, PATIENCE)
  }

  async stop(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map((server) => server.stop()))
  }
}

function fields(reply: unknown): Map<string, string> {
  const words = (reply as unknown[]).map(String)
  return new Map(
    Array.from({ length: words.length >> 1 }, (_, i) => [words[2 * i] ?? '', words[2 * i + 1] ?? '']),
  )
}
