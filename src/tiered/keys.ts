/**
 * The keys of a namespace: those of live entries in the first tier, then those that the second shows and the first did not.
 *
 * Always true: a key comes once, and the walk through the second tier stands still while the caller is busy with what it has shown.
 */
import { HitpathError } from '../errors.js'
import type { IteratedKey } from '../l1/base-cache.js'
import type { OnNames } from '../l2/store.js'
import { isFresh } from './batches.js'
import type { Core } from './core.js'
import type { Start } from './start.js'

export async function* keysOf<V>(core: Core<V>, start: Start): AsyncGenerator<IteratedKey> {
  core.refuseClosed()
  const { l2, names } = core
  if (l2 !== undefined && l2.names === undefined)
    throw new HitpathError('INVALID_OPTION', 'the store of this cache cannot list its entries')
  const shown = new Set<string>()
  for (const l1 of core.l1.keys()) {
    const key = names.keyOfL1(l1)
    if (key === undefined) continue
    const entry = core.peek(l1)
    if (entry === undefined || entry.negative || !isFresh(core, entry)) continue
    shown.add(names.nameOf(key))
    yield key
  }
  if (l2 === undefined) return
  await start.ready()
  for await (const name of streamed((give, signal) => l2.names?.(give, signal) ?? Promise.resolve())) {
    const key = shown.has(name) ? undefined : names.keyOf(name)
    if (key === undefined) continue
    shown.add(name)
    yield key
  }
}

/** What a walk shows to a callback, one after the other. The walk is aborted when the caller has enough. */
async function* streamed(
  walk: (give: OnNames, signal: AbortSignal) => Promise<void>,
): AsyncGenerator<string> {
  const enough = new AbortController()
  const given: { readonly names: readonly string[]; readonly taken: () => void }[] = []
  let wake = (): void => {}
  let ended = false
  const give: OnNames = (names) =>
    new Promise((taken) => {
      if (enough.signal.aborted) return taken()
      given.push({ names, taken })
      wake()
    })
  const walked = walk(give, enough.signal).finally(() => {
    ended = true
    wake()
  })
  walked.catch(() => {}) // it is awaited below, unless the caller has left
  try {
    for (;;) {
      const [next] = given
      if (next !== undefined) {
        yield* next.names
        given.shift()
        next.taken()
      } else if (ended) {
        return await walked
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  } finally {
    enough.abort()
    for (const { taken } of given) taken()
  }
}
