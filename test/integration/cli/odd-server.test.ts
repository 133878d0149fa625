/** What listens where Redis should be may be anything, and may say anything. */
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { hitpath } from '../../unit/cli/recording-terminal.js'

let server: Server | undefined

afterEach(() => server?.close())

/** Where a server listens that has the same reply for every command. */
async function listening(reply: string): Promise<string> {
  const opened = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      const commands = chunk.toString('latin1').match(/^\*\d+\r$/gm) ?? []
      socket.write(reply.repeat(commands.length))
    })
  })
  server = opened
  await new Promise<void>((resolve) => opened.listen(0, '127.0.0.1', resolve))
  return `redis://127.0.0.1:${(opened.address() as AddressInfo).port}`
}

test.each(['doctor', 'inspect'])(
  '%s shows what an error says, and not what a terminal would obey',
  async (command) => {
    const url = await listening('-ERR \u001b[31mred\u001b]0;title\u0007 no\r\n')
    const { code, out, err } = await hitpath([command, '--redis', url, '--namespace', 'app'])
    expect(code).toBe(1)
    expect(out + err).toContain('\\u001b[31mred')
    expect(out + err).not.toContain('\u001b')
  },
)

test.each(['+OK\r\n', '$-1\r\n', '*0\r\n', ':7\r\n'])(
  'inspect calls a server that answers %j to SCAN none',
  async (reply) => {
    const { code, err } = await hitpath(['inspect', '--redis', await listening(reply), '--namespace', 'app'])
    expect([code, err]).toEqual([1, expect.stringContaining('this is no Redis')])
  },
)
