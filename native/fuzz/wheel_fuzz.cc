// The timer wheel, its clock anything at all, against a table of deadlines.
#include <algorithm>

#include "fuzz.h"
#include "timer_wheel.h"

using namespace fuzz;

namespace {

constexpr u32 kSlots = 24;
constexpr u32 kPlenty = 10'000'000;  // of budget

/// Whole milliseconds, rounded down, where the wheel's clock stands still at its ends.
f64 whole(f64 time) { return std::floor(std::clamp(time, -0x1p52, 0x1p52)); }

class Pair {
 public:
  explicit Pair(Input& in) : in_(in) {
    const f64 start = in_.any_time(5000);
    wheel_ = TimerWheel(state_, buckets_, slots_, kSlots);
    wheel_.format(start);
    now_ = start == start ? start : -0x1p52;
    reached_ = whole(now_);
    for (u32 i = 0; i < kSlots; ++i)
      if (i % 2 == 0) wheel_.forget(i);  // the others are fresh memory
  }

  void run() {
    while (!in_.empty()) {
      step();
      check();
    }
    // With clock and budget enough everything leaves that can.
    now_ = 0x1p52;
    advance(kPlenty);
    check();
  }

 private:
  void step() {
    switch (in_.below(6)) {
      case 0: schedule(in_.below(kSlots)); break;
      case 1: reschedule(in_.below(kSlots)); break;
      case 2: unlink(in_.below(kSlots)); break;
      case 3: now_ = in_.any_time(std::isfinite(now_) ? now_ : 0); break;
      case 4: advance(in_.below(16)); break;
      default: advance(kPlenty);
    }
  }

  void schedule(u32 slot) {
    if (in_wheel_[slot]) return;
    const f64 deadline = in_.finite_time(std::isfinite(now_) ? now_ : 0);
    slots_[slot].deadline.put(deadline);
    wheel_.schedule(slot);
    in_wheel_[slot] = true;
  }
  void reschedule(u32 slot) {
    const f64 was = slots_[slot].deadline.get(), deadline = in_.any_time(std::isfinite(now_) ? now_ : 0);
    slots_[slot].deadline.put(deadline);
    wheel_.reschedule(slot, in_wheel_[slot] ? was : kNever);
    in_wheel_[slot] = std::isfinite(deadline);
  }
  void unlink(u32 slot) {
    wheel_.unlink(slot);
    in_wheel_[slot] = false;
  }

  void advance(u32 budget) {
    const f64 due = wheel_.next_due();
    const bool rest = wheel_.has_reached(now_);
    u32 handed = 0;
    const u32 left = wheel_.advance(now_, budget, [&](u32 slot) {
      ++handed;
      REQUIRE(slot < kSlots && in_wheel_[slot]);
      REQUIRE(!wheel_.scheduled(slot));
      REQUIRE(now_ > slots_[slot].deadline.get());
      in_wheel_[slot] = false;
      // The cache may touch the wheel from here.
      if (in_.empty()) return;
      const u32 other = in_.below(kSlots);
      switch (in_.below(8)) {
        case 0: unlink(other); break;
        case 1: reschedule(other); break;
        case 2: schedule(other); break;
        default: break;
      }
    });
    REQUIRE(left <= budget && budget - left >= handed);
    if (rest) REQUIRE(left == budget);
    if (now_ != now_) {
      REQUIRE(left == budget);
      return;
    }
    if (whole(now_) < due) REQUIRE(handed == 0);
    if (whole(now_) < reached_) return;  // the wheel waits for the clock to come back
    reached_ = whole(now_);
    if (left == 0) return;
    for (u32 i = 0; i < kSlots; ++i)
      if (in_wheel_[i]) REQUIRE(slots_[i].deadline.get() >= 0x1p52 || whole(slots_[i].deadline.get()) + 1 > reached_);
    REQUIRE(wheel_.next_due() > reached_);
    REQUIRE(wheel_.advance(now_, 1, [](u32) {}) == 1);
  }

  void check() {
    u32 linked = 0;
    REQUIRE_SOUND(wheel_.validate(&linked));
    u32 expected = 0;
    for (u32 i = 0; i < kSlots; ++i) {
      REQUIRE(wheel_.scheduled(i) == in_wheel_[i]);
      expected += in_wheel_[i];
    }
    REQUIRE(linked == expected);
    const f64 due = wheel_.next_due();
    REQUIRE((due == kNever) == (expected == 0));
    for (u32 i = 0; i < kSlots; ++i)
      if (in_wheel_[i]) REQUIRE(due <= std::max(reached_, whole(slots_[i].deadline.get()) + 1));
  }

  Input& in_;
  Wheel state_{};
  Word<u32> buckets_[kWheelBuckets]{};
  Slot slots_[kSlots + 1]{};
  TimerWheel wheel_;
  bool in_wheel_[kSlots] = {};
  f64 now_ = 0;
  f64 reached_ = 0;  // the wheel's tick is not beyond
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  Input in(data, std::min<std::size_t>(size, 4096));
  std::make_unique<Pair>(in)->run();
  return 0;
}
