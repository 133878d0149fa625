/**
 * The native binary: where it is looked for, and what is said when none loads.
 *
 * Always true: a binary whose layout is not that of layout.ts is refused; a thread starts the addon once, however many copies of the
 * package it loads.
 */
import { existsSync } from 'node:fs'
import { join, toNamespacedPath } from 'node:path'
import { describe, HitpathError } from '../errors.js'
import { shared } from '../shared.js'
import type { Native } from './binding.js'
import { packageRoot } from './here.js'
import { LAYOUT_FINGERPRINT } from './layout.js'
import { prebuiltBinary } from './prebuilt.js'

/** What the addon exports once started: all but what the loader adds. */
type Functions = Omit<Native, 'engine' | 'digestBytes'>

interface Module {
  readonly fingerprint: bigint
  start(staging: Uint8Array): Functions
}

function load(): Module {
  // what somebody built here is theirs on purpose
  const candidates = ['build/Release/hitpath.node', prebuiltBinary()]
  const failures: string[] = []
  for (const candidate of candidates) {
    const path = join(packageRoot, candidate)
    if (!existsSync(path)) {
      failures.push(`${candidate}: not there`)
      continue
    }
    try {
      const found = open(path)
      if (found.fingerprint === LAYOUT_FINGERPRINT) return found
      failures.push(`${candidate}: built from another version of the sources`)
    } catch (error) {
      failures.push(
        `${candidate}: ${error instanceof Error ? error.message.split('\n')[0] : describe(error)}`,
      )
    }
  }
  throw new HitpathError(
    'NATIVE_LOAD',
    `no native binary for ${process.platform}-${process.arch} could be loaded:\n  ${failures.join('\n  ')}\n` +
      'Build it with `npx cmake-js compile` in the package (it needs a C++20 compiler and CMake).',
  )
}

/** As `require` would, less the millisecond in which it looks for what is known to be there. */
function open(path: string): Module {
  const module = { exports: {} as Module }
  process.dlopen(module, toNamespacedPath(path))
  return module.exports
}

/** @throws HitpathError NATIVE_LOAD, listing each attempt */
export function startAddon(staging: Uint8Array): Native {
  const functions = shared(`addon ${LAYOUT_FINGERPRINT}`, () => load().start(staging))
  // A copy in an object of ours, whose functions V8 may take for constants.
  return { ...functions, engine: 'native', digestBytes: 16 }
}
