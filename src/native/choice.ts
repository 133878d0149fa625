/** Which engine is wanted: by `HITPATH_ENGINE` for the process, by the option `engine` for a cache. */
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads'
import { describe, HitpathError } from '../errors.js'

/** `native`: the addon. `portable`: TypeScript, for platforms without a binary. `auto`: native where it loads, else portable. */
export type EngineChoice = 'native' | 'portable' | 'auto'
export type EngineName = 'native' | 'portable'

const CHOICES: readonly unknown[] = ['native', 'portable', 'auto']

/** @throws HitpathError INVALID_OPTION */
export function engineOption(value: unknown, path: string): EngineChoice {
  if (CHOICES.includes(value)) return value as EngineChoice
  throw new HitpathError(
    'INVALID_OPTION',
    `${path} must be 'native', 'portable' or 'auto'; got ${describe(value)}`,
  )
}

/** @throws HitpathError INVALID_OPTION */
export function engineOfEnvironment(): EngineChoice {
  return engineOption(process.env['HITPATH_ENGINE'] || 'auto', 'HITPATH_ENGINE')
}

const ANNOUNCED = 'hitpath.portable'

/** Tells once, for the workers that are started afterwards too, that the portable engine serves because no binary loads. */
export function announcePortable(failure: HitpathError): void {
  if (getEnvironmentData(ANNOUNCED) === true) return
  setEnvironmentData(ANNOUNCED, true)
  process.emitWarning(
    `the portable engine serves instead of the native one, several times as slow and without SharedCache: ${failure.message}\n` +
      'Set HITPATH_ENGINE=portable to accept that without this warning, or HITPATH_ENGINE=native to be refused instead.',
    { type: 'HitpathWarning', code: 'HITPATH_PORTABLE' },
  )
}
