/**
 * What one import costs a program that starts: fresh processes, each importing one package and nothing else, in turn.
 *
 * The time is that of the import alone, by the process's own clock, so that starting Node is no part of it. The file system's cache
 * is warm after the first round, which is not counted.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Figure, type Rounds, type Subject, type Suite, sized } from '../harness/subject.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const PACKAGES = { hitpath: ROOT, 'lru-cache': join(ROOT, 'node_modules', 'lru-cache') }

/** Programs that print how many milliseconds it took. The argument is looked up from the folder that they lie in. */
const PROGRAMS = {
  'import-esm.mjs': `
const startedAt = process.hrtime.bigint()
await import(process.argv[2])
console.log(Number(process.hrtime.bigint() - startedAt) / 1e6)
`,
  'import-commonjs.cjs': `
const startedAt = process.hrtime.bigint()
require(process.argv[2])
console.log(Number(process.hrtime.bigint() - startedAt) / 1e6)
`,
} as const

function measure(program: string, contenders: readonly string[], rounds: number): Rounds {
  const folder = mkdtempSync(join(tmpdir(), 'hitpath-import-'))
  try {
    writeFileSync(join(folder, program), PROGRAMS[program as keyof typeof PROGRAMS])
    for (const name of contenders) link(folder, name)
    const times: Record<string, number[]> = Object.fromEntries(contenders.map((name) => [name, []]))
    for (let round = -1; round < rounds; round++) {
      // in turn, and each first as often as the other
      const order = round % 2 === 0 ? contenders : [...contenders].reverse()
      for (const name of order) {
        const ms = Number(execFileSync(process.execPath, [program, name], { cwd: folder, encoding: 'utf8' }))
        if (!(ms > 0)) throw new Error(`${program} printed no time for ${name}`)
        if (round >= 0) times[name]!.push(ms)
      }
    }
    return times
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function link(folder: string, name: string): void {
  const modules = join(folder, 'node_modules')
  mkdirSync(modules, { recursive: true })
  symlinkSync(PACKAGES[name as keyof typeof PACKAGES], join(modules, name), 'junction')
}

function importing(id: string, title: string, program: string): Subject {
  const figures: readonly Figure[] = [{ id, title, unit: 'ms' }]
  return {
    id,
    figures,
    measure: async ({ form, contenders }) => {
      const names = Object.keys(PACKAGES).filter((name) => contenders?.has(name) ?? true)
      return { figures: { [id]: { contenders: measure(program, names, sized(form, 41, 11)) } } }
    },
  }
}

export const suite: Suite = {
  id: 'import-time',
  title: 'What an import costs',
  subjects: [
    importing('import-esm', 'import of the package, a fresh process', 'import-esm.mjs'),
    importing('import-commonjs', 'require of the package, a fresh process', 'import-commonjs.cjs'),
  ],
}
