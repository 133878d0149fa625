import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { QueuedWrite } from '../../../src/l2/queued.js'
import { type DropReason, ReplayQueue, type ReplayQueueOptions } from '../../../src/l2/replay-queue.js'

const STAMP = 1_700_000_000_000_000
const AT = { from: STAMP, to: STAMP }

function setOf(name: string, text: string, ttlMs = 1000, from = STAMP, tags: readonly string[] = []) {
  return { name, bytes: Buffer.from(text), ttlMs, tags, at: { from, to: from } }
}

function put(queue: ReplayQueue, name: string, text: string, ttlMs?: number, from?: number): boolean {
  return queue.set(setOf(name, text, ttlMs, from))
}

/** The writes as short words, taken one run after the other. */
function drain(queue: ReplayQueue): string[] {
  const words: string[] = []
  for (let run = queue.next(); run.length > 0; run = queue.next()) {
    words.push(...run.map(word))
    queue.done(run)
  }
  return words
}

function word(write: QueuedWrite): string {
  switch (write.kind) {
    case 'set':
      return `${write.name}=${Buffer.from(write.bytes)}`
    case 'delete':
      return `-${write.name}`
    case 'tag':
      return `#${write.tag}`
    case 'pattern':
      return `~${write.glob}`
    case 'clear':
      return 'clear'
  }
}

function recording(options: ReplayQueueOptions = {}): { queue: ReplayQueue; drops: [DropReason, number][] } {
  const drops: [DropReason, number][] = []
  return {
    queue: new ReplayQueue({ onDrop: (reason, count) => void drops.push([reason, count]), ...options }),
    drops,
  }
}

describe('order', () => {
  test('is that of the calls', () => {
    const queue = new ReplayQueue()
    put(queue, 'sa', '1', 1000, STAMP)
    queue.invalidateTag('t', AT)
    queue.delete('sb', AT)
    queue.invalidatePattern('x*', AT)
    put(queue, 'sc', '2', Infinity, STAMP)
    expect(drain(queue)).toEqual(['sa=1', '#t', '-sb', '~x*', 'sc=2'])
  })

  test('a later write of a name takes the place at the end, also across a tag', () => {
    const queue = new ReplayQueue()
    put(queue, 'sa', '1', 1000, STAMP)
    queue.delete('sb', AT)
    queue.invalidateTag('t', AT)
    put(queue, 'sa', '2', 1000, STAMP + 1)
    put(queue, 'sb', '3', 1000, STAMP + 2)
    queue.delete('sb', AT)
    expect(drain(queue)).toEqual(['#t', 'sa=2', '-sb'])
  })

  test('a clear under way is told from the one that took its place', () => {
    const queue = new ReplayQueue({ maxInvalidations: 1 })
    queue.clear(AT)
    const [first] = queue.next() as [QueuedWrite]
    expect(queue.holds(first)).toBe(true)
    queue.invalidateTag('t', AT)
    expect([queue.holds(first), queue.holdsTag('t')]).toEqual([false, false])
    queue.done([first])
    expect(queue.size).toBe(1)
    queue.done(queue.next())
    queue.invalidateTag('t', AT)
    expect([queue.size, queue.holdsTag('t')]).toEqual([1, true])
  })

  test('a clear makes what came before it needless', () => {
    const queue = new ReplayQueue()
    put(queue, 'sa', '1', 1000, STAMP)
    queue.invalidateTag('t', AT)
    queue.clear(AT)
    put(queue, 'sb', '2', 1000, STAMP)
    queue.clear(AT)
    put(queue, 'sc', '3', 1000, STAMP)
    expect(drain(queue)).toEqual(['clear', 'sc=3'])
    expect(queue).toMatchObject({ size: 0, bytes: 0 })
  })

  test('names, tags and patterns do not meet', () => {
    const queue = new ReplayQueue()
    queue.delete('c', AT)
    queue.invalidateTag('c', AT)
    queue.invalidatePattern('c', AT)
    queue.delete('tc', AT)
    expect(drain(queue)).toEqual(['-c', '#c', '~c', '-tc'])
  })
})

describe('taking', () => {
  test('gives a run of one kind, at most as long as asked', () => {
    const queue = new ReplayQueue()
    for (const name of ['sa', 'sb', 'sc']) queue.delete(name, AT)
    queue.invalidateTag('t', AT)
    expect(queue.next(2).map(word)).toEqual(['-sa', '-sb'])
    expect(queue.next().map(word)).toEqual(['-sa', '-sb', '-sc'])
  })

  test('what was not done comes again, what was queued meanwhile after it', () => {
    const queue = new ReplayQueue()
    put(queue, 'sa', '1', 1000, STAMP)
    const taken = queue.next()
    expect(queue.next().map(word)).toEqual(taken.map(word))
    put(queue, 'sa', '2', 1000, STAMP)
    queue.done(taken)
    expect(queue.blocks('sa')).toBe(true)
    expect(drain(queue)).toEqual(['sa=2'])
  })

  test('a set carries what is left of its time, and its stamp', () => {
    let now = 100
    const { queue, drops } = recording({ now: () => now })
    put(queue, 'sa', '1', 1000, STAMP)
    put(queue, 'sb', '1', 200, STAMP)
    put(queue, 'sc', '1', Infinity, STAMP)
    now = 300
    expect(queue.next(1)).toMatchObject([{ ttlMs: 800, at: { from: STAMP } }])
    expect(drain(queue)).toEqual(['sa=1', '-sb', 'sc=1'])
    expect(drops).toEqual([['expired', 1]])
  })
})

describe('blocks', () => {
  test('the names of sets and deletions, until they are done', () => {
    const queue = new ReplayQueue()
    put(queue, 'sa', '1', 1000, STAMP)
    queue.delete('sb', AT)
    expect(['sa', 'sb', 'sc'].map((name) => queue.blocks(name))).toEqual([true, true, false])
    drain(queue)
    expect(queue.blocks('sa')).toBe(false)
  })

  test.each<readonly [string, (queue: ReplayQueue) => void]>([
    ['tag', (queue) => queue.invalidateTag('t', AT)],
    ['pattern', (queue) => queue.invalidatePattern('t*', AT)],
    ['clear', (queue) => queue.clear(AT)],
  ])('every name while a %s is queued', (_, invalidate) => {
    const queue = new ReplayQueue()
    invalidate(queue)
    invalidate(queue)
    expect(queue.blocks('sany')).toBe(true)
    drain(queue)
    expect(queue.blocks('sany')).toBe(false)
  })
})

describe('what is over leaves', () => {
  test('sets of a tag: their deletions stand for what was there before', () => {
    const queue = new ReplayQueue()
    queue.delete('sa', AT)
    queue.set(setOf('sa', '1', 1000, STAMP, ['t', 'u']))
    queue.set(setOf('sb', '1', 1000, STAMP, ['u']))
    queue.invalidateTag('t', AT)
    queue.set(setOf('sc', '1', 1000, STAMP, ['t']))
    expect(drain(queue)).toEqual(['-sa', 'sb=1', '#t', 'sc=1'])
  })

  test('sets that match a pattern', () => {
    const queue = new ReplayQueue()
    put(queue, 'sa1', '1')
    put(queue, 'sb1', '1')
    put(queue, 'n1', '1')
    queue.invalidatePattern('a*', AT)
    put(queue, 'sa2', '2')
    expect(drain(queue)).toEqual(['sb1=1', 'n1=1', '~a*', 'sa2=2'])
  })
})

describe('bounds', () => {
  test('beyond maxSets a new set is refused, and its name deleted; those that were taken stay', () => {
    const { queue, drops } = recording({ maxSets: 2 })
    expect(['sa', 'sb', 'sc', 'sa'].map((name, i) => put(queue, name, `${i}`))).toEqual([
      true,
      true,
      false,
      true,
    ])
    expect(drain(queue)).toEqual(['sb=1', '-sc', 'sa=3'])
    expect(drops).toEqual([['room', 1]])
  })

  test('beyond maxBytes too, also when a smaller one of the name was taken', () => {
    const { queue, drops } = recording({ maxBytes: 1000 })
    expect(put(queue, 'sa', 'x'.repeat(600))).toBe(true)
    expect(put(queue, 'sb', 'x'.repeat(600))).toBe(false)
    expect(put(queue, 'sc', 'y')).toBe(true)
    expect(put(queue, 'sc', 'x'.repeat(500))).toBe(false)
    expect(drain(queue)).toEqual([`sa=${'x'.repeat(600)}`, '-sb', '-sc'])
    expect(drops).toEqual([
      ['room', 1],
      ['room', 1],
    ])
  })

  test('values of factories leave first, the oldest of them, and only if that helps', () => {
    const { queue, drops } = recording({ maxSets: 3, maxBytes: 100 })
    expect(['sa', 'sb', 'sc', 'sd'].map((name) => queue.invite(setOf(name, '1')))).toEqual([
      true,
      true,
      true,
      false,
    ])
    expect(put(queue, 'se', 'x'.repeat(200))).toBe(false)
    expect(put(queue, 'sf', '2')).toBe(true)
    expect(drain(queue)).toEqual(['sb=1', 'sc=1', '-se', 'sf=2'])
    expect(drops).toEqual([
      ['room', 1],
      ['guests', 1],
    ])
  })

  test('beyond maxInvalidations they are one clear, before the sets', () => {
    const { queue, drops } = recording({ maxInvalidations: 3 })
    queue.delete('sa', AT)
    put(queue, 'sa', '1')
    queue.invalidateTag('t', { from: STAMP + 1, to: STAMP + 2 })
    for (const name of ['sb', 'sc']) queue.delete(name, { from: STAMP + 3, to: STAMP + 4 })
    queue.delete('sd', { from: STAMP + 5, to: STAMP + 6 })
    put(queue, 'se', '2')
    expect(drops).toEqual([['invalidations', 4]])
    expect(queue.next()).toMatchObject([{ kind: 'clear', at: { from: STAMP + 5, to: STAMP + 6 } }])
    expect(queue.blocks('sany')).toBe(true)
    expect(drain(queue)).toEqual(['clear', 'sa=1', 'se=2'])
    expect(queue).toMatchObject({ size: 0, bytes: 0 })
  })

  test('names alone can fill it', () => {
    const { queue } = recording({ maxBytes: 100 })
    put(queue, 'sa', '1')
    queue.invalidatePattern('x'.repeat(60), AT)
    expect(drain(queue)).toEqual(['clear', 'sa=1'])
  })

  test.each([
    [{ maxBytes: 0 }, 'ReplayQueue.maxBytes must be an integer of at least 1; got 0'],
    [{ maxSize: 1 }, /^ReplayQueue has no option "maxSize"/],
  ])('%j is refused', (options: object, message) => {
    expect(() => new ReplayQueue(options)).toThrow(message)
  })
})

describe('values of factories', () => {
  test('block nothing, come after what is queued for their name, and leave with its next change', () => {
    const queue = new ReplayQueue()
    queue.delete('sa', AT)
    for (const name of ['sa', 'sb', 'sc', 'sd'])
      queue.invite(setOf(name, '1', 1000, STAMP, name === 'sd' ? ['t'] : []))
    expect(queue.blocks('sb')).toBe(false)
    put(queue, 'sb', '2')
    queue.withdraw('sc')
    queue.invalidateTag('t', AT)
    expect(drain(queue)).toEqual(['-sa', 'sa=1', 'sb=2', '#t'])
    expect(queue).toMatchObject({ size: 0, bytes: 0 })
  })

  test('do not take the place of a set', () => {
    const queue = new ReplayQueue()
    put(queue, 'sa', '1')
    expect(queue.invite(setOf('sa', '2'))).toBe(false)
    expect(drain(queue)).toEqual(['sa=1'])
  })

  test('whose time is over are gone', () => {
    let now = 0
    const { queue, drops } = recording({ now: () => now })
    queue.invite(setOf('sa', '1', 100))
    queue.invite(setOf('sb', '1', 300))
    now = 200
    expect(drain(queue)).toEqual(['sb=1'])
    expect(drops).toEqual([['expired', 1]])
  })
})

describe('against a store that was never away', () => {
  const NAMES = ['sa1', 'sa2', 'sb1', 'sb2']
  interface Entry {
    readonly text: string
    readonly tag: string
  }
  type Store = Map<string, Entry>

  /** The tag of an entry is the last letter of its name, a glob the letter before. */
  function apply(store: Store, write: QueuedWrite): void {
    if (write.kind === 'set') {
      store.set(write.name, { text: `${Buffer.from(write.bytes)}`, tag: write.name.slice(2) })
    } else if (write.kind === 'delete') {
      store.delete(write.name)
    } else {
      for (const [name, { tag }] of store) {
        const hit =
          write.kind === 'clear' || (write.kind === 'tag' ? tag === write.tag : name[1] === write.glob[0])
        if (hit) store.delete(name)
      }
    }
  }

  const step = fc.oneof(
    ...(
      [
        [10, 'set', NAMES],
        [6, 'delete', NAMES],
        [2, 'tag', ['1', '2']],
        [2, 'pattern', ['a*', 'b*']],
        [1, 'clear', ['']],
        [4, 'take', ['']],
        [4, 'finish', ['']],
        [2, 'lose', ['']],
        [2, 'wait', ['']],
      ] as const
    ).map(([weight, act, names]) => ({
      weight,
      arbitrary: fc.record({ do: fc.constant(act), name: fc.constantFrom(...names) }),
    })),
  )

  /**
   * What is not blocked is what it would be, but for what expired. Sets that were taken are there in the end. A clear out of many
   * invalidations may take what has arrived, or is on its way, when they become one, and nothing that waits.
   */
  function check(
    steps: readonly { readonly do: string; readonly name: string }[],
    options: ReplayQueueOptions,
  ): void {
    let now = 0
    let count = 0
    let expired = false
    const taken = new Set<string>()
    const ideal: Store = new Map(NAMES.map((name) => [name, { text: 'old', tag: name.slice(2) }]))
    const store: Store = new Map(ideal)
    let inFlight: readonly QueuedWrite[] = []
    const queue = new ReplayQueue({
      ...options,
      now: () => now,
      onDrop: (reason) => {
        if (reason === 'expired') expired = true
        if (reason !== 'invalidations') return
        for (const { text } of store.values()) taken.add(text)
        for (const write of inFlight) if (write.kind === 'set') taken.add(`${Buffer.from(write.bytes)}`)
      },
    })

    const agree = (): void => {
      for (const name of NAMES) {
        if (queue.blocks(name)) continue
        const there = store.get(name)
        const may = there === undefined && (expired || taken.has(ideal.get(name)?.text ?? ''))
        if (!may) expect([name, there]).toEqual([name, ideal.get(name)])
      }
    }
    for (const { do: act, name } of steps) {
      const sequence = ++count
      const at = { from: sequence, to: sequence }
      if (act === 'set') {
        const write = setOf(name, `queued${sequence}`, 50, sequence, [name.slice(2)])
        if (queue.set(write)) apply(ideal, { ...write, kind: 'set', guest: false, sequence })
        else apply(ideal, { kind: 'delete', name, at, sequence })
      } else if (act === 'delete') {
        apply(ideal, { kind: 'delete', name, at, sequence })
        queue.delete(name, at)
      } else if (act === 'tag') {
        apply(ideal, { kind: 'tag', tag: name, at, sequence })
        queue.invalidateTag(name, at)
      } else if (act === 'pattern') {
        apply(ideal, { kind: 'pattern', glob: name, at, sequence })
        queue.invalidatePattern(name, at)
      } else if (act === 'clear') {
        apply(ideal, { kind: 'clear', at, sequence })
        queue.clear(at)
      } else if (act === 'wait') now += 20
      else if (act === 'take') inFlight = queue.next(2)
      else {
        // the writes of a lost reply may have arrived, in part
        for (const write of act === 'finish' ? inFlight : inFlight.slice(1)) apply(store, write)
        if (act === 'finish') queue.done(inFlight)
        inFlight = []
      }
      const maxBytes = options.maxBytes ?? Infinity
      expect(queue.bytes).toBeLessThanOrEqual(2 * maxBytes)
      expect(queue.size).toBeLessThanOrEqual((options.maxSets ?? 99) + (options.maxInvalidations ?? 99))
      agree()
    }
    for (let run = queue.next(); run.length > 0; run = queue.next()) {
      for (const write of run) apply(store, write)
      queue.done(run)
      agree()
    }
    expect(queue).toMatchObject({ size: 0, bytes: 0 })
    expect(NAMES.some((name) => queue.blocks(name))).toBe(false)
  }

  test('it ends in the same state, and blocks whatever differs meanwhile', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => check(steps, {})),
      { numRuns: 3000 },
    )
  })

  test('with hardly any room too: nothing that was taken in is lost, and no invalidation', () => {
    const room = fc.record({
      maxSets: fc.integer({ min: 0, max: 3 }),
      maxInvalidations: fc.integer({ min: 1, max: 4 }),
      maxBytes: fc.integer({ min: 10, max: 60 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), room, (steps, options) => check(steps, options)),
      { numRuns: 3000 },
    )
  })
})
