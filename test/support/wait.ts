/** Waiting in tests for what another process or a server does: a condition is asked again until it holds, never slept for. */
import { setTimeout as delay } from 'node:timers/promises'

export interface WaitOptions {
  /** Milliseconds until it fails. Default 45,000: a loaded machine is slow. */
  readonly timeoutMs?: number
  /** Milliseconds between two looks. Default 20. */
  readonly everyMs?: number
}

/** Resolves with the first truthy answer; a throw counts as "not yet". Rejects, naming `what`, when the time is up. */
export async function waitFor<T>(
  what: string,
  look: () => T | Promise<T>,
  { timeoutMs = 45_000, everyMs = 20 }: WaitOptions = {},
): Promise<NonNullable<T>> {
  const end = Date.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      const answer = await look()
      if (answer) return answer
      last = answer
    } catch (error) {
      last = error
    }
    if (Date.now() > end) throw new Error(`gave up waiting for ${what}; last: ${String(last)}`)
    await delay(everyMs)
  }
}
