// The timer wheel of a shard: finds the slots whose deadline has passed.
//
// A hierarchical wheel (Varghese & Lauck 1987) with aligned digits. Time is a number of ticks of one millisecond, written
// in digits of six bits; the bucket of a slot is named by the highest digit in which its tick differs from the wheel's:
//
//   wheel.tick  ... 17 | 03 | 60      digit 0 differs:      bucket (0, digit 0 of the slot), spans 1 ms
//   slot        ... 17 | 05 | 11      digit 1 is highest:   bucket (1, 05), spans 64 ms
//               ...                   digit 6:              bucket (6, ..), spans 2.2 years; 64 of them, 139 years
//
// When the wheel reaches the first tick of a bucket it cascades: each slot of it is handed out when its deadline has
// passed, else linked again, at a lower level. So a slot is touched once a level at most, whatever the wheel jumps over.
// Level 6 is a ring: what lies further than 63 of its buckets ahead waits in the furthest, and cascades to level 6 again.
//
// What is always true:
//   - A bucket named by the wheel's own digit is work due now: past slots at level 0, a half-emptied cascade above. The
//     wheel's tick does not move before all of these are empty; so stopping anywhere leaves a consistent wheel, and
//     between two calls any slot may be scheduled, rescheduled or unlinked.
//   - Any other bucket begins after the wheel's tick and not after the ticks of its slots (I3).
//   - Nothing is handed out early: a slot's own deadline is looked at last. Handing out late costs memory only, since
//     reads compare the deadline themselves.
//
// From milliseconds to ticks: floor, clamped to [-2^52, 2^52] (142,000 years either way), plus 2^52; that is exact and
// monotone, so a clock may start below zero. A deadline d is passed when now > d, therefore its tick is that of d, plus
// one: whole milliseconds are exact, with a fractional clock a slot waits for the next whole one. At the clamps time
// stands still: deadlines of 2^52 and more are never reclaimed by the wheel. When the clock goes backwards the wheel
// waits for it to come back.
//
// A linked slot never has wheel_prev == wheel_next; an unlinked one always has: kNil both, or zero both in fresh memory.
// Everything here is called under the shard's lock. schedule and unlink cost O(1), two lines besides the slot's own.
#pragma once

#include <bit>
#include <limits>

#include "layout.h"

namespace hitpath {

class TimerWheel {
 public:
  TimerWheel() = default;
  /// buckets: kWheelBuckets of them. slots: slot_count of them and the scrap slot; slot_count < kBucketFlag.
  TimerWheel(Wheel& state, Word<u32>* buckets, Slot* slots, u32 slot_count) noexcept
      : state_(&state), buckets_(buckets), slots_(slots), slot_count_(slot_count) {}

  /// Makes an empty wheel that stands at `now`. Slots are left alone, so that fresh pages stay untouched: each must be
  /// unlinked already, or be so marked by forget().
  void format(f64 now) noexcept {
    for (u32 b = 0; b < kWheelBuckets; ++b) buckets_[b].put(kNil);
    for (Word<u64>& level : state_->occupied) level.put(0);
    state_->tick.put(now == now ? tick_of(now) : 0);
  }

  [[nodiscard]] bool scheduled(u32 slot) const noexcept {
    const Slot& s = at(slot);
    return s.wheel_prev.get() != s.wheel_next.get();
  }

  /// Puts an unlinked slot into the bucket of its deadline, which stands in the slot already and is finite.
  void schedule(u32 slot) noexcept { link(slot, bucket_of(due_tick(at(slot).deadline.get()))); }

  /// Takes a slot out of its bucket, wherever that is; no-op when it is in none.
  void unlink(u32 slot) noexcept {
    Slot& s = at(slot);
    const u32 prev = s.wheel_prev.get(), next = s.wheel_next.get();
    if (prev == next) return;
    if (prev < kBucketFlag) {
      at(prev).wheel_next.put(next);
    } else if (const u32 bucket = prev - kBucketFlag; bucket < kWheelBuckets) {
      set_head(bucket, next);
    }
    at(next).wheel_prev.put(prev);  // the scrap slot takes what is meant for kNil
    forget(slot);
  }

  /// After the deadline in the slot changed from `was`, either of which may be infinite. Costs no other line when the
  /// bucket stays the same. Leaving the slot is right even where it lies earlier than its bucket of today, in a
  /// half-emptied cascade or a bucket of the ring: that one is reached first.
  void reschedule(u32 slot, f64 was) noexcept {
    const f64 deadline = at(slot).deadline.get();
    if (!finite(deadline)) return unlink(slot);
    const u32 bucket = bucket_of(due_tick(deadline));
    if (scheduled(slot)) {
      if (bucket == bucket_of(due_tick(was))) return;
      unlink(slot);
    }
    link(slot, bucket);
  }

  /// Marks a slot as unlinked without looking at its neighbours.
  void forget(u32 slot) noexcept {
    at(slot).wheel_prev.put(kNil);
    at(slot).wheel_next.put(kNil);
  }

  /// Whether an advance() to the same millisecond has found nothing more to do. Cheap, so that each write may ask.
  [[nodiscard]] bool has_reached(f64 now) const noexcept {
    const u64 tick = state_->tick.get();
    if (now != now || tick_of(now) != tick) return false;
    // What a budget left, or was late when scheduled: at level 0 in the wheel's own bucket; above, only where a bucket begins.
    return (tick & (kDigits - 1)) != 0 &&
           (state_->occupied[0].get() & mask_of(static_cast<u32>(tick & (kDigits - 1)))) == 0;
  }

  /// Moves to `now` and hands each slot whose deadline has passed to on_expired(slot), unlinked already. Each slot handed
  /// out or cascaded costs one of the budget; returns what is left. With 0 left there may be more to do.
  /// on_expired may change the wheel in any way but advance() and format().
  template <class OnExpired>
  u32 advance(f64 now, u32 budget, OnExpired&& on_expired) noexcept {
    if (now != now) return budget;
    const u64 target = tick_of(now);
    if (target < state_->tick.get()) return budget;
    while (budget != 0) {
      const Work work = next_work();
      if (work.bucket == kNil || work.tick > target) {
        state_->tick.put(target);
        break;
      }
      state_->tick.put(work.tick);
      budget = drain(work.bucket, target, budget, on_expired);
    }
    return budget;
  }

  /// A time before which advance() has nothing to do; Infinity when the wheel is empty. It may be the past.
  [[nodiscard]] f64 next_due() const noexcept {
    const Work work = next_work();
    if (work.bucket == kNil) return std::numeric_limits<f64>::infinity();
    return static_cast<f64>(static_cast<std::int64_t>(work.tick - kEpoch));
  }

  /// I3, as far as the wheel can know it: every linked slot is in one bucket, the right one, and the bitmaps agree.
  /// nullptr, or what is wrong. `linked` receives how many slots are linked. O(slots), for tests.
  [[nodiscard]] const char* validate(u32* linked = nullptr) const noexcept {
    u32 seen = 0;
    for (u32 bucket = 0; bucket < kWheelBuckets; ++bucket) {
      u32 before = kBucketFlag | bucket;
      for (u32 slot = buckets_[bucket].get(); slot != kNil; before = slot, slot = slots_[slot].wheel_next.get()) {
        if (slot >= slot_count_) return "I3: a wheel link leads outside the slots";
        if (slots_[slot].wheel_prev.get() != before) return "I3: wheel links disagree";
        if (++seen > slot_count_) return "I3: a wheel bucket does not end";
        if (!finite(slots_[slot].deadline.get())) return "I3: a slot without a deadline is in the wheel";
        if (!may_hold(bucket, due_tick(slots_[slot].deadline.get()))) return "I3: a slot is in the wrong bucket";
      }
      const bool bit = (state_->occupied[level_of(bucket)].get() & mask_of(bucket)) != 0;
      if (bit != (buckets_[bucket].get() != kNil)) return "I3: a wheel bitmap disagrees with its buckets";
    }
    u32 marked = 0;
    for (u32 slot = 0; slot < slot_count_; ++slot) marked += scheduled(slot);
    if (linked != nullptr) *linked = seen;
    return marked == seen ? nullptr : "I3: a slot is linked but in no bucket";
  }

 private:
  static constexpr u32 kTop = kWheelLevels - 1;
  static constexpr u32 kDigits = 1u << kWheelBits;
  static constexpr u64 kEpoch = u64{1} << 52;  // the tick of time 0
  static_assert(kDigits == 64, "a level's bitmap is one word");
  static_assert(kWheelBuckets < 0xffff, "kNil must not read as a bucket");

  /// A bucket with something in it, or kNil, and the tick at which it must be emptied.
  struct Work {
    u64 tick;
    u32 bucket;
  };

  // An index read from a damaged region, or kNil, leads to the scrap slot behind the last one.
  [[nodiscard]] Slot& at(u32 slot) const noexcept { return slots_[slot < slot_count_ ? slot : slot_count_]; }

  static bool finite(f64 time) noexcept { return time - time == 0; }

  static u64 tick_of(f64 time) noexcept {
    constexpr f64 kSpan = 0x1p52;
    if (!(time < kSpan)) return 2 * kEpoch;  // a deadline that is NaN never passes
    if (time <= -kSpan) return 0;
    const auto whole = static_cast<std::int64_t>(time);  // towards zero: std::floor is a call on the baseline x86-64
    return static_cast<u64>(whole - (static_cast<f64>(whole) > time)) + kEpoch;
  }
  static u64 due_tick(f64 deadline) noexcept { return tick_of(deadline) + 1; }

  static u32 level_of(u32 bucket) noexcept { return bucket >> kWheelBits; }
  static u64 mask_of(u32 bucket) noexcept { return u64{1} << (bucket & (kDigits - 1)); }
  static u32 bucket_at(u32 level, u64 digit) noexcept {
    return (level << kWheelBits) | static_cast<u32>(digit & (kDigits - 1));
  }

  [[nodiscard]] u32 bucket_of(u64 due) const noexcept {
    const u64 tick = state_->tick.get();
    if (due <= tick) return bucket_at(0, tick);
    const u32 level = (63 - static_cast<u32>(std::countl_zero(due ^ tick))) / kWheelBits;
    if (level < kTop) return bucket_at(level, due >> (level * kWheelBits));
    const u64 own = tick >> (kTop * kWheelBits), digit = due >> (kTop * kWheelBits);
    return bucket_at(kTop, digit - own < kDigits ? digit : own + (kDigits - 1));
  }

  /// Whether a slot may be in a bucket: as schedule() placed it, in a cascade that is not finished, or early in the ring.
  [[nodiscard]] bool may_hold(u32 bucket, u64 due) const noexcept {
    if (bucket == bucket_of(due)) return true;
    const u64 tick = state_->tick.get();
    const u32 level = level_of(bucket);
    const u64 own = tick >> (level * kWheelBits), digit = due >> (level * kWheelBits);
    const u64 ahead = (bucket - own) & (kDigits - 1);
    if (ahead == 0) return level != 0 && (due <= tick || own == digit || level == kTop);
    return level == kTop && due > tick && own + ahead <= digit;
  }

  void set_head(u32 bucket, u32 slot) noexcept {
    buckets_[bucket].put(slot);
    Word<u64>& occupied = state_->occupied[level_of(bucket)];
    if (slot == kNil) occupied.put(occupied.get() & ~mask_of(bucket));
  }

  void link(u32 slot, u32 bucket) noexcept {
    Slot& s = at(slot);
    const u32 head = buckets_[bucket].get();
    s.wheel_prev.put(kBucketFlag | bucket);
    s.wheel_next.put(head);
    at(head).wheel_prev.put(slot);
    buckets_[bucket].put(slot);
    Word<u64>& occupied = state_->occupied[level_of(bucket)];
    occupied.put(occupied.get() | mask_of(bucket));
  }

  /// Work due now if there is any, else the bucket that begins first. Below the ring a level's buckets all begin before
  /// those of the level above, so the lowest level with something in it wins.
  [[nodiscard]] Work next_work() const noexcept {
    const u64 tick = state_->tick.get();
    Work first{0, kNil};
    for (u32 level = kWheelLevels; level-- > 0;) {
      const u64 own = tick >> (level * kWheelBits);
      const auto digit = static_cast<int>(own & (kDigits - 1));
      const u64 occupied = state_->occupied[level].get();
      const u64 ahead = level == kTop ? std::rotr(occupied, digit) : occupied >> digit;
      if (ahead == 0) continue;
      if ((ahead & 1) != 0) return {tick, bucket_at(level, own)};
      const u64 begin = own + static_cast<u32>(std::countr_zero(ahead));
      first = {begin << (level * kWheelBits), bucket_at(level, begin)};
    }
    return first;
  }

  /// Empties a bucket as far as the budget goes. Every round costs one, so that no damage to the links makes it endless.
  template <class OnExpired>
  u32 drain(u32 bucket, u64 target, u32 budget, OnExpired& on_expired) noexcept {
    for (; budget != 0; --budget) {
      const u32 slot = buckets_[bucket].get();
      if (slot >= slot_count_) {  // an occupied bit without a bucket, or a link out of the region
        set_head(bucket, kNil);
        return budget - 1;
      }
      Slot& s = slots_[slot];
      const u32 next = s.wheel_next.get();
      set_head(bucket, next);
      Slot& following = at(next);
      following.wheel_prev.put(kBucketFlag | bucket);
      prefetch(&at(following.wheel_next.get()));
      forget(slot);
      const u64 due = due_tick(s.deadline.get());
      if (due <= target)
        on_expired(slot);
      else
        link(slot, bucket_of(due));
      if (next == kNil) return budget - 1;
    }
    return 0;
  }

  Wheel* state_ = nullptr;
  Word<u32>* buckets_ = nullptr;
  Slot* slots_ = nullptr;
  u32 slot_count_ = 0;
};

}  // namespace hitpath
