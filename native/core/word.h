// A word of shared memory.
//
// Every byte of a region may be touched by several threads, so every access is an atomic one: relaxed unless
// the name says otherwise. On the processors we build for a relaxed access is an ordinary load or store; writing it
// this way keeps the compiler honest and lets ThreadSanitizer judge the rest.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SANITIZE_THREAD__)
#define HITPATH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define HITPATH_TSAN 1
#endif
#endif
#ifndef HITPATH_TSAN
#define HITPATH_TSAN 0
#endif

namespace hitpath {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using f64 = double;

static_assert(std::endian::native == std::endian::little, "regions and digests are little-endian");

template <class T>
class Word {
 public:
  [[nodiscard]] T get() const noexcept { return value_.load(std::memory_order_relaxed); }
  void put(T value) noexcept { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] T acquire() const noexcept { return value_.load(std::memory_order_acquire); }
  void release(T value) noexcept { value_.store(value, std::memory_order_release); }
  /// Not one atomic step: for words that only the holder of the shard's lock changes.
  void add(T delta) noexcept { put(static_cast<T>(get() + delta)); }
  void sub(T delta) noexcept { put(static_cast<T>(get() - delta)); }
  /// The atomic itself, for the few words that several threads change at once.
  [[nodiscard]] std::atomic<T>& atomic() noexcept { return value_; }

 private:
  std::atomic<T> value_;
};

static_assert(sizeof(Word<u64>) == 8 && alignof(Word<u64>) == 8, "a word has the size of its value");
static_assert(sizeof(Word<u32>) == 4 && sizeof(Word<u16>) == 2 && sizeof(Word<u8>) == 1,
              "a word has the size of its value");
static_assert(std::atomic<u64>::is_always_lock_free,
              "a lock inside the C++ library is not shared by threads of a region");

/// Copies out of shared memory. What arrives may be torn; the caller validates a sequence word afterwards.
inline void copy_out(void* to, const void* from, std::size_t bytes) noexcept {
#if HITPATH_TSAN
  auto* out = static_cast<u8*>(to);
  const auto* in = static_cast<const Word<u8>*>(from);
  for (std::size_t i = 0; i < bytes; ++i) out[i] = in[i].get();
#else
  // Values of a few words, mostly: pairs of words from both ends, overlapping in the middle, instead of a call.
  if (bytes - 16 <= 16) {
    auto* out = static_cast<u8*>(to);
    const auto* in = static_cast<const u8*>(from);
    u64 first[2], last[2];
    std::memcpy(first, in, 16);
    std::memcpy(last, in + bytes - 16, 16);
    std::memcpy(out, first, 16);
    std::memcpy(out + bytes - 16, last, 16);
  } else if (bytes == 8) {
    std::memcpy(to, from, 8);
  } else if (bytes != 0) {
    std::memcpy(to, from, bytes);
  }
#endif
}

/// Copies into shared memory, under the shard's lock.
inline void copy_in(void* to, const void* from, std::size_t bytes) noexcept {
#if HITPATH_TSAN
  auto* out = static_cast<Word<u8>*>(to);
  const auto* in = static_cast<const u8*>(from);
  for (std::size_t i = 0; i < bytes; ++i) out[i].put(in[i]);
#else
  if (bytes != 0) std::memcpy(to, from, bytes);
#endif
}

/// Whether shared bytes equal private ones. A torn read gives a wrong answer, which the sequence word reveals.
[[nodiscard]] inline bool equal_shared(const void* shared, const void* mine, std::size_t bytes) noexcept {
#if HITPATH_TSAN
  const auto* a = static_cast<const Word<u8>*>(shared);
  const auto* b = static_cast<const u8*>(mine);
  for (std::size_t i = 0; i < bytes; ++i)
    if (a[i].get() != b[i]) return false;
  return true;
#else
  if (bytes > 64 || bytes < 16) return bytes == 0 || std::memcmp(shared, mine, bytes) == 0;
  // Keys, mostly: pairs of words from both ends, overlapping in the middle.
  const auto* a = static_cast<const u8*>(shared);
  const auto* b = static_cast<const u8*>(mine);
  const auto differ = [&](std::size_t at) noexcept {
    u64 x[2], y[2];
    std::memcpy(x, a + at, 16);
    std::memcpy(y, b + at, 16);
    return (x[0] ^ y[0]) | (x[1] ^ y[1]);
  };
  u64 all = differ(0) | differ(bytes - 16);
  if (bytes > 32) all |= differ(16) | differ(bytes - 32);
  return all == 0;
#endif
}

inline void prefetch(const void* address) noexcept {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(address);
#else
  (void)address;
#endif
}

}  // namespace hitpath
