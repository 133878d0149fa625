/**
 * The part of ONNX's protobuf that a small network needs, written by hand: a message is a list of fields, a field a tag (number and
 * wire type) and its bytes. Field numbers are those of onnx.proto. The same network gives the same bytes.
 */

const VARINT = 0
const BYTES = 2
const FLOAT_TYPE = 1
const INT64_TYPE = 7

export type Attribute = number | string | readonly number[]

export interface Node {
  readonly op: string
  readonly inputs: readonly string[]
  /** An empty name leaves an output out. */
  readonly outputs: readonly string[]
  /** Integers, lists of integers or strings. */
  readonly attributes?: Readonly<Record<string, Attribute>>
}

export interface Tensor {
  readonly shape: readonly number[]
  readonly data: Float32Array | BigInt64Array
}

/** A name of float32 values; a string among the dimensions is one that the caller chooses. */
export type Shapes = Readonly<Record<string, readonly (number | string)[]>>

export interface Graph {
  readonly name: string
  readonly nodes: readonly Node[]
  readonly tensors: Readonly<Record<string, Tensor>>
  readonly inputs: Shapes
  readonly outputs: Shapes
  /** Kept in the file, for people. */
  readonly notes: Readonly<Record<string, string>>
}

/** Opset 13, IR version 7: what onnxruntime reads since 1.7. */
export function writeModel(graph: Graph): Buffer {
  return Buffer.concat([
    integer(1, 7),
    text(2, 'hitpath bench/models'),
    message(7, writeGraph(graph)),
    message(8, integer(2, 13)),
    ...Object.entries(graph.notes).map(([key, value]) => message(14, text(1, key), text(2, value))),
  ])
}

function writeGraph({ name, nodes, tensors, inputs, outputs }: Graph): Buffer {
  return Buffer.concat([
    ...nodes.map((node) => message(1, writeNode(node))),
    text(2, name),
    ...Object.entries(tensors).map(([of, tensor]) => message(5, writeTensor(of, tensor))),
    ...Object.entries(inputs).map(([of, shape]) => message(11, writeValue(of, shape))),
    ...Object.entries(outputs).map(([of, shape]) => message(12, writeValue(of, shape))),
  ])
}

function writeNode({ op, inputs, outputs, attributes = {} }: Node): Buffer {
  return Buffer.concat([
    ...inputs.map((input) => text(1, input)),
    ...outputs.map((output) => text(2, output)),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => message(5, text(1, name), writeAttribute(value))),
  ])
}

function writeAttribute(value: Attribute): Buffer {
  if (typeof value === 'number') return Buffer.concat([integer(3, value), integer(20, 2)])
  if (typeof value === 'string') return Buffer.concat([text(4, value), integer(20, 3)])
  return Buffer.concat([...value.map((one) => integer(8, one)), integer(20, 7)])
}

function writeTensor(name: string, { shape, data }: Tensor): Buffer {
  // raw_data is little-endian, as is every machine that Node runs on today.
  const raw = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  return Buffer.concat([
    ...shape.map((size) => integer(1, size)),
    integer(2, data instanceof Float32Array ? FLOAT_TYPE : INT64_TYPE),
    text(8, name),
    bytes(9, raw),
  ])
}

function writeValue(name: string, shape: readonly (number | string)[]): Buffer {
  const sizes = shape.map((size) => message(1, typeof size === 'number' ? integer(1, size) : text(2, size)))
  return Buffer.concat([text(1, name), message(2, message(1, integer(1, FLOAT_TYPE), message(2, ...sizes)))])
}

function integer(field: number, value: number): Buffer {
  return Buffer.concat([varint(BigInt(field * 8 + VARINT)), varint(BigInt.asUintN(64, BigInt(value)))])
}

function text(field: number, value: string): Buffer {
  return bytes(field, Buffer.from(value))
}

function message(field: number, ...parts: readonly Buffer[]): Buffer {
  return bytes(field, Buffer.concat(parts))
}

function bytes(field: number, value: Buffer): Buffer {
  return Buffer.concat([varint(BigInt(field * 8 + BYTES)), varint(BigInt(value.length)), value])
}

/** Seven bits a byte, the lowest first. */
function varint(value: bigint): Buffer {
  const out: number[] = []
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 128n) {
      out.push(Number(rest))
      return Buffer.from(out)
    }
    out.push(Number(rest & 127n) | 128)
  }
}
