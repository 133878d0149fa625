import { expect, test } from 'vitest'
import { Ghosts } from '../../../../src/native/portable/ghost.js'

// Buckets and turns that keep step: without a sweep, forgotten places are met again when the ticks come round.
test.each([8, 16, 32, 64])('what %i entries forgot stays forgotten when the ticks come round', (capacity) => {
  const ghosts = new Ghosts(capacity)
  for (let i = 0; i < 200_000; i++) {
    // A loop, and another one for more ticks than are told apart, and so on.
    const hash = Math.floor(i / 40_000) * 1_000_000 + (i % (10 * capacity))
    ghosts.take(hash)
    ghosts.put(0, hash)
    if (i % 7 === 0 && ghosts.validate() !== undefined) expect.fail(`${ghosts.validate()} after ${i}`)
  }
  expect(ghosts.validate()).toBeUndefined()
  expect(ghosts.count(0)).toBeLessThanOrEqual(capacity / 2)
})
