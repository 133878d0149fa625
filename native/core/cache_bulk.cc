// The operations on many entries, and what tells about the whole.
#include <algorithm>
#include <cmath>

#include "cache.h"

namespace hitpath {

u32 Cache::clear(u32 cursor, u32 budget) noexcept {
  return sweep(cursor, budget, -std::numeric_limits<f64>::infinity(), Reason::cleared,
               [](const Hit&, const StoredKey&) noexcept { return true; });
}

u32 Cache::advance(f64 now, u32 budget) noexcept {
  for (u32 i = 0; i < config_.shards && budget != 0; ++i) {
    Shard& shard = shards_[i];
    if (now < shard.wheel.next_due()) continue;
    const ShardLock lock = enter(shard);
    if (!lock) return budget;
    budget = drain(shard, now, budget);
  }
  return budget;
}

f64 Cache::next_due() const noexcept {
  f64 due = std::numeric_limits<f64>::infinity();
  for (u32 i = 0; i < config_.shards; ++i) due = std::min(due, shards_[i].wheel.next_due());
  return due;
}

void Cache::flush_counts() noexcept {
  header_->hits.atomic().fetch_add(hits_, std::memory_order_relaxed);
  header_->misses.atomic().fetch_add(misses_, std::memory_order_relaxed);
  hits_ = misses_ = 0;
}

Stats Cache::stats() noexcept {
  flush_counts();
  Stats out;
  out.entries = size();
  out.hits = header_->hits.get();
  out.misses = header_->misses.get();
  out.region_bytes = geometry_.region_bytes;
  out.shards = config_.shards;
  out.slots = config_.shards * geometry_.slots;
  for (u32 i = 0; i < config_.shards; ++i) {
    Shard& shard = shards_[i];
    const ShardLock lock = enter(shard);
    if (!lock) continue;
    const ShardHeader& h = *shard.header;
    out.inserts += h.inserts.get();
    out.updates += h.updates.get();
    out.deletes += h.deletes.get();
    out.evictions += h.evictions.get();
    out.expirations += h.expirations.get();
    out.invalidations += h.invalidations.get();
    out.rejections += h.rejections.get();
    out.tags += h.tag_count.get();
    out.arena_bytes += h.arena.bytes.get();
    out.free_bytes += h.arena.free_bytes.get();
    out.pinned_bytes += h.arena.pinned_bytes.get();
    out.largest_free = std::max(out.largest_free, shard.arena.largest_free());
    out.hand_steps = std::max(out.hand_steps, h.hand_steps.get());
    out.small_share += h.small_share.get() / geometry_.shard_capacity / config_.shards;
  }
  return out;
}

void Cache::probe_lengths(f64& mean, u32& longest) noexcept {
  u64 sum = 0, count = 0;
  longest = 0;
  for (u32 i = 0; i < config_.shards; ++i) {
    Shard& shard = shards_[i];
    const ShardLock lock = enter(shard);
    if (!lock) continue;
    for (u32 slot = 0; slot < geometry_.slots; ++slot) {
      if (shard.map.tag_of(slot) == 0) continue;
      const u32 length = shard.map.probe_length(slot, shard.slots[slot].hash.get());
      sum += length;
      ++count;
      longest = std::max(longest, length);
    }
  }
  mean = count == 0 ? 0 : static_cast<f64>(sum) / static_cast<f64>(count);
}

}  // namespace hitpath
