/** The child's side of child.ts: calls what it is asked to, one call at a time. */
import { loadBuilt } from './built.js'
import type { Call, Outcome } from './child.js'

type Exported = Record<string, (...args: readonly unknown[]) => unknown>

process.on('message', async (call: Call) => {
  process.send!(await answerTo(call))
})
process.on('disconnect', () => process.exit(0))
process.on('SIGINT', () => process.exit(130))

async function answerTo(call: Call): Promise<Outcome> {
  try {
    await loadBuilt()
    const exported = (await import(call.module)) as Exported
    const called = exported[call.name]
    if (called === undefined) return { error: `${call.module} does not export ${call.name}` }
    return { value: await called(...call.args) }
  } catch (error) {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}
