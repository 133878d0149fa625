/** What the figures were measured on and with: printed above them and kept beside them. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly platform: string
  readonly kernel: string
  /** Over the last minute, before the run. */
  readonly load: number
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    kernel: release(),
    load: loadavg()[0]!,
  }
}

const PEERS = [
  'lru-cache',
  '@isaacs/ttlcache',
  'quick-lru',
  'tiny-lru',
  'lru.min',
  'mnemonist',
  'node-cache',
  'lmdb',
  'xxhash-wasm',
  'msgpackr',
  'layered-loader',
  'bentocache',
  'cacheable',
  'cache-manager',
  'ioredis',
  'tinybench',
] as const

/** Versions of Node, V8, this package and its peers. */
export function versions(root: string): Readonly<Record<string, string>> {
  return { node: process.versions.node, v8: process.versions.v8, ...versionsOf(root, PEERS) }
}

/** Versions of this package and of installed ones. */
export function versionsOf(root: string, names: readonly string[]): Readonly<Record<string, string>> {
  const installed = names.map((name) => [name, versionIn(join(root, 'node_modules', name))])
  return { hitpath: versionIn(root), ...Object.fromEntries(installed) }
}

function versionIn(folder: string): string {
  const file = join(folder, 'package.json')
  if (!existsSync(file)) return 'absent'
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** The commit, marked when the tree differs from it; undefined outside a repository. */
export function revision(root: string): string | undefined {
  const git = (...args: readonly string[]): string =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '+')
  } catch {
    return undefined
  }
}
