/** What takes asking many times: round trips, and the server's clock against ours. */

import { ServerClock, timeReplyMs } from '../../coherence/server-clock.js'
import { isNoScript } from '../../l2/failure.js'
import { TIME } from '../../l2/scripts.js'
import type { Node } from '../connection.js'
import { durationText } from '../terminal.js'
import { type Finding, ok } from './finding.js'

export interface RoundTrips {
  readonly samples: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface Measures {
  readonly ping: RoundTrips
  /** Undefined when scripts are refused. */
  readonly script: RoundTrips | undefined
  /** Undefined when TIME is refused. */
  readonly clock: ClockFacts | undefined
}

export interface ClockFacts {
  /** The server's clock minus ours. */
  readonly skewMs: number
  readonly uncertaintyMs: number
}

const SAMPLES = 200
/** A slow line is known after fewer. */
const LONGEST_MS = 4000
const CLOCK_SAMPLES = 15
/** Of Date.now(), which knows no fractions. */
const LOCAL_RESOLUTION_MS = 1

export async function measure(node: Node, scriptKey: string): Promise<Measures> {
  const ping = await roundTrips(() => node.ask('ping'))
  const script = await roundTrips(() => runScript(node, scriptKey)).catch(() => undefined)
  const clock = await clockFacts(node).catch(() => undefined)
  return { ping, script, clock }
}

async function roundTrips(ask: () => Promise<unknown>): Promise<RoundTrips> {
  await ask() // the first pays for what is cold
  const begun = performance.now()
  const times: number[] = []
  for (let i = 0; i < SAMPLES && performance.now() - begun < LONGEST_MS; i++) {
    const sent = performance.now()
    await ask()
    times.push(performance.now() - sent)
  }
  times.sort((a, b) => a - b)
  const at = (share: number): number =>
    times[Math.min(times.length - 1, Math.floor(share * times.length))] as number
  return { samples: times.length, p50Ms: at(0.5), p99Ms: at(0.99) }
}

/** As the store does: by its digest, and whole when the server does not know it. */
async function runScript(node: Node, key: string): Promise<void> {
  try {
    await node.ask('evalsha', TIME.sha, 1, key)
  } catch (error) {
    if (!isNoScript((error as Error).cause)) throw error
    await node.ask('eval', TIME.lua, 1, key)
  }
}

async function clockFacts(node: Node): Promise<ClockFacts> {
  const clock = new ServerClock()
  for (let i = 0; i < CLOCK_SAMPLES; i++) {
    const sent = performance.now()
    const reply = await node.ask('time')
    clock.sample(sent, performance.now(), timeReplyMs(reply))
  }
  return { skewMs: clock.now() - Date.now(), uncertaintyMs: clock.uncertainty + LOCAL_RESOLUTION_MS }
}

/** @param deadlineMs of the store's calls */
export function judgeLatency({ ping, script }: Measures, deadlineMs: number): Finding {
  const said = (name: string, { p50Ms, p99Ms, samples }: RoundTrips): string =>
    `${name} p50 ${durationText(p50Ms)}, p99 ${durationText(p99Ms)} (${samples} times)`
  const scriptText = script === undefined ? '' : `; ${said('a script', script)}`
  const found = `${said('PING', ping)}${scriptText}; calls have ${durationText(deadlineMs)}`
  const slowest = Math.max(ping.p99Ms, script?.p99Ms ?? 0)
  if (slowest < deadlineMs / 10) return ok('LATENCY', found)
  const isLate = slowest >= deadlineMs
  const wantedMs = Math.ceil(slowest * 4)
  const longer = wantedMs > deadlineMs ? `, or commandTimeout: ${wantedMs} and an l2Timeout above that` : ''
  return {
    code: 'LATENCY',
    level: isLate ? 'error' : slowest >= deadlineMs / 2 ? 'warning' : 'note',
    found,
    why: isLate
      ? 'calls are given up before the server answers: they count as failures, and open the circuit'
      : 'a burst or a snapshot of the server will take calls over their deadline',
    remedy: `a server nearer by (same zone), redis-cli --intrinsic-latency 10 on it, SLOWLOG GET${longer}`,
  }
}

const SMALL_SKEW_MS = 50
const LARGE_SKEW_MS = 1000

export function judgeClock({ clock }: Measures): Finding {
  if (clock === undefined) {
    const why = 'deadlines and versions are reckoned by the clock of the server'
    return {
      code: 'CLOCK',
      level: 'note',
      found: 'TIME is not permitted',
      why,
      remedy: 'ACL SETUSER <user> +time',
    }
  }
  const { skewMs, uncertaintyMs } = clock
  const found = `the server's clock is ${durationText(Math.abs(skewMs))} ${skewMs < 0 ? 'behind' : 'ahead of'} ours, ± ${durationText(uncertaintyMs)}`
  if (Math.abs(skewMs) <= SMALL_SKEW_MS + uncertaintyMs) return ok('CLOCK', found)
  return {
    code: 'CLOCK',
    level: Math.abs(skewMs) > LARGE_SKEW_MS ? 'warning' : 'note',
    found,
    why:
      "caches are not harmed: they reckon by the server's clock. Writers in other languages that use their own make entries that " +
      'expire too early or too late, and times in logs do not fit together',
    remedy: 'chronyc tracking (or timedatectl timesync-status) on both machines',
  }
}

/** Of the masters of a Cluster against one another. */
export function judgeClocks(measures: readonly Measures[]): Finding[] {
  const clocks = measures.flatMap(({ clock }) => clock ?? [])
  const skews = clocks.map(({ skewMs }) => skewMs)
  const spread = Math.max(...skews) - Math.min(...skews)
  const uncertainty = 2 * Math.max(...clocks.map(({ uncertaintyMs }) => uncertaintyMs))
  if (clocks.length < 2 || spread <= SMALL_SKEW_MS + uncertainty) return []
  return [
    {
      code: 'CLOCKS',
      level: spread > LARGE_SKEW_MS ? 'error' : 'warning',
      found: `the clocks of the masters lie ${durationText(spread)} apart, ± ${durationText(uncertainty)}`,
      why: 'deadlines of a namespace are reckoned by the clock of one master and kept by all: entries end too early or too late by that much',
      remedy: 'chronyc tracking on each node',
    },
  ]
}
