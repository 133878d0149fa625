#include "ticker.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

#include "clock.h"

namespace hitpath {

namespace {

constexpr auto kPeriod = std::chrono::milliseconds(10);
constexpr int kIdleRounds = 100;
constexpr f64 kResting = std::numeric_limits<f64>::infinity();

struct State {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Word<f64>*> words;
  std::thread thread;
  bool stop = false;
};

// Never destroyed: an environment may end after the destructors of the process have begun.
State& state() noexcept {
  static State* const s = new State;
  return *s;
}

void write_all(State& s, f64 time) noexcept {
  for (Word<f64>* word : s.words) word->put(time);
}

void run(std::atomic<bool>& wanted) noexcept {
  State& s = state();
  std::unique_lock lock(s.mutex);
  int idle = 0;
  while (!s.stop) {
    if (wanted.exchange(false, std::memory_order_relaxed))
      idle = 0;
    else if (++idle > kIdleRounds) {
      write_all(s, kResting);
      s.changed.wait(lock, [&] { return s.stop || wanted.load(std::memory_order_relaxed); });
      continue;
    }
    write_all(s, monotonic_ms());
    s.changed.wait_for(lock, kPeriod, [&] { return s.stop; });
  }
  write_all(s, kResting);
}

}  // namespace

std::atomic<bool> Ticker::wanted_{false};

void Ticker::add(Word<f64>* word) noexcept {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  word->put(kResting);
  s.words.push_back(word);
}

void Ticker::remove(Word<f64>* word) noexcept {
  State& s = state();
  std::thread ending;
  {
    const std::lock_guard lock(s.mutex);
    std::erase(s.words, word);
    if (!s.words.empty() || !s.thread.joinable()) return;
    s.stop = true;
    ending = std::move(s.thread);
  }
  // The library may be unloaded when its last environment is gone: the thread goes first.
  s.changed.notify_all();
  ending.join();
  const std::lock_guard lock(s.mutex);
  s.stop = false;
}

void Ticker::wake() noexcept {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  wanted_.store(true, std::memory_order_relaxed);
  if (s.stop || s.words.empty()) return;
  if (s.thread.joinable()) {
    s.changed.notify_all();
    return;
  }
  try {
    s.thread = std::thread(run, std::ref(wanted_));
  } catch (...) {
    // No thread to be had: the words stay at rest and every hit crosses.
  }
}

}  // namespace hitpath
