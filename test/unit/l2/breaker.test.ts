import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { HitpathError } from '../../../src/errors.js'
import { CircuitBreaker, type CircuitState, type Permit } from '../../../src/l2/breaker.js'

let now: number
let changes: string[]

beforeEach(() => {
  now = 1000
  changes = []
})

function breaker(
  options: { readonly failures?: number; readonly random?: () => number } = {},
): CircuitBreaker {
  return new CircuitBreaker({
    failures: 3,
    random: () => 0,
    ...options,
    now: () => now,
    onChange: (state, before) => void changes.push(`${before} -> ${state}`),
  })
}

function fail(circuit: CircuitBreaker, times = 1): void {
  for (let i = 0; i < times; i++) circuit.failed(circuit.tryAcquire() as Permit)
}

describe('a closed circuit', () => {
  test('lets calls through at the same time', () => {
    const circuit = breaker()
    expect(circuit.tryAcquire()).toBe(circuit.tryAcquire())
    expect(circuit).toMatchObject({ state: 'closed', retryInMs: 0 })
  })

  test('opens after failures in a row', () => {
    const circuit = breaker()
    fail(circuit, 2)
    expect(circuit.state).toBe('closed')
    fail(circuit)
    expect(circuit).toMatchObject({ state: 'open', retryInMs: 1000 })
    expect(circuit.tryAcquire()).toBeUndefined()
  })

  test('forgets failures with each success', () => {
    const circuit = breaker()
    for (let i = 0; i < 10; i++) {
      fail(circuit, 2)
      circuit.succeeded(circuit.tryAcquire() as Permit)
    }
    expect(changes).toEqual([])
  })
})

describe('an open circuit', () => {
  test('lets one probe through when its time is over, and closes when that succeeds', () => {
    const circuit = breaker()
    fail(circuit, 3)
    now += 999
    expect(circuit.tryAcquire()).toBeUndefined()
    now += 1
    const probe = circuit.tryAcquire() as Permit
    expect(circuit.state).toBe('half-open')
    expect(circuit.tryAcquire()).toBeUndefined()
    circuit.succeeded(probe)
    expect(circuit.tryAcquire()).toBeDefined()
    expect(changes).toEqual(['closed -> open', 'open -> half-open', 'half-open -> closed'])
  })

  test('waits twice as long after each probe that fails, up to the longest', () => {
    const circuit = breaker()
    fail(circuit, 3)
    const waits: number[] = []
    for (let i = 0; i < 7; i++) {
      waits.push(circuit.retryInMs)
      now += circuit.retryInMs
      fail(circuit)
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
  })

  test('begins with the shortest wait again once it was closed', () => {
    const circuit = breaker()
    fail(circuit, 3)
    for (let i = 0; i < 3; i++) {
      now += circuit.retryInMs
      fail(circuit)
    }
    now += circuit.retryInMs
    circuit.succeeded(circuit.tryAcquire() as Permit)
    fail(circuit, 3)
    expect(circuit.retryInMs).toBe(1000)
  })

  test('shortens each wait by up to a quarter', () => {
    const circuit = breaker({ random: () => 1 })
    fail(circuit, 3)
    expect(circuit.retryInMs).toBe(750)
  })

  test('is not moved by results of calls that began before', () => {
    const circuit = breaker()
    const early = circuit.tryAcquire() as Permit
    fail(circuit, 3)
    circuit.succeeded(early)
    circuit.failed(early)
    expect(circuit).toMatchObject({ state: 'open', retryInMs: 1000 })
    now += 1000
    const probe = circuit.tryAcquire() as Permit
    circuit.succeeded(early)
    circuit.abandoned(early)
    expect(circuit.tryAcquire()).toBeUndefined()
    circuit.succeeded(probe)
    for (let i = 0; i < 3; i++) circuit.failed(early)
    expect(circuit.state).toBe('closed')
  })
})

describe('a probe', () => {
  test('that ends without a verdict makes room for the next', () => {
    const circuit = breaker()
    fail(circuit, 3)
    now += 1000
    circuit.abandoned(circuit.tryAcquire() as Permit)
    expect(circuit).toMatchObject({ state: 'half-open', retryInMs: 0 })
    circuit.succeeded(circuit.tryAcquire() as Permit)
    expect(circuit.state).toBe('closed')
  })

  test('that never reports is given up', () => {
    const circuit = breaker()
    fail(circuit, 3)
    now += 1000
    const lost = circuit.tryAcquire() as Permit
    now += circuit.retryInMs
    const next = circuit.tryAcquire()
    expect(next).toBeDefined()
    circuit.succeeded(lost)
    expect(circuit.state).toBe('half-open')
  })
})

describe('run', () => {
  const error = (code: 'L2_TIMEOUT' | 'L2_ERROR' | 'CLOSED'): HitpathError => new HitpathError(code, code)

  test('counts timeouts and missing connections, and refuses without calling', async () => {
    const circuit = breaker()
    for (let i = 0; i < 3; i++) {
      await expect(circuit.run(() => Promise.reject(error('L2_TIMEOUT')))).rejects.toThrow('L2_TIMEOUT')
    }
    const refused = circuit.run(() => expect.unreachable())
    await expect(refused).rejects.toMatchObject({
      code: 'L2_UNAVAILABLE',
      message: 'the circuit is open; the next probe is in 1000 ms',
    })
  })

  test('an error that the server answers with is an answer', async () => {
    const circuit = breaker()
    fail(circuit, 2)
    await expect(circuit.run(() => Promise.reject(error('L2_ERROR')))).rejects.toThrow('L2_ERROR')
    fail(circuit, 2)
    expect(circuit.state).toBe('closed')
  })

  test('any other error tells nothing', async () => {
    const circuit = breaker()
    fail(circuit, 2)
    await expect(circuit.run(() => Promise.reject(error('CLOSED')))).rejects.toThrow('CLOSED')
    fail(circuit)
    expect(circuit.state).toBe('open')
    now += 1000
    await expect(circuit.run(() => Promise.reject(new TypeError('mine')))).rejects.toThrow('mine')
    await expect(circuit.run(() => Promise.resolve(5))).resolves.toBe(5)
    expect(circuit.state).toBe('closed')
  })
})

test('whatever comes, at most one probe is out, and changes of state follow the picture', () => {
  const allowed = new Set<string>([
    'closed -> open',
    'open -> half-open',
    'half-open -> open',
    'half-open -> closed',
  ])
  const step = fc.record({
    act: fc.constantFrom('acquire', 'succeed', 'fail', 'abandon', 'wait'),
    pick: fc.nat(20),
    ms: fc.integer({ min: 1, max: 3000 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const circuit = breaker()
      const out: { readonly permit: Permit; readonly state: CircuitState; readonly at: number }[] = []
      for (const { act, pick, ms } of steps) {
        if (act === 'wait') now += ms
        else if (act === 'acquire') {
          const wait = circuit.retryInMs
          const permit = circuit.tryAcquire()
          expect(permit !== undefined).toBe(wait === 0)
          if (permit !== undefined) out.push({ permit, state: circuit.state, at: now })
        } else {
          const [call] = out.splice(pick % Math.max(1, out.length), 1)
          if (call === undefined) continue
          if (act === 'succeed') circuit.succeeded(call.permit)
          else if (act === 'fail') circuit.failed(call.permit)
          else circuit.abandoned(call.permit)
        }
        const recent = out.filter(({ state, at }) => state === 'half-open' && now - at < 1000)
        if (circuit.state === 'half-open' && recent.length > 0) expect(recent.length).toBe(1)
      }
      for (const change of changes.splice(0)) expect(allowed).toContain(change)
    }),
    { numRuns: 2000 },
  )
})

test.each([
  [{ failures: 0 }, 'CircuitBreaker.failures must be an integer of at least 1; got 0'],
  [{ resetAfter: -1 }, /^CircuitBreaker.resetAfter must be a positive number/],
  [{ failiures: 1 }, /^CircuitBreaker has no option "failiures"/],
])('%j is refused', (options: object, message) => {
  expect(() => new CircuitBreaker(options)).toThrow(message)
})
