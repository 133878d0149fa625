// The open-addressing map of a shard: groups of control bytes over slots that never move.
//
// Probe sequence: the home group hash * groups / 2^32, then the following groups in order, wrapping once: it visits every
// group exactly once. Four groups share a line, so a second probe is seldom a second cache miss. A group that some living
// entry had to pass says so in its overflow count; a search ends at the first group whose count is zero. Removal takes the
// counts back, so there are no tombstones: at the load that plan() in region.cc chooses, a map that has churned for months
// probes like a fresh one (I2). A count that reaches kStuck stays there: only keys chosen to collide come so far, and then
// searches just do not end there.
//
// Readers may search while the lock's holder changes the map: slots stay where they are, an entry's control byte is written
// after its slot, and the caller validates the slot's sequence word.
#pragma once

#include <bit>

#include "group.h"

namespace hitpath {

class HashMap {
 public:
  static constexpr u16 kStuck = 0xffff;

  HashMap() = default;
  HashMap(void* groups, u32 group_count) noexcept : groups_(static_cast<Word<u64>*>(groups)), count_(group_count) {}

  [[nodiscard]] u32 home(u32 hash) const noexcept { return static_cast<u32>((u64{hash} * count_) >> 32); }
  void prefetch_home(u32 hash) const noexcept { prefetch(groups_ + 2 * u64{home(hash)}); }

  /// The slot for which same(slot) holds, or kNil.
  template <class Same>
  [[nodiscard]] u32 find(u32 hash, u8 tag, Same&& same) const noexcept {
    u32 g = home(hash);
    for (u32 probes = 0; probes < count_; ++probes) {
      const Group group(groups_ + 2 * u64{g});
      for (u32 lanes = group.match(tag); lanes != 0; lanes &= lanes - 1) {
        const u32 slot = g * kGroupSlots + static_cast<u32>(std::countr_zero(lanes));
        if (same(slot)) return slot;
      }
      if (group.overflow() == 0) return kNil;
      g = g + 1 == count_ ? 0 : g + 1;
    }
    return kNil;
  }

  /// The first slot whose tag agrees, for prefetching; kNil when the home group has none.
  [[nodiscard]] u32 likely(u32 hash, u8 tag) const noexcept {
    const u32 g = home(hash);
    const u32 lanes = Group(groups_ + 2 * u64{g}).match(tag);
    return lanes == 0 ? kNil : g * kGroupSlots + static_cast<u32>(std::countr_zero(lanes));
  }

  /// Reserves a slot for a hash: counts the groups passed. kNil when the map is full.
  [[nodiscard]] u32 reserve(u32 hash) noexcept {
    const u32 start = home(hash);
    u32 g = start;
    for (u32 probes = 0; probes < count_; ++probes) {
      const u32 lanes = Group(groups_ + 2 * u64{g}).empty();
      if (lanes != 0) {
        for (u32 p = start; p != g; p = p + 1 == count_ ? 0 : p + 1) bump(p, 1);
        return g * kGroupSlots + static_cast<u32>(std::countr_zero(lanes));
      }
      g = g + 1 == count_ ? 0 : g + 1;
    }
    return kNil;
  }

  /// Makes a written slot visible to readers. Pairs with the acquire of the slot's sequence word.
  void publish(u32 slot, u8 tag) noexcept { control(slot).release(tag); }

  void erase(u32 slot, u32 hash) noexcept {
    control(slot).release(0);
    const u32 g = slot / kGroupSlots;
    for (u32 p = home(hash), n = 0; p != g && n < count_; p = p + 1 == count_ ? 0 : p + 1, ++n) bump(p, -1);
  }

  [[nodiscard]] u8 tag_of(u32 slot) const noexcept { return const_cast<HashMap*>(this)->control(slot).get(); }
  [[nodiscard]] u32 overflow_of(u32 group) const noexcept { return Group(groups_ + 2 * u64{group}).overflow(); }
  [[nodiscard]] u32 groups() const noexcept { return count_; }

  /// Groups that a search for the entry in this slot looks at.
  [[nodiscard]] u32 probe_length(u32 slot, u32 hash) const noexcept {
    const u32 from = home(hash), to = slot / kGroupSlots;
    return (to >= from ? to - from : to + count_ - from) + 1;
  }

 private:
  [[nodiscard]] Word<u8>& control(u32 slot) noexcept {
    return reinterpret_cast<Word<u8>*>(groups_ + 2 * u64{slot / kGroupSlots})[slot % kGroupSlots];
  }
  void bump(u32 group, int delta) noexcept {
    auto& word = reinterpret_cast<Word<u16>*>(groups_ + 2 * u64{group})[7];
    if (word.get() != kStuck) word.put(static_cast<u16>(word.get() + delta));
  }

  Word<u64>* groups_ = nullptr;
  u32 count_ = 0;
};

}  // namespace hitpath
