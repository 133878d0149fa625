/** What pages are put together from: one file each, no scripts, nothing from the network; light or dark as the reader's system is. */
import type { Palette } from './draw.js'
import { STYLE } from './style.js'

export function page(title: string, body: string): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`
}

/** @param below Markup */
export function panel(heading: string, svg: string, below: string): string {
  return `<figure><h3>${escapeHtml(heading)}</h3>${svg}<figcaption>${below}</figcaption></figure>`
}

export function legend({ names, colours }: Palette): string {
  const chips = names.map(
    (name, i) => `<span class="chip"><i style="background:${colours[i]}"></i>${escapeHtml(name)}</span>`,
  )
  return `<p class="legend">${chips.join('')}</p>`
}

/** Figures in large type, each with what it is. */
export function tiles(entries: readonly (readonly [value: string, label: string])[]): string {
  const each = entries.map(
    ([value, label]) =>
      `<div class="tile"><b>${escapeHtml(value)}</b><span>${escapeHtml(label)}</span></div>`,
  )
  return `<div class="tiles">\n${each.join('\n')}\n</div>`
}

/** What the page was made from: a line each. */
export function footer(lines: readonly string[]): string {
  return `<footer>\n${lines.map((line) => `<p>${escapeHtml(line)}</p>`).join('\n')}\n</footer>`
}

export function escapeHtml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;')
}
