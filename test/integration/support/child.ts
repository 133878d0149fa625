import { serve } from '../../support/processes.js'

export const functions = {
  add: (a: number, b: number) => a + b,
  bytes: async (bytes: Uint8Array) => bytes.length,
  fail: () => {
    throw Object.assign(new TypeError('no'), { code: 'X' })
  },
}

serve(functions)
