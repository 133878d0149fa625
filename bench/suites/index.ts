/** Every suite, in the order in which they run. A new subject is a new file and a line here. */
import type { Suite } from '../harness/subject.js'
import { suite as adapters } from './adapters.js'
import { suite as adaptiveTtl } from './adaptive-ttl.js'
import { suite as arrayKeys } from './array-keys.js'
import { suite as churn } from './churn.js'
import { suite as codec } from './codec.js'
import { suite as events } from './events.js'
import { suite as expiry } from './expiry.js'
import { suite as hitRatio } from './hit-ratio.js'
import { suite as hitRatioOverlays } from './hit-ratio-overlays.js'
import { suite as importTime } from './import-time.js'
import { suite as l1Patterns } from './l1-patterns.js'
import { suite as l1Read } from './l1-read.js'
import { suite as l1Write } from './l1-write.js'
import { suite as memory } from './memory.js'
import { suite as monitoring } from './monitoring.js'
import { suite as predictions } from './predictions.js'
import { suite as rows } from './rows.js'
import { suite as servingExtract } from './serving-extract.js'
import { suite as sharedValues } from './shared-values.js'
import { suite as snapshot } from './snapshot.js'
import { suite as threads } from './threads.js'
import { suite as tiers } from './tiers.js'
import { suite as tiersBehaviour } from './tiers-behaviour.js'
import { suite as tiersOutage } from './tiers-outage.js'
import { suite as valueSizes } from './value-sizes.js'

export const suites: readonly Suite[] = [
  l1Read,
  l1Write,
  l1Patterns,
  arrayKeys,
  rows,
  predictions,
  sharedValues,
  valueSizes,
  memory,
  snapshot,
  expiry,
  threads,
  churn,
  codec,
  tiers,
  tiersBehaviour,
  adapters,
  tiersOutage,
  events,
  monitoring,
  servingExtract,
  adaptiveTtl,
  hitRatio,
  importTime,
  hitRatioOverlays,
]
