import { inspect } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { lateClass } from '../../../src/native/late.js'

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
  return { Counter, load, Late: lateClass(load) }
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
