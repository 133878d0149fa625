// validate(): recomputes the invariants that layout.h numbers. Tests call it after each step; nothing else does.
#include <cmath>

#include "cache.h"

namespace hitpath {

namespace {

/// I1 and I2 for one entry: its tag, and the room in the groups it passed.
const char* check_place(const HashMap& map, const Slot& s, u32 slot) noexcept {
  const bool used = (s.queue.get() & 15) != kQueueNone;
  if (used != (map.tag_of(slot) != 0)) return "I1: a control byte and its slot disagree";
  if ((s.seq.get() & 1) != 0) return "I7: a slot is left half written";
  if (!used) return nullptr;
  const u32 hash = s.hash.get();
  for (u32 g = map.second_home(hash), n = map.passed(slot, hash); n != 0; g = map.after(g), --n)
    if (map.overflow_of(g) == 0) return "I2: an entry lies beyond a group that counts none";
  return nullptr;
}

}  // namespace

const char* Cache::validate() noexcept {
  u64 live = 0;
  for (u32 index = 0; index < config_.shards; ++index) {
    Shard& shard = shards_[index];
    const ShardLock lock = enter(shard);
    if (!lock) return "a lock word is damaged";
    u32 used = 0, timed = 0, blocks = 0, links = 0;
    u64 passed = 0;
    for (u32 i = 0; i < geometry_.slots; ++i) {
      const Slot& s = shard.slots[i];
      if (const char* fault = check_place(shard.map, s, i)) return fault;
      if ((s.queue.get() & 15) == kQueueNone) {
        if (shard.wheel.scheduled(i)) return "I3: a free slot is in the wheel";
        continue;
      }
      ++used;
      passed += shard.map.passed(i, s.hash.get());
      if (std::isfinite(s.deadline.get()) != shard.wheel.scheduled(i)) return "I3: a deadline and the wheel disagree";
      timed += shard.wheel.scheduled(i);
      if (s.queue.get() >> 4 != kInlineNone) continue;
      ++blocks;
      const u32 block = s.block.get();
      if (shard.arena.owner(block) != i || shard.arena.is_free(block))
        return "I6: a slot names a block that is not its own";
      const u64 key = s.key_shape.get() >> 3 == kElsewhere ? key_in_block(static_cast<u32>(s.key[0].get())) : 0;
      if (shard.arena.capacity(block) < u64{s.value_len.get()} + key)
        return "I6: a block is too small for what it holds";
      if (!shard.arena.tagged(block)) continue;
      if (tags_at(s) + 4 > config_.arena_bytes) return "I6: a block is too small for its tags";
      links += reinterpret_cast<const Word<u32>*>(shard.arena_base + tags_at(s))->get();
    }
    u64 counted = 0;
    bool stuck = false;
    for (u32 g = 0; g < shard.map.groups(); ++g) {
      counted += shard.map.overflow_of(g);
      stuck |= shard.map.overflow_of(g) == HashMap::kStuck;
    }
    if (counted != passed && !stuck) return "I2: overflow counts do not add up";
    if (used != shard.header->count.get()) return "I4: the shard's count is wrong";
    if (shard.header->small.count.get() + shard.header->main.count.get() != used)
      return "I4: queues and slots disagree";
    if (const char* fault = shard.eviction.validate()) return fault;
    u32 linked = 0;
    if (const char* fault = shard.wheel.validate(&linked)) return fault;
    if (linked != timed) return "I3: the wheel holds other slots than have deadlines";

    u32 owned = 0;
    const char* fault = shard.arena.validate([&](u32 block) noexcept -> const char* {
      if (shard.arena.owner(block) < geometry_.slots)
        ++owned;
      else if (shard.arena.pins(block) == 0)
        return "I6: a block belongs to nobody";
      return nullptr;
    });
    if (fault != nullptr) return fault;
    if (owned != blocks) return "I6: blocks and slots disagree";
    u32 seen = 0;
    bool strayed = false;
    fault = shard.tags.validate([&](u32 slot) noexcept {
      ++seen;
      strayed |= slot >= geometry_.slots || (shard.slots[slot].queue.get() & 15) == kQueueNone;
    });
    if (fault != nullptr) return fault;
    if (strayed || seen != links) return "I8: tag links and entries disagree";
    live += used;
  }
  return live == header_->live.get() ? nullptr : "I9: the region's count is wrong";
}

}  // namespace hitpath
