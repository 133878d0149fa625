import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { packageRoot } from '../../../src/native/here.js'
import { packageRootAbove } from '../../../src/native/package-root.js'

test('packageRoot is where the package.json of hitpath lies', () => {
  const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { name: string }
  expect(manifest.name).toBe('hitpath')
})

test('built files find the same root past the package.json of their build', () => {
  expect(packageRootAbove(join(packageRoot, 'dist', 'cjs', 'native'))).toBe(packageRoot)
})

test('bundled code is told what to do', () => {
  expect(() => packageRootAbove('/')).toThrow(expect.objectContaining({ code: 'NATIVE_LOAD' }))
})
