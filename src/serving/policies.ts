/** How the types of data of a trading service live: a table to start from, as it is or changed. */
import type { TypeOptions } from './type-options.js'

/**
 * Features of the market and of a CNN+LSTM for a minute, predictions for half of one, models for an hour and in this process alone.
 *
 * ```ts
 * new TypedCaches({ types: { ...TRADING_TYPES, predictions: { ttl: '10s', share: 4 } } })
 * ```
 */
export const TRADING_TYPES = {
  marketFeatures: { ttl: '60s' },
  cnnLstmFeatures: { ttl: '60s' },
  predictions: { ttl: '30s' },
  models: { ttl: '3600s', tier: 'l1' },
} as const satisfies Readonly<Record<string, TypeOptions>>
