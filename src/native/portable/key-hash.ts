/**
 * 32 bits of a key for the ghosts of the eviction policy. Not for finding keys, which a Map does: a collision costs precision only.
 */
const LONG = 256
const double = new Float64Array(1)
const halves = new Uint32Array(double.buffer)

export function hashOf(key: string | number, seed: number): number {
  if (typeof key === 'number') {
    double[0] = key === 0 ? 0 : key
    return step(step(seed, halves[0] as number), halves[1] as number)
  }
  const n = key.length
  let hash = step(seed, n)
  // Of a long string both ends.
  const head = n <= LONG ? n : LONG / 2
  for (let i = 0; i < head; i++) hash = step(hash, key.charCodeAt(i))
  for (let i = Math.max(head, n - LONG / 2); i < n; i++) hash = step(hash, key.charCodeAt(i))
  return hash
}

/** FNV-1a, by units. */
function step(hash: number, unit: number): number {
  return Math.imul(hash ^ unit, 0x0100_0193)
}
