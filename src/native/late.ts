/**
 * Parts of the package that are read when they are first used, so that an import does not wait for V8 to read them.
 *
 * Nothing in src/ says what is late: scripts/late-chunks.mjs divides the build, and puts these functions in the place of what it moves out.
 * Always true: a late class is one class, whoever asks for it and whenever; what stands for it is what users see as its instances'
 * `constructor`, extend, and ask `instanceof`.
 *
 * Cost: nothing for instances and their methods, which are those of the class itself; 50 ns for `new`, half a microsecond for `instanceof`.
 */
import { join } from 'node:path'
import { packageRoot, requireFile } from './here.js'

type Class = abstract new (...args: never[]) => object

/**
 * What makes the exports of a chunk, once: its file is code of CommonJS for both builds, and takes the modules that it has in common with what
 * is loaded already.
 */
export function lateChunk<T>(file: string, common: () => object): () => T {
  let chunk: T | undefined
  return () => {
    chunk ??= (requireFile(join(packageRoot, file)) as (common: object) => T)(common())
    return chunk
  }
}

/** What stands for a class until somebody uses it, and for its constructor afterwards. Static fields are copied: they must not change. */
export function lateClass<T extends Class>(load: () => T): T {
  // A plain function, for a class would come with a prototype that cannot be replaced by that of the real one.
  const stand = function late() {} as unknown as T
  let real: T | undefined
  const settle = (): T => {
    if (real !== undefined) return real
    real = load()
    for (const name of Reflect.ownKeys(real)) {
      Object.defineProperty(stand, name, Object.getOwnPropertyDescriptor(real, name)!)
    }
    Object.setPrototypeOf(stand, Object.getPrototypeOf(real))
    Object.defineProperty(real.prototype, 'constructor', { value: proxy })
    // From here on the stand-in has all that they would look up.
    for (const trap of LOOKING) delete handler[trap]
    return real
  }
  const handler: ProxyHandler<T> = {
    construct(_, args, target) {
      const made = settle()
      return Reflect.construct(made, args, target === proxy ? made : target)
    },
    apply: (_, receiver, args) => Reflect.apply(settle() as unknown as () => unknown, receiver, args),
  }
  for (const trap of LOOKING) {
    handler[trap] = (target: T, ...rest: never[]) => {
      settle()
      return (Reflect[trap] as (...args: unknown[]) => never)(target, ...rest)
    }
  }
  const proxy = new Proxy(stand, handler)
  return proxy
}

/** The traps that need the real class before they can answer. */
const LOOKING = [
  'get',
  'set',
  'has',
  'ownKeys',
  'defineProperty',
  'deleteProperty',
  'getOwnPropertyDescriptor',
  'getPrototypeOf',
  'setPrototypeOf',
] as const
