/**
 * msgpackr with the extensions of the stored form, loaded with the first value that needs it: an import alone does not.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type * as Msgpackr from 'msgpackr/index-no-eval'
import { HitpathError } from '../errors.js'
import { packageRoot } from '../native/here.js'
import { ArrayPayload, readArrayPayload } from './array-payload.js'
import { EXTENSION, tagNumbered, Verbatim } from './wire.js'

export interface Msgpack {
  readonly packr: Msgpackr.Packr
  readonly resetBufferMode: number
  /** For one message: arrays copied or viewing the bytes; dictionaries as Maps where a key would be a prototype. */
  reader(copy: boolean, asMaps: boolean): Msgpackr.Unpackr
}

let loaded: Msgpack | undefined

export function msgpack(): Msgpack {
  loaded ??= load()
  return loaded
}

function load(): Msgpack {
  const { addExtension, Packr, RESET_BUFFER_MODE, Unpackr } = createRequire(
    join(packageRoot, 'package.json'),
  )('msgpackr/index-no-eval') as typeof Msgpackr

  addExtension({
    Class: Verbatim,
    type: EXTENSION.tag,
    pack(value, allocate) {
      const { target, position } = allocate(value.encoded.length)
      target.set(value.encoded, position)
    },
  })
  addExtension({
    Class: ArrayPayload,
    type: EXTENSION.array,
    pack(value, allocate) {
      const { target, position } = allocate(value.encodedLength(this.position))
      value.writeTo(target, position)
    },
  })

  const unpackr = (copyBuffers: boolean, mapsAsObjects: boolean): Msgpackr.Unpackr =>
    new Unpackr({ useRecords: false, structuredClone: false, copyBuffers, mapsAsObjects })
  const copying = unpackr(true, true)
  const viewing = unpackr(false, true)
  const copyingMaps = unpackr(true, false)
  const viewingMaps = unpackr(false, false)

  return {
    packr: new Packr({ useRecords: false, useToJSON: false, variableMapSize: true }),
    resetBufferMode: RESET_BUFFER_MODE,
    reader(copy, asMaps) {
      // set for each message: another copy of this module, ESM beside CommonJS, writes to the same table
      addExtension(readTag)
      addExtension(copy ? readArrayCopying : readArrayViewing)
      if (asMaps) return copy ? copyingMaps : viewingMaps
      return copy ? copying : viewing
    },
  }
}

const readTag: Msgpackr.ExtensionReader = {
  type: EXTENSION.tag,
  unpack: ([number]) => tagNumbered(number) ?? refuseTag(),
}
const readArrayCopying: Msgpackr.ExtensionReader = {
  type: EXTENSION.array,
  unpack: (payload) => readArrayPayload(payload, true),
}
const readArrayViewing: Msgpackr.ExtensionReader = {
  type: EXTENSION.array,
  unpack: (payload) => readArrayPayload(payload, false),
}

function refuseTag(): never {
  throw new HitpathError('INVALID_VALUE', 'a stored value holds a tag of a later version')
}
