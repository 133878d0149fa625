// What the tests of the arena share: an arena to stand on.
#pragma once

#include <cstdlib>
#include <cstring>

#include "arena.h"
#include "check.h"

using namespace hitpath;

/// An arena in memory of exactly its size, so that AddressSanitizer sees a step beyond it.
class Ground {
 public:
  explicit Ground(u64 bytes)
      : bytes_(bytes), memory_(static_cast<u8*>(std::malloc(bytes + 4))), arena_(state_, memory_ + 4, bytes) {
    std::memset(memory_, 0xa5, bytes + 4);
    arena_.format();
  }
  Ground(const Ground&) = delete;
  Ground& operator=(const Ground&) = delete;
  ~Ground() { std::free(memory_); }

  Arena& operator*() { return arena_; }
  Arena* operator->() { return &arena_; }
  ArenaState& state() { return state_; }
  u8* base() { return memory_ + 4; }
  [[nodiscard]] u64 bytes() const { return bytes_; }

 private:
  u64 bytes_;
  ArenaState state_{};
  u8* memory_;
  Arena arena_;
};
