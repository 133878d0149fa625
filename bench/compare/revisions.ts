/**
 * A revision of git, built in a worktree of its own under the system's temporary folder.
 *
 * The benches of this tree measure it: they are laid over the revision's own, so that both sides of a comparison run the
 * same contenders. Dependencies are those of this tree. The addon is taken from here when the revision has the same sources.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const NATIVE = ['native', 'CMakeLists.txt', 'scripts/build-native.mjs'] as const
/** What the benches need besides themselves. */
const OVERLAID = ['bench', 'test/support'] as const

export class Revision {
  readonly name: string
  readonly commit: string
  readonly #repository: string
  readonly #folder: string

  private constructor(repository: string, name: string, commit: string, folder: string) {
    this.#repository = repository
    this.name = name
    this.commit = commit
    this.#folder = folder
  }

  /** Checks out and builds; leaves nothing behind when it fails. */
  static build(repository: string, name: string, say: (line: string) => void): Revision {
    const commit = commitOf(repository, name)
    const folder = mkdtempSync(join(tmpdir(), 'hitpath-compare-'))
    const revision = new Revision(repository, name, commit, join(folder, commit))
    try {
      say(`building ${name} (${commit})`)
      git(repository, 'worktree', 'add', '--detach', '--quiet', revision.#folder, commit)
      revision.#build()
      return revision
    } catch (error) {
      revision.remove()
      throw error
    }
  }

  /** The URL of one of its bench modules. */
  module(path: string): string {
    return pathToFileURL(join(this.#folder, 'bench', path)).href
  }

  remove(): void {
    try {
      git(this.#repository, 'worktree', 'remove', '--force', this.#folder)
    } catch {
      // it was never added
    }
    rmSync(join(this.#folder, '..'), { recursive: true, force: true })
  }

  #build(): void {
    const folder = this.#folder
    for (const path of OVERLAID) {
      rmSync(join(folder, path), { recursive: true, force: true })
      cpSync(join(this.#repository, path), join(folder, path), {
        recursive: true,
        filter: (source) => source !== join(this.#repository, 'bench', 'results'),
      })
    }
    if (!existsSync(join(folder, 'node_modules')))
      symlinkSync(join(this.#repository, 'node_modules'), join(folder, 'node_modules'), 'dir')
    if (this.#hasNativeOfHere()) {
      cpSync(join(this.#repository, 'build', 'Release'), join(folder, 'build', 'Release'), {
        recursive: true,
      })
    } else {
      run(folder, 'scripts/build-native.mjs')
    }
    run(folder, 'scripts/build-ts.mjs')
  }

  /** Whether the addon that is built here is of the same sources. */
  #hasNativeOfHere(): boolean {
    if (!existsSync(join(this.#repository, 'build', 'Release', 'hitpath.node'))) return false
    return git(this.#repository, 'diff', '--name-only', this.commit, '--', ...NATIVE) === ''
  }
}

function commitOf(repository: string, name: string): string {
  try {
    return git(repository, 'rev-parse', '--verify', '--short', `${name}^{commit}`)
  } catch (cause) {
    throw new Error(`${name} is no revision of this repository`, { cause })
  }
}

function git(repository: string, ...args: readonly string[]): string {
  return execFileSync('git', args, {
    cwd: repository,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim()
}

function run(folder: string, script: string): void {
  try {
    execFileSync(process.execPath, [script], { cwd: folder, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${script} failed at this revision:\n${stdout}${stderr}`)
  }
}
