/** Asks `peer.py`, which reads and writes envelopes in Python. */
import { join } from 'node:path'
import { runPython } from '../support/python.js'

/** What `peer.py` answers to these frames. @throws Error with what Python printed */
export function runPeer(
  mode: 'echo' | 'write' | 'commands' | 'judge',
  frames: readonly Uint8Array[] = [],
): Buffer[] {
  const input = Buffer.concat(frames.flatMap((frame) => [lengthOf(frame), frame]))
  const stdout = runPython([join(import.meta.dirname, 'peer.py'), mode], input)
  const answers: Buffer[] = []
  for (let at = 0; at < stdout.length; ) {
    const end = at + 4 + stdout.readUInt32LE(at)
    answers.push(stdout.subarray(at + 4, end))
    at = end
  }
  return answers
}

function lengthOf(frame: Uint8Array): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(frame.length)
  return bytes
}
