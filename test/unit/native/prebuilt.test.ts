import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { libcOf, prebuiltBinary } from '../../../src/native/prebuilt.js'

const folder = mkdtempSync(join(tmpdir(), 'hitpath-libc-'))
afterAll(() => rmSync(folder, { recursive: true }))

const HEADER_BYTES = 56
const PT_PHDR = 6
const PT_INTERP = 3

/** An ELF file of 64 bits whose second program header names `interpreter`. */
function program(name: string, interpreter: string): string {
  const file = Buffer.alloc(1_024)
  file.write('\x7fELF\x02', 'latin1')
  file.writeBigUInt64LE(64n, 32)
  file.writeUInt16LE(HEADER_BYTES, 54)
  file.writeUInt16LE(2, 56)
  file.writeUInt32LE(PT_PHDR, 64)
  const header = 64 + HEADER_BYTES
  file.writeUInt32LE(PT_INTERP, header)
  file.writeBigUInt64LE(512n, header + 8)
  file.writeBigUInt64LE(BigInt(interpreter.length + 1), header + 32)
  file.write(interpreter, 512, 'latin1')
  const path = join(folder, name)
  writeFileSync(path, file)
  return path
}

test('a program that names the loader of musl is of musl', () => {
  expect(libcOf(program('musl', '/lib/ld-musl-x86_64.so.1'))).toBe('musl')
})

test('a program that names the loader of glibc is of glibc', () => {
  expect(libcOf(program('glibc', '/lib64/ld-linux-x86-64.so.2'))).toBe('glibc')
})

test('what is no program, too short, or not there is taken for the usual', () => {
  const text = join(folder, 'text')
  writeFileSync(text, '#!/bin/sh /ld-musl-')
  expect(libcOf(text)).toBe('glibc')
  const short = join(folder, 'short')
  writeFileSync(short, '\x7fELF\x02')
  expect(libcOf(short)).toBe('glibc')
  expect(libcOf(join(folder, 'absent'))).toBe('glibc')
})

test('the name says platform, processor and, on Linux, the C library', () => {
  const libc = process.platform === 'linux' ? '.(glibc|musl)' : ''
  expect(prebuiltBinary()).toMatch(
    new RegExp(`^prebuilds/${process.platform}-${process.arch}/hitpath${libc}\\.node$`),
  )
})
