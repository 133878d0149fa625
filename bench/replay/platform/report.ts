/** The platform's figures as text. */
import { align } from '../report.js'
import { count, duration, percent, type RunFigures } from './figures.js'
import { STAGES } from './script.js'

export function platformTable(
  figures: readonly [RunFigures, RunFigures, RunFigures],
  deaf: RunFigures,
  timerNs: number,
): string {
  const [bare, original, hitpath] = figures
  const rows = STAGES.map((stage, index) => {
    const of = (run: RunFigures) => run.stages[index] as RunFigures['stages'][number]
    return [
      stage,
      count(of(bare).asked),
      percent(of(hitpath).hitRatio),
      ...figures.map((run) => duration(of(run).p50Us)),
      ...figures.map((run) => duration(1000 * of(run).totalMs)),
      `${(of(bare).totalMs / of(hitpath).totalMs).toFixed(1)} ×`,
    ]
  })
  const heads = ['p50 without', 'md5', 'hitpath', 'total without', 'md5', 'hitpath', 'speed-up']
  const invalidation = [original, hitpath].map(
    ({ invalidationP50Us, invalidationP99Us }) =>
      `${duration(invalidationP50Us)} (p99 ${duration(invalidationP99Us)})`,
  )
  const saved = (run: RunFigures) => percent(1 - run.modelRows / bare.modelRows)
  return [
    align([['', 'asked', 'hits', ...heads], ...rows]),
    '',
    `all of it: ${figures.map((run) => `${run.name} ${duration(1000 * run.totalMs)}`).join(', ')}; ${(bare.totalMs / hitpath.totalMs).toFixed(1)} × less than without a cache; computing takes ${figures.map(({ computingMs }) => duration(1000 * computingMs)).join(', ')} of it`,
    `model rows: ${count(bare.modelRows)} without a cache; ${count(original.modelRows)} with the original design (${saved(original)} saved), ${count(hitpath.modelRows)} with hitpath (${saved(hitpath)} saved)`,
    `a bar's invalidation: ${invalidation[0]} by pattern, ${invalidation[1]} by tags; ${hitpath.staleSignals} stale signals, ${count(deaf.staleSignals)} with the invalidation switched off`,
    `pause for version 2 of the model: ${duration(1000 * original.swapMs)} loading it in the way, ${duration(1000 * hitpath.swapMs)} swapped in warm; ${hitpath.notes.join('; ')}`,
    `Times hold one reading of the timer, ${timerNs.toFixed(0)} ns. A signal that is not cached asks for the other three.`,
  ].join('\n')
}
