/** Whether this machine can compile C++, and what to install where it cannot. */
import { spawnSync } from 'node:child_process'

const INSTALL = {
  linux: 'apt-get install cmake g++ (or dnf install cmake gcc-c++, apk add cmake g++ make)',
  darwin: 'xcode-select --install, and brew install cmake',
  win32: 'the C++ workload of Visual Studio Build Tools, and CMake',
}

/** One line that names what is missing and how to get it; undefined when nothing is. */
export function missingTools() {
  const compilers = process.env.CXX === undefined ? ['c++', 'g++', 'clang++'] : [process.env.CXX]
  const missing = []
  if (!runs('cmake')) missing.push('CMake (3.18 or later)')
  // Visual Studio is found by CMake, not by a name on the path.
  if (process.platform !== 'win32' && !compilers.some(runs))
    missing.push(`a C++20 compiler (${compilers.join(', ')})`)
  if (missing.length === 0) return undefined
  return `missing: ${missing.join(' and ')}; install: ${INSTALL[process.platform] ?? 'CMake and a C++20 compiler'}`
}

export function runs(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0
}
