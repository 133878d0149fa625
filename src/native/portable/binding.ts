/**
 * The portable engine: the functions of native/addon in TypeScript, over the same staging words. For a LocalCache; what needs memory that
 * threads share is refused with UNSUPPORTED.
 *
 * Always true: as in the addon, a call reads the staging area when it begins and writes it when it ends, and no code of the user's runs
 * between.
 */
import type { Native } from '../binding.js'
import { callsOf } from './calls.js'
import { DIGEST_BYTES } from './digest.js'
import { sessionOf } from './session.js'
import { snapshotCallsOf } from './snapshots.js'
import type { StagingArea } from './staging.js'
import { unsupported } from './unsupported.js'
import { wholeCallsOf } from './whole.js'

export function portableBinding(staging: StagingArea): Native {
  const session = sessionOf(staging)
  return {
    engine: 'portable',
    digestBytes: DIGEST_BYTES + 1,
    ...callsOf(session),
    ...wholeCallsOf(session),
    ...snapshotCallsOf(session),
    ...REFUSED,
    unpin: () => undefined, // nothing was pinned
  }
}

const REFUSED = {
  copyString: () => refuse('getInto()'),
  copyStaged: () => refuse('getInto()'),
  getRows: () => refuse('getRows()'),
  setRows: () => refuse('setRows()'),
  loadBlocks: () => refuse('a SharedCache'),
  storeBlocks: () => refuse('a SharedCache'),
  expectBytes: () => refuse('a SharedCache'),
  remember: () => refuse('a SharedCache'),
  closeRegion: () => refuse('a SharedCache'),
}

function refuse(what: string): never {
  throw unsupported(what)
}
