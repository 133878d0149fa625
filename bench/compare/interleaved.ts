/**
 * Times a subject's hitpath at two revisions, rounds in turn, and the earlier one a second time in a process of its own.
 *
 * All three processes are started anew several times: what a process draws when it starts (addresses, hash seeds, the moment of
 * compilation) is then part of the noise and not of the difference.
 */

import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child } from '../harness/child.js'
import type { TimedSubject } from '../harness/timed.js'
import { type Change, comparePaired, type PairedRounds } from './changes.js'
import type { Revision } from './revisions.js'

const STARTS = 3
const SIDES = ['before', 'again', 'after'] as const

export interface Interleaving {
  readonly rounds: number
  readonly roundMs: number
}

export async function compareAt(
  subject: TimedSubject,
  [before, after]: readonly [Revision, Revision],
  { rounds, roundMs }: Interleaving,
): Promise<Change> {
  const contender = Object.keys(subject.contenders)[0]!
  const timings = { before: [], again: [], after: [] } as Record<keyof PairedRounds, number[]>
  for (let start = 0; start < STARTS; start++) {
    const lanes = {
      before: new Lane(before, subject, contender),
      again: new Lane(before, subject, contender),
      after: new Lane(after, subject, contender),
    }
    try {
      for (const side of SIDES) await lanes[side].open()
      for (const side of SIDES) await lanes[side].round(roundMs)
      for (let round = 0; round < Math.ceil(rounds / STARTS); round++) {
        for (let turn = 0; turn < SIDES.length; turn++) {
          const side = SIDES[(round + turn) % SIDES.length]!
          timings[side].push(await lanes[side].round(roundMs))
        }
      }
    } finally {
      await Promise.all(SIDES.map((side) => lanes[side].stop()))
    }
  }
  return comparePaired(subject.figures[0]!, contender, timings)
}

/** One contender of a subject in a process of one revision. */
class Lane {
  readonly #child: Child
  readonly #lane: string
  readonly #suite: string
  readonly #subject: TimedSubject
  readonly #contender: string

  constructor(revision: Revision, subject: TimedSubject, contender: string) {
    this.#child = new Child([], revision.module('harness/child-entry.ts'))
    this.#lane = revision.module('harness/timed-lane.ts')
    this.#suite = revision.module(`suites/${basename(fileURLToPath(subject.module))}`)
    this.#subject = subject
    this.#contender = contender
  }

  open(): Promise<void> {
    return this.#child.call(this.#lane, 'open', this.#suite, this.#subject.id, this.#contender, 'full')
  }

  round(ms: number): Promise<number> {
    return this.#child.call(this.#lane, 'round', this.#contender, ms)
  }

  stop(): Promise<void> {
    return this.#child.stop()
  }
}
