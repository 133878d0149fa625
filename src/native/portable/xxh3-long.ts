/**
 * The long part of XXH3 (Yann Collet, xxHash 0.8): inputs of more than 240 bytes, folded into eight sums of 64 bits.
 *
 * A sum is two doubles, one of its low halves and one of its high halves, in which carries wait: a block adds 32 numbers below 2^32 to
 * either, far from 2^53. Always true: the sums are below 2^64 again when a block ends.
 */

/** As of the specification. */
export const SECRET = Uint8Array.from(
  (
    'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221' +
    'b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
    'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb' +
    '170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e'
  ).match(/../g) as string[],
  (hex) => Number.parseInt(hex, 16),
)

const STRIPE = 64
const LANES = 8
/** Each stripe of a block begins eight bytes further in the secret. */
const STRIPES = (SECRET.length - STRIPE) / 8
const BLOCK = STRIPE * STRIPES
const LAST_STRIPE = SECRET.length - STRIPE - 7
const WORD = 2 ** 32
const PRIME32_1 = 0x9e37_79b1

const START: readonly bigint[] = [
  0xc2b2_ae3dn,
  0x9e37_79b1_85eb_ca87n,
  0xc2b2_ae3d_27d4_eb4fn,
  0x1656_67b1_9e37_79f9n,
  0x85eb_ca77_c2b2_ae63n,
  0x85eb_ca77n,
  0x27d4_eb2f_1656_67c5n,
  0x9e37_79b1n,
]

const low = new Float64Array(LANES)
const high = new Float64Array(LANES)

/** The eight sums of a long input. */
export function longSums(bytes: Uint8Array, secret: Uint8Array): readonly bigint[] {
  const input = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const keys = new DataView(secret.buffer, secret.byteOffset, secret.byteLength)
  for (let lane = 0; lane < LANES; lane++) {
    low[lane] = Number((START[lane] as bigint) & 0xffff_ffffn)
    high[lane] = Number((START[lane] as bigint) >> 32n)
  }
  const last = bytes.length - 1
  const whole = Math.floor(last / BLOCK) * BLOCK
  for (let at = 0; at < whole; at += BLOCK) {
    for (let stripe = 0; stripe < STRIPES; stripe++) accumulate(input, at + STRIPE * stripe, keys, 8 * stripe)
    carry()
    scramble(keys)
  }
  const stripes = Math.floor((last - whole) / STRIPE)
  for (let stripe = 0; stripe < stripes; stripe++)
    accumulate(input, whole + STRIPE * stripe, keys, 8 * stripe)
  accumulate(input, bytes.length - STRIPE, keys, LAST_STRIPE)
  carry()
  return Array.from(low, (word, lane) => (BigInt(high[lane] as number) << 32n) | BigInt(word))
}

/** Adds a stripe: to each sum the word of its neighbour, and the product of the halves of its own. */
function accumulate(input: DataView, at: number, keys: DataView, key: number): void {
  for (let lane = 0; lane < LANES; lane++) {
    const offset = 8 * lane
    const dataLow = input.getUint32(at + offset, true)
    const dataHigh = input.getUint32(at + offset + 4, true)
    const a = (dataLow ^ keys.getUint32(key + offset, true)) >>> 0
    const b = (dataHigh ^ keys.getUint32(key + offset + 4, true)) >>> 0
    const product = Math.imul(a, b) >>> 0
    const neighbour = lane ^ 1
    low[neighbour] = (low[neighbour] as number) + dataLow
    high[neighbour] = (high[neighbour] as number) + dataHigh
    low[lane] = (low[lane] as number) + product
    // Off by less than 2^-12 after a block, as sums up to 2^37 and a * b are rounded to 53 bits; carry() rounds to the whole number that it is.
    high[lane] = (high[lane] as number) + (a * b - product) / WORD
  }
}

function carry(): void {
  for (let lane = 0; lane < LANES; lane++) {
    const sum = low[lane] as number
    const over = Math.floor(sum / WORD)
    low[lane] = sum - over * WORD
    high[lane] = (Math.round(high[lane] as number) + over) % WORD
  }
}

function scramble(keys: DataView): void {
  for (let lane = 0; lane < LANES; lane++) {
    const key = SECRET.length - STRIPE + 8 * lane
    const sumLow = low[lane] as number
    const sumHigh = high[lane] as number
    // sum ^= sum >>> 47, ^= the secret, *= PRIME32_1
    const a = (sumLow ^ (sumHigh >>> 15) ^ keys.getUint32(key, true)) >>> 0
    const b = (sumHigh ^ keys.getUint32(key + 4, true)) >>> 0
    const product = Math.imul(a, PRIME32_1) >>> 0
    low[lane] = product
    high[lane] = (Math.round((a * PRIME32_1 - product) / WORD) + (Math.imul(b, PRIME32_1) >>> 0)) % WORD
  }
}
