/**
 * What all copies of this version that one thread loads have in common: the ES module and the CommonJS build, the entry points of the
 * package, and the same version installed twice.
 *
 * Each has code of its own, which V8 compiles best, but one staging area, one binding, one class of prepared keys: so a cache, a key or an
 * error that one of them made is known to the others. Always true: what stands under a name is made once a thread, by the copy that is
 * loaded first.
 */
import { VERSION } from './version.js'

const KEY = Symbol.for(`hitpath ${VERSION}`)

type Registry = Map<string, unknown>

export function shared<T>(name: string, make: () => T): T {
  const scope = globalThis as { [KEY]?: Registry }
  scope[KEY] ??= new Map()
  const registry = scope[KEY]
  if (!registry.has(name)) registry.set(name, make())
  return registry.get(name) as T
}
