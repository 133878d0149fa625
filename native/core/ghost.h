// What left the queues of a shard: two ghosts, one table.
//
// A ghost remembers the last entries that left its queue, as many as half the shard's capacity; the oldest is forgotten first. What
// comes back is forgotten at once and leaves room for an older one. Both lie in one table of buckets, a line each: a miss
// looks at one line, an eviction writes to one.
//
//   bucket   64 bytes
//             0  key     10 x u32  the hash of the entry that left, 0: none
//            40  came    10 x u16  15 bits of the tick in which it left, then which ghost it is in
//            60  unused  u32
//
// A ghost's ticks count what came to it, several to a tick where it is large. Of each of the last 256 ticks it is known how many
// keys are remembered; keys of ticks before `oldest` are forgotten where they lie, and swept away before 15 bits of a tick come round. So keys are forgotten in the order of their coming, to a
// 64th of the ghost. A bucket with ten remembered keys, one in six, forgets its oldest early. Free places are taken in turn,
// so that none lies until its tick comes round again.
//
// Why the order and the whole hash: with a loop a little larger than ghost and cache, one key that is remembered too long, or taken for
// another, moves the split, and the hit ratio by points.
//
// Everything here is called under the shard's lock.
#pragma once

#include <algorithm>

#include "layout.h"

namespace hitpath {

class Ghosts {
 public:
  /// Buckets for a shard of so many entries: a quarter more places than the ghosts remember, and a bucket more, for few are filled
  /// unevenly.
  [[nodiscard]] static constexpr u32 buckets_for(u64 capacity) noexcept {
    return static_cast<u32>(capacity * 5 / (4 * kGhostWays)) + 1;
  }
  [[nodiscard]] static constexpr u64 bytes_for(u64 capacity) noexcept {
    return u64{2} * kGhostTicks * sizeof(u32) + u64{buckets_for(capacity)} * sizeof(GhostBucket);
  }

  Ghosts() = default;
  /// states: of the small and the main queue. memory: bytes_for(capacity), zeroed before the first use.
  Ghosts(GhostState* states, void* memory, u32 capacity) noexcept
      : states_(states),
        in_tick_(static_cast<Word<u32>*>(memory)),
        buckets_(reinterpret_cast<GhostBucket*>(in_tick_ + 2 * kGhostTicks)),
        bucket_count_(buckets_for(capacity)),
        capacity_(std::max(1u, capacity / 2)),
        per_tick_((capacity_ + kTicksOfCapacity - 1) / kTicksOfCapacity) {}

  /// How many the queue's ghost remembers.
  [[nodiscard]] u32 count(QueueId queue) const noexcept { return states_[ghost_of(queue)].count.get(); }

  /// The queue that the entry left, kQueueNone when it is not remembered. It is not remembered any more.
  [[nodiscard]] QueueId take(u32 hash) noexcept {
    if (states_[0].count.get() + states_[1].count.get() == 0)
      return kQueueNone;  // while a cache fills: no line and no page
    const u32 key = mix(hash);
    GhostBucket& bucket = bucket_of(key);
    for (u32 i = 0; i < kGhostWays; ++i) {
      if (bucket.key[i].get() != key) continue;
      const u32 came = bucket.came[i].get();
      if (!remembered(came)) continue;
      bucket.key[i].put(0);
      forget(came);
      return (came & 1) == 0 ? kQueueSmall : kQueueMain;
    }
    return kQueueNone;
  }

  /// Asks memory for the line that take() and put() of this entry look at.
  void prefetch_for(u32 hash) const noexcept { hitpath::prefetch(&bucket_of(mix(hash))); }

  void put(QueueId queue, u32 hash) noexcept {
    const u32 key = mix(hash), ghost = ghost_of(queue);
    GhostState& state = states_[ghost];
    const u32 tick = state.tick.get(), filled = state.filled.get() + 1;
    GhostBucket& bucket = bucket_of(key);
    const u32 place = place_in(bucket, tick * per_tick_ + filled);
    bucket.key[place].put(key);
    bucket.came[place].put(static_cast<u16>(tick << 1 | ghost));
    in_tick(ghost, tick).add(1);
    state.count.add(1);
    for (u32 n = 0; n < kGhostTicks && state.count.get() > capacity_; ++n) forget_oldest(ghost);
    state.filled.put(filled);
    if (filled < per_tick_) return;
    state.filled.put(0);
    state.tick.put(tick + 1);
    if (tick + 1 - state.oldest.get() >= kGhostTicks) forget_oldest(ghost);
    sweep(tick + 1);
  }

  /// nullptr, or what is wrong.
  [[nodiscard]] const char* validate() const noexcept {
    u32 seen[2] = {};
    for (u32 b = 0; b < bucket_count_; ++b)
      for (u32 i = 0; i < kGhostWays; ++i) {
        const u32 came = buckets_[b].came[i].get();
        if (buckets_[b].key[i].get() != 0 && remembered(came)) seen[came & 1]++;
      }
    for (u32 ghost = 0; ghost < 2; ++ghost) {
      const GhostState& state = states_[ghost];
      u64 sum = 0;
      for (u32 i = 0; i < kGhostTicks; ++i) sum += in_tick(ghost, i).get();
      if (seen[ghost] != state.count.get() || sum != seen[ghost]) return "a ghost's count is wrong";
      if (sum > capacity_) return "a ghost remembers too much";
      if (state.tick.get() - state.oldest.get() >= kGhostTicks) return "a ghost knows of too many ticks";
    }
    return nullptr;
  }

 private:
  static constexpr u32 kTicksOfCapacity = 64;
  static constexpr u32 kTickMask = 0x7fff;
  static constexpr u32 kSweepTicks = (kTickMask + 1) / 2;

  [[nodiscard]] static u32 ghost_of(QueueId queue) noexcept { return queue == kQueueSmall ? 0 : 1; }

  // The ghosts see other bits of the hash than the home group does. Bijective, but for the 0 that no key may be.
  [[nodiscard]] static u32 mix(u32 h) noexcept {
    h ^= h >> 16;
    h *= 0x7feb'352du;
    h ^= h >> 15;
    h *= 0x846c'a68bu;
    h ^= h >> 16;
    return h == 0 ? 1 : h;
  }
  [[nodiscard]] GhostBucket& bucket_of(u32 key) const noexcept { return buckets_[(u64{key} * bucket_count_) >> 32]; }
  [[nodiscard]] Word<u32>& in_tick(u32 ghost, u32 tick) const noexcept {
    return in_tick_[ghost * kGhostTicks + tick % kGhostTicks];
  }

  /// Ticks since a key came.
  [[nodiscard]] u32 age(u32 came) const noexcept { return (states_[came & 1].tick.get() - (came >> 1)) & kTickMask; }
  [[nodiscard]] bool remembered(u32 came) const noexcept {
    const GhostState& state = states_[came & 1];
    return age(came) <= state.tick.get() - state.oldest.get();
  }
  /// A free place of a bucket, in turn; else that of its oldest key, which is forgotten.
  [[nodiscard]] u32 place_in(GhostBucket& bucket, u32 turn) noexcept {
    u32 oldest = 0, oldest_age = 0;
    for (u32 n = 0, i = turn % kGhostWays; n < kGhostWays; ++n, i = i + 1 == kGhostWays ? 0 : i + 1) {
      const u32 came = bucket.came[i].get();
      if (bucket.key[i].get() == 0 || !remembered(came)) return i;
      if (age(came) < oldest_age) continue;
      oldest = i;
      oldest_age = age(came);
    }
    forget(bucket.came[oldest].get());
    return oldest;
  }
  void forget(u32 came) noexcept {
    GhostState& state = states_[came & 1];
    Word<u32>& remaining = in_tick(came & 1, state.tick.get() - age(came));
    if (remaining.get() == 0 || state.count.get() == 0) return;  // a damaged region
    remaining.sub(1);
    state.count.sub(1);
  }
  void forget_oldest(u32 ghost) noexcept {
    GhostState& state = states_[ghost];
    Word<u32>& remaining = in_tick(ghost, state.oldest.get());
    state.count.sub(std::min(remaining.get(), state.count.get()));
    remaining.put(0);
    state.oldest.add(1);
  }

  /// Empties the places of some buckets whose keys are forgotten: each bucket once in half of the ticks that 15 bits tell apart.
  void sweep(u32 tick) noexcept {
    const u32 each = (bucket_count_ + kSweepTicks - 1) / kSweepTicks, from = tick % kSweepTicks * each;
    for (u32 b = from; b < bucket_count_ && b < from + each; ++b)
      for (u32 i = 0; i < kGhostWays; ++i)
        if (buckets_[b].key[i].get() != 0 && !remembered(buckets_[b].came[i].get())) buckets_[b].key[i].put(0);
  }

  GhostState* states_ = nullptr;
  Word<u32>* in_tick_ = nullptr;
  GhostBucket* buckets_ = nullptr;
  u32 bucket_count_ = 0;
  u32 capacity_ = 0;
  u32 per_tick_ = 0;
};

}  // namespace hitpath
