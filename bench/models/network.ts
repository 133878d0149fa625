/**
 * A convolution over time and an LSTM, for windows of bars: what it computes, once in JavaScript (to fit the readout) and once as a
 * graph of ONNX (to be served).
 *
 *   bars [n, 60, 5] -> logarithms against the last close and the mean volume -> Conv1D over 5 days, tanh -> LSTM over 60 days
 *        -> features [n, 32] (its last state) -> dense -> prediction [n, 3]
 *
 * The weights before the readout are seeded and stay: an echo state network (Jaeger, 2001). JavaScript alone decides on all
 * weights, in float64 and with the functions of V8, so that the file is the same on every machine.
 */
import { FIELD_COUNT } from '../replay/bars.js'
import { type Random, seededRandom } from '../replay/random.js'
import { WINDOW_BARS } from '../replay/rolling-bars.js'
import { type Graph, writeModel } from './onnx-writer.js'

export const FILTERS = 16
/** Days that a filter sees. */
export const TAPS = 5
/** Features: cells of the LSTM. */
export const CELLS = 32
export const OUTPUTS = ['direction', 'return', 'log volatility'] as const

const PRICE_GAIN = 25
const VOLUME = 4
const CLOSE = 3

export interface Network {
  readonly version: number
  /** [filters, fields, taps] */
  readonly conv: Float32Array
  readonly convBias: Float32Array
  /** Gates in ONNX's order: input, output, forget, cell. [4 cells, filters], [4 cells, cells], [4 cells]. */
  readonly input: Float32Array
  readonly recurrent: Float32Array
  readonly bias: Float32Array
}

/** What the readout is: prediction = features · weights + bias. [cells, outputs], [outputs] */
export interface Readout {
  readonly weights: Float32Array
  readonly bias: Float32Array
}

/** Another version is another seed. */
export function seededNetwork(version: number): Network {
  const random = seededRandom(1000 + version)
  const conv = weights(random, FILTERS * FIELD_COUNT * TAPS, 0.5)
  // Every second filter sees changes alone: the mean of its taps is taken out.
  for (let row = 0; row < FILTERS * FIELD_COUNT; row++) {
    if (Math.floor(row / FIELD_COUNT) % 2 === 0) continue
    const taps = conv.subarray(row * TAPS, (row + 1) * TAPS)
    const mean = taps.reduce((sum, tap) => sum + tap, 0) / TAPS
    for (let tap = 0; tap < TAPS; tap++) taps[tap] = 4 * ((taps[tap] as number) - mean)
  }
  const bias = new Float32Array(4 * CELLS)
  // Forget gates that are more or less open: memories from two days to three weeks.
  for (let cell = 0; cell < CELLS; cell++) bias[2 * CELLS + cell] = 0.5 + (2.5 * cell) / CELLS
  return {
    version,
    conv,
    convBias: weights(random, FILTERS, 0.1),
    input: weights(random, 4 * CELLS * FILTERS, 0.6 / Math.sqrt(FILTERS / 4)),
    recurrent: weights(random, 4 * CELLS * CELLS, 0.9 / Math.sqrt(CELLS / 2)),
    bias,
  }
}

/** Uniform in -scale to scale. */
function weights(random: Random, length: number, scale: number): Float32Array {
  return Float32Array.from({ length }, () => scale * (2 * random() - 1))
}

/** Features of windows [n, 60, 5] that lie in a row-major series, `first[i]` being the first bar of window i. */
export function features(network: Network, bars: Float64Array, first: readonly number[]): Float64Array {
  const input = transposed(network.input, FILTERS)
  const recurrent = transposed(network.recurrent, CELLS)
  const bias = Float64Array.from(network.bias)
  const out = new Float64Array(first.length * CELLS)
  const z = new Float64Array(WINDOW_BARS * FIELD_COUNT)
  const filtered = new Float64Array(WINDOW_BARS * FILTERS)
  first.forEach((bar, i) => {
    normalise(bars, bar, z)
    convolve(network, z, filtered)
    out.set(lastState(input, recurrent, bias, filtered), i * CELLS)
  })
  return out
}

function normalise(bars: Float64Array, first: number, z: Float64Array): void {
  let meanVolume = 0
  for (let at = 0; at < z.length; at++) z[at] = Math.log(bars[first * FIELD_COUNT + at] as number)
  for (let at = VOLUME; at < z.length; at += FIELD_COUNT) meanVolume += (z[at] as number) / WINDOW_BARS
  const close = z[(WINDOW_BARS - 1) * FIELD_COUNT + CLOSE] as number
  for (let at = 0; at < z.length; at++) {
    const volume = at % FIELD_COUNT === VOLUME
    z[at] = volume ? (z[at] as number) - meanVolume : PRICE_GAIN * ((z[at] as number) - close)
  }
}

function convolve({ conv, convBias }: Network, z: Float64Array, out: Float64Array): void {
  const half = (TAPS - 1) / 2
  for (let bar = 0; bar < WINDOW_BARS; bar++) {
    for (let filter = 0; filter < FILTERS; filter++) {
      let sum = convBias[filter] as number
      for (let tap = 0; tap < TAPS; tap++) {
        const from = bar + tap - half
        if (from < 0 || from >= WINDOW_BARS) continue
        for (let field = 0; field < FIELD_COUNT; field++) {
          const weight = conv[(filter * FIELD_COUNT + field) * TAPS + tap] as number
          sum += weight * (z[from * FIELD_COUNT + field] as number)
        }
      }
      out[bar * FILTERS + filter] = Math.tanh(sum)
    }
  }
}

function lastState(
  input: Float64Array,
  recurrent: Float64Array,
  bias: Float64Array,
  filtered: Float64Array,
): Float64Array {
  const state = new Float64Array(CELLS)
  const cell = new Float64Array(CELLS)
  const gates = new Float64Array(4 * CELLS)
  for (let bar = 0; bar < WINDOW_BARS; bar++) {
    gates.set(bias)
    for (let i = 0; i < FILTERS; i++) add(gates, input, i, filtered[bar * FILTERS + i] as number)
    for (let i = 0; i < CELLS; i++) add(gates, recurrent, i, state[i] as number)
    for (let i = 0; i < CELLS; i++) {
      const open = sigmoid(gates[i] as number)
      const forget = sigmoid(gates[2 * CELLS + i] as number)
      cell[i] = forget * (cell[i] as number) + open * Math.tanh(gates[3 * CELLS + i] as number)
      state[i] = sigmoid(gates[CELLS + i] as number) * Math.tanh(cell[i] as number)
    }
  }
  return state
}

/** Adds `by` times a row of weights: sums that do not wait for one another. */
function add(gates: Float64Array, rows: Float64Array, row: number, by: number): void {
  const at = row * 4 * CELLS
  for (let gate = 0; gate < 4 * CELLS; gate++)
    gates[gate] = (gates[gate] as number) + (rows[at + gate] as number) * by
}

/** [4 cells, columns] as [columns, 4 cells]. */
function transposed(weights: Float32Array, columns: number): Float64Array {
  return Float64Array.from(
    { length: weights.length },
    (_, at) => weights[(at % (4 * CELLS)) * columns + Math.floor(at / (4 * CELLS))] as number,
  )
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x))
}

export function networkFile(network: Network, readout: Readout, notes: Graph['notes']): Buffer {
  const ints = (...values: readonly number[]) => ({
    shape: [values.length],
    data: BigInt64Array.from(values, BigInt),
  })
  const floats = (data: Float32Array, ...shape: readonly number[]) => ({ shape, data })
  const bias = new Float32Array(8 * CELLS) // of the input; of the state, zero
  bias.set(network.bias)
  return writeModel({
    name: `cnn-lstm-${network.version}`,
    inputs: { bars: ['n', WINDOW_BARS, FIELD_COUNT] },
    outputs: { features: ['n', CELLS], prediction: ['n', OUTPUTS.length] },
    notes,
    tensors: {
      zero: ints(0),
      one: ints(1),
      two: ints(2),
      lastBar: ints(WINDOW_BARS - 1),
      end: ints(WINDOW_BARS),
      close: ints(CLOSE),
      volume: ints(VOLUME),
      fields: ints(FIELD_COUNT),
      gain: floats(Float32Array.of(PRICE_GAIN), 1),
      convW: floats(network.conv, FILTERS, FIELD_COUNT, TAPS),
      convB: floats(network.convBias, FILTERS),
      lstmW: floats(network.input, 1, 4 * CELLS, FILTERS),
      lstmR: floats(network.recurrent, 1, 4 * CELLS, CELLS),
      lstmB: floats(bias, 1, 8 * CELLS),
      outW: floats(readout.weights, CELLS, OUTPUTS.length),
      outB: floats(readout.bias, OUTPUTS.length),
    },
    nodes: [
      { op: 'Log', inputs: ['bars'], outputs: ['logs'] },
      { op: 'Slice', inputs: ['logs', 'zero', 'volume', 'two'], outputs: ['prices'] },
      { op: 'Slice', inputs: ['logs', 'volume', 'fields', 'two'], outputs: ['volumes'] },
      { op: 'Slice', inputs: ['prices', 'lastBar', 'end', 'one'], outputs: ['newest'] },
      { op: 'Slice', inputs: ['newest', 'close', 'volume', 'two'], outputs: ['lastClose'] },
      { op: 'Sub', inputs: ['prices', 'lastClose'], outputs: ['moves'] },
      { op: 'Mul', inputs: ['moves', 'gain'], outputs: ['scaled'] },
      {
        op: 'ReduceMean',
        inputs: ['volumes'],
        outputs: ['meanVolume'],
        attributes: { axes: [1], keepdims: 1 },
      },
      { op: 'Sub', inputs: ['volumes', 'meanVolume'], outputs: ['turnover'] },
      { op: 'Concat', inputs: ['scaled', 'turnover'], outputs: ['z'], attributes: { axis: 2 } },
      { op: 'Transpose', inputs: ['z'], outputs: ['zt'], attributes: { perm: [0, 2, 1] } },
      {
        op: 'Conv',
        inputs: ['zt', 'convW', 'convB'],
        outputs: ['conv'],
        attributes: { kernel_shape: [TAPS], pads: [(TAPS - 1) / 2, (TAPS - 1) / 2] },
      },
      { op: 'Tanh', inputs: ['conv'], outputs: ['filtered'] },
      { op: 'Transpose', inputs: ['filtered'], outputs: ['sequence'], attributes: { perm: [2, 0, 1] } },
      {
        op: 'LSTM',
        inputs: ['sequence', 'lstmW', 'lstmR', 'lstmB'],
        outputs: ['', 'state'],
        attributes: { hidden_size: CELLS },
      },
      { op: 'Squeeze', inputs: ['state', 'zero'], outputs: ['features'] },
      { op: 'Gemm', inputs: ['features', 'outW', 'outB'], outputs: ['prediction'] },
    ],
  })
}
