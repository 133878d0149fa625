/** The bytes that a cache lives in. */
import { HitpathError } from '../errors.js'

/** @throws HitpathError OUT_OF_MEMORY when the bytes cannot be reserved, INVALID_OPTION when the options are out of range */
export function createRegion(bytes: number): SharedArrayBuffer {
  if (Number.isNaN(bytes)) {
    throw new HitpathError(
      'INVALID_OPTION',
      'the options ask for a region that no machine has: fewer entries or bytes',
    )
  }
  try {
    // One array spans the region, which is what limits it where memory does not: 4 GiB in Node 20.
    return new Uint8Array(new SharedArrayBuffer(bytes)).buffer
  } catch (cause) {
    throw new HitpathError('OUT_OF_MEMORY', `a region of ${bytes} bytes cannot be reserved`, { cause })
  }
}

/** Why a region cannot be opened. The faults are RegionFault of native/core/region.h. */
export function refusal(fault: number): HitpathError {
  switch (fault) {
    case 3:
      return new HitpathError('REGION_VERSION', 'the region was laid out by another version of hitpath')
    case 5:
      return new HitpathError('REGION_CORRUPT', 'the region is damaged')
    case 6:
      return new HitpathError('CLOSED', 'the cache was closed everywhere')
    case 4:
      return new HitpathError('INVALID_REGION', 'the region is truncated')
    default:
      return new HitpathError('INVALID_REGION', 'the buffer does not hold a region')
  }
}
