/** @keyv/test-suite over one cache, under Keyv 5 and 6. Its tests of compression are tests of compressors, not of stores. */
import { keyvApiTests, keyvIteratorTests, keyvNamespaceTest, keyvValueTests } from '@keyv/test-suite'
import type { Keyv } from 'keyv'
import { Keyv as Keyv5 } from 'keyv'
import { Keyv as Keyv6 } from 'keyv6'
import * as vitest from 'vitest'
import { HitpathStorageAdapter, HitpathStore, type StoreCache } from '../../src/compat/keyv/index.js'

/** The suite is written for Keyv 5. Keyv 6 answers here with a boolean for each key, over its own Map too; keyv.test.ts says so. */
const NOT_OF_KEYV_6 = '.deleteMany([keys]) with nonexistent keys resolves to false'

type TestApi = Parameters<typeof keyvApiTests>[0]

/** @param cache must be open while the tests run */
export function keyvSuite(cache: () => StoreCache): void {
  const keyv6 = Keyv6 as unknown as typeof Keyv
  vitest.describe('Keyv 5', () =>
    suite({ ...vitest, it: allBut(undefined) }, Keyv5, () => new HitpathStore(cache())),
  )
  const without = { ...vitest, it: allBut(NOT_OF_KEYV_6) }
  vitest.describe('Keyv 6', () => suite(without, keyv6, () => new HitpathStorageAdapter(cache())))
  vitest.describe('Keyv 6, with the store for 5', () =>
    suite(without, keyv6, () => new HitpathStore(cache())),
  )
}

function suite(test: TestApi, keyv: typeof Keyv, store: () => unknown): void {
  for (const tests of [keyvApiTests, keyvValueTests, keyvNamespaceTest, keyvIteratorTests])
    vitest.describe(tests.name, () => tests(test, keyv, store))
}

/** Some of the tests read what lives for a second or three: a machine that stood still meanwhile gets another chance. */
function allBut(name: string | undefined): TestApi['it'] {
  const it = (title: string, body: (context: vitest.TestContext) => unknown): void => {
    if (title !== name) vitest.it(title, { retry: 2 }, body)
  }
  return it as TestApi['it']
}
