import { describe, expect, test } from 'vitest'
import { judgeReplays } from '../../../bench/hit-ratio/gate.js'
import type { Replay } from '../../../bench/hit-ratio/replay.js'
import { decodeTrace } from '../../../bench/hit-ratio/traces.js'

function replay(trace: string, hitRatio: number, lru: number, simulated: number, counted = true): Replay {
  const cell = { trace, sizeFraction: 0.1, capacity: 100, counted, hitRatio: { lru, 'xg-a0': simulated } }
  return { cell, hitRatio, nsPerRequest: 100 }
}

describe('the gate', () => {
  test('averages counted cells and names the worst', () => {
    const gate = judgeReplays([
      replay('web', 0.6, 0.5, 0.61),
      replay('loop', 0.4, 0.5, 0.4),
      replay('stress', 0, 0.9, 0.9, false),
    ])
    expect(gate.meanPercent).toBeCloseTo(50)
    expect(gate.worstAgainstLru).toBeCloseTo(1.2)
    expect(gate.worstAgainstLruCell).toBe('loop at 100')
    expect(gate.furthestPoints).toBeCloseTo(1)
    expect(gate.furthestCell).toBe('web at 100')
  })
})

describe('a trace', () => {
  test('is its magic, a count and as many ids', () => {
    const bytes = Buffer.concat([
      Buffer.from('TRC1'),
      Buffer.from(new Uint32Array([3]).buffer),
      Buffer.from(new Uint32Array([0, 1, 0]).buffer),
    ])
    expect([...decodeTrace(bytes)]).toEqual([0, 1, 0])
  })

  test('of another kind or cut short is refused', () => {
    expect(() => decodeTrace(Buffer.from('GIF89a..'))).toThrow('begins with TRC1')
    expect(() => decodeTrace(Buffer.from('TRC1\x02\0\0\0\0\0\0\0'))).toThrow('has 16 bytes; this one has 12')
  })
})
