import { describe, expect, test } from 'vitest'
import { ServerClock, timeReplyMs } from '../../../src/coherence/server-clock.js'

const SERVER = 1_700_000_000_000

class Local {
  ms = 1000
  readonly now = () => this.ms
}

function clockOf(local: Local, options = {}) {
  return new ServerClock({ now: local.now, ...options })
}

describe('the clock of the server', () => {
  test('is not known before a sample', () => {
    const clock = clockOf(new Local())
    expect(clock.known).toBe(false)
    expect(clock.now()).toBeNaN()
    expect(clock.uncertainty).toBe(Number.POSITIVE_INFINITY)
  })

  test('stands in the middle of the round trip, give or take half of it', () => {
    const local = new Local()
    const clock = clockOf(local)
    clock.sample(1000, 1004, SERVER)
    local.ms = 1004
    expect(clock.now()).toBe(SERVER + 2)
    expect(clock.uncertainty).toBe(2)
  })

  test('follows the smallest round trip', () => {
    const local = new Local()
    const clock = clockOf(local)
    clock.sample(1000, 1001, SERVER)
    clock.sample(1100, 1180, SERVER + 110)
    local.ms = 1200
    expect(clock.now()).toBeCloseTo(SERVER + 199.5, 6)
    expect(clock.uncertainty).toBeCloseTo(0.5 + 0.199 * 0.2, 6)
  })

  test('prefers a newer sample once drift has made the old one worse', () => {
    const local = new Local()
    const clock = clockOf(local, { driftPpm: 1000 })
    clock.sample(0, 0.2, SERVER)
    clock.sample(5000, 5001, SERVER + 5002)
    local.ms = 5001
    expect(clock.now()).toBeCloseTo(SERVER + 5002.5, 6)
  })

  test('after a change of server the next sample replaces the others, which serve until then', () => {
    const local = new Local()
    const clock = clockOf(local)
    clock.sample(1000, 1000.2, SERVER)
    clock.renew()
    local.ms = 2000
    expect(clock.now()).toBeCloseTo(SERVER + 999.9, 6)
    clock.sample(2000, 2008, SERVER + 1001)
    expect(clock.offset).toBe(SERVER + 1001 - 2004)
  })

  test('forgets what is older than the window', () => {
    const local = new Local()
    const clock = clockOf(local, { windowMs: 1000, driftPpm: 0 })
    clock.sample(0, 0.1, SERVER)
    clock.sample(2000, 2010, SERVER + 2005)
    local.ms = 2010
    expect(clock.uncertainty).toBe(5)
  })

  test.each([-3000, 3000])('a server whose clock is set by %d ms is followed at once', (step) => {
    const local = new Local()
    const clock = clockOf(local)
    clock.sample(1000, 1000.2, SERVER)
    clock.sample(2000, 2005, SERVER + 1002.5 + step)
    local.ms = 2005
    expect(clock.now()).toBeCloseTo(SERVER + 1005 + step, 6)
  })

  test('is within its uncertainty under random round trips and drift', () => {
    const local = new Local()
    const clock = clockOf(local, { driftPpm: 200 })
    let seed = 7
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
      return seed / 2 ** 31
    }
    const serverAt = (ms: number) => SERVER + ms * (1 + 150e-6)
    for (let i = 0; i < 5000; i++) {
      const sent = local.ms
      const there = random() ** 4 * 50
      const back = random() ** 4 * 50
      local.ms = sent + there + back
      clock.sample(sent, local.ms, serverAt(sent + there))
      expect(Math.abs(clock.now() - serverAt(local.ms))).toBeLessThanOrEqual(clock.uncertainty + 1e-3)
      local.ms += random() * 2000
    }
  })

  test.each([
    [10, 5, SERVER],
    [0, 1, Number.NaN],
  ])('a sample that cannot be is ignored: sent %d, received %d, server %d', (sent, received, server) => {
    const clock = clockOf(new Local())
    clock.sample(sent, received, server)
    expect(clock.known).toBe(false)
  })
})

test('the reply of TIME', () => {
  expect(timeReplyMs(['1700000000', '123456'])).toBeCloseTo(1_700_000_000_123.456, 3)
  expect(timeReplyMs([1_700_000_000, 0])).toBe(1_700_000_000_000)
  expect(timeReplyMs('OK')).toBeNaN()
})
