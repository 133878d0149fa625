// A thread and a condition whose failures are answers, not exceptions.
//
// On Linux they are those of POSIX, bound to the versions that glibc has had from the start: the C++ library's own would
// bring in its exceptions and their unwinder, which ask for a glibc newer than the oldest that Node runs on.
#pragma once

#if defined(__linux__)
#include <pthread.h>
#include <time.h>
#else
#include <condition_variable>
#include <system_error>
#include <thread>
#endif

#include <chrono>
#include <mutex>

#if defined(__GLIBC__) && defined(__x86_64__)
__asm__(".symver pthread_create, pthread_create@GLIBC_2.2.5");
__asm__(".symver pthread_join, pthread_join@GLIBC_2.2.5");
__asm__(".symver pthread_condattr_setclock, pthread_condattr_setclock@GLIBC_2.3.3");
#elif defined(__GLIBC__) && defined(__aarch64__)
__asm__(".symver pthread_create, pthread_create@GLIBC_2.17");
__asm__(".symver pthread_join, pthread_join@GLIBC_2.17");
__asm__(".symver pthread_condattr_setclock, pthread_condattr_setclock@GLIBC_2.17");
#endif

namespace hitpath {

using Lock = std::unique_lock<std::mutex>;

#if defined(__linux__)

class Thread {
 public:
  /// Runs `body` in a thread of its own; false when there is none to be had.
  [[nodiscard]] bool start(void (*body)() noexcept) noexcept {
    running_ = pthread_create(&thread_, nullptr, &run, reinterpret_cast<void*>(body)) == 0;
    return running_;
  }

  [[nodiscard]] bool running() const noexcept { return running_; }

  void join() noexcept {
    pthread_join(thread_, nullptr);
    running_ = false;
  }

 private:
  static void* run(void* body) noexcept {
    reinterpret_cast<void (*)() noexcept>(body)();
    return nullptr;
  }

  pthread_t thread_{};
  bool running_ = false;
};

/// Its timeouts are of the monotonic clock: nobody who sets the time of day makes one longer.
class Condition {
 public:
  Condition() noexcept {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&condition_, &attributes);
    pthread_condattr_destroy(&attributes);
  }
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;
  ~Condition() { pthread_cond_destroy(&condition_); }

  void notify_all() noexcept { pthread_cond_broadcast(&condition_); }

  /// Both may return early: the caller looks at what it waits for.
  void wait(Lock& lock) noexcept { pthread_cond_wait(&condition_, lock.mutex()->native_handle()); }
  void wait_for(Lock& lock, std::chrono::milliseconds time) noexcept {
    constexpr long kSecond = 1'000'000'000;
    timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += static_cast<time_t>(time.count() / 1'000);
    until.tv_nsec += static_cast<long>(time.count() % 1'000) * 1'000'000;
    if (until.tv_nsec >= kSecond) {
      until.tv_nsec -= kSecond;
      until.tv_sec++;
    }
    pthread_cond_timedwait(&condition_, lock.mutex()->native_handle(), &until);
  }

 private:
  pthread_cond_t condition_;
};

#else

class Thread {
 public:
  [[nodiscard]] bool start(void (*body)() noexcept) noexcept {
    try {
      thread_ = std::thread(body);
    } catch (const std::system_error&) { return false; }
    return true;
  }

  [[nodiscard]] bool running() const noexcept { return thread_.joinable(); }
  void join() noexcept { thread_.join(); }

 private:
  std::thread thread_;
};

using Condition = std::condition_variable;

#endif

}  // namespace hitpath
