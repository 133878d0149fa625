import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Command, helpText, parseOptions, UsageError } from '../../../src/cli/command.js'
import { COMMANDS } from '../../../src/cli/commands.js'
import { bytesText, columns, durationText, plain, redacted } from '../../../src/cli/terminal.js'
import { hitpath } from './recording-terminal.js'

const manifest = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', '..', '..', 'package.json'), 'utf8'),
) as { version: string }

describe('the frame', () => {
  test('without a command, and with --help, it lists the commands', async () => {
    const said = await hitpath([])
    expect(said).toEqual(await hitpath(['--help']))
    expect(said.code).toBe(0)
    for (const [name, { summary }] of Object.entries(COMMANDS)) {
      expect(said.out).toContain(name)
      expect(said.out).toContain(summary)
    }
  })

  test('--version is that of the package', async () => {
    expect(await hitpath(['--version'])).toEqual({ code: 0, out: `${manifest.version}\n`, err: '' })
  })

  test.each([
    ['docter', 'Did you mean doctor?'],
    ['inspct', 'Did you mean inspect?'],
    ['frobnicate', 'The commands are bench, doctor, inspect'],
    ['--vershun', 'is no option'],
    ['constructor', 'is no command'],
  ])('%s is refused: %s', async (name, sentence) => {
    const { code, out, err } = await hitpath([name])
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(sentence)
  })

  test('a help of a command that there is not is refused too', async () => {
    expect((await hitpath(['help', 'docter'])).code).toBe(2)
    expect((await hitpath(['help', 'doctor'])).out).toBe((await hitpath(['doctor', '--help'])).out)
  })

  test.each([
    ['doctor', '--namespase', 'x', 'did you mean --namespace?'],
    ['doctor', 'redis://localhost', '', 'options begin with --'],
    ['inspect', '--limit', '0', 'an integer from 1'],
    ['inspect', '--limit', '1e3', 'an integer from 1'],
    ['inspect', '--json=yes', '', 'takes no value'],
    ['inspect', '--namespace', '{a}', '--namespace must be a string of 1 to 128'],
    ['inspect', '--prefix', 'a b', 'RedisStore.prefix'],
    ['doctor', '--buckets', '2000', 'from 1 to 1024'],
    ['doctor', '--max-bytes', 'much', 'such as 256MiB'],
    ['doctor', '--sentinel', 'a:1', '--sentinel and --master go together'],
    ['doctor', '--cluster', '', '--cluster needs --redis'],
  ])('%s %s %s is wrong use: %s', async (command, option, value, sentence) => {
    const target =
      option.startsWith('--cl') || option.startsWith('--sen') ? [] : ['--redis', 'redis://127.0.0.1:1']
    const args = [command, ...target, option, ...(value === '' ? [] : [value])]
    const { code, err } = await hitpath(args)
    expect(code).toBe(2)
    expect(err).toContain(sentence)
    expect(err).toContain(`npx hitpath ${command} --help`)
  })

  test('inspect needs a Redis, and --key a namespace', async () => {
    expect((await hitpath(['inspect'])).err).toContain('--redis or --config')
    const { err, code } = await hitpath(['inspect', '--redis', 'redis://127.0.0.1:1', '--key', 'a'])
    expect([code, err]).toEqual([2, expect.stringContaining('need --namespace')])
  })

  test('a URL that is none is refused without being shown', async () => {
    const { code, err } = await hitpath(['doctor', '--redis', 'http://me:geheim@host'])
    expect(code).toBe(2)
    expect(err).not.toContain('geheim')
    const encoded = await hitpath(['doctor', '--redis', 'redis://me:geheim%zz@host'])
    expect([encoded.code, encoded.err]).toEqual([2, expect.stringContaining('percent-encoded')])
    expect(encoded.err).not.toContain('geheim')
  })
})

describe.each(Object.keys(COMMANDS))('the help of %s', (name) => {
  const load = async (): Promise<Command> => (await COMMANDS[name]?.load()) as Command

  test('names exactly the options that are parsed', async () => {
    const command = await load()
    const listed = helpText(name, command).split('Options:')[1]?.split('Examples:')[0] ?? ''
    const heads = [...listed.matchAll(/^ {2}--([\w-]+)( [A-Z][\w:]*)?/gm)]
    const named = heads.map(([, option]) => option)
    expect(named).toEqual([...Object.keys(command.options), 'help'])
    for (const [, option = '', value] of heads.filter(([, option]) => option !== 'help')) {
      const words = value === undefined ? [`--${option}`] : [`--${option}`, 'x']
      expect(parseOptions(command.options, words)[option]).toBeDefined()
    }
    expect(() => parseOptions(command.options, ['--no-such-option'])).toThrow(UsageError)
  })

  test('has examples whose options exist, and lines that fit', async () => {
    const command = await load()
    for (const example of command.examples) {
      const words = example
        .split(' ')
        .slice(3)
        .map((word) => word.replaceAll("'", ''))
      expect(() => parseOptions(command.options, words)).not.toThrow()
      expect(`${example} `.startsWith(`npx hitpath ${name} `)).toBe(true)
    }
    for (const line of helpText(name, command).split('\n')) expect(line.length).toBeLessThan(100)
  })
})

describe('text for terminals', () => {
  test('passwords are not shown, wherever a URL stands and whatever is in them', () => {
    expect(redacted('redis://u:p@h:1/0')).toBe('redis://u:***@h:1/0')
    expect(redacted('rediss://:p@ss:w/o@h')).toBe('rediss://:***@h')
    expect(redacted('no password in redis://h:1 or redis://u@h')).toBe(
      'no password in redis://h:1 or redis://u@h',
    )
    expect(redacted('redis://h?password=p&db=1')).toBe('redis://h?password=***&db=1')
    expect(redacted('see "redis://a:b@h": refused')).toBe('see "redis://a:***@h": refused')
  })

  test('nothing from elsewhere moves the cursor', () => {
    expect(plain('a\u001b[31mb\r\nc\u202e')).toBe('a\\u001b[31mb\\u000d\\u000ac\\u202e')
    expect(plain('x'.repeat(300), 10)).toBe(`${'x'.repeat(10)}…`)
  })

  test('sizes, times and columns', () => {
    expect([0, 1023, 1024, 300 * 1024, 1.5 * 2 ** 30].map(bytesText)).toEqual([
      '0 B',
      '1023 B',
      '1.0 KiB',
      '300 KiB',
      '1.5 GiB',
    ])
    expect(
      [0.126, 12.6, 1500, 60_000, 600_000, 7_200_000, 1e9, Number.POSITIVE_INFINITY].map(durationText),
    ).toEqual(['0.13 ms', '13 ms', '1.5 s', '60 s', '10 min', '2 h', '12 d', 'for ever'])
    expect(
      columns(
        [
          ['a', '1'],
          ['long', '22'],
        ],
        [1],
      ),
    ).toEqual(['a      1', 'long  22'])
  })

  test('colours only where they are wanted', async () => {
    expect((await hitpath(['doctor'], { colour: true })).out).toContain('\u001b[32m')
    expect((await hitpath(['doctor'])).out).not.toContain('\u001b')
  })
})
