/**
 * Makes sure that what is measured is the built package. TypeScript finds `hitpath` in src/ by a path of tsconfig.json,
 * and tsx follows it; children and threads are started with a configuration that has no such path.
 */
import { fileURLToPath } from 'node:url'

/**
 * The environment for a child process or a thread.
 * @param harness any module beside this one, of the tree that is measured
 */
export function builtEnvironment(harness: string = import.meta.url): NodeJS.ProcessEnv {
  return { ...process.env, TSX_TSCONFIG_PATH: fileURLToPath(new URL('../tsconfig.built.json', harness)) }
}

/** Runs in a child: loads the package and throws when it is absent, or not the built one. */
export async function loadBuilt(): Promise<void> {
  const measured = import.meta.resolve('hitpath')
  if (!measured.includes('/dist/')) throw new Error(`benches measure the built package, not ${measured}`)
  await import('hitpath')
}
