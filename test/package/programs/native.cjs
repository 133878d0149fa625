// The installed package runs on the binary that came with it.
const assert = require('node:assert/strict')
const { sep } = require('node:path')
const { digest } = require('hitpath')

digest(Float64Array.of(1, 2))
const loaded = process.report.getReport().sharedObjects.filter((path) => path.includes('hitpath'))
assert.equal(loaded.length, 1, `loaded ${loaded}`)
assert.match(
  loaded[0],
  new RegExp(`hitpath\\${sep}prebuilds\\${sep}${process.platform}-${process.arch}\\${sep}hitpath`),
)
