/**
 * Writes bench/models/cnn-lstm-1.onnx and -2.onnx, and prints what the networks know. With --check it writes nothing and ends with 1
 * when a file is not what would be written.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Bars, loadBars } from '../replay/bars.js'
import { fitReadout, type Judgement } from './fit.js'
import { networkFile, seededNetwork } from './network.js'

export const VERSIONS = [1, 2] as const
export type ModelVersion = (typeof VERSIONS)[number]

export function modelPath(version: ModelVersion): string {
  return fileURLToPath(new URL(`cnn-lstm-${version}.onnx`, import.meta.url))
}

export function makeModel(version: ModelVersion, bars: Bars): { file: Buffer; judgement: Judgement } {
  const network = seededNetwork(version)
  const { readout, judgement } = fitReadout(network, bars)
  return { file: networkFile(network, readout, { judgement: describeJudgement(judgement) }), judgement }
}

export function describeJudgement(judgement: Judgement): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  return (
    `fitted on ${judgement.trained} windows, judged on the ${judgement.tested} after them: ` +
    `direction of the next day ${percent(judgement.direction)} right (${percent(judgement.up)} went up), ` +
    `return R² ${judgement.returnR2.toFixed(3)}, volatility of the next week R² ${judgement.volatilityR2.toFixed(2)} ` +
    `(the last twenty days give ${judgement.trailingR2.toFixed(2)})`
  )
}

function main(check: boolean): number {
  const bars = loadBars()
  let stale = 0
  for (const version of VERSIONS) {
    const path = modelPath(version)
    const { file, judgement } = makeModel(version, bars)
    const same = existsSync(path) && readFileSync(path).equals(file)
    if (!same) stale++
    if (!same && !check) writeFileSync(path, file)
    process.stdout.write(`version ${version}, ${file.length} bytes: ${describeJudgement(judgement)}\n`)
  }
  return check && stale > 0 ? 1 : 0
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.exitCode = main(process.argv.includes('--check'))
