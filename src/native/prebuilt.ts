/**
 * The name of the binary that the package carries for this machine, as prebuildify names them: on Linux the C library is
 * part of it, for a binary of glibc must not be tried under musl, whose loader ignores versions of symbols.
 *
 * Cost: on Linux one read of two kilobytes, once when the package is loaded.
 */
import { closeSync, openSync, readSync } from 'node:fs'

const PT_INTERP = 3
/** Linkers put the headers and the interpreter's name into the first page. */
const HEAD_BYTES = 2_048
const FILE_HEADER_BYTES = 64

/** Relative to the package: `prebuilds/linux-x64/hitpath.glibc.node`, `prebuilds/darwin-arm64/hitpath.node`. */
export function prebuiltBinary(): string {
  const libc = process.platform === 'linux' ? `.${libcOf(process.execPath)}` : ''
  return `prebuilds/${process.platform}-${process.arch}/hitpath${libc}.node`
}

/** The C library of a program, by the loader that it names. One that cannot be read is taken for the usual. */
export function libcOf(program: string): 'glibc' | 'musl' {
  return interpreterOf(program)?.includes('/ld-musl-') ? 'musl' : 'glibc'
}

/** The loader that an ELF file of 64 bits asks for. */
function interpreterOf(program: string): string | undefined {
  const head = headOf(program)
  if (head === undefined || head.length < FILE_HEADER_BYTES) return undefined
  if (head.toString('latin1', 0, 5) !== '\x7fELF\x02') return undefined
  const headersAt = Number(head.readBigUInt64LE(32))
  const headerBytes = head.readUInt16LE(54)
  const headers = head.readUInt16LE(56)
  for (let i = 0; i < headers; i++) {
    const at = headersAt + i * headerBytes
    if (at + 40 > head.length) return undefined
    if (head.readUInt32LE(at) !== PT_INTERP) continue
    const nameAt = Number(head.readBigUInt64LE(at + 8))
    return head.toString('latin1', nameAt, nameAt + Number(head.readBigUInt64LE(at + 32)))
  }
  return undefined
}

function headOf(program: string): Buffer | undefined {
  const head = Buffer.alloc(HEAD_BYTES)
  try {
    const file = openSync(program, 'r')
    try {
      return head.subarray(0, readSync(file, head, 0, HEAD_BYTES, 0))
    } finally {
      closeSync(file)
    }
  } catch {
    return undefined
  }
}
