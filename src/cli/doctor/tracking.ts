/** Whether the server can tell a connection which keys change: what `bus: 'tracking'` needs. */
import type { Node } from '../connection.js'
import { type Finding, ok } from './finding.js'

export interface TrackingFacts {
  /** What the server said against it. */
  readonly refused: string | undefined
}

/** Turns it on for the prefix and off again, on the connection that asks. */
export async function trackingFacts(node: Node, keyPrefix: string): Promise<TrackingFacts> {
  try {
    const id = Number(await node.ask('client', 'id'))
    await node.ask('client', 'tracking', 'on', 'redirect', id, 'bcast', 'prefix', keyPrefix)
    await node.ask('client', 'tracking', 'off')
    return { refused: undefined }
  } catch (error) {
    return { refused: (error as Error).message }
  }
}

/** @param bus of the configuration */
export function judgeTracking({ refused }: TrackingFacts, bus: string | false | undefined): Finding {
  if (refused === undefined) return ok('TRACKING', "CLIENT TRACKING works: bus: 'tracking' may be used")
  return {
    code: 'TRACKING',
    level: bus === 'tracking' ? 'error' : 'note',
    found: `CLIENT TRACKING does not work: ${refused}`,
    why: "bus: 'tracking' would have no link; bus: 'stream', the default, does not need it",
    remedy:
      "bus: 'stream', or ACL SETUSER <user> +client|id +client|tracking +subscribe &__redis__:invalidate",
  }
}
