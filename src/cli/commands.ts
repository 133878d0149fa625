/** The commands of `npx hitpath`, each in a file that is loaded when it is called. */
import type { Command } from './command.js'

interface Listed {
  readonly summary: string
  load(): Promise<Command>
}

export const COMMANDS: Readonly<Record<string, Listed>> = {
  bench: {
    summary: 'says whether hitpath pays on this machine, for your sizes and keys',
    load: async () => (await import('./bench/bench.js')).bench,
  },
  doctor: {
    summary: 'checks this machine, Redis and the configuration, and says what to change',
    load: async () => (await import('./doctor/doctor.js')).doctor,
  },
  inspect: {
    summary: 'shows what is in a namespace of the second tier, decoded',
    load: async () => (await import('./inspect/inspect.js')).inspect,
  },
}
