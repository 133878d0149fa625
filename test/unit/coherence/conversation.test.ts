import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { BusClient } from '../../../src/coherence/bus.js'
import { Conversation } from '../../../src/coherence/conversation.js'

const LIMIT_MS = 100

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

/** Takes what it is asked, and says nothing. */
function silent(): BusClient {
  const never = () => new Promise<never>(() => {})
  const client = { status: 'ready', on: () => client, call: never, disconnect: () => {} }
  return client as unknown as BusClient
}

/** What the promise has come to after a time in which something is heard now and then. */
async function after(ms: number, promise: Promise<unknown>, hear: () => void = () => {}): Promise<string> {
  let state = 'pending'
  promise.then(
    () => {
      state = 'answered'
    },
    (error: { code?: string }) => {
      state = String(error.code)
    },
  )
  for (let passed = 0; passed < ms; passed += LIMIT_MS / 2) {
    await vi.advanceTimersByTimeAsync(LIMIT_MS / 2)
    hear()
  }
  await vi.advanceTimersByTimeAsync(1)
  return state
}

test('an answer that does not come within its limit ends the conversation', async () => {
  const talk = new Conversation(silent(), () => performance.now())
  expect(await after(2 * LIMIT_MS, talk.ask(LIMIT_MS, 'TIME'))).toBe('L2_TIMEOUT')
  await expect(talk.ask(LIMIT_MS, 'TIME')).rejects.toMatchObject({ code: 'L2_TIMEOUT' })
})

test('the answer to PING may wait behind messages as long as they come, and its limit after the last', async () => {
  const talk = new Conversation(silent(), () => performance.now())
  const ping = talk.ping(LIMIT_MS)
  expect(await after(20 * LIMIT_MS, ping, () => talk.heard())).toBe('pending')
  expect(await after(2 * LIMIT_MS, ping)).toBe('L2_TIMEOUT')
})

test('other answers do not wait behind messages', async () => {
  const talk = new Conversation(silent(), () => performance.now())
  expect(await after(4 * LIMIT_MS, talk.ask(LIMIT_MS, 'TIME'), () => talk.heard())).toBe('L2_TIMEOUT')
})
