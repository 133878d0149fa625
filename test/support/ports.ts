/** Free ports on the loopback address, below the range that outgoing connections use, so that a server may come back to its own. */
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

const FIRST = 11_000
const LAST = 21_000
/** A Cluster node's bus listens this far above its port. */
const BUS_OFFSET = 10_000

/** A port that nothing listens on; nor, with `bus`, on the port of its Cluster bus. */
export async function freePort({ bus = false } = {}): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, LAST)
    if ((await isFree(port)) && (!bus || (await isFree(port + BUS_OFFSET)))) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}
