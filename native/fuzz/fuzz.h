// What the fuzz bodies share: bytes taken as numbers, and claims that end the process.
//
// A body is LLVMFuzzerTestOneInput: it reads its bytes as a script and compares the core with an obvious model after each
// step. Any bytes are a script, and the end of the bytes is the end of it. libFuzzer drives a body where clang is present
// (scripts/fuzz.mjs), replay.cc wherever the tests run.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <span>

#include "region.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace fuzz {

using namespace hitpath;

inline constexpr f64 kNever = std::numeric_limits<f64>::infinity();

[[noreturn]] inline void fail(const char* file, int line, const char* claim) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, claim);
  std::abort();
}

/// The bytes of an input, from the front. Behind their end all is zero.
class Input {
 public:
  Input(const u8* data, std::size_t size) : at_(data), left_(size) {}

  [[nodiscard]] bool empty() const { return left_ == 0; }
  u8 byte() { return raw<u8>(); }
  bool flag() { return (byte() & 1) != 0; }
  template <class T>
  T raw() {
    T value{};
    const auto taken = bytes(sizeof value);
    if (!taken.empty()) std::memcpy(&value, taken.data(), taken.size());
    return value;
  }
  /// 0 .. bound - 1, from as few bytes as can say it.
  u32 below(u32 bound) {
    const u32 value = bound <= 1 << 8 ? byte() : bound <= 1 << 16 ? raw<u16>() : raw<u32>();
    return bound == 0 ? 0 : value % bound;
  }
  u32 between(u32 low, u32 high) { return low + below(high - low + 1); }
  /// Up to `count` of them.
  std::span<const u8> bytes(std::size_t count) {
    count = count < left_ ? count : left_;
    const std::span<const u8> taken(at_, count);
    at_ += count;
    left_ -= count;
    return taken;
  }

  /// A time near `from`, at an edge of the wheel's, or any double at all: also infinite, also NaN.
  f64 any_time(f64 from) {
    constexpr f64 kEdges[] = {0,
                              -0.0,
                              0.5,
                              -0.5,
                              63,
                              64,
                              4095,
                              4096,
                              0x1p36,
                              0x1p42,
                              -0x1p42,
                              0x1p52,
                              0x1p52 - 1,
                              0x1p52 + 1,
                              -0x1p52,
                              -0x1p52 + 1,
                              -0x1p52 - 1,
                              0x1p53,
                              -0x1p53,
                              1.7976931348623157e308,
                              -1.7976931348623157e308,
                              5e-324,
                              kNever,
                              -kNever,
                              std::numeric_limits<f64>::quiet_NaN()};
    switch (below(8)) {
      case 0: return from;
      case 1: return from + byte();
      case 2: return from - byte();
      case 3: return from + raw<u16>() / 7.0;
      case 4: return from + std::ldexp(1.0, byte() % 56);
      case 5: return from - std::ldexp(1.0, byte() % 56);
      case 6: return kEdges[below(std::size(kEdges))];
      default: return raw<f64>();
    }
  }
  f64 finite_time(f64 from) {
    const f64 time = any_time(from);
    return std::isfinite(time) ? time : from;
  }

 private:
  const u8* at_;
  std::size_t left_;
};

/// Zeroed bytes on a line; AddressSanitizer sees a step beyond them.
class Memory {
 public:
  explicit Memory(u64 bytes) : at_(static_cast<u8*>(std::aligned_alloc(kLine, (bytes + kLine - 1) / kLine * kLine))) {
    std::memset(at_, 0, bytes);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { std::free(at_); }
  [[nodiscard]] u8* at() const { return at_; }

 private:
  u8* at_;
};

}  // namespace fuzz

#define REQUIRE(...) ((__VA_ARGS__) ? void() : fuzz::fail(__FILE__, __LINE__, #__VA_ARGS__))
/// For what answers nullptr, or what is wrong.
#define REQUIRE_SOUND(...) \
  do { \
    if (const char* wrong = (__VA_ARGS__)) fuzz::fail(__FILE__, __LINE__, wrong); \
  } while (false)
