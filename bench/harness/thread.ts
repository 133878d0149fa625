/**
 * Starts a worker thread on a TypeScript module. Node 20 does not hand the loader that reads TypeScript on to
 * workers, so the thread registers it first.
 */
import { Worker } from 'node:worker_threads'
import { builtEnvironment } from './built.js'

const LOADER = import.meta.resolve('tsx/esm/api')

export function startThread(module: URL, workerData?: unknown): Worker {
  const code = `import(${JSON.stringify(LOADER)}).then((tsx) => {
    tsx.register()
    return import(${JSON.stringify(module.href)})
  })`
  return new Worker(code, { eval: true, env: builtEnvironment(), workerData })
}
