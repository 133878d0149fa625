/**
 * Rows of a matrix as keys: one crossing for a whole batch.
 *
 * A row is the same key as that row given alone, as a typed array or an ndarray of its shape.
 */
import { describe, HitpathError } from '../errors.js'
import type { NdArrayLike, TypedArray } from '../key/ndarray.js'
import { doubles, native, words } from '../native/binding.js'
import {
  BIT_SCOPE,
  FORM_ARRAY,
  FORM_DIGEST,
  STAGING_EXTRA,
  STAGING_FORM,
  STAGING_KEY_OFFSET,
  STAGING_LENGTH,
  STAGING_SCOPE,
  STAGING_SHAPE,
  STAGING_STATUS,
  STAGING_STRIDES,
  STAGING_TTL,
  STAGING_VALUE_TAG,
  TAG_ARRAY,
} from '../native/layout.js'
import type { Engine } from './engine.js'
import { packed, packedRows, type Rows, rowsOf } from './row-matrix.js'

export const DIGEST_BYTES = 16

/** How rows are looked for. */
export interface RowSearch {
  /** The word of a scope, 0 for none. */
  readonly scope: number
  /** Gets the digest of each row: its key, whatever becomes of the matrix. */
  readonly digests?: Uint8Array | undefined
  /** A step for each element of a row of floating-point numbers: rows are rounded to its multiples before they are hashed. */
  readonly steps?: Float64Array | undefined
}

/** What is stored under digests that a search gave. */
export interface RowValues {
  /** Row after row. */
  readonly data: TypedArray
  readonly dtype: number
  /** Elements in a row. */
  readonly width: number
  /** 1 for a row that is not to be stored. */
  readonly skip: Uint8Array
  /** Milliseconds; NaN for the default of the cache. */
  readonly ttl: number
  /** In its place, one for each row. */
  readonly ttls?: Float64Array | undefined
}

function flagsOf(found: unknown): Uint8Array {
  if (!(found instanceof Uint8Array)) {
    throw new HitpathError('INVALID_ARGUMENT', `found must be a Uint8Array; got ${describe(found)}`)
  }
  return found
}

/** Of keys that are digests already. */
const NO_DTYPE = 0

function stageRows(engine: Engine, keys: Rows, values: Rows, scope: number): void {
  engine.begin(scope === 0 ? 0 : BIT_SCOPE)
  doubles[STAGING_SCOPE / 8] = scope
  words[STAGING_FORM / 4] =
    keys.dtype === NO_DTYPE ? FORM_DIGEST : FORM_ARRAY | (keys.dtype << 8) | (keys.shape.length << 16)
  for (let axis = 0; axis < keys.shape.length; axis++)
    doubles[STAGING_SHAPE / 8 + axis] = keys.shape[axis] as number
  doubles[STAGING_STRIDES / 8] = keys.strideBytes
  doubles[STAGING_KEY_OFFSET / 8] = keys.offsetBytes
  doubles[STAGING_LENGTH / 8] = keys.rowBytes
  doubles[STAGING_EXTRA / 8] = keys.count
  doubles[STAGING_EXTRA / 8 + 1] = values.rowBytes
  words[STAGING_VALUE_TAG / 4] = TAG_ARRAY + values.dtype
}

function refuse(values: Rows, name: string): never {
  const status = words[STAGING_STATUS / 4] as number
  const row = doubles[STAGING_EXTRA / 8 + 1]
  if (status === 5) {
    throw new HitpathError(
      'DTYPE_MISMATCH',
      `row ${row} is stored with another type than that of ${name} (tag ${words[STAGING_VALUE_TAG / 4]})`,
    )
  }
  const stored = doubles[STAGING_LENGTH / 8]
  throw new HitpathError(
    'SHAPE_MISMATCH',
    `row ${row} is stored with ${stored} bytes; a row of ${name} has ${values.rowBytes}`,
  )
}

/** As getRows(), on rows that are described already. */
export function findRows(
  engine: Engine,
  keys: Rows,
  values: Rows,
  found: Uint8Array,
  search: RowSearch,
): number {
  const target = packed(values)
  stageRows(engine, keys, values, search.scope)
  native.getRows(keys.data, target, found, search.digests, search.steps)
  const status = words[STAGING_STATUS / 4]
  if (status === 5 || status === 6) refuse(values, 'out')
  engine.check()
  return doubles[STAGING_EXTRA / 8] as number
}

/** Stores rows under digests that findRows() gave: the first of as many as `values.skip` has flags. */
export function storeRows(engine: Engine, digests: Uint8Array, values: RowValues): number {
  const { data, dtype, width, skip, ttl, ttls } = values
  const count = skip.length
  const keys = packedRows(digests, NO_DTYPE, count, NO_SHAPE, DIGEST_BYTES)
  stageRows(engine, keys, packedRows(data, dtype, count, NO_SHAPE, width * data.BYTES_PER_ELEMENT), 0)
  doubles[STAGING_TTL / 8] = ttl
  native.setRows(digests, data, skip, ttls)
  engine.check()
  return doubles[STAGING_EXTRA / 8] as number
}

const NO_SHAPE: readonly number[] = []

export function getRows(
  engine: Engine,
  matrix: NdArrayLike,
  out: NdArrayLike,
  found: Uint8Array,
  scope: number,
): number {
  const flags = flagsOf(found)
  const keys = rowsOf(matrix, 'matrix', flags.length)
  const values = rowsOf(out, 'out', flags.length)
  if (!values.packed) {
    throw new HitpathError(
      'SHAPE_MISMATCH',
      'out must be in C order, its rows one behind the other: it is written in place',
    )
  }
  return findRows(engine, keys, values, flags, { scope })
}

export function setRows(
  engine: Engine,
  matrix: NdArrayLike,
  rows: NdArrayLike,
  found: Uint8Array,
  ttl: number,
  scope: number,
): number {
  const flags = flagsOf(found)
  const keys = rowsOf(matrix, 'matrix', flags.length)
  const values = rowsOf(rows, 'values', flags.length)
  const source = packed(values)
  stageRows(engine, keys, values, scope)
  doubles[STAGING_TTL / 8] = ttl
  native.setRows(keys.data, source, flags)
  engine.check()
  return doubles[STAGING_EXTRA / 8] as number
}
