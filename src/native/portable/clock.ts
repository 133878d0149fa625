/**
 * The monotonic clock of native/addon/clock.h, in milliseconds: that of `process.hrtime()`, so that deadlines of both engines mean the same.
 *
 * Kept when this module is loaded: a test that puts another `performance.now` in place moves no deadline, as it moves none of the native
 * engine; a cache's `clock` option does.
 */
const read = performance.now.bind(performance)
const [seconds, nanoseconds] = process.hrtime()
const offset = seconds * 1e3 + nanoseconds * 1e-6 - read()

export function monotonicMs(): number {
  return read() + offset
}
