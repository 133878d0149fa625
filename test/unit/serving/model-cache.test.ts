import { channel } from 'node:diagnostics_channel'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { ModelCache, type ModelCacheOptions, type ModelEvent } from '../../../src/index.js'
import { FakeLoader, FakeModel, instant } from './fake-models.js'

function world(options: ModelCacheOptions<FakeModel> = {}) {
  const time = { ms: 0 }
  const errors: unknown[] = []
  const events: ModelEvent[] = []
  const models = new ModelCache<FakeModel>({
    clock: { now: () => time.ms },
    onError: (error) => errors.push(error),
    onEvent: (event) => events.push(event),
    ...options,
  })
  return { models, time, errors, events, loader: new FakeLoader() }
}

describe('a lease', () => {
  it('gives the model by reference, loaded once for all who ask', async () => {
    const { models, loader } = world()
    const asked = [models.lease('cnn', 1, loader.load), models.lease('cnn', '1', loader.load)]
    const model = await loader.calls[0]?.give()
    const leases = await Promise.all(asked)
    expect(leases.map((lease) => lease.model)).toEqual([model, model])
    expect((await models.lease('cnn', 1, loader.load)).model).toBe(model)
    expect(loader.calls.length).toBe(1)
    expect(models.stats()).toMatchObject({ models: 1, leases: 3, loads: 1, joined: 1, hits: 1 })
  })

  it('is of the version that was asked for', async () => {
    const { models } = world()
    const [one, two] = [
      await models.lease('cnn', 1, instant()),
      await models.lease('cnn', 2, instant()),
    ] as const
    expect([one.version, two.version]).toEqual(['1', '2'])
    expect(one.model).not.toBe(two.model)
    const [a, b] = [await models.lease('cn', 'n1', instant()), await models.lease('c', 'nn1', instant())]
    expect(a.model).not.toBe(b.model)
  })

  it('is released once, however often release() is called', async () => {
    const { models } = world()
    const first = await models.lease('cnn', 1, instant())
    const second = await models.lease('cnn', 1, instant())
    first.release()
    first.release()
    first[Symbol.dispose]()
    models.delete('cnn')
    expect(models.stats()).toMatchObject({ leases: 1, retired: 1 })
    expect(second.model.disposals).toBe(0)
  })

  it('gives no model after release', async () => {
    const { models } = world()
    const lease = await models.lease('cnn', 1, instant())
    lease.release()
    expect(lease.released).toBe(true)
    expect(() => lease.model).toThrow(expect.objectContaining({ name: 'HitpathError', code: 'CLOSED' }))
  })

  it('is given at once by leaseSync when the model is loaded', async () => {
    const { models } = world()
    expect(models.leaseSync('cnn', 1)).toBeUndefined()
    const lease = await models.lease('cnn', 1, instant())
    expect(models.leaseSync('cnn', 1)?.model).toBe(lease.model)
    expect(models.stats()).toMatchObject({ loads: 1, leases: 2 })
  })

  it('is held by use() until the work has settled, and released when it throws', async () => {
    const { models } = world()
    let disposed: number | undefined
    const result = await models.use('cnn', 1, instant(), async (model, lease) => {
      models.delete('cnn')
      await setImmediate()
      disposed = model.disposals
      return lease.version
    })
    expect([result, disposed]).toEqual(['1', 0])
    expect(models.stats()).toMatchObject({ leases: 0, retired: 0, disposed: 1 })
    const boom = new Error('boom')
    await expect(models.use('cnn', 1, instant(), () => Promise.reject(boom))).rejects.toBe(boom)
    expect(models.stats().leases).toBe(0)
  })
})

describe('a load', () => {
  it('that fails rejects those who wait, and the next caller tries again', async () => {
    const { models, loader, events } = world()
    const asked = Promise.allSettled([1, 2].map(() => models.lease('cnn', 1, loader.load)))
    const error = new Error('no file')
    await loader.calls[0]?.fail(error)
    expect(await asked).toEqual([
      { status: 'rejected', reason: error },
      { status: 'rejected', reason: error },
    ])
    const again = models.lease('cnn', 1, loader.load)
    await loader.calls[1]?.give()
    expect((await again).model.label).toBe('cnn@1#1')
    expect(events.map((event) => event.type)).toEqual(['load-error', 'load'])
  })

  it('that failed is not joined by a caller who asks again at once', async () => {
    const { models, loader } = world()
    const retried = models.lease('cnn', 1, loader.load).catch(() => models.lease('cnn', 1, loader.load))
    await loader.calls[0]?.fail(new Error('no file'))
    await loader.calls[1]?.give()
    expect((await retried).model.label).toBe('cnn@1#1')
  })

  it('that throws at once, or gives no object, rejects', async () => {
    const { models } = world()
    const boom = new Error('boom')
    const thrower = (): never => {
      throw boom
    }
    await expect(models.lease('cnn', 1, thrower)).rejects.toBe(boom)
    for (const nothing of [undefined, null, 7]) {
      const load = () => nothing as unknown as FakeModel
      await expect(models.lease('cnn', 1, load)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    }
    expect(models.stats()).toMatchObject({ models: 0, loadErrors: 4 })
  })

  it('goes on for the others when one caller gives up', async () => {
    const { models, loader } = world()
    const controller = new AbortController()
    const impatient = models.lease('cnn', 1, loader.load, { signal: controller.signal })
    const patient = models.lease('cnn', 1, loader.load)
    controller.abort(new Error('enough'))
    await expect(impatient).rejects.toThrow('enough')
    expect(loader.calls[0]?.signal.aborted).toBe(false)
    await loader.calls[0]?.give()
    expect((await patient).model.label).toBe('cnn@1#0')
    expect(models.stats().leases).toBe(1)
  })

  it('is aborted when all give up; what it brings all the same is disposed, and the next caller begins anew', async () => {
    const { models, loader } = world()
    const controller = new AbortController()
    const options = { signal: controller.signal }
    const asked = Promise.allSettled([
      models.lease('cnn', 1, loader.load, options),
      models.lease('cnn', 1, loader.load, options),
    ])
    controller.abort()
    await asked
    expect(loader.calls[0]?.signal.aborted).toBe(true)
    const next = models.lease('cnn', 1, loader.load)
    const late = await loader.calls[0]?.give()
    expect(late?.disposals).toBe(1)
    await loader.calls[1]?.give()
    expect((await next).model.label).toBe('cnn@1#1')
    await expect(models.lease('cnn', 1, loader.load, options)).rejects.toBe(controller.signal.reason)
  })
})

describe('a swap', () => {
  it('serves the old model until the new one is loaded, then the new one, and disposes the old after its last lease', async () => {
    const { models, loader, events } = world()
    const old = await models.lease('cnn', 1, instant())
    const swapping = models.swap('cnn', 2, loader.load)
    const during = await models.lease('cnn', 1, loader.load)
    expect(during.model).toBe(old.model)

    await loader.calls[0]?.give()
    expect(await swapping).toBe(true)
    const after = await models.lease('cnn', 1, loader.load)
    expect([after.version, after.model.label, models.active('cnn')]).toEqual(['2', 'cnn@2#0', '2'])
    expect(loader.calls.length).toBe(1)

    old.release()
    expect(during.model.disposals).toBe(0)
    const { model } = during
    during.release()
    expect(model.disposals).toBe(1)
    await setImmediate()
    expect(events.map((event) => event.type)).toEqual(['load', 'load', 'retire', 'swap', 'dispose'])
    expect(events[3]).toMatchObject({ type: 'swap', before: ['1'] })
  })

  it('changes nothing when its load fails or its caller gives up', async () => {
    const { models, loader } = world()
    const lease = await models.lease('cnn', 1, instant())
    const failing = models.swap('cnn', 2, loader.load)
    const outcome = expect(failing).rejects.toThrow('corrupt')
    await loader.calls[0]?.fail(new Error('corrupt'))
    await outcome
    const controller = new AbortController()
    const given = models.swap('cnn', 2, loader.load, { signal: controller.signal })
    const aborted = expect(given).rejects.toThrow('enough')
    controller.abort(new Error('enough'))
    await aborted
    expect(models.active('cnn')).toBeUndefined()
    expect((await models.lease('cnn', 1, loader.load)).model).toBe(lease.model)
  })

  it('that began earlier does not undo a later one', async () => {
    const { models, loader } = world()
    const slow = models.swap('cnn', 2, loader.load)
    const fast = models.swap('cnn', 3, loader.load)
    await loader.calls[1]?.give()
    expect(await fast).toBe(true)
    const late = await loader.calls[0]?.give()
    expect(await slow).toBe(false)
    expect([models.active('cnn'), late?.disposals, models.stats().models]).toEqual(['3', 1, 1])
  })

  it('goes back to a version that is loaded again', async () => {
    const { models } = world()
    const made: FakeModel[] = []
    for (const version of [1, 2, 1]) await models.swap('cnn', version, instant(made))
    expect(made.map((model) => model.disposals)).toEqual([1, 1, 0])
    expect((await models.lease('cnn', 2, instant())).version).toBe('1')
  })

  it('leaves other names alone, and a lease with `exact` gets what it asks for', async () => {
    const { models } = world()
    const other = await models.lease('risk', 1, instant())
    await models.swap('cnn', 2, instant())
    expect((await models.lease('risk', 1, instant())).model).toBe(other.model)
    const exact = await models.lease('cnn', 1, instant(), { exact: true })
    expect(exact.version).toBe('1')
    expect((await models.lease('cnn', 1, instant())).version).toBe('2')
  })

  it('is not undone by a load of the old version that ends later', async () => {
    const { models, loader } = world()
    const slow = models.lease('cnn', 1, loader.load)
    await models.swap('cnn', 2, instant())
    const model = await loader.calls[0]?.give()
    const lease = await slow
    expect(lease.model).toBe(model)
    lease.release()
    expect(model?.disposals).toBe(1)
    expect(models.stats().models).toBe(1)
  })

  it('keeps its loader for when the version is over its ttl', async () => {
    const { models, time } = world({ ttl: 100 })
    await models.swap('cnn', 2, instant())
    time.ms = 101
    const never = (): never => expect.fail('the loader of the replaced version was called')
    expect((await models.lease('cnn', 1, never)).version).toBe('2')
  })
})

describe('the ttl', () => {
  it('makes the next lease load again, while old leases end in peace', async () => {
    const { models, time } = world({ ttl: '60s' })
    const old = await models.lease('cnn', 1, instant())
    time.ms = 60_000
    expect((await models.lease('cnn', 1, instant())).model).toBe(old.model)
    time.ms = 60_001
    const fresh = await models.lease('cnn', 1, instant())
    expect(fresh.model).not.toBe(old.model)
    expect(old.model.disposals).toBe(0)
    expect(models.stats()).toMatchObject({ models: 1, retired: 1, leases: 3 })
  })

  it('is an hour unless said otherwise', async () => {
    const { models, time } = world()
    const lease = await models.lease('cnn', 1, instant())
    time.ms = 3_600_000
    expect(models.leaseSync('cnn', 1)?.model).toBe(lease.model)
    time.ms = 3_600_001
    expect(models.leaseSync('cnn', 1)).toBeUndefined()
  })

  it('disposes an idle model although nobody asks for it', async () => {
    const made: FakeModel[] = []
    const models = new ModelCache<FakeModel>({ ttl: 20 })
    ;(await models.lease('cnn', 1, instant(made))).release()
    await vi.waitFor(() => expect(made[0]?.disposals).toBe(1), { timeout: 20_000 })
    expect(models.stats()).toMatchObject({ models: 0, expired: 1, disposed: 1 })
  })

  it('with refresh: background serves the old model while one load brings the new one', async () => {
    const { models, time, loader, events } = world({ ttl: 1000, refresh: 'background' })
    const old = await models.lease('cnn', 1, instant())
    time.ms = 1001
    for (let i = 0; i < 3; i++) expect((await models.lease('cnn', 1, loader.load)).model).toBe(old.model)
    expect(loader.calls.length).toBe(1)
    const fresh = await loader.calls[0]?.give()
    expect((await models.lease('cnn', 1, loader.load)).model).toBe(fresh)
    expect(models.stats()).toMatchObject({ stale: 3, loads: 2 })
    expect(events.filter((event) => event.type === 'stale').length).toBe(3)
    time.ms = 10_000
    const blocked = models.lease('cnn', 1, loader.load)
    await loader.calls[1]?.give()
    expect((await blocked).model.label).toBe('cnn@1#1')
  })

  it('with refresh: background reports a failed load and tries again a second later', async () => {
    const { models, time, loader, errors } = world({ ttl: 5000, refresh: 'background' })
    const old = await models.lease('cnn', 1, instant())
    time.ms = 5001
    await models.lease('cnn', 1, loader.load)
    const error = new Error('no file')
    await loader.calls[0]?.fail(error)
    expect(errors).toEqual([error])
    time.ms = 6000
    expect((await models.lease('cnn', 1, loader.load)).model).toBe(old.model)
    expect(loader.calls.length).toBe(1)
    time.ms = 6001
    await models.lease('cnn', 1, loader.load)
    expect(loader.calls.length).toBe(2)
  })
})

describe('bounds', () => {
  it('end the idle model that was used longest ago', async () => {
    const { models } = world({ maxModels: 2 })
    const made: FakeModel[] = []
    for (const name of ['a', 'b', 'a', 'c']) (await models.lease(name, 1, instant(made))).release()
    expect(made.map((model) => `${model.label} ${model.disposals}`)).toEqual([
      'a@1#0 0',
      'b@1#1 1',
      'c@1#2 0',
    ])
    expect(models.stats()).toMatchObject({ models: 2, evicted: 1 })
  })

  it('are exceeded rather than end a model in use, and hold again when one is idle', async () => {
    const { models } = world({ maxModels: 1 })
    const a = await models.lease('a', 1, instant())
    const b = await models.lease('b', 1, instant())
    expect(models.stats()).toMatchObject({ models: 2, evicted: 0 })
    expect((await models.lease('a', 1, instant())).model).toBe(a.model)
    const { model } = b
    b.release()
    expect([model.disposals, models.stats().models]).toEqual([1, 1])
  })

  it('may count bytes', async () => {
    const sizeOf = ({ label }: FakeModel) => (label.startsWith('big') ? 80 : 30)
    const { models } = world({ maxBytes: 100, sizeOf })
    for (const name of ['x', 'y', 'big']) (await models.lease(name, 1, instant())).release()
    expect(models.stats()).toMatchObject({ models: 1, bytes: 80, evicted: 2 })
  })

  it('refuse a size that is none, and keep nothing of it', async () => {
    const boom = new Error('boom')
    const sizes: (() => number)[] = [
      () => Number.NaN,
      () => -1,
      () => {
        throw boom
      },
    ]
    const { models } = world({ maxBytes: 10, sizeOf: () => sizes.shift()?.() ?? 1 })
    const made: FakeModel[] = []
    await expect(models.lease('a', 1, instant(made))).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    await expect(models.lease('a', 1, instant(made))).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    await expect(models.lease('a', 1, instant(made))).rejects.toBe(boom)
    expect(made.map((model) => model.disposals)).toEqual([1, 1, 1])
    expect((await models.lease('a', 1, instant())).version).toBe('1')
  })
})

describe('disposal', () => {
  it('goes through the given function, whose errors are reported and reach nobody', async () => {
    const boom = new Error('busy')
    const seen: FakeModel[] = []
    const dispose = (model: FakeModel) => {
      seen.push(model)
      return seen.length === 1 ? Promise.reject(boom) : undefined
    }
    const { models, errors, events } = world({ dispose })
    const lease = await models.lease('cnn', 1, instant())
    const { model } = lease
    models.delete('cnn')
    lease.release()
    await setImmediate()
    expect([seen, model.disposals, errors]).toEqual([[model], 0, [boom]])
    expect(models.stats()).toMatchObject({ disposeErrors: 1, disposed: 0 })
    expect(events.at(-1)).toMatchObject({ type: 'dispose-error', error: boom })
  })

  it('waits for the last lease on an object that two loads gave', async () => {
    const { models } = world()
    const shared = new FakeModel('shared')
    const first = await models.lease('cnn', 1, () => shared)
    const second = await models.lease('cnn', 2, () => shared)
    first.release()
    models.delete('cnn', 1)
    expect(shared.disposals).toBe(0)
    models.delete('cnn', 2)
    expect(shared.disposals).toBe(0)
    second.release()
    expect(shared.disposals).toBe(1)
  })

  it('is not needed by a model without release()', async () => {
    const models = new ModelCache<{ weights: number }>()
    ;(await models.lease('linear', 1, () => ({ weights: 1 }))).release()
    await models.close()
    expect(models.stats()).toMatchObject({ disposed: 1, disposeErrors: 0 })
  })
})

describe('close', () => {
  it('refuses leases, ends loads, disposes idle models at once and others after their last lease', async () => {
    const { models, loader } = world()
    const made: FakeModel[] = []
    const held = await models.lease('held', 1, instant(made))
    ;(await models.lease('idle', 1, instant(made))).release()
    const waiting = models.lease('slow', 1, loader.load)
    const refused = expect(waiting).rejects.toMatchObject({ code: 'CLOSED' })
    await models.close()
    await refused
    expect(loader.calls[0]?.signal.aborted).toBe(true)
    expect(made.map((model) => model.disposals)).toEqual([0, 1])
    expect(held.model).toBe(made[0])
    held.release()
    expect(made[0]?.disposals).toBe(1)
    expect((await loader.calls[0]?.give())?.disposals).toBe(1)
    await expect(models.lease('cnn', 1, instant())).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(models.swap('cnn', 1, instant())).rejects.toMatchObject({ code: 'CLOSED' })
    expect(() => models.leaseSync('cnn', 1)).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    await models.close()
    expect(models.stats()).toMatchObject({ models: 0, leases: 0, retired: 0, disposed: 3 })
  })

  it('waits for disposals under way', async () => {
    let end = (): void => {}
    const dispose = () =>
      new Promise<void>((resolve) => {
        end = resolve
      })
    const { models } = world({ dispose })
    ;(await models.lease('cnn', 1, instant())).release()
    let closed = false
    const closing = models.close().then(() => {
      closed = true
    })
    await setImmediate()
    expect(closed).toBe(false)
    end()
    await closing
  })
})

describe('wrong use', () => {
  it.each([
    [{ ttl: 0 }, 'INVALID_TTL'],
    [{ refresh: 'never' }, 'INVALID_OPTION'],
    [{ maxModels: 0 }, 'INVALID_OPTION'],
    [{ maxBytes: 10 }, 'INVALID_OPTION'],
    [{ dispose: 'yes' }, 'INVALID_OPTION'],
    [{ maxEntries: 5 }, 'INVALID_OPTION'],
    [{ clock: 5 }, 'INVALID_OPTION'],
  ])('refuses the options %j', (options, code) => {
    expect(() => new ModelCache(options as object)).toThrow(expect.objectContaining({ code }))
  })

  it('refuses names, versions, loaders and options that are none', async () => {
    const { models } = world()
    const load = instant()
    await expect(models.lease('', 1, load)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(models.lease('a', Number.NaN, load)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(models.lease('a', '', load)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(models.lease('a', 1, undefined as never)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    const wrong = { timeout: 5 } as object
    await expect(models.lease('a', 1, load, wrong)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    expect(models.stats().loads).toBe(0)
  })

  it('turns what listeners throw into process warnings', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const onEvent = () => {
      throw new Error('listener')
    }
    const { models } = world({ onEvent })
    expect((await models.lease('cnn', 1, instant())).version).toBe('1')
    expect(warned).toHaveBeenCalledWith(
      expect.stringContaining('onEvent threw'),
      'HitpathWarning',
      'HITPATH_LISTENER',
    )
    warned.mockRestore()
  })

  it('publishes its events on diagnostics_channel too', async () => {
    const seen: unknown[] = []
    const listener = (event: unknown) => seen.push(event)
    channel('hitpath:model').subscribe(listener)
    await world().models.lease('cnn', 1, instant())
    channel('hitpath:model').unsubscribe(listener)
    expect(seen).toEqual([{ name: 'cnn', version: '1', type: 'load', ms: expect.any(Number), bytes: 0 }])
  })
})
