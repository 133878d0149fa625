// Rows of floating-point numbers rounded to a grid, so that inputs which differ by less are one key.
#pragma once

#include "layout.h"

namespace hitpath {

/// Element i of a row goes to the nearest multiple of steps[i], ties to the even multiple, and -0 to 0. As it is stays what has no
/// such multiple: NaN, infinities, numbers beyond 2^51 steps (2^23 for floats, whose neighbours lie a step apart there), and all
/// where the step is 0.
struct Grid {
  const f64* steps = nullptr;  // one for each element of a row; nullptr: no rounding
  u8* row = nullptr;           // room for a rounded row, aligned for f64
  u64 elements = 0;
  bool wide = false;  // elements are f64, else float

  /// The rounded row, in `row`; `bytes` itself without steps.
  [[nodiscard]] const u8* rounded(const u8* bytes) const noexcept;
};

}  // namespace hitpath
