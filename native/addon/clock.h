// The monotonic clock, in milliseconds.
#pragma once

#include <chrono>

#include "word.h"

#if defined(__linux__)
#include <time.h>
#endif

namespace hitpath {

[[nodiscard]] inline f64 monotonic_ms() noexcept {
#if defined(__linux__)
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<f64>(t.tv_sec) * 1e3 + static_cast<f64>(t.tv_nsec) * 1e-6;
#else
  return std::chrono::duration<f64, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
#endif
}

/// Whether a deadline has not passed. The exact clock is read only when the deadline is near: the kernel's coarse clock,
/// four times as cheap, is behind by a few milliseconds at most.
[[nodiscard]] inline bool alive_at_monotonic(f64 deadline) noexcept {
#if defined(__linux__)
  constexpr f64 kCoarseLag = 50;
  timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  if (static_cast<f64>(t.tv_sec) * 1e3 + static_cast<f64>(t.tv_nsec) * 1e-6 + kCoarseLag <= deadline) return true;
#endif
  return monotonic_ms() <= deadline;
}

}  // namespace hitpath
