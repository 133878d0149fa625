/** ModelCache over real sessions of onnxruntime: the pretrained network of @ricky0123/vad-web. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { describe, expect, it, vi } from 'vitest'
import { ModelCache } from '../../../src/index.js'

const folder = dirname(createRequire(import.meta.url).resolve('@ricky0123/vad-web'))
const bytes = readFileSync(join(folder, 'silero_vad_v5.onnx'))
const options = { intraOpNumThreads: 1, interOpNumThreads: 1 } as const
const load = (): Promise<InferenceSession> => InferenceSession.create(bytes, options)

async function speech(session: InferenceSession): Promise<number> {
  const { output } = await session.run({
    input: new Tensor(
      'float32',
      Float32Array.from({ length: 512 }, (_, i) => Math.sin(i / 5)),
      [1, 512],
    ),
    state: new Tensor('float32', new Float32Array(256), [2, 1, 128]),
    sr: new Tensor('int64', BigInt64Array.of(16000n), []),
  })
  return Number(output?.data[0])
}

describe('sessions of onnxruntime', () => {
  it('are loaded once, serve through a swap without a gap, and are released after their last lease', async () => {
    const loads = vi.fn(load)
    const models = new ModelCache<InferenceSession>()
    const [a, b] = await Promise.all([models.lease('vad', 5, loads), models.lease('vad', 5, loads)])
    expect([loads.mock.calls.length, a.model === b.model]).toEqual([1, true])
    const expected = await speech(a.model)
    b.release()

    const versions = new Set<string>()
    let swapped = false
    const swap = models.swap('vad', 6, loads).then(() => {
      swapped = true
    })
    do {
      const got = await models.use('vad', 5, loads, (session, lease) => {
        versions.add(lease.version)
        return speech(session)
      })
      expect(got).toBe(expected)
    } while (!swapped || versions.size < 2)
    await swap
    expect([...versions]).toEqual(['5', '6'])

    expect(await speech(a.model)).toBe(expected)
    const old = a.model
    a.release()
    await models.close()
    await expect(speech(old)).rejects.toThrow()
    expect(models.stats()).toMatchObject({ loads: 2, disposed: 2, disposeErrors: 0 })
  })

  it('that cannot be loaded leave nothing behind', async () => {
    const models = new ModelCache<InferenceSession>()
    const damaged = () => InferenceSession.create(bytes.subarray(0, 1000), options)
    await expect(models.lease('vad', 5, damaged)).rejects.toThrow()
    expect(await models.use('vad', 5, load, speech)).toBeGreaterThan(0)
    await models.close()
  })
})

describe('a lease that is garbage collected', () => {
  it('warns and counts as released', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const models = new ModelCache<{ release(): void }>()
    const release = vi.fn()
    const forget = async () => void (await models.lease('cnn', 1, () => ({ release })))
    await forget()
    models.delete('cnn')
    expect(models.stats()).toMatchObject({ leases: 1, retired: 1 })
    await vi.waitFor(
      async () => {
        collect()
        await setImmediate()
        expect(models.stats()).toMatchObject({ leases: 0, retired: 0, leaks: 1 })
      },
      { timeout: 20_000 },
    )
    expect(release).toHaveBeenCalledTimes(1)
    expect(warned).toHaveBeenCalledWith(
      'a lease of the model cnn@1 was garbage collected without release()',
      'HitpathWarning',
      'HITPATH_LEASE',
    )
    warned.mockRestore()
  })
})
