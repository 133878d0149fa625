#!/usr/bin/env node
/** The program `hitpath`. */
import { run } from './run.js'
import { Interrupted, type Terminal } from './terminal.js'

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
  // The first SIGINT ends the work of a command that asks for the signal, the second the process.
  get signal() {
    if (process.listenerCount('SIGINT') === 0)
      process.once('SIGINT', () => interrupted.abort(new Interrupted()))
    return interrupted.signal
  },
  env,
}

// `| head` closes the pipe: there is nobody left to write for.
stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit()
  throw error
})

run(process.argv.slice(2), terminal).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    stderr.write(
      `hitpath: this is a mistake of hitpath itself: ${(error as Error)?.stack ?? String(error)}\n`,
    )
    process.exitCode = 1
  },
)
