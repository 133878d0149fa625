// Tags: what carries one, the table of their nodes when it is full, what they cost values and pins.
#include <cstdio>

#include "store.h"

namespace {

const ShardHeader& shard_header(Store& s) {
  return *reinterpret_cast<const ShardHeader*>(s.base() + s.cache.geometry().index_offset(0));
}

std::vector<Digest> tags_of(const char* prefix, u64 count) {
  std::vector<Digest> out;
  for (u64 i = 0; i < count; ++i) out.push_back(tag(numbered(prefix, i)));
  return out;
}

/// Tags that no other prefix and number have.
std::vector<Digest> own_tags(const char* prefix, u64 id, u64 count) {
  char name[40];
  std::snprintf(name, sizeof name, "%s%llu:", prefix, static_cast<unsigned long long>(id));
  return tags_of(name, count);
}

/// Fills the table with entries of `each` tags of their own.
void fill(Store& s, u32 each) {
  for (u32 i = 0; shard_header(s).tag_count.get() + each <= s.cache.geometry().tag_nodes; ++i)
    CHECK_EQ(s.set(numbered("fill", i), "v", kNever, own_tags("own", i, each)), Status::ok);
}

}  // namespace

// ---- what carries a tag ----

TEST(invalidating_a_tag_removes_what_carries_it_and_nothing_else) {
  Store s(room_for(100, 4));
  s.set("ab", "1", kNever, {tag("a"), tag("b")});
  s.set("b", "2", kNever, {tag("b")});
  s.set("a", "inline", kNever, {tag("a")});
  s.set("none", "3");
  CHECK_EQ(s.invalidate(tag("c")), 0u);
  CHECK_EQ(s.invalidate(tag("a")), 2u);
  CHECK(!s.has("ab") && !s.has("a") && s.has("b") && s.has("none"));
  CHECK_EQ(s.invalidate(tag("a")), 0u);
  CHECK_EQ(s.cache.stats().invalidations, 2u);
  CHECK_EQ(s.cache.validate(), nullptr);
}

TEST(an_entry_leaves_its_tags_by_whatever_door_it_leaves) {
  Store s(room_for(20));
  const std::vector<Digest> tags{tag("x"), tag("y")};
  const u64 free_before = s.cache.stats().free_bytes;
  const auto nothing_left = [&] {
    CHECK_EQ(s.cache.stats().tags, 0u);
    CHECK_EQ(s.cache.stats().free_bytes, free_before);
    CHECK_EQ(s.cache.stats().pinned_bytes, 0u);
    CHECK_EQ(s.cache.validate(), nullptr);
  };
  s.set("deleted", "v", kNever, tags);
  CHECK_EQ(s.cache.stats().tags, 2u);
  s.cache.erase(s.key("deleted"), s.now);
  nothing_left();

  s.set("expired", "v", s.now + 1, tags);
  s.now += 2;
  s.cache.advance(s.now, 10);
  nothing_left();

  s.set("updated", "v", kNever, tags);
  s.set("updated", "w");
  nothing_left();
  s.cache.erase(s.key("updated"), s.now);

  s.set("evicted", "v", kNever, tags);
  for (u32 i = 0; i < 60; ++i) s.set(numbered("k", i), "v");
  CHECK(!s.has("evicted"));
  nothing_left();

  s.clear();
  s.set("cleared", "v", kNever, tags);
  s.clear();
  nothing_left();
}

TEST(an_update_exchanges_the_tags) {
  Store s(room_for(10));
  s.set("k", "1", kNever, {tag("a"), tag("b")});
  s.set("k", "2", kNever, {tag("b"), tag("c")});
  CHECK_EQ(s.cache.stats().tags, 2u);
  CHECK_EQ(s.invalidate(tag("a")), 0u);
  CHECK(s.get("k") == "2");
  CHECK_EQ(s.invalidate(tag("c")), 1u);
  CHECK_EQ(s.cache.stats().tags, 0u);
}

TEST(a_tag_given_twice_is_one_removal) {
  Store s(room_for(10));
  s.set("k", "1", kNever, {tag("a"), tag("a"), tag("b"), tag("a")});
  CHECK_EQ(s.cache.validate(), nullptr);
  CHECK_EQ(s.invalidate(tag("a")), 1u);
  CHECK_EQ(s.cache.stats().tags, 0u);
}

TEST(an_entry_carries_as_many_tags_as_promised_and_not_one_more) {
  Store s(room_for(10));
  std::vector<Digest> tags;
  for (u32 i = 0; i < kMaxTags; ++i) tags.push_back(tag(numbered("t", i)));
  CHECK_EQ(s.set("k", value_of(1, 3), kNever, tags), Status::ok);
  CHECK_EQ(s.cache.stats().tags, u64{kMaxTags});
  tags.push_back(tag("one more"));
  CHECK_EQ(s.set("k", "w", kNever, tags), Status::too_large);
  CHECK(s.get("k") == value_of(1, 3));
  CHECK_EQ(s.invalidate(tag(numbered("t", kMaxTags - 1))), 1u);
  CHECK_EQ(s.cache.stats().tags, 0u);
}

TEST(a_tag_is_invalidated_a_budget_at_a_time_and_expired_entries_are_not_counted) {
  Store s(room_for(200));
  for (u32 i = 0; i < 100; ++i) s.set(numbered("k", i), "v", i < 30 ? s.now + 1 : kNever, {tag("a")});
  s.now += 2;
  u64 removed = 0;
  u32 calls = 0;
  for (bool more = true; more; ++calls) {
    const std::size_t before = s.removed.size();
    more = s.cache.erase_tag(tag("a"), 0, 7, s.now, removed);
    CHECK(s.removed.size() - before <= 7);
    CHECK_EQ(s.cache.validate(), nullptr);
    if (!CHECK(calls < 20)) break;
  }
  CHECK_EQ(removed, 70u);
  CHECK_EQ(s.cache.size(), 0u);
  CHECK_EQ(s.cache.stats().tags, 0u);
  CHECK_EQ(s.cache.stats().expirations, 30u);
}

// ---- what tags cost ----

TEST(values_up_to_half_a_shard_find_room_among_entries_with_a_tag_of_their_own) {
  for (const u32 flags : {kFlagShared, kFlagShared | kFlagLru}) {
    Config config = room_for(10'000, 1, 1 << 20);
    config.flags = flags;
    Store s(config);
    Rng random(1);
    u32 i = 0;
    const auto churn = [&] {
      for (const u32 end = i + 20'000; i < end; ++i)
        CHECK_EQ(s.set(numbered("k", i), value_of(i, random.below(300)), kNever, {tag(numbered("user:", i))}),
                 Status::ok);
    };
    for (u64 length = 20'000; length < s.cache.max_payload(); length += 45'000) {
      churn();
      s.removed.clear();
      CHECK_EQ(s.set("large", value_of(1, length), kNever, {tag("of the large")}), Status::ok);
      CHECK(s.get("large") == value_of(1, length));
      CHECK_EQ(s.invalidate(tag("of the large")), 1u);
    }
    churn();
    CHECK_EQ(s.set("largest", value_of(1, s.cache.max_payload())), Status::ok);
    CHECK_EQ(s.cache.validate(), nullptr);
    CHECK_EQ(s.cache.stats().rejections, 0u);
  }
}

TEST(a_large_value_evicts_about_its_own_size_beside_tags_too) {
  Store s(room_for(10'000, 1, 1 << 20));
  for (u32 i = 0; s.removed.empty(); ++i)
    s.set(numbered("k", i), value_of(i, 400), kNever, {tag(numbered("user:", i))});
  const u32 before = s.cache.size();
  CHECK_EQ(s.set("large", value_of(1, 100'000)), Status::ok);
  CHECK(before - s.cache.size() <= 240 + 32 + 10);
}

TEST(tags_are_no_pins_and_take_of_the_arena_only_their_links) {
  Store s(room_for(1000, 1, 64 << 10));
  s.set("k", value_of(1, 100));
  const u64 without = s.cache.stats().free_bytes;
  s.set("k", value_of(1, 100), kNever, tags_of("t", 10));
  CHECK(without - s.cache.stats().free_bytes <= 10 * sizeof(TagLink) + 16);
  CHECK_EQ(s.cache.stats().pinned_bytes, 0u);
  for (u32 i = 0; i < 100; ++i) s.set(numbered("k", i), value_of(i, 100), kNever, {tag(numbered("own", i))});
  u64 pinned = 0, offset = 0;
  std::vector<u32> blocks;
  for (u32 i = 0; i < 100; ++i) {
    const Hit hit = s.find(numbered("k", i));
    if (s.cache.pin(hit, offset)) blocks.push_back(hit.block), pinned += 100;
  }
  CHECK(pinned > (64 << 10) / 100 * 15);  // of 25 per cent, with headers and links
  for (const u32 block : blocks) s.cache.unpin(0, block);
}

TEST(no_tags_touch_no_node_and_no_bucket) {
  Store s(room_for(1000, 2));
  for (u32 i = 0; i < 3000; ++i) s.set(numbered("k", i), value_of(i, i % 50));
  const Geometry& g = s.cache.geometry();
  u64 touched = 0;
  const auto look = [&](u32 shard) {
    const u8* at = s.base() + g.store_offset(shard);
    for (u64 i = g.at_tags; i < g.at_arena - 4; ++i) touched += at[i] != 0;
  };
  look(0), look(1);
  CHECK_EQ(touched, 0u);
  s.set("k", "v", kNever, {tag("t")});
  look(0), look(1);
  CHECK(touched != 0 && touched <= sizeof(TagNode) + 4);
}

TEST(a_node_is_used_again_once_its_tag_is_gone) {
  Store s(room_for(100));
  for (u32 round = 0; round < 1000; ++round) {
    const Digest t = tag(numbered("round", round));
    for (u32 i = 0; i < 5; ++i) s.set(numbered("k", i), "v", kNever, {t, tag(numbered("of", round * 5 + i))});
    CHECK_EQ(s.cache.stats().tags, 6u);
    CHECK_EQ(s.invalidate(t), 5u);
    CHECK_EQ(s.cache.stats().tags, 0u);
  }
  CHECK_EQ(shard_header(s).tag_taken.get(), 6u);
}

// ---- a full table ----

TEST(the_table_has_room_for_two_tags_an_entry) {
  Store s(room_for(5000));
  for (u32 i = 0; i < 5000; ++i) s.set(numbered("k", i), "v", kNever, own_tags("own", i, 2));
  CHECK_EQ(s.cache.size(), 5000u);
  CHECK_EQ(s.cache.stats().tags, 10'000u);
  CHECK_EQ(s.cache.stats().evictions, 0u);
}

TEST(a_new_tag_in_a_full_table_evicts_an_entry_with_a_tag_of_its_own) {
  for (const u32 flags : {0u, kFlagShared, kFlagShared | kFlagLru}) {
    Config config = room_for(1000);
    config.flags = flags;
    Store s(config);
    fill(s, 4);
    const u32 nodes = s.cache.geometry().tag_nodes;
    CHECK_EQ(s.cache.stats().tags, u64{nodes});
    CHECK_EQ(s.set("untagged", "v"), Status::ok);
    CHECK_EQ(s.set("known", "v", kNever, {tag("own5:1")}), Status::ok);
    CHECK(s.removed.empty());
    for (u32 i = 0; i < 500; ++i) {
      s.removed.clear();
      CHECK_EQ(s.set(numbered("new", i), "v", kNever, own_tags("new", i, 4)), Status::ok);
      CHECK(s.removed.size() <= 4);
      CHECK(s.has(numbered("new", i)));
    }
    CHECK_EQ(s.cache.validate(), nullptr);
    CHECK(s.cache.size() >= nodes / 4);
    CHECK(s.has("untagged"));
  }
}

TEST(a_full_table_of_tags_that_many_carry_gives_up_the_cheapest_of_some) {
  Store s(room_for(100));
  const u32 nodes = s.cache.geometry().tag_nodes;
  CHECK_EQ(nodes, kLeastTagNodes);
  // Four groups of 20 entries carry 64 tags each; the last group has 5.
  for (u32 group = 0; group < nodes / kMaxTags; ++group)
    for (u32 i = 0; i < (group == 3 ? 5u : 20u); ++i)
      s.set(numbered("k", group * 100 + i), "v", kNever, own_tags("g", group, kMaxTags));
  CHECK_EQ(s.cache.stats().tags, u64{nodes});
  CHECK(s.removed.empty());
  CHECK_EQ(s.set("new", "v", kNever, {tag("new")}), Status::ok);
  CHECK_EQ(s.removed.size(), 5u);
  CHECK_EQ(s.cache.validate(), nullptr);
}

TEST(an_entry_with_the_most_tags_enters_a_full_table) {
  Store s(room_for(1));
  for (u32 round = 0; round < 100; ++round) {
    const std::vector<Digest> tags = own_tags("r", round, kMaxTags);
    CHECK_EQ(s.set("replaced", value_of(round, round), kNever, tags), Status::ok);
    CHECK_EQ(s.set(numbered("k", round), "v", kNever, tags), Status::ok);
    CHECK_EQ(s.cache.stats().tags, u64{kMaxTags});
  }
  Store t(room_for(100));
  fill(t, 4);
  for (u32 round = 0; round < 20; ++round) {
    CHECK_EQ(t.set("k", "v", kNever, own_tags("r", round, kMaxTags)), Status::ok);
    CHECK_EQ(t.cache.validate(), nullptr);
  }
}

TEST(an_entry_that_is_replaced_may_be_what_a_full_table_gives_up) {
  for (const u32 flags : {kFlagShared, kFlagShared | kFlagLru}) {
    Config config = room_for(100);
    config.flags = flags;
    Store s(config);
    for (u32 i = 0; i < 4; ++i) s.set(numbered("k", i), "v", kNever, own_tags("a", i, 64));
    for (u32 i = 0; i < 200; ++i) {
      CHECK_EQ(s.set(numbered("k", i % 4), numbered("v", i), kNever, own_tags("b", i, 64)), Status::ok);
      CHECK(s.get(numbered("k", i % 4)) == numbered("v", i));
      CHECK_EQ(s.cache.validate(), nullptr);
    }
  }
}

// ---- refusals ----

TEST(a_set_that_pins_leave_no_room_for_evicts_nothing_whatever_its_tags) {
  Store s(room_for(10'000, 1, 64 << 10));
  std::vector<u32> pinned;
  u64 offset = 0;
  for (u32 i = 0; i < 8; ++i) {
    s.set(numbered("pin", i), value_of(i, 500));
    const Hit hit = s.find(numbered("pin", i));
    CHECK(s.cache.pin(hit, offset));
    pinned.push_back(hit.block);
    for (u32 j = 0; j < 15; ++j) s.set(numbered("fill", i * 100 + j), value_of(j, 480), kNever, {tag("fill")});
  }
  s.removed.clear();
  CHECK_EQ(s.set("large", value_of(1, 30'000), kNever, tags_of("t", 5)), Status::no_memory);
  CHECK_EQ(s.set("fill714", value_of(1, 30'000), kNever, tags_of("t", 5)), Status::no_memory);
  CHECK(s.removed.empty());
  CHECK(s.get("fill714") == value_of(14, 480));
  CHECK_EQ(s.cache.stats().tags, 1u);
  CHECK_EQ(s.cache.stats().rejections, 2u);
  for (const u32 block : pinned) s.cache.unpin(0, block);
  CHECK_EQ(s.set("large", value_of(1, 30'000), kNever, tags_of("t", 5)), Status::ok);
}

TEST(a_piece_between_pins_is_found_wherever_it_lies) {
  Store s(room_for(10'000, 1, 1 << 20));
  std::vector<u32> pinned;
  u64 offset = 0;
  // Small pins everywhere but in one stretch of 40 KB.
  for (u32 i = 0; s.cache.stats().free_bytes > 1000; ++i) {
    s.set(numbered("k", i), value_of(i, 400));
    const Hit hit = s.find(numbered("k", i));
    if (i % 9 == 0 && (i < 1000 || i > 1100) && CHECK(s.cache.pin(hit, offset))) pinned.push_back(hit.block);
  }
  s.removed.clear();
  CHECK_EQ(s.set("refused", value_of(1, 60'000)), Status::no_memory);
  CHECK(s.removed.empty());
  CHECK_EQ(s.set("fits", value_of(1, 39'000)), Status::ok);
  CHECK_EQ(s.cache.validate(), nullptr);
  for (const u32 block : pinned) s.cache.unpin(0, block);
}
