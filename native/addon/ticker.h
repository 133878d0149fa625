// The ticker: a thread that writes the time where JavaScript can read it.
//
// A clock call costs JavaScript more than a whole hit. So a hit that does not cross the language line reads this word, and
// trusts it only while the deadline is further away than kTickSlackMs (src/l1/front.ts): then a tick that is late by less
// than that cannot make a dead entry look alive. Nearer to the deadline the hit crosses and the exact clock decides.
//
// One thread a process, ten milliseconds a round, and only while caches are being read: without a request for a second it
// writes Infinity, which nobody trusts, and sleeps until the next. It ends when the last environment does.
#pragma once

#include "word.h"

namespace hitpath {

class Ticker {
 public:
  /// Both are called by the thread of an environment. The word must live until remove() returns.
  static void add(Word<f64>* word) noexcept;
  static void remove(Word<f64>* word) noexcept;

  /// Says that somebody reads. Cheap: one load when the thread has heard it already.
  static void request() noexcept {
    if (!wanted_.load(std::memory_order_relaxed)) wake();
  }

 private:
  static void run() noexcept;
  static void wake() noexcept;
  static std::atomic<bool> wanted_;
};

}  // namespace hitpath
