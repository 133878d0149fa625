import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { packageRoot } from '../../../src/native/here.js'
import { lateChunk, lateClass } from '../../../src/native/late.js'

/** A class with all that a class may have, and what stands for it. */
function counters() {
  class Base {
    static readonly family = 'counters'
    describe(): string {
      return `${this.constructor.name} at ${String((this as unknown as { readonly count: number }).count)}`
    }
  }
  class Counter extends Base {
    static made = 0
    static from(text: string): Counter {
      return new this(Number(text))
    }
    readonly made: new (
      count?: number,
    ) => Counter
    #count: number
    constructor(count = 0) {
      super()
      this.#count = count
      this.made = new.target
      Counter.made++
    }
    get count(): number {
      return this.#count
    }
  }
  const load = vi.fn(() => Counter)
  return { Counter, load, Late: lateClass('Counter', load) }
}

describe('what stands for a late class', () => {
  test('loads it once, and not before somebody uses it', () => {
    const { load, Late } = counters()
    const held = { Late }
    expect(typeof held.Late).toBe('function')
    expect(load).not.toHaveBeenCalled()
    new Late()
    new Late()
    expect(load).toHaveBeenCalledTimes(1)
  })

  test('makes instances of the class, whose constructor it is', () => {
    const { Counter, Late } = counters()
    const counter = new Late(3)
    expect(counter.count).toBe(3)
    expect(counter).toBeInstanceOf(Late)
    expect(counter).toBeInstanceOf(Counter)
    expect(counter.constructor).toBe(Late)
    expect(counter.made).toBe(Counter)
    expect(Object.getPrototypeOf(counter)).toBe(Late.prototype)
    expect(counter.describe()).toBe('Counter at 3')
    expect(inspect(counter)).toMatch(/^Counter \{/)
  })

  test('takes instances that were made by the class itself for its own', () => {
    const { Counter, Late } = counters()
    expect(new Counter()).toBeInstanceOf(Late)
    expect({}).not.toBeInstanceOf(Late)
  })

  test('can be extended before it is loaded', () => {
    const { Late } = counters()
    class Twice extends Late {
      override get count(): number {
        return 2 * super.count
      }
    }
    const twice = new Twice(3)
    expect(twice.count).toBe(6)
    expect(twice).toBeInstanceOf(Late)
    expect(twice.constructor).toBe(Twice)
    expect(twice.made).toBe(Twice)
    expect(Twice.from('4')).toBeInstanceOf(Twice)
  })

  test.each([
    ['a static method', (Late) => expect(Late.from('7').count).toBe(7)],
    ['an inherited static', (Late) => expect(Late.family).toBe('counters')],
    ['its name', (Late) => expect(Late.name).toBe('Counter')],
    [
      'its prototype',
      (Late) => expect(Object.keys(Object.getOwnPropertyDescriptors(Late.prototype))).toContain('count'),
    ],
    ['a look for a static', (Late) => expect('from' in Late).toBe(true)],
    ['its own properties', (Late) => expect(Object.getOwnPropertyNames(Late)).toContain('from')],
    [
      'their descriptors',
      (Late) => expect(Object.getOwnPropertyDescriptor(Late, 'prototype')?.writable).toBe(false),
    ],
    ['its parent', (Late) => expect(Object.getPrototypeOf(Late).name).toBe('Base')],
    ['Reflect.construct', (Late) => expect(Reflect.construct(Late, [5]).count).toBe(5)],
  ] as const satisfies [string, (Late: ReturnType<typeof counters>['Late']) => void][])(
    'answers %s as the class does',
    (_, check) => {
      const { load, Late } = counters()
      check(Late)
      check(Late)
      expect(load).toHaveBeenCalledTimes(1)
    },
  )

  test.each([
    ['frozen', (late) => Object.freeze(late), Object.isFrozen],
    ['sealed', (late) => Object.seal(late), Object.isSealed],
    [
      'closed to new properties',
      (late) => Object.preventExtensions(late),
      (late) => !Object.isExtensible(late),
    ],
  ] as const satisfies [string, (late: object) => object, (late: object) => boolean][])(
    'can be %s before it is loaded',
    (_, close, isClosed) => {
      const { Counter, Late } = counters()
      expect(close(Late)).toBe(Late)
      expect(isClosed(Late)).toBe(true)
      expect(Late.from('3').count).toBe(3)
      expect(Late.family).toBe('counters')
      expect(new Late().constructor).toBe(Late)
      expect(Reflect.ownKeys(Late).sort()).toEqual(Reflect.ownKeys(Counter).sort())
    },
  )

  test('is open to new properties until it is closed', () => {
    const { Late } = counters()
    expect(Object.isExtensible(Late)).toBe(true)
    Object.assign(Late, { added: 1 })
    expect(Late).toHaveProperty('added', 1)
  })

  test('prints its name, loaded or not', () => {
    const { load, Late } = counters()
    expect(inspect(Late)).toBe('[Function: Counter]')
    expect(load).not.toHaveBeenCalled()
    new Late()
    expect(inspect(Late)).toMatch(/^\[Function: Counter\]/)
  })

  test('stays as it was when something of the class cannot be copied', () => {
    const { Counter, load, Late } = counters()
    const Broken = new Proxy(Counter, {
      getPrototypeOf() {
        throw new Error('not now')
      },
    })
    load.mockImplementationOnce(() => Broken)
    expect(() => Late.made).toThrow('not now')
    expect(Late.from('2').count).toBe(2)
    expect(new Late().constructor).toBe(Late)
    expect(load).toHaveBeenCalledTimes(2)
  })

  test('lets a test replace a method, and a static', () => {
    const { Late } = counters()
    vi.spyOn(Late.prototype, 'describe').mockReturnValue('replaced')
    expect(new Late().describe()).toBe('replaced')
    vi.spyOn(Late, 'from').mockImplementation(() => new Late(9))
    expect(Late.from('1').count).toBe(9)
  })

  test('cannot be called', () => {
    const { Late } = counters()
    expect(() => (Late as unknown as () => unknown)()).toThrow(/Counter.*without 'new'/)
  })

  test('fails as its loading does, and loads again', () => {
    const { load, Late } = counters()
    load.mockImplementationOnce(() => {
      throw new Error('not there')
    })
    expect(() => new Late()).toThrow('not there')
    expect(new Late(1).count).toBe(1)
  })
})

describe('what is read late', () => {
  let folder: string
  beforeAll(() => {
    mkdirSync(join(packageRoot, 'build-ts'), { recursive: true })
    folder = mkdtempSync(join(packageRoot, 'build-ts', 'late-'))
    writeFileSync(join(folder, 'package.json'), '{}')
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  /** What loads a file of that code for a caller of build 'b1'. */
  function chunk(name: string, code?: string) {
    const path = join(folder, name)
    if (code !== undefined) writeFileSync(path, code)
    return lateChunk<{ readonly sum: number }>(relative(packageRoot, path), 'b1', () => ({ two: 2 }))
  }

  test('is made once, of what it is handed', () => {
    const load = chunk('whole.js', `module.exports = { build: 'b1', make: ({ two }) => ({ sum: two + 1 }) }`)
    expect(load()).toEqual({ sum: 3 })
    expect(load()).toBe(load())
  })

  test.each([
    ['of another build', `module.exports = { build: 'b2', make: () => ({}) }`],
    ['of a version that knew no builds', 'module.exports = () => ({})'],
  ])('is refused when it is %s', (what, code) => {
    const load = chunk(`${what}.js`, code)
    const refusal = {
      code: 'NATIVE_LOAD',
      message: expect.stringContaining(`${what}.js is of another version`),
    }
    expect(load).toThrow(expect.objectContaining(refusal))
    expect(load).toThrow(expect.objectContaining(refusal))
  })

  test('is named when it is not there, or cannot be read', () => {
    expect(chunk('missing.js')).toThrow(
      expect.objectContaining({
        name: 'HitpathError',
        code: 'NATIVE_LOAD',
        message: expect.stringContaining('missing.js of hitpath'),
        cause: expect.objectContaining({ code: 'MODULE_NOT_FOUND' }),
      }),
    )
    expect(chunk('half.js', 'module.exports = {')).toThrow(
      expect.objectContaining({
        code: 'NATIVE_LOAD',
        cause: expect.objectContaining({ name: 'SyntaxError' }),
      }),
    )
  })

  test('is looked for again after it was missing', () => {
    const load = chunk('later.js')
    expect(load).toThrow(/later\.js/)
    writeFileSync(join(folder, 'later.js'), `module.exports = { build: 'b1', make: () => ({ sum: 1 }) }`)
    expect(load()).toEqual({ sum: 1 })
  })
})
