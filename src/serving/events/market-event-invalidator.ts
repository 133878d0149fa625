/**
 * MarketEventInvalidator: an update of a symbol's market data invalidates what depends on the symbol.
 *
 * `{symbol}` in tags, patterns and dependencies stands for the event's symbol; in patterns its glob characters mean themselves.
 */
import { describe, HitpathError } from '../../errors.js'
import { refuseUnknownOptions } from '../../options.js'
import { escapeGlob } from '../../tiered/patterns.js'
import { EventInvalidator } from './event-invalidator.js'
import { COMMON_OPTIONS, type InvalidatorOptions } from './options.js'
import { Template } from './template.js'

/** A bar, a trade, a quote: whatever else it brings. */
export interface MarketEvent {
  readonly symbol: string
}

export interface MarketEventInvalidatorOptions<E extends MarketEvent = MarketEvent>
  extends InvalidatorOptions<E> {
  /** Tags that an event invalidates. Default `['symbol:{symbol}']`. */
  readonly tags?: readonly string[]
  /** Globs of keys, such as `features:*{symbol}*`. Each looks at every entry: prefer tags. Default: none. */
  readonly patterns?: readonly string[]
  /** The symbols there are: events of others are counted as unknown and ignored. Default: all are accepted. */
  readonly symbols?: Iterable<string>
}

export class MarketEventInvalidator<E extends MarketEvent = MarketEvent> extends EventInvalidator<E> {
  /** @throws HitpathError INVALID_OPTION, INVALID_TTL */
  constructor(options: MarketEventInvalidatorOptions<E>) {
    const path = 'MarketEventInvalidator'
    refuseUnknownOptions(options, path, [...COMMON_OPTIONS, 'tags', 'patterns', 'symbols'])
    const { tags = ['symbol:{symbol}'], patterns = [], symbols, ...common } = options
    const tagsOf = templates(tags, `${path}.tags`)
    const globsOf = templates(patterns, `${path}.patterns`, escapeGlob)
    const known = symbols === undefined ? undefined : symbolSet(symbols, `${path}.symbols`)
    if (tags.length + patterns.length === 0)
      throw new HitpathError(
        'INVALID_OPTION',
        `${path} has neither tags nor patterns: it would invalidate nothing`,
      )
    super({
      ...common,
      key: symbolOf,
      tags: (event) => tagsOf(symbolOf(event)),
      ...(patterns.length > 0 && { patterns: (event: E) => globsOf(symbolOf(event)) }),
      ...(known !== undefined && {
        accepts: (event: E) => known.has(symbolOf(event)),
        // Of an event that stands for a symbol nothing but the symbol is read.
        known: () => Array.from(known, (symbol) => ({ symbol }) as E),
      }),
    })
  }
}

function templates(
  texts: unknown,
  path: string,
  write?: (value: string) => string,
): (symbol: string) => readonly string[] {
  if (!Array.isArray(texts))
    throw new HitpathError('INVALID_OPTION', `${path} must be an array of templates; got ${describe(texts)}`)
  const parsed = texts.map((text) => new Template(text, path))
  for (const { names, text } of parsed)
    if (names.some((name) => name !== 'symbol'))
      throw new HitpathError('INVALID_OPTION', `${path} knows {symbol} alone; got ${describe(text)}`)
  return (symbol) => {
    const bindings = new Map([['symbol', symbol]])
    return parsed.map((template) => template.expand(bindings, write))
  }
}

function symbolSet(symbols: Iterable<string>, path: string): ReadonlySet<string> {
  const shape: unknown = symbols
  if (typeof shape !== 'object' || shape === null || !(Symbol.iterator in shape))
    throw new HitpathError('INVALID_OPTION', `${path} must be symbols to iterate; got ${describe(symbols)}`)
  return new Set(Array.from(symbols, (symbol) => symbolOf({ symbol })))
}

function symbolOf(event: MarketEvent): string {
  const symbol: unknown = (event as MarketEvent | null | undefined)?.symbol
  if (typeof symbol === 'string' && symbol !== '') return symbol
  throw new HitpathError('INVALID_ARGUMENT', `the symbol of an event is a string; got ${describe(symbol)}`)
}
