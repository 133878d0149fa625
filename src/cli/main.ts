#!/usr/bin/env node
/** The program `hitpath`. */
import { run } from './run.js'
import type { Terminal } from './terminal.js'

const { env, stdout, stderr } = process
const interrupted = new AbortController()
let shown = 0

const terminal: Terminal = {
  out: (text) => stdout.write(text),
  err: (text) => stderr.write(text),
  progress(text) {
    if (!stderr.isTTY) return
    stderr.write(`\r${text.padEnd(shown)}${text === '' ? '\r' : ''}`)
    shown = text.length
  },
  colour: stdout.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb',
  signal: interrupted.signal,
  env,
}

// `| head` closes the pipe: there is nobody left to write for.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit()
  throw error
})
// The first ends the work, the second the process.
process.once('SIGINT', () => interrupted.abort(new Error('interrupted')))

run(process.argv.slice(2), terminal).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    stderr.write(`hitpath: this is a mistake of hitpath itself: ${(error as Error)?.stack ?? String(error)}\n`)
    process.exitCode = 1
  },
)
