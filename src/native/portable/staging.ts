/** The staging area as both engines see it; binding.ts says what it is for. */
export interface StagingArea {
  readonly words: Uint32Array
  readonly doubles: Float64Array
  readonly scratch: Uint8Array
}
