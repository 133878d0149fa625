/** A terminal that remembers what was said. */
import { run } from '../../../src/cli/run.js'
import type { Terminal } from '../../../src/cli/terminal.js'

export interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface Settings {
  readonly env?: Readonly<Record<string, string>>
  readonly colour?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (text: string) => void
}

/** Runs the program in this process. */
export async function hitpath(args: readonly string[], settings: Settings = {}): Promise<Said> {
  let out = ''
  let err = ''
  const terminal: Terminal = {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    progress: (text) => settings.onProgress?.(text),
    colour: settings.colour ?? false,
    signal: settings.signal ?? new AbortController().signal,
    env: settings.env ?? {},
  }
  const code = await run(args, terminal)
  return { code, out, err }
}

export interface JsonFinding {
  readonly section: string
  readonly code: string
  readonly level: string
  readonly found: string
  readonly why?: string
  readonly remedy?: string
}

/** What `doctor --json` found under a code. */
export function findings({ out }: Said, code: string): JsonFinding[] {
  return (JSON.parse(out) as { findings: JsonFinding[] }).findings.filter((finding) => finding.code === code)
}
