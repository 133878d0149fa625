// What an import of the root loads besides hitpath.
import { check } from './lean-check.cjs'

const before = new Set(process.moduleLoadList)
await check(before, await import('hitpath'))
