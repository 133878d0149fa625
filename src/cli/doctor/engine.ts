/** Which engine this process gets, and with which instructions of the processor. */
import { type Finding, ok } from './finding.js'

export interface EngineFacts {
  readonly kind: 'native' | 'portable' | 'none'
  /** What long keys are hashed with. */
  readonly instructions: string | undefined
  /** Why the native binary was not taken, a line each. */
  readonly failures: readonly string[]
}

/** The one place that asks src/native. A binary that cannot be loaded is an answer, and no error. */
export async function loadedEngine(): Promise<EngineFacts> {
  try {
    const { native } = await import('../../native/binding.js')
    return { kind: 'native', instructions: native.instructions(), failures: [] }
  } catch (error) {
    const { message } = error as Error
    return { kind: 'none', instructions: undefined, failures: message.split('\n').map((line) => line.trim()) }
  }
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
