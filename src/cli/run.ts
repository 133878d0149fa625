/** `npx hitpath`: finds the command, and makes an exit code of whatever becomes of it. */
import { nearest } from '../config/nearest.js'
import { HitpathError } from '../errors.js'
import { EXIT, type ExitCode, helpText, UsageError } from './command.js'
import { COMMANDS } from './commands.js'
import { Interrupted, plain, redacted, type Terminal } from './terminal.js'
import { version } from './version.js'

const LONGEST_LINE = 2000

export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const [name, ...rest] = args
  try {
    if (name === undefined || name === '--help' || name === '-h' || name === 'help')
      return await overview(rest, terminal)
    if (name === '--version' || name === '-v') {
      terminal.out(`${version()}\n`)
      return EXIT.fine
    }
    const listed = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    if (listed === undefined) throw unknownCommand(name)
    const command = await listed.load()
    if (rest.includes('--help') || rest.includes('-h')) {
      terminal.out(helpText(name, command))
      return EXIT.fine
    }
    return await command.run(rest, terminal)
  } catch (error) {
    terminal.progress('')
    return refused(error, name, terminal)
  }
}

/** `hitpath help doctor` is `hitpath doctor --help`. */
async function overview([name]: readonly string[], terminal: Terminal): Promise<ExitCode> {
  if (name !== undefined) return run([name, '--help'], terminal)
  const width = Math.max(...Object.keys(COMMANDS).map(({ length }) => length)) + 2
  const lines = Object.entries(COMMANDS).map(([each, { summary }]) => `  ${each.padEnd(width)}${summary}`)
  terminal.out(
    [
      'npx hitpath <command> [options]',
      '',
      'Commands:',
      ...lines,
      '',
      'npx hitpath <command> --help says more of a command, npx hitpath --version which version this is.',
      '',
    ].join('\n'),
  )
  return EXIT.fine
}

function unknownCommand(name: string): UsageError {
  const near = nearest(name, Object.keys(COMMANDS))
  const hint = near === undefined ? '' : ` Did you mean ${near}?`
  const what = name.startsWith('-') ? 'option' : 'command'
  return new UsageError(
    `${plain(name, 40)} is no ${what}.${hint} The commands are ${Object.keys(COMMANDS).join(', ')}`,
  )
}

function refused(error: unknown, command: string | undefined, terminal: Terminal): ExitCode {
  if (error instanceof Interrupted) {
    terminal.err('hitpath: interrupted\n')
    return EXIT.interrupted
  }
  if (error instanceof UsageError) {
    const help = command !== undefined && Object.hasOwn(COMMANDS, command) ? `${command} --help` : '--help'
    terminal.err(`hitpath: ${shown(error)}\nnpx hitpath ${help} says what there is\n`)
    return EXIT.usage
  }
  if (error instanceof HitpathError) {
    terminal.err(`hitpath: ${shown(error)}\n`)
    return EXIT.found
  }
  throw error
}

/** Of any number of lines; what a server said may be in it. */
function shown({ message }: Error): string {
  return redacted(message)
    .split('\n')
    .map((line) => plain(line, LONGEST_LINE))
    .join('\n')
}
