/** Changes as lines of text, the largest first. */
import { rounded } from '../harness/judge.js'
import { columns } from '../harness/table.js'
import type { Change } from './changes.js'

export function changeTable(changes: readonly Change[]): readonly string[] {
  const head = ['figure', 'of', 'before', 'after', 'change', 'interval', 'noise', '']
  const size = ({ direction, ratio }: Change): number =>
    direction === 'same' || direction === 'unknown' ? 0 : Math.abs(Math.log(ratio))
  const rows = [...changes]
    .sort((a, b) => size(b) - size(a))
    .map((change) => [
      change.figure,
      change.peer === undefined ? change.contender : `${change.contender} / ${change.peer}`,
      `${rounded(change.before)} ${change.unit}`,
      `${rounded(change.after)} ${change.unit}`,
      percent(change.ratio - 1),
      change.interval === undefined
        ? ''
        : `${percent(change.interval.low - 1)} to ${percent(change.interval.high - 1)}`,
      `${(change.margin * 100).toFixed(1)} %`,
      { same: '', better: 'better', worse: 'WORSE', unknown: 'too few rounds' }[change.direction],
    ])
  return columns([head, ...rows])
}

function percent(share: number): string {
  return `${share < 0 ? '' : '+'}${(share * 100).toFixed(1)} %`
}
