import { expect, test } from 'vitest'
import { readOptions } from '../../../bench/harness/options.js'

test('the full form is the default, its results under bench/results', () => {
  const options = readOptions([], {}, '/repo')
  expect(options).toMatchObject({ form: 'full', only: [], quick: false, tracesDir: '/shared/traces' })
  expect(options.jsonFile).toBe('/repo/bench/results/latest.json')
})

test('the CI form is quick', () => {
  expect(readOptions(['--ci'], {}, '/repo')).toMatchObject({ form: 'ci', quick: true })
})

test('an option beats the environment, which beats the default', () => {
  const env = { HITPATH_TRACES: '/from-env' }
  expect(readOptions([], env, '/repo').tracesDir).toBe('/from-env')
  expect(readOptions(['--traces', '/given'], env, '/repo').tracesDir).toBe('/given')
})

test('a list of ids, and a number that is none', () => {
  expect(readOptions(['--only', 'rows,threads'], {}, '/repo').only).toEqual(['rows', 'threads'])
  expect(() => readOptions(['--rounds', 'many'], {}, '/repo')).toThrow(
    '--rounds must be a positive integer; got "many"',
  )
})
