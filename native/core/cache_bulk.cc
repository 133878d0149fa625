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

// ---- a run of sets ----

Cache::Run::Run(Cache& cache, u32 shard, u32 sets, f64 now) noexcept
    : cache_(cache), shard_(cache.shards_[shard]), lock_(cache.enter(shard_)), now_(now) {
  if (!lock_) return;
  cache.drain(shard_, now, kDrainBudget);
  // One step for all. Near its bound the region is shared out entry by entry.
  Word<u32>& count = cache.header_->live;
  const u64 most = cache.config_.max_entries;
  for (u32 live = count.get(); u64{live} + sets <= most;)
    if (count.atomic().compare_exchange_weak(live, live + sets, std::memory_order_relaxed)) {
      claims_ = sets;
      return;
    }
}

Cache::Run::~Run() {
  if (lock_) shard_.arena.give_back(strip_);
  if (claims_ != 0) cache_.header_->live.atomic().fetch_sub(claims_, std::memory_order_relaxed);
}

bool Cache::Run::set(const Key& key, const Value& value, std::span<const Digest> tags, f64 deadline, Placed& out,
                     const Placing& how, Status& status) noexcept {
  status = lock_ ? Status::too_large : Status::damaged;
  if (!lock_ || !cache_.may_fit(key, value, tags.size())) return true;
  if (claims_ != 0 && tags.empty() && how.heat != nullptr && insert(key, value, deadline, out, *how.heat)) {
    status = Status::ok;
    return true;
  }
  shard_.arena.give_back(strip_);
  return cache_.try_set(shard_, key, value, tags, deadline, now_, out, status, how, claims_) == Attempt::done;
}

u32 Cache::Run::take(u64 payload) noexcept {
  u32 block = shard_.arena.carve(strip_, payload);
  if (block != kNil || scattered_) return block;
  shard_.arena.give_back(strip_);
  strip_ = shard_.arena.take_strip(std::max(payload, kStripBytes));
  scattered_ = strip_.left == 0;
  return shard_.arena.carve(strip_, payload);
}

bool Cache::Run::insert(const Key& key, const Value& value, f64 deadline, Placed& out, const Heat& heat) noexcept {
  if (cache_.locate(shard_, key) != kNil) return false;
  const u32 slot = shard_.map.vacancy(key.hash);
  if (slot == kNil) return false;
  u32 block = kNil;
  const u32 key_bytes = cache_.key_in_block(key.length);
  if (key_bytes != 0 || value.total() > kInlineValue) {
    block = take(payload_of(value.total(), key_bytes, 0));
    if (block == kNil) return false;
    cache_.write_block(shard_, block, slot, key, value, {});
  }
  Slot& s = shard_.slots[slot];
  begin_write(s);
  s.hash.put(key.hash);
  cache_.write_fields(shard_, slot, key, value, block, deadline);
  shard_.eviction.enter(slot, shard_.eviction.home(heat.queue));
  s.freq.put(heat.freq);
  if (std::isfinite(deadline)) shard_.wheel.schedule(slot);
  end_write(s);
  shard_.map.publish(slot, key.tag);
  shard_.header->count.add(1);
  shard_.header->inserts.add(1);
  --claims_;
  out = {cache_.global(shard_, slot), s.seq.get(), false};
  return true;
}

}  // namespace hitpath
