#include "rounding.h"

#include <cstring>

namespace hitpath {

namespace {

constexpr f64 kShift = 6755399441055744.0;  // 1.5 * 2^52: adding it leaves no bits after the point

/// No branch and no call, so that the compiler makes vectors of it.
template <class T>
void round_row(const T* in, T* out, const f64* steps, u64 count, f64 limit) noexcept {
  for (u64 i = 0; i < count; ++i) {
    const f64 step = steps[i];
    const f64 multiple = static_cast<f64>(in[i]) / step;
    const f64 nearest = (multiple + kShift) - kShift;
    const T rounded = static_cast<T>(nearest * step + 0.0);
    out[i] = multiple > -limit && multiple < limit ? rounded : in[i];
  }
}

}  // namespace

const u8* Grid::rounded(const u8* bytes) const noexcept {
  if (steps == nullptr) return bytes;
  if (wide) {
    // A row need not be aligned where it lies.
    std::memcpy(row, bytes, elements * sizeof(f64));
    f64* at = reinterpret_cast<f64*>(row);
    round_row(at, at, steps, elements, 2251799813685248.0);
  } else {
    std::memcpy(row, bytes, elements * sizeof(float));
    float* at = reinterpret_cast<float*>(row);
    round_row(at, at, steps, elements, 8388608.0);
  }
  return row;
}

}  // namespace hitpath
