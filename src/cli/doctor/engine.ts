/** Which engine this process gets, and with which instructions of the processor. */
import { type Finding, ok } from './finding.js'

export interface EngineFacts {
  readonly kind: 'native' | 'portable' | 'none'
  /** What long keys are hashed with. */
  readonly instructions: string | undefined
  /** Why the native binary was not taken, a line each. */
  readonly failures: readonly string[]
}

/** What is asked of src/native/binding.ts. */
interface EngineModule {
  readonly native: { readonly engine?: 'native' | 'portable'; instructions?(): string }
  /** Throws what was tried when the native engine cannot be had. */
  readonly bindingOf?: (engine: 'native') => unknown
}

/** The one place that asks src/native. A binary that cannot be loaded is an answer, and no error. */
export async function loadedEngine(): Promise<EngineFacts> {
  try {
    const { native, bindingOf }: EngineModule = await import('../../native/binding.js')
    const kind = native.engine ?? 'native'
    const failures = kind === 'native' ? [] : failuresOf(() => bindingOf?.('native'))
    return { kind, instructions: native.instructions?.(), failures }
  } catch (error) {
    return { kind: 'none', instructions: undefined, failures: linesOf(error) }
  }
}

function failuresOf(load: () => unknown): string[] {
  try {
    load()
    return []
  } catch (error) {
    return linesOf(error)
  }
}

function linesOf(error: unknown): string[] {
  return (error as Error).message.split('\n').map((line) => line.trim())
}

const NAMES: Readonly<Record<string, string>> = {
  avx512: 'AVX-512',
  avx2: 'AVX2',
  sse2: 'SSE2',
  neon: 'NEON',
  sve: 'SVE',
  vsx: 'VSX',
}

/** @param arch as `process.arch` */
export function judgeEngine({ kind, instructions, failures }: EngineFacts, arch: string): Finding[] {
  if (kind === 'none') {
    return [
      {
        code: 'ENGINE',
        level: 'error',
        found: failures.join('; '),
        why: 'without an engine the package cannot be imported',
        remedy: 'npx cmake-js compile in node_modules/hitpath (needs a C++20 compiler and CMake)',
      },
    ]
  }
  if (kind === 'portable' && failures.length === 0) {
    return [
      {
        code: 'ENGINE',
        level: 'note',
        found: 'the portable engine, since it was asked for; the native one can be loaded',
        why: 'calls take several times as long, and there is no SharedCache',
        remedy: 'HITPATH_ENGINE=auto',
      },
    ]
  }
  if (kind === 'portable') {
    return [
      {
        code: 'ENGINE',
        level: 'warning',
        found: `the portable engine; the native one was not loaded: ${failures.join('; ')}`,
        why: 'calls take several times as long, and there is no SharedCache',
        remedy:
          'install on a platform that the package has a binary for, or npx cmake-js compile in node_modules/hitpath',
      },
    ]
  }
  return [ok('ENGINE', 'the native engine is loaded'), judgeInstructions(instructions ?? 'other', arch)]
}

function judgeInstructions(instructions: string, arch: string): Finding {
  const name = NAMES[instructions]
  if (name === undefined || (arch === 'x64' && instructions === 'sse2')) {
    return {
      code: 'CPU',
      level: 'note',
      found: `arrays are hashed with ${name ?? 'no vector instructions'}`,
      why: 'keys that are large arrays take two to four times as long as with AVX2 or NEON',
      remedy: 'a machine with AVX2; in a virtual machine, a CPU model that passes it on (host-passthrough)',
    }
  }
  return ok('CPU', `arrays are hashed with ${name}`)
}
