/** The time as the ticker writes it, for whoever checks deadlines on a hit and can bear that it is behind. */
import { doubles } from '../native/binding.js'
import { STAGING_TICK } from '../native/layout.js'

export { TICK_SLACK_MS } from './front.js'

const TICK = STAGING_TICK / 8

/**
 * Milliseconds of the monotonic clock (that of `process.hrtime`), up to TICK_SLACK_MS behind; Infinity while the ticker rests, 0 before
 * it began.
 */
export function tick(): number {
  return doubles[TICK] as number
}
