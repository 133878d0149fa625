/**
 * Bad luck from a seed: links that are cut, refused, half open or stranded, and a server that freezes. Commands are always slower than the
 * bus, now more and now less, so that news overtakes answers.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { RedisServer, TcpProxy } from '../../support/redis.js'
import type { Span } from './history.js'
import { pick, randomFrom } from './history-schedule.js'

export interface Links {
  readonly data: TcpProxy
  readonly bus: TcpProxy
}

const KINDS = ['cut', 'refuse', 'pause', 'strand'] as const
const SLOW_MS = 20
const WHICH = ['data', 'bus', 'both'] as const
/** After which a link that was healed is up for certain, unless the machine is overloaded. */
const RECOVERY_MS = 800

/** Goes on for a time, then heals everything. When each process's bus may not have heard, by process. */
export async function trouble(
  server: RedisServer,
  all: readonly Links[],
  seed: number,
  forMs: number,
  now: () => number,
): Promise<readonly (readonly Span[])[]> {
  const deaf: Span[][] = all.map(() => [])
  const end = now() + forMs
  const links = all.map(async (own, process) => {
    const random = randomFrom(seed * 1009 + process)
    for (;;) {
      own.data.delay(random() * SLOW_MS)
      await delay(300 + random() * 3000)
      if (now() >= end) return own.data.resume()
      const which = pick(WHICH, random)
      const from = now()
      const kind = pick(KINDS, random)
      const hit = which === 'both' ? [own.data, own.bus] : [own[which]]
      for (const proxy of hit) proxy[kind]()
      await delay(100 + random() * 1400)
      for (const proxy of hit) proxy.resume()
      if (which !== 'data') deaf[process]?.push({ from, to: now() + RECOVERY_MS })
    }
  })
  const freezing = (async () => {
    const random = randomFrom(seed * 2003)
    for (;;) {
      await delay(4000 + random() * 4000)
      if (now() >= end) return
      const from = now()
      server.freeze()
      await delay(100 + random() * 600)
      server.thaw()
      for (const spans of deaf) spans.push({ from, to: now() + RECOVERY_MS })
    }
  })()
  await Promise.all([...links, freezing])
  return deaf.map(merged)
}

/** Spans that do not overlap. */
function merged(spans: readonly Span[]): Span[] {
  const out: Span[] = []
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    const last = out.at(-1)
    if (last !== undefined && span.from <= last.to)
      out[out.length - 1] = { from: last.from, to: Math.max(last.to, span.to) }
    else out.push(span)
  }
  return out
}
