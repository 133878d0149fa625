/** Which of hitpath's errors an error of ioredis or of the server is. */
import { HitpathError, type HitpathErrorCode } from '../errors.js'

/** The server answers, but not for this key, or not yet, or too late: as good as no connection, and nothing was done. */
const ELSEWHERE = /^(?:LATE|LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|MOVED|ASK|NOREPLICAS)\b/

/** What ioredis says of a command that it did not send. */
const UNSENT = /^Stream isn't writeable/

const nothingDone = new WeakSet<HitpathError>()

/** Marks an error of a call that did nothing, for certain. */
export function markUndone(error: HitpathError): HitpathError {
  nothingDone.add(error)
  return error
}

/** Whether the call that failed did nothing, and will not: it was never sent, or the server refused it. */
export function undone(error: unknown): boolean {
  return error instanceof HitpathError && nothingDone.has(error)
}

/** @returns L2_UNAVAILABLE or L2_ERROR with the error as its cause; a HitpathError as it is */
export function failure(error: unknown): HitpathError {
  if (error instanceof HitpathError) return error
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  const known = new HitpathError(codeOf(name, message), `Redis: ${message}`, { cause: error })
  return name === 'ReplyError' || UNSENT.test(message) ? markUndone(known) : known
}

function codeOf(name: string, message: string): HitpathErrorCode {
  return name === 'ReplyError' && !ELSEWHERE.test(message) ? 'L2_ERROR' : 'L2_UNAVAILABLE'
}

export function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}

/** Keys of one command lie partly here, partly there, and ioredis is tired of asking: their slot is being moved. */
export function isSplit(error: unknown): boolean {
  return error instanceof Error && /^(?:TRYAGAIN\b|Too many Cluster redirections)/.test(error.message)
}
