// One group of control bytes, read at once.
//
// The two halves are loaded as relaxed 64-bit words and compared in a register, so a probe of shared memory is still made
// of atomic accesses. A mask has one bit a lane (0 .. 13). SSE2 on x86-64, NEON on arm64, plain words elsewhere; the three
// give the same masks, which the tests check against a loop.
#pragma once

#include "layout.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace hitpath {

/// Bits of a mask of at most sixteen. std::popcount is a function call on processors that need not have the instruction.
[[nodiscard]] inline u32 count_lanes(u32 mask) noexcept {
  mask -= (mask >> 1) & 0x5555;
  mask = (mask & 0x3333) + ((mask >> 2) & 0x3333);
  mask = (mask + (mask >> 4)) & 0x0f0f;
  return (mask + (mask >> 8)) & 0x1f;
}

class Group {
 public:
  explicit Group(const Word<u64>* words) noexcept : low_(words[0].get()), high_(words[1].get()) {}
  Group(u64 low, u64 high) noexcept : low_(low), high_(high) {}

  [[nodiscard]] u32 match(u8 tag) const noexcept {
#if defined(__SSE2__)
    const __m128i bytes = _mm_set_epi64x(static_cast<long long>(high_), static_cast<long long>(low_));
    const __m128i same = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(static_cast<char>(tag)));
    return static_cast<u32>(_mm_movemask_epi8(same)) & kLanes;
#elif defined(__aarch64__)
    const uint8x16_t bytes = vreinterpretq_u8_u64(vcombine_u64(vcreate_u64(low_), vcreate_u64(high_)));
    const uint8x16_t same = vceqq_u8(bytes, vdupq_n_u8(tag));
    const uint8x16_t weight = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    const uint8x16_t bits = vandq_u8(same, weight);
    return (static_cast<u32>(vaddv_u8(vget_low_u8(bits))) | static_cast<u32>(vaddv_u8(vget_high_u8(bits))) << 8) &
           kLanes;
#else
    return match_portable(tag);
#endif
  }
  [[nodiscard]] u32 match_portable(u8 tag) const noexcept {
    return (lanes(low_, tag) | lanes(high_, tag) << 8) & kLanes;
  }
  [[nodiscard]] u32 empty() const noexcept { return match(0); }
  [[nodiscard]] u32 overflow() const noexcept { return static_cast<u32>(high_ >> 48); }

 private:
  static constexpr u32 kLanes = (1u << kGroupSlots) - 1;

  static u32 lanes(u64 bytes, u8 tag) noexcept {
    constexpr u64 kLow7 = 0x7f7f'7f7f'7f7f'7f7fu;
    const u64 differ = bytes ^ (0x0101'0101'0101'0101u * tag);
    const u64 zero = ~(((differ & kLow7) + kLow7) | differ | kLow7);  // 0x80 exactly in the bytes that agree
    return static_cast<u32>(((zero >> 7) * 0x0102'0408'1020'4080u) >> 56);
  }

  u64 low_;
  u64 high_;
};

}  // namespace hitpath
