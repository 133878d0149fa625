// The cache: composes map, wheel, arena, eviction and tags over the bytes of a region.
//
// A Cache is one thread's view of a region: pointers and counters of its own over shared bytes. It is handed the time and the
// bytes; it never allocates, never asks for a clock, never throws. Every operation takes at most one shard's lock at a
// time; find() takes none, and validates what it read by the slot's sequence word.
#pragma once

#include <span>

#include "arena.h"
#include "digest.h"
#include "eviction.h"
#include "hash_map.h"
#include "lock.h"
#include "region.h"
#include "tags.h"
#include "timer_wheel.h"

namespace hitpath {

enum class Status : u32 {
  ok = 0,
  miss = 1,
  too_large = 2,  // a key and value that may never fit
  no_memory = 3,  // pinned views leave no room; or 64 times in a row another thread took the entry that was made free
  closed = 4,
  dtype_mismatch = 5,
  shape_mismatch = 6,
  out_too_small = 7,
  damaged = 8,  // a lock word that no thread writes, or a table of tags that is full after all of them left
};

enum class Reason : u32 { evicted = 1, expired = 2, deleted = 3, cleared = 4, invalidated = 5, replaced = 6 };

/// Hears of each entry that leaves, before its slot is reused. Called under the shard's lock.
struct Sink {
  void (*removed)(void* context, u32 slot, Reason reason) noexcept = nullptr;
  void* context = nullptr;
};

/// An entry as a reader found it. Valid while the slot's sequence word is `seq`.
struct Hit {
  u32 slot = kNil;  // of the region: shard * slots + slot of the shard
  u32 seq = 0;
  u32 block = kNil;  // kNil: the value is inline
  u32 length = 0;    // bytes of the value
  const u8* value = nullptr;
  u32 shard = 0;
  u32 index = 0;  // of the slot in its shard
  f64 deadline = 0;
  u8 value_tag = 0;
};

/// A value in up to two pieces, laid end to end.
struct Value {
  u8 tag = 0;
  const void* bytes = nullptr;
  u32 length = 0;
  const void* suffix = nullptr;
  u32 suffix_length = 0;
  [[nodiscard]] u32 total() const noexcept { return length + suffix_length; }
};

struct Placed {
  u32 slot = kNil;
  u32 seq = 0;
  bool replaced = false;
  bool kept = false;  // a live entry stood there and was left alone: nothing was written
};

/// What the eviction policy knew of an entry that comes back.
struct Heat {
  static constexpr u8 kFreqBits = 3;
  static constexpr u8 kMainBit = 4;
  u8 freq = 0;  // 0 .. 3
  QueueId queue = kQueueSmall;
};

/// How a set treats what it finds and what it brings. By default it replaces, and the entry is new to the policy.
struct Placing {
  bool keep_existing = false;
  const Heat* heat = nullptr;
};

struct Stats {
  u64 entries = 0, inserts = 0, updates = 0, deletes = 0, evictions = 0, expirations = 0, invalidations = 0,
      rejections = 0;
  u64 hits = 0, misses = 0;
  u64 arena_bytes = 0, free_bytes = 0, pinned_bytes = 0, largest_free = 0, region_bytes = 0;
  u64 tags = 0;
  u32 shards = 0, slots = 0, hand_steps = 0;
  f64 small_share = 0;  // of the capacity, 0 .. 1
};

class Cache {
  struct Shard;

 public:
  static constexpr u32 kMaxKeyBytes = 65'535;
  static constexpr u32 kDrainBudget = 8;  // wheel steps that each write pays

  /// Formats zeroed bytes into a region and opens it.
  void create(void* base, const Config& config, const Geometry& geometry, f64 now) noexcept;
  /// Opens a region whose header was checked.
  void open(void* base, const Config& config, const Geometry& geometry) noexcept;

  [[nodiscard]] const Config& config() const noexcept { return config_; }
  [[nodiscard]] const Geometry& geometry() const noexcept { return geometry_; }
  [[nodiscard]] bool closed() const noexcept { return header_->state.acquire() != kStateOpen; }
  /// Whether somebody found a lock word that no thread writes. The region is then closed for every thread.
  [[nodiscard]] bool damaged() const noexcept { return header_->state.acquire() == kStateDamaged; }
  /// Closes the region for every thread; entries should be cleared first.
  void close_region() noexcept { header_->state.release(kStateClosed); }
  void set_sink(Sink sink) noexcept { sink_ = sink; }

  // Reading. None of these looks at the deadline: the caller knows the time.
  [[nodiscard]] bool find(const Key& key, Hit& hit) const noexcept;
  void prefetch_home(const Key& key) const noexcept { shard_of(key).map.prefetch_home(key.hash); }
  /// Asks memory for the slot that a set of an absent key will take, or that of a present one.
  void prefetch_place(const Key& key) const noexcept {
    const Shard& shard = shard_of(key);
    for (const u32 slot : {shard.map.likely(key.hash, key.tag), shard.map.vacancy(key.hash)})
      if (slot != kNil) prefetch(shard.slots + slot);
  }
  /// How far the search for a key has come: its homes, then the slot that it will most likely look at, or kNil.
  struct Trail {
    const Shard* shard = nullptr;
    u32 first = 0, second = 0;
    u32 slot = kNil;
  };
  // A search in three steps, each of which asks memory for what the next one reads: many keys take each step together.
  [[nodiscard]] Trail prefetch_groups(const Key& key) const noexcept;
  void prefetch_slot(const Key& key, Trail& trail) const noexcept;
  /// As find().
  [[nodiscard]] bool find_near(const Key& key, const Trail& trail, Hit& hit) const noexcept;
  /// Where an entry was found, and its sequence word then: even, as that of a living entry.
  struct Place {
    u32 shard = 0;
    u32 index = 0;  // of the slot in its shard
    u32 seq = 0;
  };
  void prefetch_place(const Place& place) const noexcept { prefetch(shards_[place.shard].slots + place.index); }
  /// As find(), but looks first where this cache found the key of an earlier call, which may be another.
  [[nodiscard]] bool find_again(const Key& key, const Place& place, Hit& hit) const noexcept;
  void touch(const Hit& hit) noexcept;
  [[nodiscard]] bool still(const Hit& hit) const noexcept;
  /// Copies the value of a hit. False when the entry changed meanwhile: find again.
  [[nodiscard]] bool copy(const Hit& hit, void* out) const noexcept;
  /// Keeps the bytes of a hit where they are until unpin(). False when the entry changed or the bound on pins is reached.
  [[nodiscard]] bool pin(const Hit& hit, u64& region_offset) noexcept;
  void unpin(u32 shard, u32 block) noexcept;
  void count(bool hit) noexcept { ++(hit ? hits_ : misses_); }
  void count(u64 hits, u64 misses) noexcept {
    hits_ += hits;
    misses_ += misses;
  }

  // Writing.
  [[nodiscard]] Status set(const Key& key, const Value& value, std::span<const Digest> tags, f64 deadline, f64 now,
                           Placed& out, Placing how = {}) noexcept;
  /// Several sets into one shard, under one taking of its lock. Nobody else writes there meanwhile: keep it short.
  class Run;
  [[nodiscard]] u32 shard_index(const Key& key) const noexcept {
    return static_cast<u32>((u64{key.shard_bits} * config_.shards) >> 24);
  }
  bool erase(const Key& key, f64 now, Reason reason = Reason::deleted) noexcept;
  /// Removes the live entry of a slot of the first shard, if there is one.
  void erase_at(u32 slot) noexcept;
  /// The entry that the policy would evict next, remembered as evicted; the caller erases it. kNil when there is none. Of the first
  /// shard: for caches that have one.
  [[nodiscard]] u32 next_victim(f64 now) noexcept;
  /// Removes a found entry whose deadline has passed, unless it changed meanwhile.
  void expire(const Hit& hit, f64 now) noexcept;

  // Many entries. Each call removes at most `budget` entries or looks at so many slots, so that no lock is held long.
  /// Removes what carries the tag in one shard; live ones are counted. True when more remain there.
  bool erase_tag(const Digest& tag, u32 shard, u32 budget, f64 now, u64& removed) noexcept;
  /// Calls test(hit, shape, key bytes, key length) for the live entries of slots [cursor, cursor + budget) under the lock and
  /// removes those for which it answers true. Returns the next cursor, kNil at the end.
  template <class Test>
  u32 sweep(u32 cursor, u32 budget, f64 now, Reason reason, Test&& test) noexcept;
  u32 clear(u32 cursor, u32 budget) noexcept;
  /// Reclaims expired entries: at most `budget` steps. Returns the steps left, 0 when there may be more to do.
  u32 advance(f64 now, u32 budget) noexcept;
  [[nodiscard]] f64 next_due() const noexcept;

  [[nodiscard]] u32 size() const noexcept { return header_->live.get(); }
  [[nodiscard]] u64 max_payload() const noexcept { return max_payload_; }
  [[nodiscard]] bool shared() const noexcept { return (config_.flags & kFlagShared) != 0; }
  [[nodiscard]] u64 slot_offset(u32 slot) const noexcept;
  [[nodiscard]] Stats stats() noexcept;
  /// Mean and longest number of groups that a search for a living entry looks at.
  void probe_lengths(f64& mean, u32& longest) noexcept;
  /// Recomputes every invariant. nullptr, or what is wrong. Takes each shard's lock in turn.
  [[nodiscard]] const char* validate() noexcept;
  /// Adds this thread's hits and misses to the region's.
  void flush_counts() noexcept;
  /// The key of a slot, under the lock or validated by the caller.
  struct StoredKey {
    u8 kind;
    u32 length;
    const u8* bytes;
  };
  /// Calls each(hit, key) for the live entries of slots [cursor, end of the shard) under the lock, at most `budget` slots,
  /// until it answers false. Returns the slot after the last that it was called for or that was passed; kNil at the end.
  template <class Each>
  u32 visit(u32 cursor, u32 budget, f64 now, Each&& each) noexcept;
  // For each() of visit() alone, which holds the lock.
  [[nodiscard]] Heat heat_of(const Hit& hit) const noexcept;
  /// Digests of an entry's tags; how many.
  [[nodiscard]] u32 tags_of(const Hit& hit, std::span<Digest, kMaxTags> out) const noexcept;
  /// As pin(), for a hit that was just made.
  [[nodiscard]] bool hold_value(const Hit& hit) noexcept;

 private:
  struct Shard {
    ShardHeader* header = nullptr;
    Slot* slots = nullptr;
    u8* cells = nullptr;  // of a region of one thread; nullptr: long keys stand in the block
    u8* arena_base = nullptr;
    HashMap map;
    TimerWheel wheel;
    Arena arena;
    Eviction eviction;
    Tags tags;
  };

  [[nodiscard]] static constexpr u64 align4(u64 n) noexcept { return (n + 3) & ~u64{3}; }
  /// Bytes in a block: value, then a key that stands nowhere else, then the number of tags and their links.
  [[nodiscard]] static constexpr u64 payload_of(u64 value, u32 key, std::size_t tags) noexcept {
    return tags == 0 ? value + key : align4(value + key) + 4 + tags * sizeof(TagLink);
  }
  static constexpr u32 kInlineNone = 15;  // in the high nibble of queue: the value is in the block

  [[nodiscard]] Shard& shard_of(const Key& key) const noexcept { return const_cast<Shard&>(shards_[shard_index(key)]); }
  [[nodiscard]] u32 index_of(const Shard& shard) const noexcept { return static_cast<u32>(&shard - shards_); }
  [[nodiscard]] u32 global(const Shard& shard, u32 slot) const noexcept {
    return index_of(shard) * geometry_.slots + slot;
  }
  /// find() as a call: what find_near() seldom does is kept out of the loops that it is part of.
  [[nodiscard]] bool find_far(const Key& key, Hit& hit) const noexcept;
  [[nodiscard]] bool matches(const Shard& shard, u32 slot, const Key& key, Hit& hit) const noexcept;
  [[nodiscard]] bool same_key(const Shard& shard, const Slot& slot, const Key& key) const noexcept;
  [[nodiscard]] StoredKey stored_key(const Shard& shard, const Slot& slot) const noexcept;
  /// Bytes of a key that stand in the block of its entry.
  [[nodiscard]] u32 key_in_block(u32 length) const noexcept {
    return length <= kInlineKey || geometry_.cells ? 0 : length;
  }
  /// The lock of a shard, which may turn out damaged: then the operation ends.
  [[nodiscard]] ShardLock enter(Shard& shard) const noexcept {
    return ShardLock(shard.header->lock, header_->state, shared());
  }
  /// Where in the arena the number of an entry's tags stands, their links behind it.
  [[nodiscard]] u64 tags_at(const Slot& slot) const noexcept {
    const bool elsewhere = slot.key_shape.get() >> 3 == kElsewhere;
    const u32 key = elsewhere ? key_in_block(static_cast<u32>(slot.key[0].get())) : 0;
    return Arena::data_offset(slot.block.get()) + align4(u64{slot.value_len.get()} + key);
  }
  [[nodiscard]] u32 locate(const Shard& shard, const Key& key) const noexcept;
  void fill_hit(const Shard& shard, u32 slot, u32 seq, Hit& hit) const noexcept;

  // The count of the region: shards of several threads change it at once; that of one thread needs no locked instruction.
  [[nodiscard]] bool join_count(u32& live) noexcept {
    if (shared()) return header_->live.atomic().compare_exchange_weak(live, live + 1, std::memory_order_relaxed);
    header_->live.put(live + 1);
    return true;
  }
  void leave_count() noexcept {
    if (shared())
      header_->live.atomic().fetch_sub(1, std::memory_order_relaxed);
    else
      header_->live.sub(1);
  }

  static void begin_write(Slot& slot) noexcept;
  static void end_write(Slot& slot) noexcept;
  void remove(Shard& shard, u32 slot, Reason reason, bool scheduled = true) noexcept;
  void evict(Shard& shard, u32 slot, f64 now) noexcept;
  void drop_block(Shard& shard, u32 block) noexcept;
  template <class Each>
  void each_link(const Shard& shard, const Slot& slot, Each&& each) const noexcept;
  void unlink_tags(Shard& shard, const Slot& slot) noexcept;
  [[nodiscard]] bool frees_node(const Shard& shard, u32 slot) const noexcept;
  u32 drain(Shard& shard, f64 now, u32 budget) noexcept;
  [[nodiscard]] bool full() const noexcept { return header_->live.get() >= config_.max_entries; }
  void prefetch_eviction(const Shard& shard) const noexcept;
  [[nodiscard]] bool claim_entry(Shard& shard, f64 now) noexcept;
  [[nodiscard]] u32 take_block(Shard& shard, u64 payload, f64 now, u32& keep) noexcept;
  [[nodiscard]] bool carries_tags(const Shard& shard, u32 slot) const noexcept;
  [[nodiscard]] bool take_nodes(Shard& shard, std::span<const Digest> tags, f64 now, u32& keep,
                                std::span<u32> nodes) noexcept;
  void free_node(Shard& shard, const Digest& seed, std::span<const u32> held, f64 now, u32& keep) noexcept;
  void relieve(f64 now, const Shard& except) noexcept;
  enum class Attempt { done, full_elsewhere };
  /// Whether the entry can be stored at all, by its lengths.
  [[nodiscard]] bool may_fit(const Key& key, const Value& value, std::size_t tags) const noexcept;
  /// Under the shard's lock. `claims`: entries of the region's count that are this thread's already.
  Attempt try_set(Shard& shard, const Key& key, const Value& value, std::span<const Digest> tags, f64 deadline, f64 now,
                  Placed& out, Status& status, const Placing& how, u32& claims) noexcept;
  [[nodiscard]] bool may_pin(const Shard& shard, u32 block) const noexcept;
  void update(Shard& shard, u32 slot, const Key& key, const Value& value, u32 block, std::span<const u32> nodes,
              f64 deadline) noexcept;
  [[nodiscard]] bool overwrite(Shard& shard, u32 slot, const Value& value, u64 payload, f64 deadline) noexcept;
  void write_block(Shard& shard, u32 block, u32 slot, const Key& key, const Value& value,
                   std::span<const u32> nodes) noexcept;
  void write_fields(Shard& shard, u32 slot, const Key& key, const Value& value, u32 block, f64 deadline) noexcept;

  Header* header_ = nullptr;
  Config config_;
  Geometry geometry_;
  u64 max_payload_ = 0;
  u64 max_pinned_bytes_ = 0;
  u64 hits_ = 0;
  u64 misses_ = 0;
  u32 next_shard_ = 0;
  Sink sink_;
  Shard shards_[kMaxShards];
};

class Cache::Run {
 public:
  /// `sets`: how many there will be, about.
  Run(Cache& cache, u32 shard, u32 sets, f64 now) noexcept;
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run();

  /// As set() of a key of the shard. False when there is room only in other shards: set() it once the run is over.
  [[nodiscard]] bool set(const Key& key, const Value& value, std::span<const Digest> tags, f64 deadline, Placed& out,
                         const Placing& how, Status& status) noexcept;

 private:
  static constexpr u64 kStripBytes = 16 << 10;

  /// The usual case: an absent key, no tags, room in its homes and in the arena. False when it is another; nothing was changed then.
  [[nodiscard]] bool insert(const Key& key, const Value& value, f64 deadline, Placed& out, const Heat& heat) noexcept;
  /// A block out of the strip, or of a new one; kNil when the arena has none.
  [[nodiscard]] u32 take(u64 payload) noexcept;

  Cache& cache_;
  Shard& shard_;
  const ShardLock lock_;
  f64 now_;
  u32 claims_ = 0;
  bool scattered_ = false;  // the arena had no strip
  Arena::Strip strip_;      // of this run until its next set() that is not insert()
};

inline Cache::StoredKey Cache::stored_key(const Shard& shard, const Slot& slot) const noexcept {
  const u8 shape = slot.key_shape.get();
  const u8 kind = shape & kKindMask;
  const u32 length = shape >> 3;
  if (length != kElsewhere) return {kind, length, reinterpret_cast<const u8*>(slot.key)};
  const u32 in_block = static_cast<u32>(slot.key[0].get());
  if (shard.cells != nullptr) {
    const u64 index = static_cast<u64>(&slot - shard.slots);
    return {kind, in_block <= kCellBytes ? in_block : 0, shard.cells + index * kCellBytes};
  }
  const u32 value = slot.value_len.get();
  const u64 at = u64{slot.block.get()} * kGranule + kBlockHeader + value;
  // Torn words must not lead outside the arena.
  if (at + in_block > config_.arena_bytes) return {kind, 0, shard.arena_base};
  return {kind, in_block, shard.arena_base + at};
}

inline void Cache::fill_hit(const Shard& shard, u32 slot, u32 seq, Hit& hit) const noexcept {
  const Slot& s = shard.slots[slot];
  hit.shard = index_of(shard);
  hit.index = slot;
  hit.slot = hit.shard * geometry_.slots + slot;
  hit.seq = seq;
  hit.deadline = s.deadline.get();
  hit.value_tag = s.value_tag.get();
  const u32 in_slot = s.queue.get() >> 4;
  if (in_slot != kInlineNone) {
    hit.block = kNil;
    hit.length = in_slot <= kInlineValue ? in_slot : 0;
    hit.value = reinterpret_cast<const u8*>(&s.block);
    return;
  }
  hit.block = s.block.get();
  hit.length = s.value_len.get();
  const u64 at = u64{hit.block} * kGranule + kBlockHeader;
  if (at + hit.length > config_.arena_bytes)
    hit.length = 0, hit.value = shard.arena_base;  // torn: still() will say so
  else
    hit.value = shard.arena_base + at;
}

template <class Test>
u32 Cache::sweep(u32 cursor, u32 budget, f64 now, Reason reason, Test&& test) noexcept {
  const u32 total = config_.shards * geometry_.slots;
  while (cursor < total && budget != 0) {
    Shard& shard = shards_[cursor / geometry_.slots];
    const u32 from = cursor % geometry_.slots;
    const u32 to = from + (budget < geometry_.slots - from ? budget : geometry_.slots - from);
    const ShardLock lock = enter(shard);
    if (!lock) return kNil;
    for (u32 i = from; i < to; ++i) {
      const Slot& s = shard.slots[i];
      if ((s.queue.get() & 15) == kQueueNone || now > s.deadline.get()) continue;
      Hit hit;
      fill_hit(shard, i, s.seq.get(), hit);
      if (!test(hit, stored_key(shard, s))) continue;
      if (reason == Reason::invalidated) shard.header->invalidations.add(1);
      remove(shard, i, reason);
    }
    budget -= to - from;
    cursor += to - from;
  }
  return cursor < total ? cursor : kNil;
}

template <class Each>
u32 Cache::visit(u32 cursor, u32 budget, f64 now, Each&& each) noexcept {
  const u32 total = config_.shards * geometry_.slots;
  if (cursor >= total) return kNil;
  Shard& shard = shards_[cursor / geometry_.slots];
  const u32 from = cursor % geometry_.slots;
  const u32 to = from + (budget < geometry_.slots - from ? budget : geometry_.slots - from);
  const ShardLock lock = enter(shard);
  if (!lock) return kNil;
  u32 i = from;
  for (bool more = true; i < to && more; ++i) {
    const Slot& s = shard.slots[i];
    if ((s.queue.get() & 15) == kQueueNone || now > s.deadline.get()) continue;
    Hit hit;
    fill_hit(shard, i, s.seq.get(), hit);
    more = each(hit, stored_key(shard, s));
  }
  cursor += i - from;
  return cursor < total ? cursor : kNil;
}

}  // namespace hitpath
