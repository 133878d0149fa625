/**
 * The part used here of msgpackr's build without `new Function`, which ships no types of its own.
 *
 * This build is chosen because its extension table is ours but for other users of this very build: extensions live
 * in the module, not in the instance, and the usual entry is shared with every msgpackr user of the process.
 */
declare module 'msgpackr/index-no-eval' {
  /** Space in the message being written, handed out once for each value. */
  export interface WriteSpace {
    readonly target: Uint8Array
    readonly position: number
  }

  export interface ExtensionWriter<T> {
    readonly Class: new (...args: never[]) => T
    readonly type: number
    readonly pack: (this: Packr, value: T, allocate: (byteLength: number) => WriteSpace) => void
  }

  export interface ExtensionReader {
    readonly type: number
    readonly unpack: (payload: Uint8Array) => unknown
  }

  export interface Options {
    readonly useRecords?: boolean
    readonly useToJSON?: boolean
    readonly variableMapSize?: boolean
    readonly mapsAsObjects?: boolean
    readonly copyBuffers?: boolean
    readonly structuredClone?: boolean
  }

  export class Unpackr {
    constructor(options: Options)
    unpack(message: Uint8Array): unknown
  }

  export class Packr extends Unpackr {
    /** Where the next byte goes, from the start of the working buffer. */
    readonly position: number
    pack(value: unknown, mode: number): Buffer
    useBuffer(buffer: Uint8Array): void
  }

  export function addExtension<T>(extension: ExtensionWriter<T> | ExtensionReader): void

  export const RESET_BUFFER_MODE: number
}
