// The timer wheel against examples, extreme clocks, a sorted list of deadlines, damaged memory, and the time it takes.
#include "../core/timer_wheel.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>
#include <map>
#include <memory>
#include <numeric>
#include <vector>

#include "check.h"

using namespace hitpath;

namespace {

constexpr f64 kInfinity = std::numeric_limits<f64>::infinity();
constexpr f64 kNaN = std::numeric_limits<f64>::quiet_NaN();
constexpr u32 kUnlimited = ~u32{0};
constexpr f64 kHour = 3'600'000, kYear = 365.25 * 24 * kHour;

/// A wheel in zeroed memory, as a fresh region gives it, with exactly one scrap slot behind the last.
struct Shard {
  explicit Shard(u32 count, f64 now) : slots(new Slot[count + 1]()), wheel(state, buckets, slots.get(), count) {
    wheel.format(now);
  }

  void schedule(u32 slot, f64 deadline) {
    slots[slot].deadline.put(deadline);
    wheel.schedule(slot);
  }
  void reschedule(u32 slot, f64 deadline) {
    const f64 was = slots[slot].deadline.get();
    slots[slot].deadline.put(deadline);
    wheel.reschedule(slot, was);
  }
  std::vector<u32> advance(f64 now, u32 budget = kUnlimited) {
    std::vector<u32> expired;
    left = wheel.advance(now, budget, [&](u32 slot) { expired.push_back(slot); });
    std::sort(expired.begin(), expired.end());
    return expired;
  }
  u32 linked() const {
    u32 count = 0;
    CHECK_EQ(wheel.validate(&count), nullptr);
    return count;
  }

  Wheel state{};
  Word<u32> buckets[kWheelBuckets]{};
  std::unique_ptr<Slot[]> slots;
  TimerWheel wheel;
  u32 left = 0;
};

using Slots = std::vector<u32>;

/// The millisecond in which the wheel stands at `now`.
f64 clamped(f64 now) { return std::clamp(std::floor(now), -0x1p52, 0x1p52); }

f64 uniform(Rng& rng) { return static_cast<f64>(rng.next() >> 11) * 0x1p-53; }

/// A span of time of any magnitude between `least` and 2^bits milliseconds, whole or not.
f64 any_span(Rng& rng, f64 bits) {
  const f64 span = std::exp2(uniform(rng) * bits) - 1;
  return rng.chance(0.5) ? std::floor(span) : span;
}

}  // namespace

TEST(a_slot_is_alive_at_its_deadline_and_gone_after_it) {
  Shard shard(4, 1000);
  shard.schedule(2, 1060);
  CHECK(shard.advance(1060).empty());
  CHECK(shard.wheel.scheduled(2));
  CHECK(shard.advance(1061) == Slots{2});
  CHECK(!shard.wheel.scheduled(2));
  CHECK_EQ(shard.linked(), 0u);
}

TEST(a_fractional_deadline_waits_for_the_next_whole_millisecond) {
  Shard shard(4, 0);
  shard.schedule(0, 5.25);
  CHECK(shard.advance(5.25).empty());
  CHECK(shard.advance(5.9).empty());
  CHECK(shard.advance(6) == Slots{0});
}

TEST(a_deadline_already_passed_is_handed_out_by_the_next_advance) {
  Shard shard(4, 1000);
  shard.schedule(0, 10);
  shard.schedule(1, 999.5);
  shard.schedule(2, 1000);
  CHECK_EQ(shard.linked(), 3u);
  CHECK(shard.advance(1000) == (Slots{0, 1}));
  CHECK(shard.advance(1001) == Slots{2});
}

TEST(unlink_works_anywhere_in_a_bucket_and_does_nothing_elsewhere) {
  Shard shard(5, 0);
  shard.wheel.unlink(0);  // never scheduled, zeroed memory
  shard.wheel.unlink(4);
  for (u32 i = 0; i < 5; ++i) shard.schedule(i, 70);
  for (const u32 i : {2u, 4u, 0u}) {
    shard.wheel.unlink(i);
    shard.wheel.unlink(i);
    CHECK_EQ(shard.linked(), i == 2 ? 4u : i == 4 ? 3u : 2u);
  }
  CHECK(shard.advance(71) == (Slots{1, 3}));
  CHECK_EQ(shard.wheel.next_due(), kInfinity);
}

TEST(reschedule_moves_a_slot_and_understands_infinity) {
  Shard shard(2, 0);
  shard.slots[0].deadline.put(kInfinity);
  shard.reschedule(0, 50);
  CHECK(shard.wheel.scheduled(0));
  shard.reschedule(0, 50.5);  // the same bucket
  shard.reschedule(0, 5'000'000);
  CHECK(shard.advance(4'999'999).empty());
  shard.reschedule(0, 5'000'000.75);
  CHECK(shard.advance(5'000'000).empty());
  CHECK(shard.advance(5'000'001) == Slots{0});
  shard.reschedule(0, 6'000'000);
  shard.reschedule(0, kInfinity);
  CHECK_EQ(shard.linked(), 0u);
  shard.reschedule(0, kInfinity);
  CHECK_EQ(shard.linked(), 0u);
}

TEST(reschedule_within_a_bucket_leaves_the_links_alone) {
  Shard shard(3, 0);
  for (u32 i = 0; i < 3; ++i) shard.schedule(i, 70'000);
  shard.reschedule(1, 69'700);
  CHECK_EQ(shard.slots[1].wheel_prev.get(), 2u);
  CHECK_EQ(shard.slots[1].wheel_next.get(), 0u);
  CHECK(shard.advance(69'701) == Slots{1});
}

TEST(jumping_over_years_costs_a_touch_a_slot_and_level) {
  Shard shard(3, 1.7e12);
  shard.schedule(0, 1.7e12 + 30 * kYear);
  shard.schedule(1, 1.7e12 + 3 * kYear);
  shard.schedule(2, 1.7e12 + 100 * kYear);
  CHECK(shard.advance(1.7e12 + 50 * kYear, 30) == (Slots{0, 1}));
  CHECK(30 - shard.left <= 3);
  CHECK(shard.advance(1.7e12 + 100 * kYear - 1, 30).empty());
  CHECK(30 - shard.left <= 7);
  CHECK(shard.advance(1.7e12 + 101 * kYear, 30) == Slots{2});
}

TEST(beyond_the_top_level_a_slot_waits_in_the_ring) {
  Shard shard(3, 0);
  const f64 far = 1000 * kYear;
  shard.schedule(0, far);
  shard.schedule(1, 0x1p42 - 2);
  shard.schedule(2, 0x1p42);
  CHECK(shard.advance(0x1p42 - 1) == Slots{1});
  CHECK(shard.advance(0x1p42).empty());
  CHECK(shard.advance(0x1p42 + 1) == Slots{2});
  for (f64 now = 0x1p42; now < far; now += 7 * kYear) {
    CHECK(shard.advance(now).empty());
    CHECK_EQ(shard.linked(), 1u);
  }
  CHECK(shard.advance(std::floor(far)).empty());
  CHECK(shard.advance(std::floor(far) + 1) == Slots{0});
}

TEST(clocks_may_start_anywhere) {
  for (const f64 start : {0.0, -1.0, -0.5, 0.999, -1e9, 1.7e12, 0x1p42 - 3, -0x1p42 - 3, 0x1p52 - 5000, -0x1p52 + 1}) {
    Shard shard(4, start);
    const f64 whole = std::floor(start);
    shard.schedule(0, start);
    shard.schedule(1, whole + 1);
    shard.schedule(2, whole + 64);
    shard.schedule(3, whole + 4097);
    CHECK(shard.advance(start).empty());
    CHECK(shard.advance(whole + 1) == Slots{0});
    CHECK(shard.advance(whole + 2) == Slots{1});
    CHECK(shard.advance(whole + 64).empty());
    CHECK(shard.advance(whole + 65) == Slots{2});
    CHECK(shard.advance(whole + 4097).empty());
    CHECK(shard.advance(whole + 4098) == Slots{3});
    CHECK_EQ(shard.linked(), 0u);
  }
}

TEST(time_stands_still_beyond_the_clamps_and_nothing_is_handed_out_early) {
  Shard shard(6, -kInfinity);
  shard.schedule(0, -1e300);
  shard.schedule(1, -0x1p52);
  shard.schedule(2, 0x1p52 - 1);
  shard.schedule(3, 0x1p52);
  shard.schedule(4, 1e300);
  CHECK_EQ(shard.linked(), 5u);
  CHECK(shard.advance(-1e300).empty());
  CHECK(shard.advance(-0x1p52).empty());
  CHECK(shard.advance(-0x1p52 + 1) == (Slots{0, 1}));
  CHECK(shard.advance(0x1p52 - 1).empty());
  CHECK(shard.advance(0x1p52) == Slots{2});
  CHECK(shard.advance(1e300).empty());
  CHECK(shard.advance(kInfinity).empty());
  CHECK_EQ(shard.linked(), 2u);
  shard.schedule(5, 17);
  CHECK(shard.advance(kInfinity) == Slots{5});
}

TEST(nan_changes_nothing) {
  Shard shard(2, 100);
  shard.schedule(0, 50);
  CHECK(shard.advance(kNaN).empty());
  CHECK_EQ(shard.left, kUnlimited);
  shard.schedule(1, kNaN);  // the caller's mistake: it never expires
  CHECK(shard.advance(kInfinity) == Slots{0});
  Shard other(1, kNaN);
  other.schedule(0, 5);
  CHECK(other.advance(5).empty());
  CHECK(other.advance(6) == Slots{0});
}

TEST(a_clock_that_goes_backwards_waits_for_its_return) {
  Shard shard(3, 1000);
  shard.schedule(0, 1500);
  CHECK(shard.advance(1200).empty());
  CHECK(shard.advance(300).empty());
  shard.schedule(1, 350);  // passed by the time that the wheel knows
  CHECK(shard.advance(400).empty());
  CHECK_EQ(shard.linked(), 2u);
  CHECK(shard.advance(1200) == Slots{1});
  CHECK(shard.advance(1501) == Slots{0});
}

TEST(next_due_leads_to_every_expiry_in_a_few_wakings) {
  Rng rng(0x7e57);
  constexpr u32 kCount = 200;
  Shard shard(kCount, 1.7e12);
  std::vector<f64> deadlines(kCount);
  for (u32 i = 0; i < kCount; ++i) shard.schedule(i, deadlines[i] = 1.7e12 + any_span(rng, 44));
  u32 wakings = 0, gone = 0;
  for (f64 due; (due = shard.wheel.next_due()) != kInfinity; ++wakings) {
    CHECK(shard.advance(due - 1).empty());
    CHECK_EQ(shard.left, kUnlimited);
    for (const u32 slot : shard.advance(due)) {
      CHECK_EQ(due, std::floor(deadlines[slot]) + 1);
      ++gone;
    }
    if (!CHECK(wakings <= kCount * kWheelLevels)) return;
  }
  CHECK_EQ(gone, kCount);
}

TEST(next_due_may_be_the_past_when_work_is_left) {
  Shard shard(3, 0);
  for (u32 i = 0; i < 3; ++i) shard.schedule(i, 10);
  CHECK_EQ(shard.advance(100, 2).size(), std::size_t{2});
  CHECK_EQ(shard.left, 0u);
  CHECK(shard.wheel.next_due() <= 100);
  CHECK_EQ(shard.advance(100, 1).size(), std::size_t{1});
  CHECK_EQ(shard.wheel.next_due(), kInfinity);
}

TEST(on_expired_may_unlink_and_schedule) {
  Shard shard(6, 0);
  for (u32 i = 0; i < 5; ++i) shard.schedule(i, 10);
  std::vector<u32> seen;
  shard.wheel.advance(50, kUnlimited, [&](u32 slot) {
    seen.push_back(slot);
    shard.wheel.unlink(slot);  // as a cache that erases the entry does
    if (seen.size() == 1) {
      shard.wheel.unlink(2);
      shard.schedule(5, 20);
      shard.schedule(slot, 60);
    }
    CHECK_EQ(shard.wheel.validate(), nullptr);
  });
  CHECK_EQ(seen.size(), std::size_t{5});  // four of the first five, and slot 5
  CHECK(std::find(seen.begin(), seen.end(), 2u) == seen.end());
  CHECK_EQ(shard.linked(), 1u);
}

TEST(a_wheel_far_behind_catches_up_in_tiny_steps_while_it_is_used) {
  Rng rng(0xfa4);
  constexpr u32 kCount = 5000;
  Shard shard(kCount, 0);
  f64 now = 9 * kHour + 17;  // nobody has called advance
  std::vector<f64> deadlines(kCount);
  u64 linked = 0, spent = 0;
  for (u32 i = 0; i < kCount; ++i, ++linked) shard.schedule(i, deadlines[i] = now + any_span(rng, 16));
  // Every step writes one entry, pays for six slots, and takes 0.01 ms: the wheel reaches `now` although it never stops.
  bool reached = false;
  for (u32 step = 0; step < 40'000; ++step, now += 0.01) {
    const u32 i = static_cast<u32>(rng.below(kCount));
    deadlines[i] = now + any_span(rng, 16);
    shard.reschedule(i, deadlines[i]);
    if (rng.chance(0.1)) shard.wheel.unlink(static_cast<u32>(rng.below(kCount)));
    ++linked;
    for (const u32 slot : shard.advance(now, 6)) CHECK(now > deadlines[slot]);
    spent += 6 - shard.left;
    if (shard.left != 0) reached = true;
    if (step % 512 == 0) CHECK_EQ(shard.wheel.validate(), nullptr);
  }
  CHECK(reached);
  CHECK(spent <= linked * kWheelLevels);
  while (shard.advance(now, 3), shard.left == 0) {}
  for (u32 i = 0; i < kCount; ++i)
    if (shard.wheel.scheduled(i)) CHECK(deadlines[i] >= std::floor(now));
  shard.linked();
}

TEST(model_a_sorted_list_of_deadlines) {
  constexpr f64 kStarts[] = {0,      -3,        1.7e12,    -1e15, 0x1p42 - 100, -0x1p42 - 100, 0x1p52 - 1e6,
                             -1e300, 12345.678, 0x1p36 - 7};
  Rng rng(0x5eed);
  for (u32 round = 0; round < 120; ++round) {
    const u32 count = static_cast<u32>(rng.between(1, 40));
    f64 now = kStarts[round % std::size(kStarts)];
    const f64 bits = rng.chance(0.2) ? 54 : rng.chance(0.5) ? 20 : 9;
    const bool whole_clock = rng.chance(0.5);
    Shard shard(count, now);
    std::multimap<f64, u32> model;
    std::vector<std::multimap<f64, u32>::iterator> where(count, model.end());
    const auto forget = [&](u32 slot) {
      if (where[slot] != model.end()) model.erase(where[slot]);
      where[slot] = model.end();
    };
    f64 reached = now, furthest = now;  // where the wheel stands for certain, and at most: it never goes back

    for (u32 step = 0; step < 1500; ++step) {
      const u32 slot = static_cast<u32>(rng.below(count));
      const f64 deadline = rng.chance(0.1)    ? now - any_span(rng, bits)
                           : rng.chance(0.02) ? 1e300
                                              : now + any_span(rng, bits);
      switch (rng.below(8)) {
        case 0:
        case 1:
        case 2:
          if (where[slot] == model.end()) {
            shard.schedule(slot, deadline);
          } else {
            const f64 near = std::floor(where[slot]->first) + uniform(rng);
            const f64 next = rng.chance(0.3) ? near : rng.chance(0.1) ? kInfinity : deadline;
            shard.reschedule(slot, next);
            forget(slot);
            if (next == kInfinity) break;
          }
          where[slot] = model.emplace(shard.slots[slot].deadline.get(), slot);
          break;
        case 3:
          shard.wheel.unlink(slot);
          forget(slot);
          break;
        case 4:
          if (rng.chance(0.05))
            now -= any_span(rng, bits);  // backwards
          else
            now = (whole_clock ? std::floor(now) + std::floor(any_span(rng, bits)) : now + any_span(rng, bits));
          [[fallthrough]];
        default: {
          const u32 budget = rng.chance(0.2) ? kUnlimited : static_cast<u32>(rng.below(5));
          const bool backwards = clamped(now) < clamped(reached), forward = clamped(now) >= clamped(furthest);
          if (budget != 0) furthest = std::max(furthest, now);
          u32 handed = 0;
          const u32 left = shard.wheel.advance(now, budget, [&](u32 gone) {
            ++handed;
            if (!CHECK(gone < count) || !CHECK(where[gone] != model.end())) return;
            CHECK(now > where[gone]->first);
            CHECK(!shard.wheel.scheduled(gone));
            forget(gone);
          });
          CHECK(left <= budget && handed <= budget - left);
          if (backwards) CHECK_EQ(handed, 0u);
          if (left == 0 || !forward) break;
          reached = now;
          // Exactly the deadlines before this millisecond are gone: all that are passed, if the clock is whole.
          const f64 due = shard.wheel.next_due();
          if (model.empty()) {
            CHECK_EQ(due, kInfinity);
          } else {
            CHECK(clamped(model.begin()->first) >= clamped(now));
            CHECK(due > clamped(now) && due <= clamped(model.begin()->first) + 1);
          }
        }
      }
      u32 linked = 0;
      if (!CHECK_EQ(shard.wheel.validate(&linked), nullptr) || !CHECK_EQ(linked, model.size())) return;
      for (u32 i = 0; i < count; ++i) CHECK_EQ(shard.wheel.scheduled(i), where[i] != model.end());
    }
  }
}

TEST(validate_finds_what_is_wrong) {
  const auto broken = [](auto&& damage) {
    Shard shard(8, 1000);
    for (u32 i = 0; i < 6; ++i) shard.schedule(i, 1010 + 40.0 * (i / 2));
    CHECK_EQ(shard.wheel.validate(), nullptr);
    damage(shard);
    return shard.wheel.validate() != nullptr;
  };
  CHECK(broken([](Shard& s) { s.slots[0].deadline.put(5000); }));
  CHECK(broken([](Shard& s) { s.slots[0].deadline.put(kInfinity); }));
  CHECK(broken([](Shard& s) { s.slots[1].wheel_next.put(1); }));
  CHECK(broken([](Shard& s) { s.slots[1].wheel_next.put(77); }));
  CHECK(broken([](Shard& s) { s.slots[0].wheel_prev.put(3); }));
  CHECK(broken([](Shard& s) { s.slots[7].wheel_next.put(3); }));
  CHECK(broken([](Shard& s) { s.state.occupied[0].put(0); }));
  CHECK(broken([](Shard& s) { s.state.occupied[3].put(1); }));
  CHECK(broken([](Shard& s) { s.state.tick.add(13); }));
}

TEST(damaged_memory_never_leads_outside_or_into_an_endless_loop) {
  Rng rng(0xbad);
  for (u32 round = 0; round < 3000; ++round) {
    const u32 count = static_cast<u32>(rng.between(1, 12));
    Shard shard(count, static_cast<f64>(rng.below(1000)));
    const auto index = [&]() -> u32 {
      switch (rng.below(5)) {
        case 0: return static_cast<u32>(rng.next());
        case 1: return kNil;
        case 2: return kBucketFlag | static_cast<u32>(rng.below(kWheelBuckets + 20));
        default: return static_cast<u32>(rng.below(count + 2));
      }
    };
    const auto damage = [&] {
      for (u32 i = 0; i <= count; ++i) {
        shard.slots[i].wheel_prev.put(index());
        shard.slots[i].wheel_next.put(index());
        const u64 bits = rng.next();
        shard.slots[i].deadline.put(rng.chance(0.5) ? std::bit_cast<f64>(bits) : static_cast<f64>(bits % 5000));
      }
      for (Word<u32>& head : shard.buckets) head.put(index());
      for (Word<u64>& level : shard.state.occupied) level.put(rng.next());
      if (rng.chance(0.3)) shard.state.tick.put(rng.next());
    };
    damage();
    for (u32 step = 0; step < 50; ++step) {
      const u32 slot = static_cast<u32>(rng.below(count));
      switch (rng.below(5)) {
        case 0: shard.schedule(slot, static_cast<f64>(rng.below(5000))); break;
        case 1: shard.wheel.unlink(slot); break;
        case 2: shard.reschedule(slot, static_cast<f64>(rng.below(5000))); break;
        case 3:
          (void)shard.wheel.next_due();
          (void)shard.wheel.validate();
          break;
        default: {
          const u32 budget = static_cast<u32>(rng.below(300));
          const f64 now = rng.chance(0.3) ? kInfinity : static_cast<f64>(rng.below(10'000));
          u32 handed = 0;
          const u32 left = shard.wheel.advance(now, budget, [&](u32 gone) {
            CHECK(gone < count);
            ++handed;
          });
          CHECK(left <= budget && handed <= budget - left);
        }
      }
      if (rng.chance(0.05)) damage();
    }
  }
}

TEST(a_million_slots_expire_in_one_millisecond) {
  // Processor time, so that what else runs on the machine does not count.
  const auto ns = [](std::clock_t from, std::clock_t to) {
    return static_cast<f64>(to - from) * (1e9 / CLOCKS_PER_SEC);
  };
  constexpr u32 kCount = 1'000'000, kBudget = 2000;
  Rng rng(0x1e6);
  std::vector<u32> order(kCount);
  std::iota(order.begin(), order.end(), 0u);
  for (const bool shuffled : {false, true}) {
    if (shuffled)
      for (u32 i = kCount; i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
    for (const bool driven : {false, true}) {  // by a timer every millisecond, or after one long pause
      Shard shard(kCount, 1.7e12);
      for (u32 i = 0; i < kCount; ++i) shard.slots[i].deadline.put(1.7e12 + 60'000);
      const std::clock_t begin = std::clock();
      for (const u32 i : order) shard.wheel.schedule(i);
      const f64 schedule_ns = ns(begin, std::clock()) / kCount;

      f64 longest = 0, total = 0;
      u32 gone = 0, slices = 0;
      for (f64 now = driven ? 1.7e12 : 1.7e12 + 60'001; gone < kCount; now += driven) {
        // Milliseconds in which nothing is due are not slices.
        if (shard.wheel.next_due() > now && shard.wheel.advance(now, kBudget, [](u32) {}) == kBudget) continue;
        for (u32 left = 0; left == 0 && gone < kCount; ++slices) {
          const std::clock_t from = std::clock();
          left = shard.wheel.advance(now, kBudget, [&](u32) { ++gone; });
          const f64 took = ns(from, std::clock());
          longest = std::max(longest, took);
          total += took;
          CHECK(gone == 0 || now >= 1.7e12 + 60'001);
        }
      }
      CHECK_EQ(gone, kCount);
      CHECK_EQ(shard.wheel.validate(), nullptr);
      std::printf("  %s, %s: schedule %.1f ns; %u slices of %u, %.1f ns a slot, longest %.0f us\n",
                  shuffled ? "shuffled" : "in order", driven ? "every ms" : "one jump", schedule_ns, slices, kBudget,
                  total / kCount, longest / 1000);
    }
  }

  Shard shard(kCount, 1.7e12);
  for (u32 i = 0; i < kCount; ++i) shard.slots[i].deadline.put(1.7e12 + static_cast<f64>(rng.below(3'600'000)));
  const std::clock_t t0 = std::clock();
  for (const u32 i : order) shard.wheel.schedule(i);
  const std::clock_t t1 = std::clock();
  for (const u32 i : order) {
    const f64 was = shard.slots[i].deadline.get();
    shard.slots[i].deadline.put(was + 20);
    shard.wheel.reschedule(i, was);
  }
  const std::clock_t t2 = std::clock();
  for (const u32 i : order) shard.wheel.unlink(i);
  const std::clock_t t3 = std::clock();
  u32 left = 0;
  for (u32 i = 0; i < kCount; ++i) left += shard.wheel.advance(1.7e12 + i / 100, 1, [](u32) {});
  const std::clock_t t4 = std::clock();
  CHECK_EQ(left, kCount);
  CHECK_EQ(shard.linked(), 0u);
  std::printf(
      "  shuffled, deadlines over an hour: schedule %.1f, reschedule by 20 ms %.1f, unlink %.1f, "
      "idle advance %.1f ns\n",
      ns(t0, t1) / kCount, ns(t1, t2) / kCount, ns(t2, t3) / kCount, ns(t3, t4) / kCount);
}
