/**
 * A plot as SVG, made by vega-lite without a browser. Colours are names of CSS variables: the page that holds the plot defines them for
 * light and dark, or `standalone` writes them into the picture.
 */
import { parse, View } from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import { COLOURS } from './style.js'

/** Contenders or stages in the order in which they are coloured. */
export interface Palette {
  readonly names: readonly string[]
  readonly colours: readonly string[]
}

export type Layer = Readonly<Record<string, unknown>>

/** Of the whole picture, axes included. */
const WIDTH = 480
const HEIGHT = 230

const CONFIG = {
  background: 'transparent',
  font: 'inherit',
  view: { stroke: 'transparent' },
  axis: {
    labelColor: 'var(--muted)',
    titleColor: 'var(--muted)',
    domainColor: 'var(--line)',
    tickColor: 'var(--line)',
    gridColor: 'var(--grid)',
    labelFontSize: 11,
    titleFontSize: 11,
    titleFontWeight: 'normal',
    titlePadding: 8,
  },
  legend: { labelColor: 'var(--text)', labelFontSize: 11, symbolSize: 60, labelLimit: 260 },
  title: { color: 'var(--text)', fontSize: 13, fontWeight: 600, anchor: 'start', offset: 12 },
} as const

/** @param size replaces width, height and the like of the whole plot */
export async function svg(
  values: readonly object[],
  layers: readonly Layer[],
  size: Layer = {},
): Promise<string> {
  const spec = {
    width: WIDTH,
    height: HEIGHT,
    padding: { left: 4, right: 10, top: 14, bottom: 4 },
    autosize: { type: 'fit', contains: 'padding' },
    ...size,
    config: CONFIG,
    data: { values },
    layer: layers,
  } as unknown as TopLevelSpec
  const view = new View(parse(compile(spec).spec), { renderer: 'none' })
  const drawn = await view.toSVG()
  view.finalize()
  // The page scales it and says what it shows: the size in the file is that of its view box.
  return drawn.replace(/(<svg[^>]*?) width="[^"]*" height="[^"]*"/, '$1 role="presentation"')
}

/** @param legend none, because the page has one, unless it is given */
export function colour(field: string, { names, colours }: Palette, legend: Layer | null = null): Layer {
  return { field, type: 'nominal', scale: { domain: names, range: colours }, legend }
}

/** The plot as a file of its own, light or dark as the reader's system is. */
export function standalone(drawn: string): string {
  const style = `<style>${COLOURS} svg { background: var(--card); font-family: system-ui, sans-serif; }</style>`
  return `${drawn.replace(/(<svg[^>]*>)/, `$1${style}`)}\n`
}
