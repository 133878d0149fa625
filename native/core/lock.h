// The lock of a shard: one word of the region.
//
// 0 or kLockHeld. Taken and released inside one native call, so a thread that is terminated never holds it: termination waits
// for the call to return. A holder may be preempted for long, so a held lock is waited for as long as it takes: spins
// briefly, then gives the processor away. Any other word was written by no thread of the cache, so nobody will release it:
// it is judged at the first look, and never taken. A region of one thread skips the lock.
#pragma once

#include <thread>

#include "layout.h"

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
  /// `state` is that of the region, which a damaged lock closes for every thread.
  ShardLock(Word<u32>& word, Word<u32>& state, bool shared) noexcept : word_(shared ? &word : nullptr) {
    if (word_ == nullptr) return;
    for (u32 step = 0, seen = 0;; seen = word_->get()) {
      // Pairs with the release in the destructor: what the last holder wrote is seen.
      if (seen == 0 && word_->atomic().compare_exchange_strong(seen, kLockHeld, std::memory_order_acquire,
                                                               std::memory_order_relaxed))
        return;
      if (seen != kLockHeld) break;
      back_off(step);
    }
    word_ = nullptr;
    held_ = false;
    u32 open = kStateOpen;
    state.atomic().compare_exchange_strong(open, kStateDamaged, std::memory_order_release, std::memory_order_relaxed);
  }
  ~ShardLock() {
    if (word_ != nullptr) word_->release(0);
  }
  /// False when the word is damaged: the shard is not to be touched.
  [[nodiscard]] explicit operator bool() const noexcept { return held_; }
  ShardLock(const ShardLock&) = delete;
  ShardLock& operator=(const ShardLock&) = delete;

 private:
  Word<u32>* word_;  // nullptr: nothing to release
  bool held_ = true;
};

}  // namespace hitpath
