/**
 * Values to bytes and back, as the second tier keeps them: a record of features and a market window.
 *
 * Peers are what users of Redis reach for: JSON, msgpackr by itself and the structured clone of V8. Those that know no typed array are given
 * a plain one, in their favour: making it is not timed. Only hitpath and the structured clone give the window back as a
 * typed array, and only hitpath without a copy.
 */
import { deserialize, serialize } from 'node:v8'
import { pack, unpack } from 'msgpackr'
import { bundled } from '../harness/bundled.js'
import type { Contender } from '../harness/contender.js'
import { Random } from '../harness/random.js'
import type { Suite } from '../harness/subject.js'
import { type TimedSubject, timed } from '../harness/timed.js'

const BATCH = 64
const BARS = 300
const module = import.meta.url

interface Codec {
  encode(value: unknown): Uint8Array | string
  decode(bytes: Uint8Array | string): unknown
}

type Make = () => Codec | Promise<Codec>

async function hitpath(): Promise<Codec> {
  const { encodeValue, decodeValue } = await bundled<{
    encodeValue(value: unknown): Buffer
    decodeValue(bytes: Uint8Array): unknown
  }>('codec/value.ts')
  return { encode: encodeValue, decode: (bytes) => decodeValue(bytes as Uint8Array) }
}

const msgpackr: Make = () => ({ encode: pack, decode: (bytes) => unpack(bytes as Uint8Array) })
const json: Make = () => ({
  encode: (value) => JSON.stringify(value),
  decode: (text) => JSON.parse(text as string),
})
const clone: Make = () => ({ encode: serialize, decode: (bytes) => deserialize(bytes as Uint8Array) })

/** What `mark` finds in each decoded value tells whether it is the right one. */
interface Values {
  readonly values: readonly unknown[]
  readonly mark: (decoded: unknown) => unknown
}

function records(): Values {
  const random = new Random(21)
  const share = (): number => random.below(1_000_000) / 1_000_000
  const values = Array.from({ length: BATCH }, (_, id) => ({
    id,
    symbol: 'BTCUSDT',
    timeframe: '1h',
    rsi: share(),
    macd: { line: share(), signal: share(), histogram: share() },
    bands: [share(), share(), share()],
    trend: 'up',
    volatile: false,
  }))
  return { values, mark: (decoded) => (decoded as { id: number }).id }
}

function windows(plain: boolean): Values {
  const random = new Random(22)
  const values = Array.from({ length: BATCH }, (_, id) => {
    const bars = Float64Array.from({ length: BARS }, (_, bar) => (bar === 0 ? id : random.below(100_000) / 7))
    return plain ? [...bars] : bars
  })
  return { values, mark: (decoded) => (decoded as ArrayLike<number>)[0] }
}

function encoding({ values, mark }: Values, { encode, decode }: Codec): Contender {
  let last: Uint8Array | string = ''
  const each = (id: number): number => {
    last = encode(values[id])
    return last.length > 0 ? 1 : 0
  }
  return {
    ...turns(each),
    after() {
      if (mark(decode(last)) !== BATCH - 1) throw new Error('what was encoded is another value')
    },
  }
}

function decoding({ values, mark }: Values, { encode, decode }: Codec): Contender {
  // Copies: an encoder may hand out views of a buffer of its own.
  const encoded = values.map((value) => {
    const bytes = encode(value)
    return typeof bytes === 'string' ? bytes : Uint8Array.from(bytes)
  })
  return turns((id) => (mark(decode(encoded[id]!)) === id ? 1 : 0))
}

function turns(each: (id: number) => number): Contender {
  let next = 0
  return {
    operations: BATCH,
    batch() {
      let right = 0
      for (let id = 0; id < BATCH; id++) right += each(id)
      return right
    },
    one() {
      const id = next
      next = (id + 1) % BATCH
      return each(id)
    },
  }
}

const subject = (
  id: string,
  title: string,
  measure: (values: Values, codec: Codec) => Contender,
  valuesFor: (plain: boolean) => Values,
): TimedSubject => {
  const by = (make: Make, plain: boolean) => async () => measure(valuesFor(plain), await make())
  return timed({
    id,
    title,
    module,
    contenders: {
      hitpath: by(hitpath, false),
      msgpackr: by(msgpackr, true),
      JSON: by(json, true),
      'v8.serialize': by(clone, false),
    },
  })
}

export const suite: Suite = {
  id: 'codec',
  title: 'Values to bytes and back',
  subjects: [
    subject('codec-encode-record', 'A record of features to bytes', encoding, records),
    subject('codec-decode-record', 'A record of features from bytes', decoding, records),
    subject('codec-encode-array', 'A window of 300 float64 to bytes', encoding, windows),
    subject('codec-decode-array', 'A window of 300 float64 from bytes', decoding, windows),
  ],
}
