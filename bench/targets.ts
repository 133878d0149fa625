/**
 * What hitpath must reach, in one table. `npm run bench` prints each target beside its result; `npm run bench:ci`
 * fails when a gate is missed.
 *
 * A target names a figure of a suite, whose rounds it judges, and what of them: the `ratio` of two contenders (the
 * median of round by round ratios), the `difference` of their medians, or the `value` of one. `limit` is
 * what the design asks for. `gate` is where the CI form fails: what is reached today, wider by what a small size and a noisy
 * machine move; a ratio or a count, never a time, which is the machine's. It keeps what was won; the target says what is still owed.
 * One without a gate is judged in the full form.
 */
export type Statistic = 'ratio' | 'difference' | 'value'

export interface Limit {
  readonly max?: number
  readonly min?: number
}

export interface Target {
  readonly id: string
  readonly figure: string
  readonly statistic: Statistic
  readonly of: string
  readonly peer?: string
  readonly limit: Limit
  readonly gate?: Limit
  readonly why: string
}

const XXHASH_LRU = 'xxhash-wasm + lru-cache'

export const targets: readonly Target[] = [
  // A hit by a string key.
  {
    id: 'get-built-1k',
    ...ratio('get-built-1k', 'lru-cache', { max: 0.55 }, { max: 0.7 }),
    why: 'Services build their keys per request: this is the hit that a user pays for.',
  },
  {
    id: 'get-built-1m',
    ...ratio('get-built-1m', 'lru-cache', { max: 0.55 }, { max: 0.55 }),
    why: 'At a million entries a hit is cache misses: one or two lines a hit is the design.',
  },
  {
    id: 'get-interned-1k',
    ...ratio('get-interned-1k', 'lru-cache', { max: 1.3 }, { max: 1.3 }),
    why: 'Old strings in a tiny cache are the ground of JavaScript caches; crossing must stay affordable.',
  },
  {
    id: 'get-interned-10k',
    ...ratio('get-interned-10k', 'lru-cache', { max: 1.5 }, { max: 1.9 }),
    why: 'As many entries as a cache holds by default: too many for a few places, too few to hide a crossing.',
  },
  {
    id: 'get-interned-100k',
    ...ratio('get-interned-100k', 'lru-cache', { max: 1.3 }),
    why: 'Between the processor’s caches and memory neither side has an advantage.',
  },
  {
    id: 'get-interned-1m',
    ...ratio('get-interned-1m', 'lru-cache', { max: 0.7 }, { max: 1.1 }),
    why: 'In a large cache the crossing is hidden by the misses that it saves.',
  },
  {
    id: 'get-prepared-1k',
    ...ratio('get-prepared-1k', 'lru-cache', { max: 0.35 }, { max: 0.45 }),
    why: 'A handle made once answers without crossing: the fastest hit of all.',
  },

  // The face of lru-cache.
  {
    id: 'lru-face-built-1k',
    ...ratio('lru-face-built-1k', 'lru-cache', { max: 0.7 }, { max: 0.85 }),
    why: 'One import line changed must pay where services build their keys.',
  },
  {
    id: 'lru-face-interned-1m',
    ...ratio('lru-face-interned-1m', 'lru-cache', { max: 0.8 }, { max: 1.3 }),
    why: 'And it must pay in a large cache.',
  },

  // A write by a string key.
  {
    id: 'set-evict',
    ...ratio('set-evict', 'lru-cache', { max: 0.8 }, { max: 1.15 }),
    why: 'A full cache evicts on each write; choosing a better victim must not cost more.',
  },

  // A cache that is too small for what is asked of it.
  {
    id: 'pattern-zipf',
    ...ratio('pattern-zipf', 'lru-cache', { max: 0.8 }),
    why: 'Reads, evictions and misses together, as a service has them: what the parts won must be there in the whole.',
  },

  // A hit by an ndarray.
  {
    id: 'array-60x5-md5',
    ...ratio('array-60x5', 'md5 + Map', { max: 0.05 }, { max: 0.08 }),
    why: 'The original design hashes the window with md5.',
  },
  {
    id: 'array-60x5-xxhash',
    ...ratio('array-60x5', XXHASH_LRU, { max: 0.4 }, { max: 0.75 }),
    why: 'The best that a user can assemble today for arrays as keys.',
  },
  {
    id: 'array-60x10-md5',
    ...ratio('array-60x10', 'md5 + Map', { max: 0.05 }, { max: 0.05 }),
    why: 'The same for ten features.',
  },
  {
    id: 'array-60x10-xxhash',
    ...ratio('array-60x10', XXHASH_LRU, { max: 0.4 }, { max: 0.6 }),
    why: 'The same for ten features.',
  },

  // Rows of a matrix as keys.
  {
    id: 'rows-2k',
    ...ratio('rows-2k', XXHASH_LRU, { max: 0.15 }, { max: 0.34 }),
    why: 'One crossing for a batch: hash all, prefetch, probe, gather.',
  },
  {
    id: 'rows-1m',
    ...ratio('rows-1m', XXHASH_LRU, { max: 0.04 }, { max: 0.15 }),
    why: 'Prefetching hides the misses that a loop in JavaScript takes one by one. The CI form has 200,000 rows.',
  },
  {
    id: 'rows-5kb',
    ...ratio('rows-5kb', XXHASH_LRU, { max: 0.15 }, { max: 0.25 }),
    why: 'Large rows are hashed at the speed of memory.',
  },

  // Batches of predictions.
  {
    id: 'predict-known',
    ...ratio('predict-known', XXHASH_LRU, { max: 0.1 }, { max: 0.4 }),
    why: 'A batch whose rows are all known: one crossing, hash, probe, gather, and the promise of the answer.',
  },
  {
    id: 'predict-half',
    ...ratio('predict-half', 'the whole batch on the model', { max: 0.6 }, { max: 0.75 }),
    why: 'Half of the rows are new: the model is asked for the other half only.',
  },

  // Arrays in a store for all threads.
  {
    id: 'shared-get',
    ...ratio('shared-get', 'lmdb', { max: 0.2 }, { max: 0.2 }),
    why: 'A view of the region instead of a copy out of a memory map.',
  },
  {
    id: 'shared-set',
    ...ratio('shared-set', 'lmdb', { max: 0.5 }, { max: 0.5 }),
    why: 'A lock and a copy instead of a transaction on a tree of pages.',
  },
  {
    id: 'value-set-4k',
    ...ratio('value-set-4096', 'lmdb', { max: 0.5 }),
    why: 'A value that all threads see at once costs its copy, whatever its size.',
  },

  // A million small arrays.
  {
    id: 'bytes-1m',
    // The CI form has 200,000 entries: four pages of 2 MB, which the kernel gives or not, are 42 bytes of each.
    ...value('bytes-1m', 'hitpath', { max: 96 }, { max: 145 }),
    why: 'lru-cache takes about 500 bytes an entry; a slot, a block header and rounding are all that is needed.',
  },
  {
    id: 'fill-1m',
    ...ratio('fill-1m', 'lru-cache', { max: 0.25 }, { max: 0.85 }),
    why: 'Bytes outside the heap are not collected. Both sides are handed a fresh array for each entry.',
  },

  // A warm restart.
  {
    id: 'snapshot-restore',
    ...ratio('snapshot-restore', 'set', { max: 0.2 }, { max: 0.95 }),
    why: 'Blocks of records go in by one crossing each, in threads of the pool, where set crosses for every entry.',
  },
  {
    id: 'snapshot-restore-1m',
    ...value('snapshot-restore', 'hitpath', { max: 1000 }),
    why: 'A restart must not be felt: a million entries in a second.',
  },

  // A million entries expiring at once.
  {
    id: 'expiry-delay',
    figure: 'expiry-delay',
    statistic: 'difference',
    of: 'hitpath, expiring',
    peer: 'hitpath, idle',
    limit: { max: 2 },
    why: 'The wheel reclaims with a budget: a storm of expiries must not hold the event loop.',
  },
  {
    id: 'expiry-delay-peer',
    figure: 'expiry-delay',
    statistic: 'ratio',
    of: 'hitpath, expiring',
    peer: '@isaacs/ttlcache, expiring',
    limit: { max: 0.1 },
    gate: { max: 0.1 },
    why: 'A timer that takes all that is due in one turn is what the wheel is there to avoid.',
  },
  {
    id: 'expiry-delay-local',
    figure: 'expiry-delay',
    statistic: 'difference',
    of: 'hitpath LocalCache, expiring',
    peer: 'hitpath LocalCache, idle',
    limit: { max: 2 },
    why: 'The same with values on the heap, which the collector must then find dead.',
  },
  {
    id: 'expiry-free',
    ...value('expiry-free', 'hitpath', { max: 5_000 }),
    why: 'The budget must still be large enough to give the memory back soon.',
  },
  {
    id: 'expiry-free-peer',
    ...ratio('expiry-free', '@isaacs/ttlcache', { max: 1 }, { max: 2 }),
    why: 'Piece by piece it must not take longer than all at once.',
  },

  // Two threads reading at once.
  {
    id: 'threads-number',
    figure: 'threads-number',
    statistic: 'ratio',
    of: 'two threads',
    peer: 'one thread',
    limit: { min: 1.8 },
    gate: { min: 1.5 },
    why: 'Readers do not write to shared lines, so they do not wait for one another.',
  },
  {
    id: 'threads-array',
    figure: 'threads-array',
    statistic: 'ratio',
    of: 'two threads',
    peer: 'one thread',
    limit: { min: 1.8 },
    gate: { min: 1.5 },
    why: 'The same when the value is a pinned view.',
  },

  // After 100 capacities of churn.
  {
    id: 'churn-hit',
    ...ratio('churn-hit', 'hitpath, fresh', { max: 1.1 }, { max: 1.25 }),
    why: 'A cache churns for months: no tombstones may build up.',
  },
  {
    id: 'churn-probe',
    ...ratio('churn-probe', 'hitpath, fresh', { max: 1.1 }, { max: 1.1 }),
    why: 'The same as a count, which no noise moves.',
  },

  // Monitoring.
  {
    id: 'monitored-sync',
    ...monitored('monitored-sync'),
    why: 'What must be switched off to be fast is switched off when it is needed.',
  },
  {
    id: 'monitored-await',
    ...monitored('monitored-await'),
    why: 'The same for the call that most use.',
  },
  {
    id: 'monitored-local',
    ...monitored('monitored-local'),
    why: 'A cache alone is only asked for its counters.',
  },

  // Values to bytes and back.
  {
    id: 'codec-decode-array',
    ...ratio('codec-decode-array', 'msgpackr', { max: 0.5 }),
    why: 'An array comes back as a view of the bytes that arrived.',
  },

  // Two tiers.
  {
    id: 'tiered-sync',
    ...ratio('tiered-sync', 'LocalCache.get', { max: 1.25 }, { max: 1.4 }),
    why: 'The second tier must cost a hit of the first nothing but one comparison.',
  },
  {
    id: 'tiered-await-layered',
    ...ratio('tiered-await', 'layered-loader', { max: 0.9 }, { max: 1.05 }),
    why: 'layered-loader is the fastest of the tiered peers.',
  },
  {
    id: 'tiered-getorset-layered',
    figure: 'tiered-await',
    statistic: 'ratio',
    of: 'hitpath getOrSet',
    peer: 'layered-loader',
    limit: { max: 0.9 },
    gate: { max: 1.1 },
    why: 'Read-through is what most services call.',
  },
  {
    id: 'tiered-getorset-bento',
    figure: 'tiered-await',
    statistic: 'ratio',
    of: 'hitpath getOrSet',
    peer: 'bentocache getOrSet',
    limit: { max: 0.05 },
    gate: { max: 0.08 },
    why: 'The same call of the peer with the most features.',
  },
  {
    id: 'tiered-await-cacheable',
    ...ratio('tiered-await', 'cacheable', { max: 0.05 }, { max: 0.08 }),
    why: 'A hit of the first tier, awaited.',
  },
  {
    id: 'cache-manager-get',
    ...ratio('cache-manager-get', 'its own Map', { max: 0.8 }),
    why: 'A store in the place of a Keyv must be cheaper than the Keyv.',
  },
  {
    id: 'l2-many',
    ...ratio('l2-many', 'ioredis mget', { max: 1.3 }, { max: 2.1 }),
    why: 'Envelopes, decoding and promotion beside what the client itself takes for the same bytes.',
  },
  {
    id: 'l2-get',
    ...ratio('l2-get', 'ioredis getBuffer', { max: 1.15 }, { max: 1.4 }),
    why: 'A miss of the first tier is one round trip.',
  },
  {
    id: 'l2-get-tiered',
    ...ratio('l2-get-tiered', 'ioredis getBuffer', { max: 1.15 }, { max: 1.9 }),
    why: 'The same through the tiers: circuit, deadline, envelope, epoch and decoding.',
  },
  {
    id: 'stampede-lease',
    ...value('stampede-lease', 'hitpath', { max: 1 }, { max: 1 }),
    why: 'With a lease a cold key is computed once among all processes.',
  },
  {
    id: 'stampede',
    ...value('stampede', 'hitpath', { max: 4 }, { max: 4 }),
    why: 'Without one, once a process.',
  },
  {
    id: 'invalidation',
    ...ratio('invalidation', 'ioredis publish', { max: 4 }, { max: 5 }),
    why: 'Telling other processes what is gone must not take much more than telling them anything.',
  },
  {
    id: 'invalidation-p99',
    ...value('invalidation-p99', 'hitpath', { max: 5 }),
    why: 'How long another process may serve what is gone.',
  },
  {
    id: 'tag-block',
    figure: 'tag-block',
    statistic: 'difference',
    of: 'hitpath, invalidating',
    peer: 'hitpath, idle',
    limit: { max: 1 },
    why: 'Invalidating a tag is a number, whatever carries it.',
  },
  {
    id: 'tag-block-walk',
    figure: 'tag-block',
    statistic: 'ratio',
    of: 'hitpath, invalidating',
    peer: 'deleting one by one',
    limit: { max: 0.2 },
    gate: { max: 0.3 },
    why: 'And it must not hold the loop as long as a walk over them would.',
  },
  {
    id: 'frozen-p999',
    figure: 'frozen-p999',
    statistic: 'ratio',
    of: 'hitpath, frozen',
    peer: 'hitpath, before',
    limit: { max: 1.2 },
    gate: { max: 1.6 },
    why: 'What the first tier has, Redis has no part in.',
  },
  {
    id: 'outage-p99',
    ...value('outage-p99', 'hitpath', { max: 5 }),
    why: 'A server that answers no more must not be waited for, neither by hits nor by misses.',
  },

  // Invalidation by events.
  {
    id: 'event-invalidation',
    ...value('event-invalidation', 'TieredCache, 10000', { max: 20 }),
    why: 'A bar must not wait for what depends on it to be walked.',
  },
  {
    id: 'event-invalidation-size',
    figure: 'event-invalidation',
    statistic: 'ratio',
    of: 'TieredCache, 10000',
    peer: 'TieredCache, 10',
    limit: { max: 3 },
    gate: { max: 3 },
    why: 'Invalidating a tag is a number, whatever carries it.',
  },

  // Features from a cache.
  {
    id: 'extract-hit',
    ...ratio('extract-hit', 'the extraction', { max: 0.05 }, { max: 0.05 }),
    why: 'A cache of features must cost next to nothing beside them.',
  },

  // A ttl that is learned.
  {
    id: 'adaptive-ttl',
    ...ratio('adaptive-ttl', 'one fixed ttl', { max: 0.95 }, { max: 0.97 }),
    why: 'Fewer recomputations than the best single ttl at the same staleness, which is known in hindsight only.',
  },
  {
    id: 'adaptive-ttl-each',
    ...ratio('adaptive-ttl-each', 'a fixed ttl each', { max: 0.95 }, { max: 0.97 }),
    why: 'Even against the best ttl of each type: changes come in bursts, which no fixed ttl knows.',
  },
  {
    id: 'adaptive-ttl-worst',
    ...ratio('adaptive-ttl-worst', 'one fixed ttl', { max: 0.6 }, { max: 0.6 }),
    why: 'What a fixed ttl costs when no type may be staler: the type that changes most sets it for all.',
  },
  {
    id: 'adaptive-ttl-stale',
    ...value('adaptive-ttl-stale', 'hitpath', { max: 0.06 }, { max: 0.06 }),
    why: 'The declared staleness is what is measured.',
  },

  // Hit ratio over recorded traces.
  {
    id: 'hit-ratio-mean',
    ...value('hit-ratio-mean', 'hitpath', { min: 50.7 }),
    why: 'Above S3-FIFO, ARC and Caffeine on the mean of 57 cells.',
  },
  {
    id: 'hit-ratio-quick',
    ...ratio('hit-ratio-quick', 'xg-a0', { min: 0.995 }, { min: 0.995 }),
    why: 'The small traces alone: as good as the simulation, as 50.7 is to its 50.95.',
  },
  {
    id: 'hit-ratio-lru',
    ...value('hit-ratio-lru', 'hitpath', { max: 1.05 }, { max: 1.08 }),
    why: 'Nowhere much worse than what lru-cache does.',
  },
  {
    id: 'hit-ratio-cell',
    ...value('hit-ratio-cell', 'hitpath', { max: 1 }, { max: 1.2 }),
    why: 'The native policy is the policy that was chosen.',
  },
  {
    id: 'hit-ratio-shards',
    ...value('hit-ratio-shards', 'hitpath', { max: 0.3 }),
    why: 'Sharding splits the eviction queues; it may cost that much.',
  },
  {
    id: 'hit-ratio-ttl',
    ...ratio('hit-ratio-ttl', 'lru-cache', { min: 1 }),
    why: 'Entries that die on the way must not cost the policy what it wins (synthetic ttls).',
  },
  {
    id: 'byte-hit-ratio',
    ...ratio('byte-hit-ratio', 'lru-cache', { min: 1 }),
    why: 'A bound in bytes, headers and rounding included, must serve as many bytes as LRU over bare values.',
  },

  // What an import costs.
  {
    id: 'import-esm',
    ...ratio('import-esm', 'lru-cache', { max: 3 }, { max: 8 }),
    why: 'A program that starts often, or in a function on demand, pays for every line that it imports.',
  },
  {
    id: 'import-esm-ms',
    ...value('import-esm', 'hitpath', { max: 15 }),
    why: 'The same in milliseconds.',
  },
  {
    id: 'import-commonjs',
    ...ratio('import-commonjs', 'lru-cache', { max: 3 }, { max: 8 }),
    why: 'The same by require.',
  },
  {
    id: 'import-commonjs-ms',
    ...value('import-commonjs', 'hitpath', { max: 15 }),
    why: 'The same in milliseconds.',
  },
]

type Judged = Omit<Target, 'id' | 'why'>

function ratio(figure: string, peer: string, limit: Limit, gate?: Limit): Judged {
  return { figure, statistic: 'ratio', of: 'hitpath', peer, limit, ...(gate && { gate }) }
}

/** With a Monitor that samples as it does by default, against without. */
function monitored(figure: string): Judged {
  const of = 'hitpath, monitored'
  return { figure, statistic: 'ratio', of, peer: 'hitpath', limit: { max: 1.05 }, gate: { max: 1.1 } }
}

function value(figure: string, of: string, limit: Limit, gate?: Limit): Judged {
  return { figure, statistic: 'value', of, limit, ...(gate && { gate }) }
}
