// Writes src/native/layout.ts from the tables in native/core/layout.h.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'

const build = 'build-native-plain'
execFileSync('cmake', ['-S', '.', '-B', build, '-DHITPATH_TESTS=ON'], {
  stdio: ['ignore', 'ignore', 'inherit'],
})
execFileSync('cmake', ['--build', build, '--target', 'print_layout'], {
  stdio: ['ignore', 'ignore', 'inherit'],
})
writeFileSync('src/native/layout.ts', execFileSync(`${build}/print_layout`))
