import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    // A loaded machine is slow; what waits for a condition gives up before.
    testTimeout: 240_000,
    hookTimeout: 120_000,
  },
})
