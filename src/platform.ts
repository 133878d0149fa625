/**
 * Types of the platform in public signatures: Node's own where the compiler knows them, else the part that is used, so that
 * the declarations compile without @types/node too.
 */

/** An AbortSignal. */
export type Signal = typeof globalThis extends { readonly AbortSignal: { readonly prototype: infer S } }
  ? S
  : {
      readonly aborted: boolean
      readonly reason: unknown
      addEventListener(type: 'abort', listener: () => void): void
      removeEventListener(type: 'abort', listener: () => void): void
    }

/** A Buffer. */
export type Bytes = typeof globalThis extends {
  readonly Buffer: { isBuffer(value: unknown): value is infer B }
}
  ? B
  : Uint8Array

/** A URL. */
export interface Location {
  readonly href: string
}
