/** The process and the machine or container that it runs in. */
import { totalmem } from 'node:os'
import { bytesText } from '../terminal.js'
import { type Finding, ok } from './finding.js'

export interface HostFacts {
  readonly node: string
  readonly platform: string
  readonly arch: string
  /** Undefined with musl, and where there is none. */
  readonly glibc: string | undefined
  readonly memoryBytes: number
  /** What the cgroup allows; undefined without a bound. */
  readonly limitBytes: number | undefined
}

const OLDEST_NODE = [20, 17] as const
/** More of the memory's bound than this leaves too little for V8 and the rest. */
const LARGE_SHARE = 0.5

export function hostFacts(): HostFacts {
  const memoryBytes = totalmem()
  const limit = process.constrainedMemory()
  return {
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
    glibc: glibcVersion(),
    memoryBytes,
    // without a bound some kernels say 0, and others a number beyond all memory
    limitBytes: limit > 0 && limit < memoryBytes ? limit : undefined,
  }
}

export function judgeHost(facts: HostFacts, cacheBytes: number | undefined): Finding[] {
  return [judgeNode(facts), judgeMemory(facts, cacheBytes)]
}

function judgeNode({ node, platform, arch, glibc }: HostFacts): Finding {
  const found = `Node.js ${node} on ${platform}-${arch}${glibc === undefined ? '' : `, glibc ${glibc}`}`
  const [major = 0, minor = 0] = node.split('.').map(Number)
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]))
    return ok('NODE', found)
  return {
    code: 'NODE',
    level: 'error',
    found,
    why: `hitpath needs ${OLDEST_NODE.join('.')} or later`,
    remedy: 'a supported release of Node.js, such as nvm install --lts',
  }
}

function judgeMemory({ memoryBytes, limitBytes }: HostFacts, cacheBytes: number | undefined): Finding {
  const bound = limitBytes ?? memoryBytes
  const whose = limitBytes === undefined ? 'this machine has' : 'the cgroup allows'
  const found = `${whose} ${bytesText(bound)}`
  if (cacheBytes === undefined) return ok('MEMORY', found)
  const share = cacheBytes / bound
  const both = `${found}, the cache may take ${bytesText(cacheBytes)}: ${Math.round(share * 100)} %`
  if (share <= LARGE_SHARE) return ok('MEMORY', both)
  return {
    code: 'MEMORY',
    level: share >= 0.9 ? 'error' : 'warning',
    found: both,
    why: 'pages of a SharedCache are taken when they are first written: the process is killed when the cache has filled, not when it starts',
    remedy: `maxBytes of at most ${bytesText(bound * LARGE_SHARE)}, or a larger limit of memory`,
  }
}

interface Report {
  readonly header?: { readonly glibcVersionRuntime?: string }
}

function glibcVersion(): string | undefined {
  if (process.platform !== 'linux') return undefined
  // without it the report asks for the name of every peer
  Reflect.set(process.report, 'excludeNetwork', true)
  return (process.report.getReport() as Report).header?.glibcVersionRuntime
}
