// The hash map alone: groups against a loop, probes after months of churn, keys that collide on purpose.
#include "hash_map.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "check.h"
#include "region.h"

using namespace hitpath;

namespace {

/// A map with the hashes of its entries beside it, as the slots of a shard hold them.
class Ground {
 public:
  explicit Ground(u32 groups)
      : memory_(static_cast<u8*>(std::aligned_alloc(kLine, (u64{groups} * kGroupBytes + kLine - 1) / kLine * kLine))),
        hashes(u64{groups} * kGroupSlots),
        map(memory_, groups) {
    std::memset(memory_, 0, u64{groups} * kGroupBytes);
  }
  Ground(const Ground&) = delete;
  Ground& operator=(const Ground&) = delete;
  ~Ground() { std::free(memory_); }

  u32 insert(u32 hash, u8 tag) {
    const u32 slot = map.reserve(hash);
    if (slot == kNil) return kNil;
    hashes[slot] = hash;
    map.publish(slot, tag);
    return slot;
  }
  void erase(u32 slot) { map.erase(slot, hashes[slot]); }
  /// By slot, since the test's hashes may be equal.
  bool finds(u32 slot, u8 tag) const {
    return map.find(hashes[slot], tag, [&](u32 i) { return i == slot; }) == slot;
  }
  void set_overflow(u32 group, u16 count) { std::memcpy(memory_ + u64{group} * kGroupBytes + 14, &count, 2); }
  [[nodiscard]] u64 passed() const {
    u64 sum = 0;
    for (u32 g = 0; g < map.groups(); ++g) sum += map.overflow_of(g);
    return sum;
  }
  /// Groups that a search for a key that is not there looks at, from each second home.
  [[nodiscard]] f64 mean_miss() const {
    u64 sum = 0;
    for (u32 home = 0; home < map.groups(); ++home) {
      sum += 2;
      for (u32 g = home; map.overflow_of(g) != 0; g = map.after(g)) ++sum;
    }
    return static_cast<f64>(sum) / map.groups();
  }
  [[nodiscard]] f64 mean_probe() const {
    u64 sum = 0, count = 0;
    for (u32 slot = 0; slot < hashes.size(); ++slot)
      if (map.tag_of(slot) != 0) sum += map.probe_length(slot, hashes[slot]), ++count;
    return static_cast<f64>(sum) / static_cast<f64>(count);
  }

 private:
  u8* memory_;

 public:
  std::vector<u32> hashes;
  HashMap map;
};

u32 matches_by_loop(const u8* bytes, u8 tag) {
  u32 mask = 0;
  for (u32 i = 0; i < kGroupSlots; ++i) mask |= u32{bytes[i] == tag} << i;
  return mask;
}

u8 tag_of(u32 hash) { return static_cast<u8>((hash * 0x9e37'79b1u >> 24) % 255 + 1); }

}  // namespace

TEST(a_group_matches_like_a_loop_for_all_tags) {
  Rng random(1);
  for (u32 round = 0; round < 400; ++round) {
    u8 bytes[kGroupBytes];
    // Few different bytes, so that many agree; neighbours of the tag, where tricks with carries go wrong.
    const u8 base = static_cast<u8>(random.next());
    for (auto& b : bytes) b = round % 2 == 0 ? static_cast<u8>(random.next()) : static_cast<u8>(base + random.below(3));
    u64 words[2];
    std::memcpy(words, bytes, sizeof words);
    const Group group(words[0], words[1]);
    for (u32 tag = 0; tag < 256; ++tag) {
      const u32 expected = matches_by_loop(bytes, static_cast<u8>(tag));
      CHECK_EQ(group.match(static_cast<u8>(tag)), expected);
      CHECK_EQ(group.match_portable(static_cast<u8>(tag)), expected);
    }
    CHECK_EQ(group.empty(), matches_by_loop(bytes, 0));
    CHECK_EQ(group.overflow(), u32{bytes[14]} | u32{bytes[15]} << 8);
  }
}

TEST(a_map_fills_to_its_last_slot_and_finds_everything) {
  for (const u32 groups : {1u, 2u, 3u, 50u}) {
    Ground g(groups);
    Rng random(2);
    std::vector<u32> slots;
    for (u32 i = 0; i < groups * kGroupSlots; ++i)
      slots.push_back(g.insert(static_cast<u32>(random.next()), tag_of(i)));
    std::vector<u32> sorted = slots;
    std::sort(sorted.begin(), sorted.end());
    for (u32 i = 0; i < sorted.size(); ++i) CHECK_EQ(sorted[i], i);
    CHECK_EQ(g.map.reserve(7), kNil);
    for (u32 i = 0; i < slots.size(); ++i) CHECK(g.finds(slots[i], tag_of(i)));
    CHECK_EQ(g.map.find(123, 45, [](u32) { return false; }), kNil);
    for (const u32 slot : slots) g.erase(slot);
    CHECK_EQ(g.passed(), 0u);
  }
}

TEST(probes_after_a_hundred_capacities_of_churn_are_those_of_a_fresh_map) {
  Config config;
  config.max_entries = 7000;
  config.arena_bytes = kMinArena;
  config.default_ttl = 1;
  Geometry full;
  if (!CHECK(plan(config, full))) return;
  const u32 groups = full.groups, entries = config.max_entries;  // a full cache
  Rng random(3);
  Ground churned(groups);
  std::vector<u32> slots;
  const auto insert = [&](Ground& g) {
    const u32 hash = static_cast<u32>(random.next());
    return g.insert(hash, tag_of(hash));
  };
  for (u32 i = 0; i < entries; ++i) slots.push_back(insert(churned));
  for (u32 i = 0; i < 100 * entries; ++i) {
    u32& slot = slots[random.below(entries)];
    churned.erase(slot);
    slot = insert(churned);
  }
  // A fresh map's mean varies by chance: that of several.
  f64 fresh_mean = 0, fresh_miss = 0;
  constexpr u32 kFresh = 20;
  for (u32 n = 0; n < kFresh; ++n) {
    Ground fresh(groups);
    for (u32 i = 0; i < entries; ++i) insert(fresh);
    fresh_mean += fresh.mean_probe() / kFresh;
    fresh_miss += fresh.mean_miss() / kFresh;
  }
  std::printf("    mean probe: %.4f after churn, %.4f fresh; of a miss: %.4f, %.4f\n", churned.mean_probe(), fresh_mean,
              churned.mean_miss(), fresh_miss);
  CHECK(churned.mean_probe() <= 1.1 * fresh_mean);
  CHECK(churned.mean_miss() <= 1.1 * fresh_miss);
  u64 passed = 0;
  for (const u32 slot : slots) {
    CHECK(churned.finds(slot, tag_of(churned.hashes[slot])));
    passed += churned.map.passed(slot, churned.hashes[slot]);
  }
  CHECK_EQ(churned.passed(), passed);
  for (const u32 slot : slots) churned.erase(slot);
  CHECK_EQ(churned.passed(), 0u);
}

TEST(nothing_is_lost_when_all_hashes_are_equal) {
  constexpr u32 kGroups = 40;
  for (const u32 hash : {0u, 0x8000'0000u, 0xffff'ffffu}) {  // the last begins at the last group and wraps
    Ground g(kGroups);
    Rng random(4);
    std::vector<u32> slots;
    for (u32 i = 0; i < 5000; ++i) {
      if (slots.size() == kGroups * kGroupSlots || (!slots.empty() && random.chance(0.45))) {
        std::swap(slots[random.below(slots.size())], slots.back());
        g.erase(slots.back());
        slots.pop_back();
      } else {
        slots.push_back(g.insert(hash, 9));
        if (!CHECK(slots.back() != kNil)) return;
      }
      if (i % 50 == 0)
        for (const u32 slot : slots) CHECK(g.finds(slot, 9));
    }
    for (const u32 slot : slots) g.erase(slot);
    CHECK_EQ(g.passed(), 0u);
  }
}

TEST(a_count_of_passers_by_that_does_not_fit_stays_and_loses_nothing) {
  Ground g(3);
  for (u32 i = 0; i < 2 * kGroupSlots; ++i) g.insert(0, 1);
  const u32 second = g.map.second_home(0);
  g.set_overflow(second, HashMap::kStuck - 1);  // as if so many had passed
  const u32 a = g.insert(0, 2), b = g.insert(0, 3);
  CHECK_EQ(g.map.overflow_of(second), u32{HashMap::kStuck});
  CHECK(g.finds(a, 2) && g.finds(b, 3));
  g.erase(a);
  CHECK(g.finds(b, 3));
  CHECK_EQ(g.map.overflow_of(second), u32{HashMap::kStuck});
}

TEST(the_likely_slot_is_one_of_the_home_group_with_the_tag) {
  Ground g(10);
  CHECK_EQ(g.map.likely(77, 5), kNil);
  const u32 slot = g.insert(77, 5);
  CHECK_EQ(g.map.likely(77, 5), slot);
  CHECK_EQ(g.map.likely(77, 6), kNil);
}
