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
import { HitpathError } from '../errors.js'
import { packageRoot, requireFile } from './here.js'

type Class = abstract new (...args: never[]) => object

/** What the file of a chunk exports: code of CommonJS for both builds, which takes the modules that it has in common with what is loaded. */
interface Chunk<T> {
  /** Tells which build it is a part of. */
  readonly build: string
  make(common: object): T
}

/**
 * What makes the exports of a chunk, once, of the same build as the caller: an update may have replaced the files of a running process.
 *
 * It throws HitpathError NATIVE_LOAD where it cannot.
 */
export function lateChunk<T>(file: string, build: string, common: () => object): () => T {
  let made: T | undefined
  return () => {
    made ??= chunkOf<T>(file, build).make(common())
    return made
  }
}

function chunkOf<T>(file: string, build: string): Chunk<T> {
  let chunk: Chunk<T>
  try {
    chunk = requireFile(join(packageRoot, file)) as Chunk<T>
  } catch (cause) {
    throw new HitpathError(
      'NATIVE_LOAD',
      `${file} of hitpath, which is read at its first use, could not be loaded: install the package again, or let your bundler take the file along`,
      { cause },
    )
  }
  if (chunk.build === build) return chunk
  throw new HitpathError(
    'NATIVE_LOAD',
    `${file} is of another version of hitpath than the process runs: restart it after an update of the package`,
  )
}

/** What stands for a class until somebody uses it, and for its constructor afterwards. Static fields are copied: they must not change. */
export function lateClass<T extends Class>(name: string, load: () => T): T {
  // A plain function, for a class would come with a prototype that cannot be replaced by that of the real one.
  const stand = function late() {} as unknown as T
  // What prints a proxy reads its target, and no trap.
  Object.defineProperty(stand, 'name', { value: name })
  let real: T | undefined
  const settle = (): T => {
    if (real !== undefined) return real
    const loaded = load()
    for (const key of Reflect.ownKeys(loaded)) {
      Object.defineProperty(stand, key, Object.getOwnPropertyDescriptor(loaded, key)!)
    }
    Object.setPrototypeOf(stand, Object.getPrototypeOf(loaded))
    Object.defineProperty(loaded.prototype, 'constructor', { value: proxy })
    // From here on the stand-in has all that they would look up.
    for (const trap of LOOKING) delete handler[trap]
    real = loaded
    return loaded
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

/** The traps that need the real class before they can answer: all but the two of a call. */
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
  'isExtensible',
  'preventExtensions',
] as const
