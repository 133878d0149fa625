/** What an event asks for, read from it by the user's functions and checked. */
import { describe, HitpathError } from '../../errors.js'
import type { InvalidatorSettings } from './options.js'

export interface Plan {
  readonly key: string
  readonly tags: readonly string[]
  readonly patterns: readonly string[]
  readonly sequence: number | bigint | undefined
}

const NONE: readonly string[] = []

/** Undefined for an event that concerns nothing here. @throws HitpathError INVALID_ARGUMENT, and what the functions throw */
export function planOf<E>(settings: InvalidatorSettings<E>, event: E): Plan | undefined {
  const { accepts, tags: tagsOf, patterns: patternsOf, key: keyOf, sequence } = settings
  if (accepts !== undefined && !accepts(event)) return undefined
  const tags = strings(tagsOf(event), 'tags')
  const patterns = patternsOf === undefined ? NONE : strings(patternsOf(event), 'patterns')
  const key = keyOf === undefined ? tags.join('\u0000') : keyOf(event)
  if (typeof key !== 'string')
    throw new HitpathError('INVALID_ARGUMENT', `the key of an event is a string; got ${describe(key)}`)
  return { key, tags, patterns, sequence: sequence && orderOf(sequence(event)) }
}

function strings(value: unknown, what: string): readonly string[] {
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
  throw new HitpathError(
    'INVALID_ARGUMENT',
    `the ${what} of an event are an array of strings; got ${describe(value)}`,
  )
}

function orderOf(sequence: unknown): number | bigint {
  if (typeof sequence === 'bigint' || (typeof sequence === 'number' && Number.isFinite(sequence)))
    return sequence
  throw new HitpathError(
    'INVALID_ARGUMENT',
    `the sequence of an event is a number or a bigint; got ${describe(sequence)}`,
  )
}
