/**
 * Builds src/ into dist/esm and dist/cjs, with declarations. Does nothing when dist/ is newer than every input.
 *
 * Each build compiles a copy of src/ under build-ts/. That of CommonJS lies beside a package.json that says
 * "commonjs", so that the compiler checks and emits real CommonJS, and here-cjs.ts takes the place of here.ts.
 * dist/ is replaced only when both builds have passed.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const stamp = join(root, 'dist', '.stamp')
const staged = join(root, 'build-ts', String(process.pid))

const inputs = ['src', 'tsconfig.json', 'package.json', 'scripts/build-ts.mjs']
if (newest(inputs) <= modifiedMs(stamp)) process.exit(0)

const startedMs = Date.now()
build('esm', 'module', (source) => rmSync(join(source, 'native', 'here-cjs.ts'), { force: true }))
build('cjs', 'commonjs', (source) => {
  const twin = join(source, 'native', 'here-cjs.ts')
  cpSync(twin, join(source, 'native', 'here.ts'))
  rmSync(twin)
})
rmSync(join(root, 'dist'), { recursive: true, force: true })
renameSync(join(staged, 'dist'), join(root, 'dist'))
rmSync(staged, { recursive: true, force: true })
writeFileSync(stamp, '')
console.log(`built dist/esm and dist/cjs in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`)

function build(flavour, type, adapt) {
  const project = join(staged, flavour)
  const source = join(project, 'src')
  mkdirSync(project, { recursive: true })
  cpSync(join(root, 'src'), source, { recursive: true })
  adapt(source)
  writeJson(join(project, 'package.json'), { type })
  writeJson(join(project, 'tsconfig.json'), {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      noEmit: false,
      declaration: true,
      rootDir: 'src',
      outDir: join(staged, 'dist', flavour),
    },
    include: ['src'],
  })
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', project], { stdio: 'inherit' })
  if (status !== 0) {
    console.error(`build-ts: the ${flavour} build failed; the paths above are of a copy of src/`)
    rmSync(staged, { recursive: true, force: true })
    process.exit(1)
  }
  writeJson(join(staged, 'dist', flavour, 'package.json'), { type })
}

function newest(paths) {
  return Math.max(...paths.map((path) => newestOf(join(root, path))))
}

function newestOf(path) {
  const { mtimeMs } = statSync(path)
  if (!statSync(path).isDirectory()) return mtimeMs
  // a directory's own time tells of files that were removed
  return Math.max(mtimeMs, ...readdirSync(path).map((name) => newestOf(join(path, name))))
}

function modifiedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY
}

function writeJson(path, content) {
  writeFileSync(path, `${JSON.stringify(content)}\n`)
}
