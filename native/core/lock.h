// The lock of a shard: one word of the region.
//
// Taken and released inside one native call, so a thread that is terminated never holds it: termination waits for the
// call to return. Spins briefly, then gives the processor away. A region of one thread skips it.
#pragma once

#include <thread>

#include "word.h"

namespace hitpath {

/// One step of a wait: cheap at first, then gives way to the thread that is waited for.
inline void back_off(u32& step) noexcept {
  if (++step < 64) {
#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  } else {
    std::this_thread::yield();
  }
}

class ShardLock {
 public:
  ShardLock(Word<u32>& word, bool shared) noexcept : word_(shared ? &word : nullptr) {
    if (word_ == nullptr) return;
    // Pairs with the release in the destructor: what the last holder wrote is seen.
    for (u32 step = 0; word_->atomic().exchange(1, std::memory_order_acquire) != 0;) {
      while (word_->get() != 0) back_off(step);
    }
  }
  ~ShardLock() {
    if (word_ != nullptr) word_->release(0);
  }
  ShardLock(const ShardLock&) = delete;
  ShardLock& operator=(const ShardLock&) = delete;

 private:
  Word<u32>* word_;
};

}  // namespace hitpath
