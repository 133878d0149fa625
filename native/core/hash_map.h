// The open-addressing map of a shard: groups of control bytes over slots that never move.
//
// Probe sequence: two home groups, chosen by hash, then the groups behind the second in order, wrapping once. An entry goes
// where there is more room of its two homes, so groups fill evenly (Azar et al., "Balanced allocations", 1994): at 5/6 of
// the slots hardly any entry finds both full, in a fresh map and after any churn alike. With one home and overflow behind it,
// a map that churns ends up looking at dozens of groups to be sure of a miss, since entries that were displaced once
// stay so. Those few that find both full are counted in the overflow of each group that they pass, from the second home on; a
// search ends at the first group behind the first home whose count is zero. Removal takes the counts back: no tombstones (I2).
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
  [[nodiscard]] u32 second_home(u32 hash) const noexcept {
    const u32 mixed = (hash ^ hash >> 15) * 0x9e37'79b1u;
    const u32 g = home(mixed ^ mixed >> 13);
    return g != home(hash) ? g : after(g);
  }
  [[nodiscard]] u32 after(u32 group) const noexcept { return group + 1 == count_ ? 0 : group + 1; }

  void prefetch_home(u32 hash) const noexcept {
    prefetch_group(home(hash));
    prefetch_group(second_home(hash));
  }
  void prefetch_group(u32 group) const noexcept { prefetch(groups_ + 2 * u64{group}); }

  /// The slot for which same(slot) holds, or kNil.
  template <class Same>
  [[nodiscard]] u32 find(u32 hash, u8 tag, Same&& same) const noexcept {
    // Both homes at once: which of them holds the entry is a coin that no branch predictor foresees, and their lines come
    // from memory side by side.
    const u32 first = home(hash), second = second_home(hash);
    const Group other = at(second);
    for (u32 lanes = at(first).match(tag) | other.match(tag) << 16; lanes != 0; lanes &= lanes - 1) {
      const u32 slot = slot_of(first, second, lanes);
      if (same(slot)) return slot;
    }
    if (other.overflow() == 0) return kNil;
    u32 g = after(second);
    for (u32 probes = 1; probes < count_; ++probes, g = after(g)) {
      const Group group = at(g);
      for (u32 lanes = group.match(tag); lanes != 0; lanes &= lanes - 1) {
        const u32 slot = g * kGroupSlots + static_cast<u32>(std::countr_zero(lanes));
        if (same(slot)) return slot;
      }
      if (group.overflow() == 0) return kNil;
    }
    return kNil;
  }

  /// The first slot of the homes whose tag agrees, for prefetching; kNil when there is none.
  [[nodiscard]] u32 likely(u32 hash, u8 tag) const noexcept { return likely(home(hash), second_home(hash), tag); }
  [[nodiscard]] u32 likely(u32 first, u32 second, u8 tag) const noexcept {
    const u32 lanes = at(first).match(tag) | at(second).match(tag) << 16;
    return lanes == 0 ? kNil : slot_of(first, second, lanes);
  }

  /// Where reserve() would put a hash now, if there is room in its homes; kNil otherwise.
  [[nodiscard]] u32 vacancy(u32 hash) const noexcept {
    const u32 first = home(hash), second = second_home(hash);
    const u32 in_first = at(first).empty(), in_second = at(second).empty();
    if ((in_first | in_second) == 0) return kNil;
    const bool other = count_lanes(in_second) > count_lanes(in_first);
    return (other ? second : first) * kGroupSlots + static_cast<u32>(std::countr_zero(other ? in_second : in_first));
  }

  /// Reserves a slot for a hash: counts the groups passed. kNil when the map is full.
  [[nodiscard]] u32 reserve(u32 hash) noexcept {
    if (const u32 slot = vacancy(hash); slot != kNil) return slot;
    const u32 second = second_home(hash);
    for (u32 g = after(second), probes = 1; probes < count_; ++probes, g = after(g)) {
      const u32 lanes = at(g).empty();
      if (lanes == 0) continue;
      for (u32 passed = second; passed != g; passed = after(passed)) bump(passed, 1);
      return g * kGroupSlots + static_cast<u32>(std::countr_zero(lanes));
    }
    return kNil;
  }

  /// Makes a written slot visible to readers. Pairs with the acquire of the slot's sequence word.
  void publish(u32 slot, u8 tag) noexcept { control(slot).release(tag); }

  void erase(u32 slot, u32 hash) noexcept {
    control(slot).release(0);
    const u32 g = slot / kGroupSlots;
    if (g == home(hash)) return;
    for (u32 passed = second_home(hash), n = 0; passed != g && n < count_; passed = after(passed), ++n)
      bump(passed, -1);
  }

  [[nodiscard]] u8 tag_of(u32 slot) const noexcept { return const_cast<HashMap*>(this)->control(slot).get(); }
  [[nodiscard]] u32 overflow_of(u32 group) const noexcept { return at(group).overflow(); }
  [[nodiscard]] u32 groups() const noexcept { return count_; }

  /// Groups that a search for the entry in this slot looks at.
  [[nodiscard]] u32 probe_length(u32 slot, u32 hash) const noexcept {
    return slot / kGroupSlots == home(hash) ? 1 : 2 + passed(slot, hash);
  }
  /// Groups whose overflow counts the entry in this slot.
  [[nodiscard]] u32 passed(u32 slot, u32 hash) const noexcept {
    const u32 g = slot / kGroupSlots, second = second_home(hash);
    if (g == home(hash)) return 0;
    return g >= second ? g - second : g + count_ - second;
  }

 private:
  /// The slot of the lowest lane, of sixteen for each home.
  [[nodiscard]] static u32 slot_of(u32 first, u32 second, u32 lanes) noexcept {
    const u32 lane = static_cast<u32>(std::countr_zero(lanes));
    // No branch: which home it is, no predictor foresees.
    const u32 in_second = 0 - (lane >> 4);
    return (first ^ ((first ^ second) & in_second)) * kGroupSlots + (lane & 15);
  }
  [[nodiscard]] Group at(u32 group) const noexcept { return Group(groups_ + 2 * u64{group}); }
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
