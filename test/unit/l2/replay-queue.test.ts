import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type DropReason,
  type QueuedWrite,
  ReplayQueue,
  type ReplayQueueOptions,
} from '../../../src/l2/replay-queue.js'

const STAMP = 1_700_000_000_000_000

function value(text: string): Uint8Array {
  return Buffer.from(text)
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
    queue: new ReplayQueue({ onDrop: (reason, sets) => void drops.push([reason, sets]), ...options }),
    drops,
  }
}

describe('order', () => {
  test('is that of the calls', () => {
    const queue = new ReplayQueue()
    queue.set('sa', value('1'), 1000, STAMP)
    queue.invalidateTag('t')
    queue.delete('sb')
    queue.invalidatePattern('x*')
    queue.set('sc', value('2'), Infinity, STAMP)
    expect(drain(queue)).toEqual(['sa=1', '#t', '-sb', '~x*', 'sc=2'])
  })

  test('a later write of a name takes the place at the end, also across a tag', () => {
    const queue = new ReplayQueue()
    queue.set('sa', value('1'), 1000, STAMP)
    queue.delete('sb')
    queue.invalidateTag('t')
    queue.set('sa', value('2'), 1000, STAMP + 1)
    queue.set('sb', value('3'), 1000, STAMP + 2)
    queue.delete('sb')
    expect(drain(queue)).toEqual(['#t', 'sa=2', '-sb'])
  })

  test('a clear makes what came before it needless', () => {
    const queue = new ReplayQueue()
    queue.set('sa', value('1'), 1000, STAMP)
    queue.invalidateTag('t')
    queue.clear()
    queue.set('sb', value('2'), 1000, STAMP)
    queue.clear()
    queue.set('sc', value('3'), 1000, STAMP)
    expect(drain(queue)).toEqual(['clear', 'sc=3'])
    expect(queue).toMatchObject({ size: 0, bytes: 0 })
  })

  test('names, tags and patterns do not meet', () => {
    const queue = new ReplayQueue()
    queue.delete('c')
    queue.invalidateTag('c')
    queue.invalidatePattern('c')
    queue.delete('tc')
    expect(drain(queue)).toEqual(['-c', '#c', '~c', '-tc'])
  })
})

describe('taking', () => {
  test('gives a run of one kind, at most as long as asked', () => {
    const queue = new ReplayQueue()
    for (const name of ['sa', 'sb', 'sc']) queue.delete(name)
    queue.invalidateTag('t')
    expect(queue.next(2).map(word)).toEqual(['-sa', '-sb'])
    expect(queue.next().map(word)).toEqual(['-sa', '-sb', '-sc'])
  })

  test('what was not done comes again, what was queued meanwhile after it', () => {
    const queue = new ReplayQueue()
    queue.set('sa', value('1'), 1000, STAMP)
    const taken = queue.next()
    expect(queue.next().map(word)).toEqual(taken.map(word))
    queue.set('sa', value('2'), 1000, STAMP)
    queue.done(taken)
    expect(queue.blocks('sa')).toBe(true)
    expect(drain(queue)).toEqual(['sa=2'])
  })

  test('a set carries what is left of its time, and its stamp', () => {
    let now = 100
    const { queue, drops } = recording({ now: () => now })
    queue.set('sa', value('1'), 1000, STAMP)
    queue.set('sb', value('1'), 200, STAMP)
    queue.set('sc', value('1'), Infinity, STAMP)
    now = 300
    expect(queue.next(1)).toMatchObject([{ ttlMs: 800, notAfter: STAMP }])
    expect(drain(queue)).toEqual(['sa=1', '-sb', 'sc=1'])
    expect(drops).toEqual([['expired', 1]])
  })
})

describe('blocks', () => {
  test('the names of sets and deletions, until they are done', () => {
    const queue = new ReplayQueue()
    queue.set('sa', value('1'), 1000, STAMP)
    queue.delete('sb')
    expect(['sa', 'sb', 'sc'].map((name) => queue.blocks(name))).toEqual([true, true, false])
    drain(queue)
    expect(queue.blocks('sa')).toBe(false)
  })

  test.each<readonly [string, (queue: ReplayQueue) => void]>([
    ['tag', (queue) => queue.invalidateTag('t')],
    ['pattern', (queue) => queue.invalidatePattern('t*')],
    ['clear', (queue) => queue.clear()],
  ])('every name while a %s is queued', (_, invalidate) => {
    const queue = new ReplayQueue()
    invalidate(queue)
    invalidate(queue)
    expect(queue.blocks('sany')).toBe(true)
    drain(queue)
    expect(queue.blocks('sany')).toBe(false)
  })
})

describe('bounds', () => {
  test('beyond maxSets the oldest sets become deletions in their places', () => {
    const { queue, drops } = recording({ maxSets: 2 })
    for (const name of ['sa', 'sb', 'sc', 'sd']) queue.set(name, value(name), 1000, STAMP)
    expect(drain(queue)).toEqual(['-sa', '-sb', 'sc=sc', 'sd=sd'])
    expect(drops).toEqual([
      ['sets', 1],
      ['sets', 1],
    ])
  })

  test('beyond maxBytes the oldest sets become deletions', () => {
    const { queue, drops } = recording({ maxBytes: 1000 })
    queue.set('sa', new Uint8Array(600), 1000, STAMP)
    queue.set('sb', new Uint8Array(600), 1000, STAMP)
    expect(queue.bytes).toBeLessThan(700)
    expect(queue.next().map((write) => write.kind)).toEqual(['delete'])
    expect(drops).toEqual([['bytes', 1]])
  })

  test('a set larger than the queue is a deletion at once', () => {
    const { queue } = recording({ maxBytes: 1000 })
    queue.set('sa', new Uint8Array(2000), 1000, STAMP)
    expect(drain(queue)).toEqual(['-sa'])
  })

  test('beyond maxInvalidations everything is one clear', () => {
    const { queue, drops } = recording({ maxInvalidations: 3 })
    queue.set('sa', value('1'), 1000, STAMP)
    for (const name of ['sb', 'sc', 'sd', 'se']) queue.delete(name)
    queue.set('sf', value('2'), 1000, STAMP)
    expect(drops).toEqual([['invalidations', 1]])
    expect(drain(queue)).toEqual(['clear', 'sf=2'])
  })

  test('names alone can fill it', () => {
    const { queue } = recording({ maxBytes: 100 })
    queue.invalidatePattern('x'.repeat(60))
    expect(drain(queue)).toEqual(['clear'])
  })

  test.each([
    [{ maxBytes: 0 }, 'ReplayQueue.maxBytes must be an integer of at least 1; got 0'],
    [{ maxSize: 1 }, /^ReplayQueue has no option "maxSize"/],
  ])('%j is refused', (options: object, message) => {
    expect(() => new ReplayQueue(options)).toThrow(message)
  })
})

describe('against a store that was never away', () => {
  const NAMES = ['a1', 'a2', 'b1', 'b2']
  interface Entry {
    readonly text: string
    readonly tag: string
  }
  type Store = Map<string, Entry>

  /** The tag of an entry is the second letter of its name, a glob the first. */
  function apply(store: Store, write: QueuedWrite): void {
    if (write.kind === 'set') {
      store.set(write.name, { text: `${Buffer.from(write.bytes)}`, tag: write.name.slice(1) })
    } else if (write.kind === 'delete') {
      store.delete(write.name)
    } else {
      for (const [name, { tag }] of store) {
        const hit =
          write.kind === 'clear' || (write.kind === 'tag' ? tag === write.tag : name.startsWith(write.glob))
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
        [2, 'pattern', ['a', 'b']],
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

  /** What is not blocked is what it would be; when `lossless` that is so of everything once the queue is empty. */
  function check(
    steps: readonly { readonly do: string; readonly name: string }[],
    options: ReplayQueueOptions,
  ): void {
    let now = 0
    let count = 0
    let lost = 0
    const queue = new ReplayQueue({
      ...options,
      now: () => now,
      onDrop: (_, sets) => (lost += Math.max(1, sets)),
    })
    const ideal: Store = new Map(NAMES.map((name) => [name, { text: 'old', tag: name.slice(1) }]))
    const store: Store = new Map(ideal)
    let inFlight: readonly QueuedWrite[] = []

    const agree = (): void => {
      for (const name of NAMES) {
        if (queue.blocks(name)) continue
        const there = store.get(name)
        if (there !== undefined || lost === 0) expect([name, there]).toEqual([name, ideal.get(name)])
      }
    }
    const both = (write: QueuedWrite, enqueue: () => void): void => {
      apply(ideal, write)
      enqueue()
    }
    for (const { do: act, name } of steps) {
      const sequence = ++count
      if (act === 'set') {
        const bytes = value(`v${sequence}`)
        both({ kind: 'set', name, bytes, ttlMs: 50, notAfter: STAMP, sequence }, () =>
          queue.set(name, bytes, 50, STAMP),
        )
      } else if (act === 'delete') both({ kind: 'delete', name, sequence }, () => queue.delete(name))
      else if (act === 'tag') both({ kind: 'tag', tag: name, sequence }, () => queue.invalidateTag(name))
      else if (act === 'pattern')
        both({ kind: 'pattern', glob: name, sequence }, () => queue.invalidatePattern(name))
      else if (act === 'clear') both({ kind: 'clear', sequence }, () => queue.clear())
      else if (act === 'wait') now += 20
      else if (act === 'take') inFlight = queue.next(2)
      else {
        // the writes of a lost reply may have arrived, in part
        for (const write of act === 'finish' ? inFlight : inFlight.slice(1)) apply(store, write)
        if (act === 'finish') queue.done(inFlight)
        inFlight = []
      }
      expect(queue.bytes).toBeLessThanOrEqual(options.maxBytes ?? Infinity)
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

  test('with hardly any room, what differs is gone: no invalidation is lost', () => {
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
