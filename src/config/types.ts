/** What a configuration file says, once read: the options of the caches under their own names, all times in milliseconds. */

/** Options of `LocalCache`. */
export interface LocalTierConfig {
  readonly type: 'local'
  readonly maxEntries?: number
  readonly policy?: 'xg' | 'lru'
  readonly engine?: 'native' | 'portable' | 'auto'
}

/** Options of `SharedCache.create`. */
export interface SharedTierConfig {
  readonly type: 'shared'
  readonly maxBytes?: number
  readonly maxEntries?: number
  readonly shards?: number
  readonly maxPinned?: number
}

export interface ServerAddress {
  readonly host: string
  readonly port: number
}

/** Options of `RedisStore`. One of: `url`; `host` and `port`; `path`; `sentinels` and `name`; `cluster`; or none: localhost. */
export interface RedisTierConfig {
  readonly url?: string
  readonly host?: string
  readonly port?: number
  /** Of a Unix socket. */
  readonly path?: string
  readonly db?: number
  readonly username?: string
  readonly password?: string
  /** Options of `tls.connect`: `{}` where the file says `tls: true`. */
  readonly tls?: object
  readonly sentinels?: readonly ServerAddress[]
  /** Name of the master, for Sentinel. */
  readonly name?: string
  readonly sentinelUsername?: string
  readonly sentinelPassword?: string
  readonly cluster?: { readonly nodes: readonly ServerAddress[]; readonly options?: object }
  readonly namespace?: string
  readonly prefix?: string
  readonly buckets?: number
  readonly busLength?: number
  readonly commandTimeout?: number
}

/** Options of a policy of `TieredCache`. */
export interface PolicyConfig {
  readonly ttl?: number
  readonly l1Ttl?: number
  readonly l2Ttl?: number
  readonly jitter?: number
  readonly grace?: number | false
  readonly graceRetry?: number
  readonly softTimeout?: number
  readonly hardTimeout?: number
  readonly earlyRefresh?: number | boolean
  readonly negativeTtl?: number | false
  readonly staleWhileRevalidate?: number | boolean
  readonly tier?: 'both' | 'l1' | 'l2'
}

/** Options of `TieredCache` but for its tiers. */
export interface TieredConfig extends PolicyConfig {
  readonly namespace?: string
  readonly policies?: Readonly<Record<string, PolicyConfig>>
  readonly bus?: 'stream' | 'tracking' | false
  readonly whenUnlinked?: number | 'serve' | 'bypass'
  readonly lease?: number | false
  readonly l2Timeout?: number
  readonly replay?: { readonly maxEntries?: number; readonly maxBytes?: number }
  readonly breaker?: { readonly failures?: number; readonly resetAfter?: number }
  readonly compressAbove?: number
  readonly foreign?: 'miss' | 'msgpack'
}

/** A type of `TypedCaches`. */
export interface TypeConfig extends PolicyConfig {
  readonly share?: number
  readonly shared?: Omit<SharedTierConfig, 'type'>
}

/** `l1` and `l2` say what to make; the rest are options of `TieredCache` as they are. Without `l2` it is the first tier alone. */
export interface HitpathConfig extends TieredConfig {
  readonly l1: LocalTierConfig | SharedTierConfig
  readonly l2?: RedisTierConfig
  /** Of `TypedCaches`. */
  readonly types?: Readonly<Record<string, TypeConfig>>
}
