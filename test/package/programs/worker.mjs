import { workerData } from 'node:worker_threads'
import { SharedCache } from 'hitpath'

const shared = SharedCache.attach(workerData)
shared.set(
  'from worker',
  shared.get('from main').map((x) => 2 * x),
)
