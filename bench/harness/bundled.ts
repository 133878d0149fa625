/**
 * Modules that no export of the package reaches, compiled as the package is: bundled by rolldown into one file, so that they are not
 * measured in tsx's translation (README, "The built package").
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { rolldown } from 'rolldown'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** @param source a path under src/ */
export async function bundled<T>(source: string): Promise<T> {
  const folder = join(ROOT, 'node_modules', '.cache', 'hitpath-bench', String(process.pid))
  mkdirSync(folder, { recursive: true })
  const build = await rolldown({
    input: { bundled: join(ROOT, 'src', source) },
    platform: 'node',
    external: (id) => !id.startsWith('.') && !id.startsWith('/') && !/^[A-Za-z]:/.test(id),
    resolve: { extensionAlias: { '.js': ['.ts', '.js'] } },
  })
  await build.write({ dir: folder, format: 'esm', entryFileNames: '[name].mjs' })
  await build.close()
  const exported = (await import(pathToFileURL(join(folder, 'bundled.mjs')).href)) as T
  rmSync(folder, { recursive: true, force: true })
  return exported
}
