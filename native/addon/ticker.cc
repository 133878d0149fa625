#include "ticker.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>
#include <vector>

#include "clock.h"
#include "thread.h"

namespace hitpath {

namespace {

constexpr auto kPeriod = std::chrono::milliseconds(10);
constexpr int kIdleRounds = 100;
constexpr f64 kResting = std::numeric_limits<f64>::infinity();

struct State {
  std::mutex mutex;
  Condition changed;
  std::vector<Word<f64>*> words;
  Thread thread;
  bool resting = false;
  bool stop = false;
};

// Made when the library is loaded and never destroyed: an environment may end after the destructors of the process have begun.
union Immortal {
  State state;
  Immortal() noexcept : state() {}
  ~Immortal() {}
};
Immortal immortal;

void write_all(State& s, f64 time) noexcept {
  for (Word<f64>* word : s.words) word->put(time);
}

}  // namespace

std::atomic<bool> Ticker::wanted_{false};

void Ticker::run() noexcept {
  State& s = immortal.state;
  Lock lock(s.mutex);
  int idle = 0;
  while (!s.stop) {
    if (wanted_.exchange(false, std::memory_order_relaxed))
      idle = 0;
    else if (++idle > kIdleRounds) {
      write_all(s, kResting);
      s.resting = true;
      while (!s.stop && !wanted_.load(std::memory_order_relaxed)) s.changed.wait(lock);
      s.resting = false;
      continue;
    }
    write_all(s, monotonic_ms());
    s.changed.wait_for(lock, kPeriod);
  }
  write_all(s, kResting);
}

void Ticker::add(Word<f64>* word) noexcept {
  State& s = immortal.state;
  const std::lock_guard lock(s.mutex);
  word->put(kResting);
  s.words.push_back(word);
}

void Ticker::remove(Word<f64>* word) noexcept {
  State& s = immortal.state;
  Thread ending;
  {
    const std::lock_guard lock(s.mutex);
    std::erase(s.words, word);
    if (!s.words.empty() || !s.thread.running()) return;
    s.stop = true;
    ending = std::exchange(s.thread, Thread());
  }
  // The library may be unloaded when its last environment is gone: the thread goes first.
  s.changed.notify_all();
  ending.join();
  const std::lock_guard lock(s.mutex);
  s.stop = false;
}

void Ticker::wake() noexcept {
  State& s = immortal.state;
  const std::lock_guard lock(s.mutex);
  wanted_.store(true, std::memory_order_relaxed);
  if (s.stop || s.words.empty()) return;
  if (s.thread.running()) {
    // between two rounds it hears of it by itself
    if (s.resting) s.changed.notify_all();
    return;
  }
  // Without a thread the words stay at rest and every hit crosses.
  static_cast<void>(s.thread.start(&run));
}

}  // namespace hitpath
