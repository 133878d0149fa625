/** One thing that the doctor looked at: what was found, why it matters, and what to do about it. */

/** `error`: hitpath does not work, or not as it should, until it is changed. `warning`: it will hurt under load or on a bad day. */
export type Level = 'ok' | 'note' | 'warning' | 'error'

export interface Finding {
  /** To branch on: stable across releases. */
  readonly code: string
  readonly level: Level
  readonly found: string
  /** What it means for a cache; left out where all is well. */
  readonly why?: string
  /** A command, an option or a setting. */
  readonly remedy?: string
}

export interface Section {
  readonly title: string
  readonly findings: readonly Finding[]
}

export function ok(code: string, found: string): Finding {
  return { code, level: 'ok', found }
}

/** The same finding of several nodes, once: `found` then names them, unless it is of all. */
export function merged(
  perNode: readonly { readonly address: string; readonly findings: readonly Finding[] }[],
): Finding[] {
  if (perNode.length === 1) return [...(perNode[0]?.findings ?? [])]
  const seen = new Map<string, { readonly finding: Finding; readonly addresses: string[] }>()
  for (const { address, findings } of perNode) {
    for (const finding of findings) {
      const key = JSON.stringify(finding)
      const known = seen.get(key)
      if (known === undefined) seen.set(key, { finding, addresses: [address] })
      else known.addresses.push(address)
    }
  }
  return [...seen.values()].map(({ finding, addresses }) => ({
    ...finding,
    found: `${addresses.length === perNode.length ? 'all masters' : addresses.join(', ')}: ${finding.found}`,
  }))
}
