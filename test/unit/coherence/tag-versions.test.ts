import { describe, expect, test } from 'vitest'
import { type TagState, TagVersions, tagsHold } from '../../../src/coherence/tag-versions.js'

/** Versions in a second tier whose replies wait until they are let go. */
class Store {
  readonly versions = new Map<string, number>()
  readonly calls: (readonly string[])[] = []
  #held: (() => void)[] | undefined

  readonly load = (tags: readonly string[]): Promise<number[]> => {
    this.calls.push(tags)
    const read = tags.map((tag) => this.versions.get(tag) ?? 1)
    const held = this.#held
    if (held === undefined) return Promise.resolve(read)
    return new Promise((resolve) => held.push(() => resolve(read)))
  }

  hold(): void {
    this.#held = []
  }

  letGo(): void {
    const held = this.#held
    this.#held = undefined
    for (const reply of held ?? []) reply()
  }

  letOneGo(): void {
    this.#held?.shift()?.()
  }
}

function versionsOf(states: readonly TagState[]): number[] {
  return states.map((state) => state.version)
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('an entry made under tags', () => {
  test('holds until one of them is invalidated', async () => {
    const tags = new TagVersions({ load: new Store().load })
    const states = await tags.fetch(['market', 'BTCUSDT'])
    const made = versionsOf(states)
    expect(tagsHold(states, made)).toBe(true)
    expect(tags.merge('BTCUSDT', 2)).toBe(true)
    expect(tagsHold(states, made)).toBe(false)
  })

  test('R7: the same version announced again is no invalidation', async () => {
    const tags = new TagVersions({ load: new Store().load })
    const states = await tags.fetch(['a'])
    const made = versionsOf(states)
    expect(tags.merge('a', 1)).toBe(false)
    tags.forget()
    expect(tagsHold(states, made)).toBe(false)
    await tags.fetch(['a'])
    expect(tagsHold(states, made)).toBe(true)
  })

  test('R11: a late message with a lower version changes nothing', async () => {
    const tags = new TagVersions({ load: new Store().load })
    const states = await tags.fetch(['a'])
    tags.merge('a', 9)
    expect(tags.merge('a', 5)).toBe(false)
    expect(versionsOf(states)).toEqual([9])
  })

  test('R11: late messages do not lower what a fetch under way must reach', async () => {
    const store = new Store()
    const tags = new TagVersions({ load: store.load })
    store.hold()
    const fetched = tags.fetch(['a'])
    await turn()
    tags.merge('a', 9)
    tags.merge('a', 5)
    store.letGo()
    expect(versionsOf(await fetched)).toEqual([9])
  })

  test('R6: a message does not make an unknown tag known, it may be a late one', async () => {
    const store = new Store()
    const tags = new TagVersions({ load: store.load })
    await tags.fetch(['a'])
    tags.forget()
    expect(tags.merge('a', 5)).toBe(false)
    expect(tags.known('a')).toBeUndefined()
    store.versions.set('a', 8)
    expect(versionsOf(await tags.fetch(['a']))).toEqual([8])
  })

  test('after a gap a server whose versions are lower is believed', async () => {
    const store = new Store()
    const tags = new TagVersions({ load: store.load })
    await tags.fetch(['a'])
    tags.merge('a', 1000)
    tags.forget()
    store.versions.set('a', 7)
    expect(versionsOf(await tags.fetch(['a']))).toEqual([7])
    expect(tags.merge('a', 8)).toBe(true)
  })

  test('R6: holds for nobody while the tag is unknown', async () => {
    const tags = new TagVersions({ load: new Store().load })
    expect(tags.known('a')).toBeUndefined()
    const states = await tags.fetch(['a'])
    tags.forget()
    expect(tags.known('a')).toBeUndefined()
    expect(tagsHold(states, [Number.MAX_SAFE_INTEGER])).toBe(false)
  })

  test('a message that tells no version makes the tag unknown until it is fetched', async () => {
    const store = new Store()
    const tags = new TagVersions({ load: store.load })
    const states = await tags.fetch(['a'])
    const made = versionsOf(states)
    expect(tags.merge('a', Number.POSITIVE_INFINITY)).toBe(true)
    expect(tagsHold(states, made)).toBe(false)
    store.versions.set('a', 7)
    expect(versionsOf(await tags.fetch(['a']))).toEqual([7])
    expect(tagsHold(states, made)).toBe(false)
  })
})

describe('fetching', () => {
  test('tags asked for in one turn go in one call, each once', async () => {
    const store = new Store()
    const tags = new TagVersions({ load: store.load })
    await Promise.all([tags.fetch(['a', 'b']), tags.fetch(['b', 'c']), tags.fetch(['a', 'a'])])
    expect(store.calls).toEqual([['a', 'b', 'c']])
    await tags.fetch(['a', 'b', 'c'])
    expect(store.calls).toHaveLength(1)
  })

  test('a tag that is being fetched is waited for', async () => {
    const store = new Store()
    const tags = new TagVersions({ load: store.load })
    store.hold()
    const first = tags.fetch(['a'])
    await turn()
    const second = tags.fetch(['a'])
    await turn()
    store.letGo()
    expect(await first).toEqual(await second)
    expect(store.calls).toEqual([['a']])
  })

  test('large batches are cut', async () => {
    const store = new Store()
    const tags = new TagVersions({ load: store.load, maxBatch: 2 })
    await tags.fetch(['a', 'b', 'c', 'd', 'e'])
    expect(store.calls.map((call) => call.length)).toEqual([2, 2, 1])
  })

  test('R17: an invalidation that overtakes the reply of the fetch wins', async () => {
    const store = new Store()
    const tags = new TagVersions({ load: store.load })
    store.hold()
    const fetched = tags.fetch(['a'])
    await turn()
    tags.merge('a', 5)
    store.letGo()
    expect(versionsOf(await fetched)).toEqual([5])
  })

  test('R8: a reply from before a gap is not believed, the tag is fetched again', async () => {
    const store = new Store()
    const tags = new TagVersions({ load: store.load })
    store.hold()
    const fetched = tags.fetch(['a'])
    await turn()
    store.versions.set('a', 8)
    tags.forget()
    store.letOneGo()
    await turn()
    store.letGo()
    expect(versionsOf(await fetched)).toEqual([8])
    expect(store.calls).toHaveLength(2)
  })

  test('only the doubtful tag of a batch is read again', async () => {
    const store = new Store()
    const tags = new TagVersions({ load: store.load })
    store.hold()
    const fetched = tags.fetch(['a', 'b'])
    await turn()
    tags.merge('b', Number.POSITIVE_INFINITY)
    store.letGo()
    await fetched
    expect(store.calls).toEqual([['a', 'b'], ['b']])
  })

  test('a failed call reaches those who wait, and the next fetch asks again', async () => {
    let fail = true
    const tags = new TagVersions({
      load: (names) => (fail ? Promise.reject(new Error('gone')) : Promise.resolve(names.map(() => 3))),
    })
    await expect(tags.fetch(['a'])).rejects.toThrow('gone')
    fail = false
    expect(versionsOf(await tags.fetch(['a']))).toEqual([3])
  })

  test('a tag that never comes to rest is given up', async () => {
    const tags: TagVersions = new TagVersions({
      load: async (names) => {
        tags.forget()
        return names.map(() => 1)
      },
    })
    await expect(tags.fetch(['a'])).rejects.toThrow(expect.objectContaining({ code: 'L2_UNAVAILABLE' }))
  })

  test('an answer that is no version leaves the tag unknown', async () => {
    const tags = new TagVersions({ load: async () => [Number.NaN] })
    const states = await tags.fetch(['a'])
    expect(tagsHold(states, [1])).toBe(false)
    expect(tags.known('a')).toBeUndefined()
  })
})

describe('the bound', () => {
  test('the tag least recently asked for goes, and its entries are misses for good', async () => {
    const tags = new TagVersions({ load: new Store().load, maxTags: 2 })
    const [a] = await tags.fetch(['a'])
    const [b] = await tags.fetch(['b'])
    tags.known('a')
    await tags.fetch(['c'])
    expect(tags.size).toBe(2)
    expect(tags.evictions).toBe(1)
    expect(tagsHold([a as TagState], [1])).toBe(true)
    expect(tagsHold([b as TagState], [1])).toBe(false)
    const [again] = await tags.fetch(['b'])
    expect(tagsHold([b as TagState], [1])).toBe(false)
    expect(tagsHold([again as TagState], [1])).toBe(true)
  })

  test('a state that is evicted while it is fetched stays unknown: no message would reach it', async () => {
    const store = new Store()
    const tags = new TagVersions({ load: store.load, maxTags: 1 })
    store.hold()
    const fetched = tags.fetch(['a'])
    await turn()
    const other = tags.fetch(['b'])
    await turn()
    tags.merge('a', 9)
    store.letGo()
    const [state] = await fetched
    await other
    expect(tagsHold([state as TagState], [1])).toBe(false)
  })
})

describe('an own invalidation that has still to reach the second tier', () => {
  const OWN = 10

  async function invalidated(): Promise<{ store: Store; tags: TagVersions; states: readonly TagState[] }> {
    const store = new Store()
    const tags = new TagVersions({ load: store.load })
    const states = await tags.fetch(['a', 'b'])
    tags.mergeOwn('a', OWN)
    return { store, tags, states }
  }

  test('holds at once, and is not vouched for', async () => {
    const { tags, states } = await invalidated()
    expect(versionsOf(states)).toEqual([OWN, 1])
    expect([tags.vouches('a', OWN), tags.vouches('b', 1), tags.vouches('b', 2)]).toEqual([false, true, false])
    tags.merge('a', OWN)
    expect(tags.vouches('a', OWN)).toBe(true)
  })

  test('is forgotten when it will never get there, and the others are not', async () => {
    const { tags, states } = await invalidated()
    tags.disown(() => false)
    expect(versionsOf(states)).toEqual([Number.NaN, 1])
    expect(versionsOf(await tags.fetch(['a', 'b']))).toEqual([1, 1])
  })

  test('stays while it waits, or once it is known there', async () => {
    const { tags, states } = await invalidated()
    tags.disown((tag) => tag === 'a')
    expect(versionsOf(states)).toEqual([OWN, 1])
    tags.merge('a', OWN)
    tags.disown(() => false)
    expect(versionsOf(states)).toEqual([OWN, 1])
  })

  test('is not learned from a fetch that was under way', async () => {
    const store = new Store()
    const tags = new TagVersions({ load: store.load })
    store.hold()
    const fetched = tags.fetch(['a'])
    await turn()
    tags.mergeOwn('a', OWN)
    tags.disown(() => false)
    store.letGo()
    expect(versionsOf(await fetched)).toEqual([1])
  })
})
