/**
 * Evidence that two runs returned the same features: a 64-bit digest over the name, length and bytes of every
 * array of every answer, in order, and deep copies of a sample of the answers. The digest is the one of
 * `xxhash-wasm`, so it shares no code with the cache under test.
 */
import xxhash, { type XXHash } from 'xxhash-wasm'
import type { MarketFeatures } from './features.js'

const { create64 } = await xxhash()
const SAMPLES = 200

export interface Evidence {
  readonly digest: bigint
  /** Copies of about two hundred answers, by request. */
  readonly samples: ReadonlyMap<number, MarketFeatures>
}

export class EvidenceCollector {
  readonly #hash: XXHash<bigint> = create64()
  readonly #samples = new Map<number, MarketFeatures>()
  readonly #every: number
  readonly #header = new Uint32Array(2)
  readonly #headerBytes = new Uint8Array(this.#header.buffer)

  constructor(requests: number) {
    this.#every = Math.max(1, Math.floor(requests / SAMPLES))
  }

  add(request: number, features: MarketFeatures): void {
    for (const [name, values] of Object.entries(features)) {
      this.#header[0] = name.length
      this.#header[1] = values.length
      this.#hash.update(this.#headerBytes).update(name)
      this.#hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    }
    if (request % this.#every === 0) this.#samples.set(request, structuredClone(features))
  }

  finish(): Evidence {
    return { digest: this.#hash.digest(), samples: this.#samples }
  }
}

/** Where the samples differ, in words; empty when they are equal to the last bit. */
export function compareSamples(expected: Evidence, actual: Evidence): string[] {
  const differences: string[] = []
  for (const [request, features] of expected.samples) {
    const other = actual.samples.get(request)
    if (other === undefined) differences.push(`request ${request} was not answered`)
    else differences.push(...compareFeatures(features, other).map((text) => `request ${request}: ${text}`))
  }
  return differences
}

function compareFeatures(expected: MarketFeatures, actual: MarketFeatures): string[] {
  const names = Object.keys(expected)
  if (names.join() !== Object.keys(actual).join())
    return [`expected ${names.join()}, got ${Object.keys(actual).join()}`]
  const others = new Map<string, Float64Array>(Object.entries(actual))
  return Object.entries(expected).flatMap(([name, values]) => {
    const other = others.get(name)
    if (!(other instanceof Float64Array) || other.length !== values.length)
      return [`${name} has another type or length`]
    const at = values.findIndex((value, index) => !Object.is(value, other[index]))
    return at === -1 ? [] : [`${name}[${at}] is ${other[at]}, expected ${values[at]}`]
  })
}
