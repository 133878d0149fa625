/**
 * The monotonic clock of native/addon/clock.h, in milliseconds: that of `process.hrtime()`, so that deadlines of both engines mean the same.
 *
 * Kept when it is first read, since `performance` loads a module that the native engine has no use for: a test that puts another
 * `performance.now` in place afterwards moves no deadline, as it moves none of the native engine; a cache's `clock` option does.
 */
let read: (() => number) | undefined
let offset = 0

export function monotonicMs(): number {
  if (read === undefined) {
    read = performance.now.bind(performance)
    const [seconds, nanoseconds] = process.hrtime()
    offset = seconds * 1e3 + nanoseconds * 1e-6 - read()
  }
  return read() + offset
}
