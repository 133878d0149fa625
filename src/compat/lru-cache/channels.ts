/** The diagnostics channels of lru-cache: whoever subscribed to them hears this cache too. */
import { channel, type TracingChannel, tracingChannel } from 'node:diagnostics_channel'

export const metrics = channel('lru-cache:metrics')

/** Node 20 has no `hasSubscribers` on tracing channels before 20.13; then nobody is told. */
export const tracing = tracingChannel('lru-cache') as TracingChannel & { readonly hasSubscribers?: boolean }
