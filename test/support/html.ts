/** Whether a page is well formed: tags nest, attributes are quoted and unique, text holds no bare markup. */
import { expect } from 'vitest'

const NAMED = /^<([a-zA-Z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>$/

/** Fails, naming the place, when it is not. Void elements must be closed as in XML. */
export function expectWellFormed(page: string): void {
  expect(page.startsWith('<!DOCTYPE html>\n')).toBe(true)
  const body = page.slice('<!DOCTYPE html>\n'.length).replace(/<style>[^<]*<\/style>/g, '')
  const open: string[] = []
  for (const [tag, text] of body.matchAll(/<[^>]*>|([^<]+)/g)) {
    if (text !== undefined) {
      expect(text.replace(/&(amp|lt|gt|quot|#\d+);/g, ''), text).not.toMatch(/[&>]/)
    } else if (tag.startsWith('</')) {
      expect(tag).toBe(`</${open.pop()}>`)
    } else {
      const [, name = '', attributes = '', closed] = NAMED.exec(tag) ?? []
      expect(name, tag).not.toBe('')
      const names = [...attributes.matchAll(/([\w:-]+)=/g)].map(([, attribute]) => attribute)
      expect(new Set(names).size, tag).toBe(names.length)
      if (closed === '') open.push(name)
    }
  }
  expect(open).toEqual([])
}
