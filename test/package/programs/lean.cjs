// The same by require.
const { check } = require('./lean-check.cjs')

const before = new Set(process.moduleLoadList)
check(before, require('hitpath'))
