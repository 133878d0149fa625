/** Scripts on names of one bucket: what goes in, and what comes out. */
import { randomBytes } from 'node:crypto'
import { describe, HitpathError } from '../errors.js'
import { announced, type Keyspace, type Word } from './names.js'
import type { RedisCalls } from './redis-calls.js'
import * as scripts from './scripts.js'
import type { CallOptions, Deleted, DeleteOptions, Fence, L2Write, Written } from './store.js'

const MIN_ENVELOPE_BYTES = 40
const MAX_TTL_MS = 2 ** 50

export class BucketWrites {
  readonly #calls: RedisCalls
  readonly #keys: Keyspace
  readonly #busLength: number

  constructor(calls: RedisCalls, keys: Keyspace, busLength: number) {
    this.#calls = calls
    this.#keys = keys
    this.#busLength = busLength
  }

  /** Keys 1 to 3 of every script that announces. */
  head(bucket: number): Word[] {
    const { sequence, generations, bus } = this.#keys.of(bucket)
    return [sequence, generations, bus]
  }

  /** ARGV 1 to 3 of every script that announces. */
  first({ origin, before }: CallOptions): (Word | number)[] {
    return [origin, this.#busLength, before === undefined ? '' : Math.floor(before)]
  }

  async set(bucket: number, writes: readonly L2Write[], options: CallOptions): Promise<Written[]> {
    const keys = this.head(bucket)
    const words = this.first(options)
    for (const { name, bytes, ttlMs, fence, notAfter, ownFirst, onlyIfAbsent } of writes) {
      if (bytes.length < MIN_ENVELOPE_BYTES) throw argument('bytes', 'an envelope', bytes)
      if (fence !== undefined && fence.name !== name)
        throw argument('fence', `of ${describe(name)}`, fence.name)
      keys.push(this.#keys.entry(bucket, name), this.#keys.lease(bucket, name))
      words.push(...announced('s', name), this.#keys.field(name), ttlWord(ttlMs))
      words.push(
        fence?.generation ?? '',
        fence?.lease ?? '',
        notAfter === undefined ? '' : Math.floor(notAfter),
        ownFirst === true ? 'own' : onlyIfAbsent === true ? 'absent' : '',
      )
      words.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    }
    const replies = (await this.#calls.script(scripts.SET, keys, words)) as (number | null)[]
    return replies.map((version) => (version === null ? undefined : Number(version)))
  }

  async delete(bucket: number, names: readonly string[], options: DeleteOptions): Promise<Deleted[]> {
    const keys = this.head(bucket)
    const words = this.first(options)
    for (const name of names) {
      keys.push(this.#keys.entry(bucket, name), this.#keys.lease(bucket, name))
      const notAfter = options.notAfter?.get(name)
      words.push(
        ...announced('d', name),
        this.#keys.field(name),
        notAfter === undefined ? '' : Math.ceil(notAfter),
      )
    }
    const replies = (await this.#calls.script(scripts.DELETE, keys, words)) as unknown[]
    return names.map((_, i) => ({ existed: Number(replies[2 * i]) > 0, version: Number(replies[2 * i + 1]) }))
  }

  /** @param leaseMs '' for no leases */
  async fence(bucket: number, names: readonly string[], leaseMs: string): Promise<Fence[]> {
    const { sequence, generations } = this.#keys.of(bucket)
    const leases = leaseMs === '' ? [] : names.map((name) => this.#keys.lease(bucket, name))
    const tokens = names.map(() => (leaseMs === '' ? '' : randomBytes(12).toString('base64url')))
    const words = names.flatMap((name, i) => [this.#keys.field(name), tokens[i] as string])
    const replies = (await this.#calls.script(
      scripts.FENCES,
      [sequence, generations, ...leases],
      [leaseMs, ...words],
    )) as unknown[]
    const version = Number(replies[0])
    return names.map((name, i) => {
      const fence = { name, generation: String(replies[2 * i + 1]), version }
      return Number(replies[2 * i + 2]) === 1 ? { ...fence, lease: tokens[i] as string } : fence
    })
  }
}

/** ARGV 4 and 5 of what may come late. */
export function momentWords({ made }: CallOptions): [from: number | '', to: number | ''] {
  return made === undefined ? ['', ''] : [Math.floor(made.from), Math.ceil(made.to)]
}

/** Milliseconds for PX: whole, at least 1; '' for an entry that does not expire. */
export function ttlWord(ms: number): string {
  if (ms === Number.POSITIVE_INFINITY) return ''
  if (typeof ms !== 'number' || Number.isNaN(ms)) throw argument('ttlMs', 'a number', ms)
  return String(Math.min(MAX_TTL_MS, Math.max(1, Math.ceil(ms))))
}

export function argument(name: string, expected: string, value: unknown): HitpathError {
  return new HitpathError('INVALID_ARGUMENT', `${name} must be ${expected}; got ${describe(value)}`)
}
