import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // Much of what the integration tests do is waiting: three files at a time on two cores as well.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    // A loaded machine is slow; what waits for a condition gives up before.
    testTimeout: 240_000,
    // Once more where a shared machine may stand still for a second: the report says which tests needed it.
    retry: process.env['CI'] === undefined ? 0 : 1,
    hookTimeout: 120_000,
  },
})
