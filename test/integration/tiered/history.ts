/**
 * What several processes did with one namespace, and whether they may have seen what they saw.
 *
 * Times are milliseconds of the machine's monotonic clock, the same in all processes. Each value is written once. A change is *settled*
 * when Redis has it for certain: at its end when it was acknowledged, when its process's replay queue was seen empty when it
 * was queued, never when it failed. history.test.ts states the promises; the numbers here are its.
 */

export interface Span {
  readonly from: number
  readonly to: number
}

interface Call {
  readonly process: number
  readonly start: number
  readonly end: number
}

/** `undefined` is no answer that could be wrong, so only values are recorded. */
export interface Read extends Call {
  readonly key: string
  readonly value: string
  /** How it was asked for. */
  readonly by: 'getSync' | 'get' | 'getOrSet' | 'getMany'
}

export interface Write extends Call {
  /** `make`: by a factory; its end is that of the call that ran it. */
  readonly kind: 'set' | 'make'
  readonly key: string
  readonly value: string
  readonly tags: readonly string[]
  /** Its time is not over when the history ends. */
  readonly lasting: boolean
  readonly refused: boolean
  readonly queued: boolean
  readonly settled: number
}

export interface Removal extends Call {
  readonly kind: 'delete' | 'tag' | 'pattern' | 'clear'
  /** Key, tag, or the beginning of keys. */
  readonly target: string
  readonly queued: boolean
  readonly settled: number
}

export interface History {
  readonly reads: readonly Read[]
  readonly writes: readonly Write[]
  readonly removals: readonly Removal[]
  /** When a process stood still, by process: nothing can be heard then. */
  readonly stalls: readonly (readonly Span[])[]
  /** When the network between them and Redis stood still without being told to. */
  readonly networkStalls: readonly Span[]
  /** When the bus of a process may not have heard, its recovery included, by process. */
  readonly deaf: readonly (readonly Span[])[]
  /** When the bus of a process came up, by process: it has told what it missed. */
  readonly ups: readonly (readonly number[])[]
}

export interface Bounds {
  /** From a settled change until a linked process gives nothing older. */
  readonly linkedMs: number
  /** The same for one that may not be linked. */
  readonly unlinkedMs: number
  /** A change that settled so long before the bus came up was told, or a gap was. */
  readonly caughtUpMs: number
  /** By how much it may be wrong which of two processes was first, where clocks decide. */
  readonly marginMs: number
}

export interface Violation {
  readonly promise: 1 | 2 | 3 | 4
  readonly why: string
}

type Change = Write | Removal

export function violations(history: History, bounds: Bounds): Violation[] {
  const found: Violation[] = []
  const writes = new Map(history.writes.map((write) => [write.value, write]))
  const changesOf = overwriting(history)
  const seen = new Map<string, (readonly [Read, Write])[]>()
  const firstRead = firstReads(history)
  for (const read of history.reads) {
    const write = writes.get(read.value)
    if (write === undefined || write.key !== read.key || write.start > read.end) {
      found.push({ promise: 1, why: `${told(read)}, which nobody wrote to it` })
      continue
    }
    const against = changesOf(write).map((change) => judged(history, bounds, read, write, change, firstRead))
    found.push(...against.filter((violation) => violation !== undefined).slice(0, 1))
    const line = `${read.process} ${read.key}`
    const before = seen.get(line) ?? []
    seen.set(line, before)
    before.push([read, write])
  }
  for (const line of seen.values()) found.push(...backwards(line))
  return found
}

/**
 * Promise 6: acknowledged sets that nothing overwrote, ended or invalidated and that are not what the processes give in the end. A set
 * counts when whatever else concerned its key came before it, by `marginMs` where clocks decide, which are known to some milliseconds
 * only. `finals`: what each process gave for each key at `at`.
 */
export function forgotten(
  history: History,
  finals: readonly ReadonlyMap<string, string | undefined>[],
  {
    at,
    marginMs,
    queuedToo,
  }: { readonly at: number; readonly marginMs: number; readonly queuedToo: boolean },
): { readonly checked: number; readonly lost: readonly string[] } {
  const lost: string[] = []
  let checked = 0
  for (const write of history.writes) {
    if (write.kind !== 'set' || !write.lasting || write.refused || write.settled >= at) continue
    if (write.queued && !queuedToo) continue
    const others: Change[] = [
      ...history.writes.filter((other) => other !== write && other.key === write.key),
      ...history.removals.filter((removal) => concerns(removal, write)),
    ]
    if (others.some((other) => other.start < at && !precedes(other, write, marginMs))) continue
    checked++
    const seen = finals.map((values) => values.get(write.key))
    if (seen.some((value) => value !== write.value))
      lost.push(`${write.key} gave ${seen}; ${toldChange(write)}`)
  }
  return { checked, lost }
}

/** Whether it came before the write for certain: by the order of a process, of Redis, or of clocks. */
function precedes(change: Change, write: Write, marginMs: number): boolean {
  if (change.process === write.process) return change.end < write.start
  return change.settled + (change.queued || write.queued ? marginMs : 0) < write.start
}

/** Promises 2 and 3: the change came after the write, and the read after the change. */
function judged(
  history: History,
  bounds: Bounds,
  read: Read,
  write: Write,
  change: Change,
  firstRead: FirstRead,
): Violation | undefined {
  const own = write.process === change.process
  // The clocks say which was first when a change is queued by who neither wrote the value nor had read it.
  const known = own || firstRead(change.process, write.value) < change.start
  const margin = change.queued && !known ? bounds.marginMs : 0
  if (change.process === read.process) {
    const over = own ? write.end : write.settled
    if (!(over + margin < change.start && change.end < read.start)) return undefined
    return { promise: 2, why: `${told(read)}, after its own ${toldChange(change)}; ${toldChange(write)}` }
  }
  if (!(write.settled + margin < change.start && change.settled < read.start)) return undefined
  const passed = { from: change.settled, to: read.start }
  const stalls = history.stalls[read.process] ?? []
  const elapsed = passed.to - passed.from - within(passed, stalls) - within(passed, history.networkStalls)
  const deaf = history.deaf[read.process] ?? []
  const disturbed = within({ from: change.start, to: read.start }, deaf) > 0
  const bound = disturbed ? bounds.unlinkedMs : bounds.linkedMs
  const caughtUp = (history.ups[read.process] ?? []).some(
    (up) => change.settled + bounds.caughtUpMs < up && up < read.start,
  )
  if (!caughtUp && elapsed <= bound) return undefined
  const state = caughtUp ? 'the bus came up since' : disturbed ? 'disturbed' : 'linked'
  const late = `${elapsed.toFixed(1)} ms (${state}) after`
  return { promise: 3, why: `${told(read)}, ${late} ${toldChange(change)}; ${toldChange(write)}` }
}

/** When a process had first read a value; Infinity for never. */
type FirstRead = (process: number, value: string) => number

function firstReads({ reads }: History): FirstRead {
  const ends = new Map<string, number>()
  for (const { process, value, end } of reads) {
    const line = `${process} ${value}`
    ends.set(line, Math.min(ends.get(line) ?? Infinity, end))
  }
  return (process, value) => ends.get(`${process} ${value}`) ?? Infinity
}

/** Promise 4, for the reads of one key by one process. */
function backwards(line: readonly (readonly [Read, Write])[]): Violation[] {
  const found: Violation[] = []
  const ended = line.toSorted(([a], [b]) => a.end - b.end)
  let next = 0
  let newest: readonly [Read, Write] | undefined
  for (const [read, write] of line.toSorted(([a], [b]) => a.start - b.start)) {
    for (; next < ended.length; next++) {
      const [before, value] = ended[next] as readonly [Read, Write]
      if (before.end >= read.start) break
      const ordered = value.kind === 'set' && !value.queued
      if (ordered && value.start > (newest?.[1].start ?? 0)) newest = [before, value]
    }
    if (newest !== undefined && write.settled < newest[1].start)
      found.push({ promise: 4, why: `${told(read)}, after ${told(newest[0])}; ${toldChange(write)}` })
  }
  return found
}

/** The changes that end a write once it is over, in the order in which they settled. */
function overwriting({ writes, removals }: History): (write: Write) => readonly Change[] {
  const sets = new Map<string, Write[]>()
  for (const write of writes) {
    if (write.kind === 'set') sets.set(write.key, [...(sets.get(write.key) ?? []), write])
  }
  const known = new Map<Write, readonly Change[]>()
  return (write) => {
    const before = known.get(write)
    if (before !== undefined) return before
    const changes = [
      ...(sets.get(write.key) ?? []).filter((other) => other !== write),
      ...removals.filter((removal) => concerns(removal, write)),
    ].filter(({ start }) => start > write.end)
    changes.sort((a, b) => a.settled - b.settled)
    known.set(write, changes)
    return changes
  }
}

function concerns({ kind, target }: Removal, { key, tags }: Write): boolean {
  switch (kind) {
    case 'delete':
      return key === target
    case 'tag':
      return tags.includes(target)
    case 'pattern':
      return key.startsWith(target)
    case 'clear':
      return true
  }
}

/** Milliseconds of the span that lie in the others. */
function within({ from, to }: Span, others: readonly Span[]): number {
  let sum = 0
  for (const other of others) sum += Math.max(0, Math.min(to, other.to) - Math.max(from, other.from))
  return sum
}

function told({ process, by, key, value, start, end }: Read): string {
  return `at ${at(start)}-${at(end)} process ${process} got ${value} by ${by} of ${key}`
}

function toldChange(change: Change): string {
  const { process, kind, start, end, settled, queued } = change
  const what =
    'value' in change ? `${kind} of ${change.value} [${change.tags}]` : `${kind} of ${change.target}`
  const when = queued ? ` (queued, settled ${at(settled)})` : ''
  return `${what} by process ${process} at ${at(start)}-${at(end)}${when}`
}

function at(ms: number): string {
  return ms.toFixed(1)
}
