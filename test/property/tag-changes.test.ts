/** Whoever remembers that the tags of an entry held needs to look again only after a change that was told. */
import { expect, test } from 'vitest'
import { type TagState, TagVersions, tagsHold } from '../../src/coherence/tag-versions.js'
import { seeded } from '../support/random.js'

const TAGS = ['a', 'b', 'c', 'd', 'e', 'f']

test.each([1, 2, 3, 4])('no entry ceases to hold without a change being told: seed %i', async (seed) => {
  const below = seeded(seed)
  let changes = 0
  let lastVersion = 1
  const tags = new TagVersions({
    load: async (names) => names.map(() => lastVersion + below(2)),
    maxTags: 4,
    onChange: () => changes++,
  })
  const some = (): string => TAGS[below(TAGS.length)] as string
  let held: { readonly states: readonly TagState[]; readonly versions: readonly number[] }[] = []
  let ceased = 0
  for (let step = 0; step < 3000; step++) {
    const before = changes
    const kind = below(10)
    if (kind < 4) {
      const states = await tags.fetch([...new Set([some(), some()])])
      held.push({ states, versions: states.map(({ version }) => version) })
    } else if (kind < 7) tags.merge(some(), ++lastVersion)
    else if (kind === 7) tags.merge(some(), lastVersion - 1)
    else if (kind === 8) tags.merge(some(), Number.POSITIVE_INFINITY)
    else if (below(20) === 0) tags.forget()
    const holding = held.filter(({ states, versions }) => tagsHold(states, versions))
    if (changes === before) expect(holding.length, `step ${step}`).toBe(held.length)
    ceased += held.length - holding.length
    held = holding
  }
  expect(ceased).toBeGreaterThan(300)
  expect(tags.evictions).toBeGreaterThan(100)
})

test('what is learnt of other tags, and an invalidation that is known, is no change', async () => {
  let changes = 0
  const tags = new TagVersions({ load: async (names) => names.map(() => 5), onChange: () => changes++ })
  await tags.fetch(['a', 'b'])
  tags.merge('a', 5)
  tags.merge('unheard of', 9)
  expect(changes).toBe(0)
  tags.merge('a', 6)
  expect(changes).toBe(1)
})
