#include "cache.h"

#include <cmath>

namespace hitpath {

namespace {

constexpr u32 kTries = 64;  // bounds loops that end by themselves unless threads collide or the region is damaged

/// The sequence word once no writer is at work on the slot. Pairs with the release in end_write. Odd after so many looks in
/// vain: the writer does not run, or the region is damaged.
u32 settled(const Slot& slot) noexcept {
  constexpr u32 kPatience = 1024;
  u32 seq = slot.seq.acquire();
  for (u32 step = 0; (seq & 1) != 0 && step < kPatience; seq = slot.seq.acquire()) back_off(step);
  return seq;
}

/// Whether nothing changed since settled() said `seq`: the reads between the two are then of one state.
bool unchanged(const Slot& slot, u32 seq) noexcept {
  std::atomic_thread_fence(std::memory_order_acquire);
  return slot.seq.get() == seq;
}

}  // namespace

// ---- opening ----

void Cache::open(void* base, const Config& config, const Geometry& geometry) noexcept {
  header_ = static_cast<Header*>(base);
  config_ = config;
  geometry_ = geometry;
  // A single value may not empty its shard.
  max_payload_ = config.arena_bytes / 2;
  max_pinned_bytes_ = config.arena_bytes / 100 * config.max_pinned;
  for (u32 i = 0; i < config.shards; ++i) {
    u8* at = static_cast<u8*>(base) + geometry.index_offset(i);
    u8* store = static_cast<u8*>(base) + geometry.store_offset(i);
    Shard& s = shards_[i];
    s.header = reinterpret_cast<ShardHeader*>(at);
    s.slots = reinterpret_cast<Slot*>(at + geometry.at_slots);
    s.cells = geometry.cells ? at + geometry.at_cells : nullptr;
    s.arena_base = store + geometry.at_arena;
    s.map = HashMap(at + geometry.at_groups, geometry.groups);
    s.wheel =
        TimerWheel(s.header->wheel, reinterpret_cast<Word<u32>*>(at + geometry.at_wheel), s.slots, geometry.slots);
    s.arena = Arena(s.header->arena, s.arena_base, config.arena_bytes);
    s.eviction = Eviction(s.header, s.slots, geometry.slots, store + geometry.at_ghosts, geometry.shard_capacity,
                          (config.flags & kFlagLru) != 0);
    s.tags = Tags(s.header, reinterpret_cast<Word<u32>*>(store + geometry.at_tags), geometry.tag_buckets,
                  reinterpret_cast<TagNode*>(store + geometry.at_tag_nodes), geometry.tag_nodes, s.arena_base,
                  config.arena_bytes);
  }
}

void Cache::create(void* base, const Config& config, const Geometry& geometry, f64 now) noexcept {
  open(base, config, geometry);
  for (u32 i = 0; i < config.shards; ++i) {
    shards_[i].wheel.format(now);
    shards_[i].arena.format();
    shards_[i].eviction.format();
  }
  write_header(base, config, geometry);
}

u64 Cache::slot_offset(u32 slot) const noexcept {
  const u32 shard = slot / geometry_.slots;
  return geometry_.index_offset(shard) + geometry_.at_slots + u64{slot % geometry_.slots} * sizeof(Slot);
}

// ---- reading ----

[[gnu::always_inline]] inline bool Cache::same_key(const Shard& shard, const Slot& slot,
                                                   const Key& key) const noexcept {
  const u8 shape = slot.key_shape.get();
  if ((shape & kKindMask) != key.kind) return false;
  if (key.length <= kInlineKey) {
    if (u32{shape} >> 3 != key.length) return false;
    u64 mine[2] = {0, 0};
    if (key.length == kInlineKey)  // a digest: no call
      std::memcpy(mine, key.bytes, kInlineKey);
    else if (key.length != 0)
      std::memcpy(mine, key.bytes, key.length);
    return slot.key[0].get() == mine[0] && slot.key[1].get() == mine[1];
  }
  if (shape >> 3 != kElsewhere) return false;
  const StoredKey stored = stored_key(shard, slot);
  return stored.length == key.length && equal_shared(stored.bytes, key.bytes, key.length);
}

/// Whether the key's entry stands in a slot; then `hit` is of one state of it.
[[gnu::always_inline]] inline bool Cache::matches(const Shard& shard, u32 slot, const Key& key,
                                                  Hit& hit) const noexcept {
  const Slot& s = shard.slots[slot];
  if (shard.cells != nullptr) prefetch(shard.cells + u64{slot} * kCellBytes);
  if (s.hash.get() != key.hash) return false;  // so a writer at work on another key is not waited for
  for (;;) {
    const u32 seq = settled(s);
    if ((seq & 1) != 0) return false;
    const bool same = s.hash.get() == key.hash && same_key(shard, s, key);
    if (same) fill_hit(shard, slot, seq, hit);
    if (unchanged(s, seq)) return same;
  }
}

bool Cache::find(const Key& key, Hit& hit) const noexcept {
  const Shard& shard = shard_of(key);
  return shard.map.find(key.hash, key.tag, [&](u32 slot) noexcept { return matches(shard, slot, key, hit); }) != kNil;
}

Cache::Trail Cache::prefetch_groups(const Key& key) const noexcept {
  const Shard& shard = shard_of(key);
  const u32 first = shard.map.home(key.hash), second = shard.map.second_home(key.hash);
  shard.map.prefetch_group(first);
  shard.map.prefetch_group(second);
  return {&shard, first, second};
}

void Cache::prefetch_slot(const Key& key, Trail& trail) const noexcept {
  trail.slot = trail.shard->map.likely(trail.first, trail.second, key.tag);
  if (trail.slot != kNil) prefetch(trail.shard->slots + trail.slot);
}

bool Cache::find_near(const Key& key, const Trail& trail, Hit& hit) const noexcept {
  if (trail.slot == kNil) return find_far(key, hit);
  const Slot& s = trail.shard->slots[trail.slot];
  const u32 seq = s.seq.acquire();
  if ((seq & 1) != 0 || s.hash.get() != key.hash || !same_key(*trail.shard, s, key)) return find_far(key, hit);
  fill_hit(*trail.shard, trail.slot, seq, hit);
  return unchanged(s, seq) || find_far(key, hit);
}

bool Cache::find_again(const Key& key, const Place& place, Hit& hit) const noexcept {
  const Shard& shard = shards_[place.shard];
  const Slot& s = shard.slots[place.index];
  // Unchanged, it is alive: what becomes of an entry shows in its sequence word.
  if (s.seq.acquire() != place.seq || s.hash.get() != key.hash || !same_key(shard, s, key)) return find_far(key, hit);
  fill_hit(shard, place.index, place.seq, hit);
  return unchanged(s, place.seq) || find_far(key, hit);
}

[[gnu::noinline]] bool Cache::find_far(const Key& key, Hit& hit) const noexcept { return find(key, hit); }

void Cache::touch(const Hit& hit) noexcept {
  Shard& shard = shards_[hit.shard];
  if ((config_.flags & kFlagLru) == 0) return shard.eviction.touch(hit.index);
  // LRU moves links: under the lock, and only of an entry that is still there.
  const ShardLock lock = enter(shard);
  if (!lock) return;
  if (shard.slots[hit.index].seq.get() == hit.seq) shard.eviction.touch(hit.index);
}

bool Cache::still(const Hit& hit) const noexcept { return unchanged(shards_[hit.shard].slots[hit.index], hit.seq); }

bool Cache::copy(const Hit& hit, void* out) const noexcept {
  copy_out(out, hit.value, hit.length);
  return still(hit);
}

bool Cache::may_pin(const Shard& shard, u32 block) const noexcept {
  const u64 bytes = shard.arena.capacity(block) + kBlockHeader;
  return shard.arena.pins(block) != 0 || shard.arena.pinned_bytes() + bytes <= max_pinned_bytes_;
}

bool Cache::hold_value(const Hit& hit) noexcept {
  Shard& shard = shards_[hit.shard];
  if (hit.block == kNil || !may_pin(shard, hit.block)) return false;
  shard.arena.add_pin(hit.block);
  return true;
}

Heat Cache::heat_of(const Hit& hit) const noexcept {
  const Slot& s = shards_[hit.shard].slots[hit.index];
  return {std::min<u8>(s.freq.get(), Eviction::kMaxFreq),
          (s.queue.get() & 15) == kQueueMain ? kQueueMain : kQueueSmall};
}

bool Cache::pin(const Hit& hit, u64& region_offset) noexcept {
  Shard& shard = shards_[hit.shard];
  const ShardLock lock = enter(shard);
  if (!lock) return false;
  if (shard.slots[hit.index].seq.get() != hit.seq || hit.block == kNil) return false;
  if (!may_pin(shard, hit.block)) return false;
  shard.arena.add_pin(hit.block);
  region_offset = static_cast<u64>(hit.value - reinterpret_cast<const u8*>(header_));
  return true;
}

void Cache::unpin(u32 shard_index, u32 block) noexcept {
  Shard& shard = shards_[shard_index];
  const ShardLock lock = enter(shard);
  if (!lock) return;
  if (shard.arena.pins(block) == 0 || shard.arena.drop_pin(block) != 0) return;
  if (shard.arena.owner(block) == kNil) shard.arena.release(block);
}

u32 Cache::locate(const Shard& shard, const Key& key) const noexcept {
  return shard.map.find(key.hash, key.tag, [&](u32 i) noexcept {
    const Slot& s = shard.slots[i];
    return s.hash.get() == key.hash && same_key(shard, s, key);
  });
}

// ---- removing ----

void Cache::begin_write(Slot& slot) noexcept {
  slot.seq.put(slot.seq.get() + 1);
  // Readers that see any later store of this thread also see the odd sequence word.
  std::atomic_thread_fence(std::memory_order_release);
}

void Cache::end_write(Slot& slot) noexcept { slot.seq.release(slot.seq.get() + 1); }

void Cache::drop_block(Shard& shard, u32 block) noexcept {
  if (shard.arena.pins(block) != 0)
    shard.arena.set_owner(block, kNil);  // the last pin frees it
  else
    shard.arena.release(block);
}

bool Cache::carries_tags(const Shard& shard, u32 slot) const noexcept {
  const Slot& s = shard.slots[slot];
  return s.queue.get() >> 4 == kInlineNone && shard.arena.tagged(s.block.get());
}

void Cache::remove(Shard& shard, u32 slot, Reason reason, bool scheduled) noexcept {
  Slot& s = shard.slots[slot];
  if ((s.queue.get() & 15) == kQueueNone) return;  // a damaged list names a free slot
  if (sink_.removed != nullptr) sink_.removed(sink_.context, global(shard, slot), reason);
  begin_write(s);
  shard.map.erase(slot, s.hash.get());
  if (scheduled) shard.wheel.unlink(slot);
  shard.eviction.unlink(slot);
  if (carries_tags(shard, slot)) unlink_tags(shard, s);
  const bool in_block = s.queue.get() >> 4 == kInlineNone;
  s.queue.put(kQueueNone);
  s.key_shape.put(kNoKey);  // for readers that saw the control byte before it went
  end_write(s);
  if (in_block) drop_block(shard, s.block.get());
  shard.header->count.sub(1);
  leave_count();
}

void Cache::evict(Shard& shard, u32 slot, f64 now) noexcept {
  if (now > shard.slots[slot].deadline.get()) {
    shard.header->expirations.add(1);
    remove(shard, slot, Reason::expired);
    return;
  }
  shard.eviction.remember(slot);
  shard.header->evictions.add(1);
  remove(shard, slot, Reason::evicted);
}

void Cache::erase_at(u32 slot) noexcept {
  Shard& shard = shards_[0];
  if (slot >= geometry_.slots) return;
  const ShardLock lock = enter(shard);
  if (!lock || (shard.slots[slot].queue.get() & 15) == kQueueNone) return;
  shard.header->deletes.add(1);
  remove(shard, slot, Reason::deleted);
}

u32 Cache::next_victim(f64 now) noexcept {
  Shard& shard = shards_[0];
  const ShardLock lock = enter(shard);
  if (!lock) return kNil;
  const u32 slot = shard.eviction.victim(now);
  if (slot != kNil) shard.eviction.remember(slot);
  return slot;
}

u32 Cache::drain(Shard& shard, f64 now, u32 budget) noexcept {
  if (shard.wheel.has_reached(now)) return budget;
  return shard.wheel.advance(now, budget, [&](u32 slot) noexcept {
    shard.header->expirations.add(1);
    remove(shard, slot, Reason::expired, false);
  });
}

bool Cache::erase(const Key& key, f64 now, Reason reason) noexcept {
  Shard& shard = shard_of(key);
  const ShardLock lock = enter(shard);
  if (!lock) return false;
  const u32 slot = locate(shard, key);
  if (slot == kNil) return false;
  const bool live = now <= shard.slots[slot].deadline.get();
  if (live)
    shard.header->deletes.add(1);
  else
    shard.header->expirations.add(1);
  remove(shard, slot, live ? reason : Reason::expired);
  return live;
}

void Cache::expire(const Hit& hit, f64 now) noexcept {
  Shard& shard = shards_[hit.shard];
  const u32 slot = hit.index;
  const ShardLock lock = enter(shard);
  if (!lock) return;
  const Slot& s = shard.slots[slot];
  if (s.seq.get() != hit.seq || now <= s.deadline.get()) return;
  shard.header->expirations.add(1);
  remove(shard, slot, Reason::expired);
}

// ---- writing ----

/// The lines of an eviction lie scattered. Of a full cache they are on their way while the key is looked for: the victim's own
/// since the last insertion, and from it all others are known.
void Cache::prefetch_eviction(const Shard& shard) const noexcept {
  const u32 victim = shard.eviction.prefetch_around_next();
  if (victim < geometry_.slots) shard.map.prefetch_group(victim / kGroupSlots);
}

bool Cache::claim_entry(Shard& shard, f64 now) noexcept {
  // Once is enough, unless other threads are faster.
  for (u32 tries = 0; tries < kTries; ++tries) {
    for (u32 live = header_->live.get(); live < config_.max_entries;)
      if (join_count(live)) return true;
    const u32 victim = shard.eviction.victim(now);
    if (victim == kNil) return false;
    evict(shard, victim, now);
  }
  return false;
}

void Cache::relieve(f64 now, const Shard& except) noexcept {
  for (u32 i = 0; i < config_.shards; ++i) {
    Shard& shard = shards_[next_shard_++ % config_.shards];
    if (&shard == &except) continue;
    const ShardLock lock = enter(shard);
    if (!lock) return;
    const u32 victim = shard.eviction.victim(now);
    if (victim == kNil) continue;
    evict(shard, victim, now);
    return;
  }
}

/// A block for the payload, evicting as need be; `keep` is the entry being replaced, kNil once it had to go itself. kNil when
/// pins are in the way, before anything is evicted where one look at the arena can tell; what one value may cost the others
/// is bounded in any case.
u32 Cache::take_block(Shard& shard, u64 payload, f64 now, u32& keep) noexcept {
  constexpr u32 kOneByOne = 32;
  constexpr u64 kWholeArena = u64{1} << 16;  // blocks of an arena that is looked through: a millisecond
  const u64 most = 2 * kOneByOne + payload / 512;
  const auto in_block = [&](u32 slot) noexcept { return shard.slots[slot].queue.get() >> 4 == kInlineNone; };
  const auto leaves = [&](u32 slot) noexcept {
    if (slot == keep) keep = kNil;
    evict(shard, slot, now);
  };
  const bool pinned = shard.arena.pinned_bytes() != 0;
  for (u64 tries = 0;; ++tries) {
    const u32 block = shard.arena.allocate(payload);
    if (block != kNil || tries == most) return block;
    u32 victim = shard.eviction.victim(now);
    if (victim == kNil) return kNil;
    victim = shard.eviction.oldest_from(victim, in_block);
    const u32 around = in_block(victim) ? shard.slots[victim].block.get() : kNil;
    if (pinned && tries == 0 && shard.arena.no_run(payload, around, kWholeArena)) return kNil;
    // The policy's victims lie scattered. Once they do not add up to one piece, the neighbours of one of them go.
    if (tries >= kOneByOne) {
      Arena::Run run = shard.arena.find_run(payload, around);
      if (!run && pinned) run = shard.arena.find_run(payload, around, 1, kWholeArena);
      bool evicted = run && run.used_bytes == 0;  // one free block, now at the head of its list
      for (u32 at = kNil; run && (at = shard.arena.next_used(run)) != kNil;) {
        const u32 owner = shard.arena.owner(at);
        if (owner >= geometry_.slots) break;
        leaves(owner);
        evicted = true;
      }
      if (evicted) continue;
    }
    leaves(victim);
  }
}

void Cache::write_block(Shard& shard, u32 block, u32 slot, const Key& key, const Value& value,
                        std::span<const u32> nodes) noexcept {
  u8* data = static_cast<u8*>(shard.arena.data(block));
  copy_in(data, value.bytes, value.length);
  copy_in(data + value.length, value.suffix, value.suffix_length);
  u64 end = value.total();
  copy_in(data + end, key.bytes, key_in_block(key.length));
  end += key_in_block(key.length);
  shard.arena.set_owner(block, slot);
  if (nodes.empty()) return;
  end = align4(end);
  reinterpret_cast<Word<u32>*>(data + end)->put(static_cast<u32>(nodes.size()));
  const u32 links = static_cast<u32>((static_cast<u64>(data - shard.arena_base) + end + 4) / 4);
  for (u32 i = 0; i < nodes.size(); ++i) shard.tags.link(links + i * (sizeof(TagLink) / 4), nodes[i], slot);
  shard.arena.set_tagged(block, true);
}

/// The words of a slot that say what it holds; between begin_write and end_write.
void Cache::write_fields(Shard& shard, u32 slot, const Key& key, const Value& value, u32 block, f64 deadline) noexcept {
  Slot& s = shard.slots[slot];
  const bool key_inside = key.length <= kInlineKey;
  u64 words[2] = {key.length, 0};
  if (key_inside) {
    words[0] = 0;
    if (key.length != 0) std::memcpy(words, key.bytes, key.length);
  }
  s.key_shape.put(static_cast<u8>(key.kind | (key_inside ? key.length : kElsewhere) << 3));
  if (!key_inside && shard.cells != nullptr) copy_in(shard.cells + u64{slot} * kCellBytes, key.bytes, key.length);
  s.key[0].put(words[0]);
  s.key[1].put(words[1]);
  s.value_tag.put(value.tag);
  s.deadline.put(deadline);
  const u8 queue = s.queue.get() & 15;
  if (block != kNil) {
    s.queue.put(static_cast<u8>(queue | kInlineNone << 4));
    s.block.put(block);
    s.value_len.put(value.total());
    return;
  }
  u8 inside[kInlineValue] = {};
  if (value.length != 0) std::memcpy(inside, value.bytes, value.length);
  if (value.suffix_length != 0) std::memcpy(inside + value.length, value.suffix, value.suffix_length);
  u32 halves[2];
  std::memcpy(halves, inside, 8);
  s.queue.put(static_cast<u8>(queue | value.total() << 4));
  s.block.put(halves[0]);
  s.value_len.put(halves[1]);
}

/// Writes over the value where it stands, when the block fits, nobody pins it and it is short enough not to hold up readers.
bool Cache::overwrite(Shard& shard, u32 slot, const Value& value, u64 payload, f64 deadline) noexcept {
  constexpr u32 kShort = 512;
  Slot& s = shard.slots[slot];
  const u32 block = s.block.get();
  if (s.queue.get() >> 4 != kInlineNone || value.total() > kShort || value.total() != s.value_len.get()) return false;
  if (payload == 0 || payload > shard.arena.capacity(block)) return false;
  if (shard.arena.tagged(block) || shard.arena.pins(block) != 0) return false;
  u8* data = static_cast<u8*>(shard.arena.data(block));
  begin_write(s);
  copy_in(data, value.bytes, value.length);
  copy_in(data + value.length, value.suffix, value.suffix_length);
  s.value_tag.put(value.tag);
  s.deadline.put(deadline);
  end_write(s);
  return true;
}

void Cache::update(Shard& shard, u32 slot, const Key& key, const Value& value, u32 block, std::span<const u32> nodes,
                   f64 deadline) noexcept {
  Slot& s = shard.slots[slot];
  if (block != kNil) write_block(shard, block, slot, key, value, nodes);
  const bool had_block = s.queue.get() >> 4 == kInlineNone;
  const u32 old = s.block.get();
  if (carries_tags(shard, slot)) unlink_tags(shard, s);
  begin_write(s);
  write_fields(shard, slot, key, value, block, deadline);
  end_write(s);
  if (had_block) drop_block(shard, old);
}

Cache::Attempt Cache::try_set(Shard& shard, const Key& key, const Value& value, std::span<const Digest> tags,
                              f64 deadline, f64 now, Placed& out, Status& status, const Placing& how,
                              u32& claims) noexcept {
  const bool bare = key_in_block(key.length) == 0 && value.total() <= kInlineValue && tags.empty();
  const u64 payload = bare ? 0 : payload_of(value.total(), key_in_block(key.length), tags.size());
  u32 slot = locate(shard, key);
  if (slot != kNil && now > shard.slots[slot].deadline.get()) {
    evict(shard, slot, now);
    slot = kNil;
  }
  if (slot != kNil && how.keep_existing) {
    out = {global(shard, slot), shard.slots[slot].seq.get(), false, true};
    status = Status::ok;
    return Attempt::done;
  }
  u32 vacant = kNil;
  const u32 entries = shard.header->count.get();
  if (slot == kNil) {  // its line comes while a block is taken
    vacant = shard.map.vacancy(key.hash);
    if (vacant != kNil) {
      prefetch(shard.slots + vacant);
      if (shard.cells != nullptr) prefetch(shard.cells + u64{vacant} * kCellBytes);
    }
  }
  const f64 old_deadline = slot == kNil ? now : shard.slots[slot].deadline.get();
  const auto replaced = [&]() noexcept {
    shard.header->updates.add(1);
    if (old_deadline != deadline) shard.wheel.reschedule(slot, old_deadline);
    shard.eviction.touch(slot);
    out = {global(shard, slot), shard.slots[slot].seq.get(), true};
    status = Status::ok;
    return Attempt::done;
  };
  if (slot != kNil && tags.empty() && overwrite(shard, slot, value, payload, deadline)) return replaced();

  // Take everything that can fail before anything changes; the block first, since it may be refused without evicting anything.
  u32 held[kMaxTags];
  const std::span<u32> nodes(held, tags.size());
  u32 block = kNil;
  if (!bare) block = take_block(shard, payload, now, slot);
  const bool room = bare || block != kNil;
  if (!room || !take_nodes(shard, tags, now, slot, nodes)) {
    if (block != kNil) shard.arena.release(block);
    shard.header->rejections.add(1);
    status = room ? Status::damaged : Status::no_memory;
    return Attempt::done;
  }

  if (slot != kNil) {
    update(shard, slot, key, value, block, nodes, deadline);
    return replaced();
  }

  const QueueId queue = how.heat == nullptr ? shard.eviction.consult(key.hash) : shard.eviction.home(how.heat->queue);
  bool claimed = claims != 0;
  claims -= claimed;
  if (!claimed) claimed = claim_entry(shard, now);
  if (claimed) {
    // What was vacant is so still, and would be chosen again, unless an entry left to make room.
    slot = vacant != kNil && shard.header->count.get() == entries ? vacant : shard.map.reserve(key.hash);
    for (u32 tries = 0; slot == kNil && tries < kTries; ++tries) {  // this shard drew more than its share of the keys
      const u32 victim = shard.eviction.victim(now);
      if (victim == kNil) break;
      evict(shard, victim, now);
      slot = shard.map.reserve(key.hash);
    }
    if (slot == kNil) leave_count();
  }
  if (!claimed || slot == kNil) {
    if (block != kNil) shard.arena.release(block);
    for (const u32 node : nodes) shard.tags.release(node);
    return Attempt::full_elsewhere;
  }
  Slot& s = shard.slots[slot];
  if (block != kNil) write_block(shard, block, slot, key, value, nodes);
  begin_write(s);
  s.hash.put(key.hash);
  write_fields(shard, slot, key, value, block, deadline);
  shard.eviction.enter(slot, queue);
  if (how.heat != nullptr) s.freq.put(how.heat->freq);
  if (std::isfinite(deadline)) shard.wheel.schedule(slot);
  end_write(s);
  shard.map.publish(slot, key.tag);
  shard.header->count.add(1);
  shard.header->inserts.add(1);
  if (full()) shard.eviction.prefetch_next();
  out = {global(shard, slot), s.seq.get(), false};
  status = Status::ok;
  return Attempt::done;
}

bool Cache::may_fit(const Key& key, const Value& value, std::size_t tags) const noexcept {
  // In 64 bits: the two lengths may overflow 32.
  const u64 length = u64{value.length} + value.suffix_length;
  if (tags > kMaxTags || (geometry_.cells && key.length > kCellBytes)) return false;
  return payload_of(length, key_in_block(key.length), tags) <= max_payload_;
}

Status Cache::set(const Key& key, const Value& value, std::span<const Digest> tags, f64 deadline, f64 now, Placed& out,
                  Placing how) noexcept {
  if (!may_fit(key, value, tags.size())) return Status::too_large;
  Shard& shard = shard_of(key);
  Status status = Status::no_memory;
  // With several shards the entries of the region may all lie in the others.
  for (u32 tries = 0; tries < kTries; ++tries) {
    {
      const ShardLock lock = enter(shard);
      if (!lock) return Status::damaged;
      if (full()) prefetch_eviction(shard);
      drain(shard, now, kDrainBudget);
      u32 claims = 0;
      if (try_set(shard, key, value, tags, deadline, now, out, status, how, claims) == Attempt::done) return status;
    }
    relieve(now, shard);
  }
  return Status::no_memory;
}

}  // namespace hitpath
