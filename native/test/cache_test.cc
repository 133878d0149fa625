// The cache, one operation at a time: what it stores, when it forgets, what it never loses.
#include "store.h"

// ---- what is stored ----

TEST(a_value_is_found_again_byte_for_byte_whatever_the_lengths_and_the_kind_of_key) {
  Store s(room_for(2000, 1, 16 << 20));
  constexpr KeyKind kinds[] = {kKeyLatin1, kKeyUtf16, kKeyNumber, kKeyDigest, kKeyLong};
  constexpr std::size_t lengths[] = {0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 63, 64, 65, 255, 4096, 65535};
  for (const int pass : {0, 1}) {
    for (const KeyKind kind : kinds)
      for (const std::size_t key_length : lengths)
        for (const std::size_t value_length : lengths) {
          if (key_length > 64 && value_length > 64) continue;
          if ((kind != kKeyLatin1 && kind != kKeyUtf16) && key_length > 16) continue;
          // The key says the value's length too, so that all are different entries; the empty key is one entry a kind.
          Bytes name = value_of(key_length * 100'000 + value_length, key_length);
          const u64 id = kind * 1'000'000'000ull + key_length * 100'000 + value_length;
          if (pass == 0) {
            if (!CHECK_EQ(s.set(s.key(name, kind), value_of(id, value_length)), Status::ok)) return;
            CHECK(s.get(s.key(name, kind)) == value_of(id, value_length));
          } else if (key_length > 2) {
            CHECK(s.get(s.key(name, kind)) == value_of(id, value_length));
          }
        }
    CHECK_EQ(s.cache.validate(), nullptr);
  }
  CHECK(s.removed.empty());
}

TEST(kinds_of_keys_are_separate_spaces) {
  Store s(room_for(10));
  const Bytes same = "12345678";
  for (const KeyKind kind : {kKeyLatin1, kKeyUtf16, kKeyNumber, kKeyDigest, kKeyLong}) {
    CHECK(!s.get(s.key(same, kind)));
    CHECK_EQ(s.set(s.key(same, kind), value_of(kind, 5)), Status::ok);
    CHECK(!s.placed.replaced);
  }
  CHECK_EQ(s.cache.size(), 5u);
  for (const KeyKind kind : {kKeyLatin1, kKeyUtf16, kKeyNumber, kKeyDigest, kKeyLong})
    CHECK(s.get(s.key(same, kind)) == value_of(kind, 5));
}

TEST(keys_that_agree_in_their_first_bytes_are_different_keys) {
  Store s(room_for(100));
  const Bytes long_key(300, 'x');
  for (const std::size_t length : {15u, 16u, 17u, 18u, 299u, 300u})
    CHECK_EQ(s.set(long_key.substr(0, length), numbered("v", length)), Status::ok);
  Bytes twin = long_key;
  twin.back() = 'y';
  CHECK_EQ(s.set(twin, "twin"), Status::ok);
  CHECK_EQ(s.cache.size(), 7u);
  for (const std::size_t length : {15u, 16u, 17u, 18u, 299u, 300u})
    CHECK(s.get(long_key.substr(0, length)) == numbered("v", length));
  CHECK(s.get(twin) == "twin");
}

TEST(a_value_in_two_pieces_reads_as_one) {
  Store s(room_for(10));
  for (const u32 cut : {0u, 3u, 8u}) {
    for (const u32 total : {8u, 100u}) {
      const Bytes whole = value_of(cut, total);
      const Value value{7, whole.data(), cut, whole.data() + cut, total - cut};
      CHECK_EQ(s.cache.set(s.key("k"), value, {}, kNever, s.now, s.placed), Status::ok);
      s.names[s.placed.slot] = "k";
      CHECK(s.get("k") == whole);
    }
  }
}

TEST(a_short_value_needs_no_block) {
  Store s(room_for(10));
  const u64 free_before = s.cache.stats().free_bytes;
  for (u32 length = 0; length <= 8; ++length) s.set(numbered("k", length), value_of(length, length));
  CHECK_EQ(s.cache.stats().free_bytes, free_before);
  s.set("k9", value_of(9, 9));
  CHECK(s.cache.stats().free_bytes < free_before);
  CHECK_EQ(s.find("k8").block, kNil);
  CHECK(s.find("k9").block != kNil);
}

TEST(values_in_blocks_are_8_byte_aligned) {
  Store s(room_for(100));
  for (u32 i = 0; i < 50; ++i) {
    s.set(numbered("k", i), value_of(i, 9 + i * 3));
    CHECK_EQ(reinterpret_cast<std::uintptr_t>(s.find(numbered("k", i)).value) % 8, 0u);
  }
}

// ---- updates ----

TEST(an_update_keeps_the_slot_and_says_so) {
  Store s(room_for(10));
  s.set("k", "old");
  const u32 slot = s.placed.slot, seq = s.placed.seq;
  CHECK(!s.placed.replaced);
  s.set("k", "new");
  CHECK(s.placed.replaced);
  CHECK_EQ(s.placed.slot, slot);
  CHECK(s.placed.seq > seq);
  CHECK_EQ(s.placed.seq % 2, 0u);
  CHECK_EQ(s.cache.size(), 1u);
  CHECK(s.get("k") == "new");
  CHECK(s.removed.empty());
}

TEST(a_value_of_the_same_length_is_written_in_place_and_another_takes_another_block) {
  Store s(room_for(10));
  s.set("k", value_of(1, 100));
  const u32 block = s.find("k").block;
  s.set("k", value_of(2, 100));
  CHECK_EQ(s.find("k").block, block);
  CHECK(s.get("k") == value_of(2, 100));
  s.set("k", value_of(3, 101));
  CHECK(s.find("k").block != block);
  CHECK(s.get("k") == value_of(3, 101));
}

TEST(an_update_between_all_pairs_of_sizes_gives_the_new_value_and_loses_no_memory) {
  Store s(room_for(10));
  const u64 free_before = s.cache.stats().free_bytes;
  for (const Bytes& name : {Bytes("k"), Bytes(40, 'k')})
    for (const std::size_t from : {0, 1, 8, 9, 100, 512, 513, 5000})
      for (const std::size_t to : {0, 1, 8, 9, 100, 512, 513, 5000}) {
        for (const bool tagged : {false, true}) {
          const std::vector<Digest> tags = tagged ? std::vector{tag("t")} : std::vector<Digest>{};
          s.set(name, value_of(from, from), kNever, tags);
          s.set(name, value_of(to + 1, to));
          CHECK(s.get(name) == value_of(to + 1, to));
          CHECK_EQ(s.cache.validate(), nullptr);
        }
      }
  s.cache.erase(s.key("k"), s.now);
  s.cache.erase(s.key(Bytes(40, 'k')), s.now);
  CHECK_EQ(s.cache.stats().free_bytes, free_before);
}

TEST(a_reader_that_found_an_entry_before_it_changed_is_told) {
  Store s(room_for(10));
  for (const std::size_t length : {5u, 100u, 600u}) {
    s.set("k", value_of(1, length));
    const Hit before = s.find("k");
    CHECK(s.cache.still(before));
    s.set("k", value_of(2, length));
    CHECK(!s.cache.still(before));
    Bytes out(length, '\0');
    CHECK(!s.cache.copy(before, out.data()));
    const Hit after = s.find("k");
    s.cache.erase(s.key("k"), s.now);
    CHECK(!s.cache.still(after));
  }
}

// ---- erasing and expiring ----

TEST(a_place_of_an_earlier_hit_gives_only_the_living_entry_of_the_key) {
  Store s(room_for(100, 4));
  Hit hit, again;
  const auto place = [&hit]() noexcept { return Cache::Place{hit.shard, hit.index, hit.seq}; };
  const Key a = s.key("a"), b = s.key("b");
  CHECK_EQ(s.set("a", "1"), Status::ok);
  CHECK_EQ(s.set("b", "2"), Status::ok);
  CHECK(s.cache.find(a, hit));
  CHECK(s.cache.find_again(a, place(), again));
  CHECK_EQ(again.slot, hit.slot);
  CHECK(s.cache.find_again(b, place(), again));  // in another slot, perhaps of another shard
  CHECK(again.slot != hit.slot);
  CHECK(!s.cache.find_again(s.key("c"), place(), again));
  CHECK_EQ(s.set("a", "3"), Status::ok);  // another sequence word
  CHECK(s.cache.find_again(a, place(), again));
  CHECK(again.seq != hit.seq);
  CHECK(s.cache.find(a, hit));
  CHECK(s.cache.erase(a, s.now));
  CHECK(!s.cache.find_again(a, place(), again));
}

TEST(erase_answers_whether_a_living_entry_went) {
  Store s(room_for(10));
  s.set("a", "1");
  s.set("b", "2", s.now + 5);
  CHECK(s.cache.erase(s.key("a"), s.now));
  CHECK(!s.cache.erase(s.key("a"), s.now));
  s.now += 6;
  CHECK(!s.cache.erase(s.key("b"), s.now));
  CHECK_EQ(s.cache.size(), 0u);
  CHECK(s.removed_for(Reason::deleted) == std::vector<Bytes>{"a"});
  CHECK(s.removed_for(Reason::expired) == std::vector<Bytes>{"b"});
}

TEST(an_owner_of_the_order_lets_entries_go_by_slot_and_may_ask_the_policy_which) {
  Store s(room_for(8));
  for (u32 i = 0; i < 8; ++i) CHECK_EQ(s.set(numbered("k", i), "v"), Status::ok);
  const u32 slot = s.placed.slot;
  s.cache.erase_at(slot);
  CHECK(!s.get(numbered("k", 7)));
  s.cache.erase_at(slot);  // vacant
  s.cache.erase_at(1u << 30);
  CHECK_EQ(s.cache.size(), 7u);
  for (u32 left = 7; left != 0; --left) {
    const u32 victim = s.cache.next_victim(0);
    if (!CHECK(victim != kNil)) return;
    s.cache.erase_at(victim);
    CHECK_EQ(s.cache.size(), left - 1);
    CHECK_EQ(s.cache.validate(), nullptr);
  }
  CHECK_EQ(s.cache.next_victim(0), kNil);
}

TEST(an_entry_is_alive_at_its_deadline_and_dead_just_after) {
  Store s(room_for(10));
  for (const f64 deadline : {1005.0, 1005.25, 1e12, 0x1p52, 0x1p60, 1.7e308}) {
    s.set("k", "v", deadline);
    s.now = deadline;
    CHECK(s.get("k") == "v");
    while (s.cache.advance(s.now, 1000) == 0) {}
    CHECK(s.get("k") == "v");
    s.now = std::nextafter(deadline, kNever);
    CHECK(!s.get("k"));
    s.now = 1000;
    s.cache.erase(s.key("k"), s.now);
  }
}

TEST(expire_removes_what_is_past_its_deadline_and_nothing_else) {
  Store s(room_for(10));
  s.set("k", "v", s.now + 10);
  const Hit hit = s.find("k");
  s.cache.expire(hit, s.now + 10);
  CHECK(s.has("k"));
  s.set("k", "w", s.now + 20);
  s.cache.expire(hit, s.now + 15);  // found before the update
  CHECK(s.has("k"));
  s.cache.expire(s.find("k"), s.now + 21);
  CHECK(!s.has("k"));
  CHECK(s.removed == (std::vector<std::pair<Bytes, Reason>>{{"k", Reason::expired}}));
  CHECK_EQ(s.cache.stats().expirations, 1u);
}

TEST(an_update_moves_the_deadline_both_ways_and_to_never) {
  Store s(room_for(10));
  s.set("k", "1", s.now + 10);
  s.set("k", "2", s.now + 1000);
  s.now += 500;
  CHECK(s.get("k") == "2");
  s.set("k", "3", s.now + 1);
  s.now += 2;
  CHECK(!s.get("k"));
  s.set("k", "4", s.now + 1);
  s.set("k", "5");
  s.now += 1e9;
  CHECK_EQ(s.cache.advance(s.now, 100), 100u);
  CHECK(s.get("k") == "5");
  CHECK_EQ(s.cache.next_due(), kNever);
  s.set("k", "6", s.now + 7);
  CHECK(s.cache.next_due() <= s.now + 8);
  CHECK_EQ(s.cache.validate(), nullptr);
}

TEST(advance_reclaims_within_its_budget) {
  Store s(room_for(1000, 4));
  for (u32 i = 0; i < 1000; ++i) s.set(numbered("k", i), value_of(i, 20), s.now + 50);
  s.now += 51;
  u32 rounds = 0;
  for (; s.cache.size() != 0 && rounds < 200; ++rounds) {
    const u32 before = s.cache.size();
    s.cache.advance(s.now, 50);
    CHECK(before - s.cache.size() <= 50);
    CHECK_EQ(s.cache.validate(), nullptr);
  }
  CHECK(rounds <= 70);
  CHECK_EQ(s.removed_for(Reason::expired).size(), 1000u);
  CHECK_EQ(s.cache.stats().free_bytes + 4 * 8, s.cache.stats().arena_bytes);
}

TEST(reclaiming_goes_on_where_the_budget_ended_though_the_clock_stands_still) {
  for (f64 start = 1000; start < 1130; ++start) {  // wherever the wheel's digits stand
    Store s(room_for(100));
    s.now = start;
    s.cache.advance(s.now, 1000);
    for (u32 i = 0; i < 30; ++i) s.set(numbered("k", i), "v", s.now + 5);
    s.now += 6;
    for (u32 calls = 0; calls < 8; ++calls) s.cache.advance(s.now, 10);
    CHECK_EQ(s.cache.size(), 0u);
    s.set("late", "v", s.now - 1);
    CHECK_EQ(s.cache.advance(s.now, 10), 9u);
    CHECK(!s.has("late"));
  }
}

TEST(writes_reclaim_expired_entries_a_few_at_a_time) {
  Store s(room_for(1000));
  for (u32 i = 0; i < 100; ++i) s.set(numbered("k", i), "v", s.now + 5);
  s.now += 6;
  u32 writes = 0;
  for (; s.cache.size() > writes; ++writes) {
    const std::size_t before = s.removed.size();
    s.set(numbered("n", writes), "v");
    CHECK(s.removed.size() - before <= Cache::kDrainBudget);
  }
  CHECK(writes <= 2 * 100 / Cache::kDrainBudget + 1);
}

TEST(a_clock_that_goes_backwards_keeps_deadlines_as_they_are) {
  Store s(room_for(10));
  s.set("k", "v", s.now + 10);
  s.now += 11;
  CHECK(!s.get("k"));
  s.now -= 100;
  CHECK(s.get("k") == "v");
  s.set("j", "w", s.now + 5);
  s.now += 6;
  s.cache.advance(s.now, 100);
  CHECK(!s.get("j"));
  CHECK_EQ(s.cache.validate(), nullptr);
}

// ---- many entries ----

TEST(a_sweep_removes_the_living_entries_that_its_test_names) {
  Store s(room_for(300, 4));
  for (u32 i = 0; i < 100; ++i) {
    s.set(numbered("features:", i), value_of(i, i));
    s.set(numbered("predictions of a model with a long name:", i), value_of(i, i));
  }
  s.set("features:dead", "v", s.now - 1);
  const auto is_feature = [](const Hit&, const Cache::StoredKey& k) noexcept {
    return k.kind == kKeyLatin1 && k.length >= 9 && std::memcmp(k.bytes, "features:", 9) == 0;
  };
  for (u32 cursor = 0; cursor != kNil;) cursor = s.cache.sweep(cursor, 13, s.now, Reason::invalidated, is_feature);
  CHECK_EQ(s.removed_for(Reason::invalidated).size(), 100u);
  CHECK_EQ(s.cache.stats().invalidations, 100u);
  for (u32 i = 0; i < 100; ++i) {
    CHECK(!s.has(numbered("features:", i)));
    CHECK(s.get(numbered("predictions of a model with a long name:", i)) == value_of(i, i));
  }
}

TEST(a_sweep_shows_each_living_entry_once_with_its_key_and_value) {
  Store s(room_for(300, 4));
  std::map<Bytes, Bytes> left;
  for (u32 i = 0; i < 150; ++i) {
    const Bytes name = numbered(i % 2 == 0 ? "k" : "a key that is too long for its slot:", i);
    left[name] = value_of(i, i % 20);
    s.set(name, left[name]);
  }
  for (u32 cursor = 0; cursor != kNil;)
    cursor = s.cache.sweep(cursor, 50, s.now, Reason::deleted, [&](const Hit& hit, const Cache::StoredKey& k) noexcept {
      const Bytes name(reinterpret_cast<const char*>(k.bytes), k.length);
      CHECK_EQ(left.count(name), 1u);
      CHECK(left[name] == Bytes(reinterpret_cast<const char*>(hit.value), hit.length));
      left.erase(name);
      return false;
    });
  CHECK(left.empty());
  CHECK_EQ(s.cache.size(), 150u);
}

TEST(clear_leaves_an_empty_cache_that_can_be_filled_again) {
  Store s(room_for(100, 4, 64 << 10));
  for (const int round : {1, 2, 3}) {
    for (u32 i = 0; i < 100; ++i) s.set(numbered("k", i), value_of(i, 50), i % 3 == 0 ? s.now - 1 : kNever, {tag("t")});
    s.clear();
    CHECK_EQ(s.cache.size(), 0u);
    CHECK_EQ(s.cache.stats().tags, 0u);
    CHECK_EQ(s.cache.stats().free_bytes, s.cache.stats().arena_bytes - 4 * 8);
    CHECK_EQ(s.cache.validate(), nullptr);
    CHECK(!s.get(numbered("k", static_cast<u64>(round))));
  }
}

// ---- what does not fit ----

TEST(what_may_never_fit_is_refused_and_nothing_is_lost) {
  Store s(room_for(10, 1, 64 << 10));
  s.set("k", "old");
  s.set("other", value_of(1, 1000));
  const u64 most = s.cache.max_payload();
  CHECK_EQ(s.set("k", value_of(2, most + 1)), Status::too_large);
  CHECK_EQ(s.set(Bytes(100, 'k'), value_of(2, most - 99)), Status::too_large);
  CHECK_EQ(s.set("k", value_of(2, most), kNever, {tag("t")}), Status::too_large);
  CHECK(s.get("k") == "old");
  CHECK(s.get("other") == value_of(1, 1000));
  CHECK_EQ(s.cache.stats().tags, 0u);
  CHECK(s.removed.empty());
  CHECK_EQ(s.set("k", value_of(2, most)), Status::ok);
  CHECK(s.get("k") == value_of(2, most));
}

TEST(lengths_that_overflow_32_bits_are_too_large) {
  Store s(room_for(10));
  const Value value{7, "x", 0xffff'fff0u, "y", 0x20};
  CHECK_EQ(s.cache.set(s.key("k"), value, {}, kNever, s.now, s.placed), Status::too_large);
}

TEST(a_large_value_evicts_about_its_own_size) {
  Store s(room_for(10'000, 1, 1 << 20));
  u32 i = 0;
  for (; s.removed.empty(); ++i) s.set(numbered("k", i), value_of(i, 400));
  const u32 before = s.cache.size();
  s.removed.clear();
  CHECK_EQ(s.set("large", value_of(1, 100'000)), Status::ok);
  CHECK(s.get("large") == value_of(1, 100'000));
  // 240 blocks of 416 bytes make room; the policy's own choices before that, scattered, are 32 at most.
  CHECK(before - s.cache.size() <= 240 + 32 + 10);
}

TEST(a_value_evicts_no_heap_of_entries_that_hold_no_memory) {
  Store s(room_for(20'000, 1, 32 << 10));
  for (u32 i = 0; i < 60; ++i) s.set(numbered("block", i), value_of(i, 400));
  for (u32 i = 0; i < 10'000; ++i) s.set(numbered("n", i), "number");
  for (u32 i = 0; i < 60; ++i) s.get(numbered("block", i));
  for (u32 i = 0; i < 60; ++i) s.get(numbered("block", i));
  s.removed.clear();
  for (u32 i = 0; i < 50; ++i) CHECK_EQ(s.set(numbered("another", i), value_of(i, 400)), Status::ok);
  CHECK(s.removed.size() <= 50 * 40);
}

// ---- pins ----

TEST(pinned_bytes_survive_every_way_in_which_their_entry_goes) {
  const auto leave = [](const char* how, auto&& away) {
    Store s(room_for(64, 1, 256 << 10));
    const Bytes value = value_of(1, 1000);
    s.set("pinned", value, s.now + 1000, {tag("t")});
    const Hit hit = s.find("pinned");
    u64 offset = 0;
    CHECK(s.cache.pin(hit, offset));
    CHECK_EQ(s.base() + offset, hit.value);
    away(s);
    for (u32 i = 0; i < 500; ++i) s.set(numbered("churn", i), value_of(i, 100 + i * 7 % 3000));
    if (!CHECK(std::memcmp(s.base() + offset, value.data(), value.size()) == 0)) std::printf("    after %s\n", how);
    CHECK_EQ(s.cache.validate(), nullptr);
    CHECK(s.cache.stats().pinned_bytes >= 1000);
    s.clear();
    CHECK(std::memcmp(s.base() + offset, value.data(), value.size()) == 0);
    s.cache.unpin(0, hit.block);
    CHECK_EQ(s.cache.stats().pinned_bytes, 0u);
    CHECK_EQ(s.cache.stats().free_bytes, s.cache.stats().arena_bytes - 8);
  };
  leave("an update of the same length", [](Store& s) { s.set("pinned", value_of(2, 1000), s.now + 1000, {tag("t")}); });
  leave("an untagged update of the same length", [](Store& s) { s.set("pinned", value_of(2, 1000)); });
  leave("an update of another length", [](Store& s) { s.set("pinned", value_of(2, 10)); });
  leave("delete", [](Store& s) { s.cache.erase(s.key("pinned"), s.now); });
  leave("expiry", [](Store& s) { s.now += 1001, s.cache.advance(s.now, 10); });
  leave("invalidation", [](Store& s) { s.invalidate(tag("t")); });
  leave("clear", [](Store& s) { s.clear(); });
  leave("eviction", [](Store&) {});
}

TEST(a_short_value_that_is_pinned_is_not_written_in_place) {
  Store s(room_for(10));
  s.set("k", value_of(1, 100));
  const Hit hit = s.find("k");
  u64 offset = 0;
  CHECK(s.cache.pin(hit, offset));
  s.set("k", value_of(2, 100));
  CHECK(std::memcmp(s.base() + offset, value_of(1, 100).data(), 100) == 0);
  CHECK(s.get("k") == value_of(2, 100));
  s.cache.unpin(0, hit.block);
}

TEST(a_block_is_free_again_after_its_last_pin_only) {
  Store s(room_for(10));
  const u64 free_before = s.cache.stats().free_bytes;
  s.set("k", value_of(1, 100));
  const Hit hit = s.find("k");
  u64 offset = 0;
  CHECK(s.cache.pin(hit, offset));
  CHECK(s.cache.pin(hit, offset));
  s.cache.erase(s.key("k"), s.now);
  CHECK(s.cache.stats().free_bytes < free_before);
  s.cache.unpin(0, hit.block);
  CHECK(s.cache.stats().free_bytes < free_before);
  CHECK_EQ(s.cache.validate(), nullptr);
  s.cache.unpin(0, hit.block);
  CHECK_EQ(s.cache.stats().free_bytes, free_before);
}

TEST(a_pin_is_refused_for_what_changed_for_inline_values_and_beyond_the_bound) {
  Config config = room_for(100, 1, 64 << 10);
  config.max_pinned = 10;
  Store s(config);
  u64 offset = 0;
  s.set("inline", "v");
  CHECK(!s.cache.pin(s.find("inline"), offset));
  s.set("k", value_of(1, 100));
  const Hit stale = s.find("k");
  s.set("k", value_of(2, 100));
  CHECK(!s.cache.pin(stale, offset));
  std::vector<u32> pinned;
  for (u32 i = 0; i < 20; ++i) {
    s.set(numbered("k", i), value_of(i, 1000));
    const Hit hit = s.find(numbered("k", i));
    if (!s.cache.pin(hit, offset)) continue;
    pinned.push_back(hit.block);
    CHECK(s.cache.stats().pinned_bytes <= (64 << 10) / 100 * 10);
  }
  CHECK_EQ(pinned.size(), 6u);
  const Hit again = s.find("k0");
  CHECK(s.cache.pin(again, offset));  // a second pin of the same bytes holds no more of them
  s.cache.unpin(0, again.block);
  for (const u32 block : pinned) s.cache.unpin(0, block);
  CHECK_EQ(s.cache.stats().pinned_bytes, 0u);
}

TEST(a_set_that_pins_leave_no_room_for_is_refused_before_the_cache_is_emptied) {
  Config config = room_for(10'000, 1, 64 << 10);
  config.max_pinned = 25;
  Store s(config);
  // Pins at every eighth of the arena: no run of half of it is left.
  std::vector<u32> pinned;
  u64 offset = 0;
  for (u32 i = 0; i < 8; ++i) {
    s.set(numbered("pin", i), value_of(i, 500));
    const Hit hit = s.find(numbered("pin", i));
    CHECK(s.cache.pin(hit, offset));
    pinned.push_back(hit.block);
    for (u32 j = 0; j < 15; ++j) s.set(numbered("fill", i * 100 + j), value_of(j, 480));
  }
  for (u32 i = 0; i < 5000; ++i) s.set(numbered("n", i), "number");
  const u32 before = s.cache.size();
  CHECK_EQ(s.set("large", value_of(1, 30'000)), Status::no_memory);
  CHECK_EQ(s.cache.stats().rejections, 1u);
  CHECK_EQ(s.cache.size(), before);
  CHECK_EQ(s.cache.validate(), nullptr);
  for (const u32 block : pinned) s.cache.unpin(0, block);
  CHECK_EQ(s.set("large", value_of(1, 30'000)), Status::ok);
}

// ---- the size limits ----

TEST(a_cache_holds_exactly_max_entries) {
  for (const u32 shards : {1u, 16u}) {
    for (const u32 entries : {1u, 2u, 7u, 100u, 1000u, 10'000u}) {
      Store s(room_for(entries, shards, 1 << 20));
      for (u32 i = 0; i < entries; ++i) s.set(numbered("k", i), "v");
      CHECK_EQ(s.cache.size(), entries);
      CHECK(s.removed.empty());
      for (u32 i = 0; i < entries + 100; ++i) {
        CHECK_EQ(s.set(numbered("more", i), "v"), Status::ok);
        if (!CHECK(s.has(numbered("more", i)))) break;
        if (!CHECK_EQ(s.cache.size(), entries)) break;
      }
    }
  }
}

TEST(the_most_shards_work_with_the_fewest_entries) {
  Store s(room_for(1, kMaxShards, kMinArena));
  for (u32 i = 0; i < 300; ++i) {
    CHECK_EQ(s.set(numbered("k", i), "v"), Status::ok);
    CHECK(s.get(numbered("k", i)) == "v");
    CHECK_EQ(s.cache.size(), 1u);
  }
}

TEST(a_long_churn_ends_with_the_bytes_accounted_for) {
  for (const u32 shards : {1u, 4u}) {
    Store s(room_for(500, shards, 32 << 10));
    Rng random(11);
    for (u32 i = 0; i < 20'000; ++i) {
      const u64 k = random.below(2000);
      if (!CHECK_EQ(s.set(numbered("k", k), value_of(i, random.below(600))), Status::ok)) break;
      if (i % 500 == 0) CHECK_EQ(s.cache.validate(), nullptr);
    }
    s.clear();
    CHECK_EQ(s.cache.stats().free_bytes, s.cache.stats().arena_bytes - 8 * shards);
  }
}

// ---- eviction ----

TEST(lru_evicts_in_the_exact_order_of_last_use) {
  Config config = room_for(4);
  config.flags |= kFlagLru;
  Store s(config);
  for (const char* k : {"a", "b", "c", "d"}) s.set(k, "v");
  s.get("a");
  s.set("b", "w");
  Hit peeked;
  CHECK(s.cache.find(s.key("c"), peeked));  // a look is not a use
  for (const char* k : {"e", "f", "g", "h"}) s.set(k, "v");
  CHECK(s.removed_for(Reason::evicted) == (std::vector<Bytes>{"c", "d", "a", "b"}));
}

TEST(a_touch_after_the_entry_went_touches_nothing) {
  for (const u32 flags : {0u, kFlagLru, kFlagLru | kFlagShared}) {
    Config config = room_for(4);
    config.flags = flags;
    Store s(config);
    s.set("a", "v");
    s.set("b", "v");
    const Hit gone = s.find("a");
    s.cache.erase(s.key("a"), s.now);
    s.cache.touch(gone);
    CHECK_EQ(s.cache.validate(), nullptr);
    for (u32 i = 0; i < 20; ++i) s.set(numbered("k", i), "v");
    s.cache.touch(gone);
    CHECK_EQ(s.cache.validate(), nullptr);
  }
}

TEST(entries_that_were_hit_survive_a_scan) {
  Store s(room_for(1000));
  for (u32 i = 0; i < 200; ++i) s.set(numbered("hot", i), "v");
  for (u32 i = 0; i < 800; ++i) s.set(numbered("cold", i), "v");
  for (u32 i = 0; i < 200; ++i) CHECK(s.get(numbered("hot", i)));
  for (u32 i = 0; i < 5000; ++i) s.set(numbered("scan", i), "v");
  u32 survived = 0;
  for (u32 i = 0; i < 200; ++i) survived += s.has(numbered("hot", i));
  CHECK(survived >= 198);  // the first hand stops after 128 promotions and takes what it has
}

TEST(two_touches_in_a_burst_are_one) {
  Store s(room_for(100));
  for (u32 i = 0; i < 110; ++i) s.set(numbered("before", i), "v");  // nothing is young until something had to leave
  for (u32 i = 0; i < 100; ++i) {
    s.set(numbered("once", i), "v");
    s.get(numbered("once", i));
  }
  for (u32 i = 0; i < 300; ++i) s.set(numbered("scan", i), "v");
  u32 survived = 0;
  for (u32 i = 0; i < 100; ++i) survived += s.has(numbered("once", i));
  CHECK_EQ(survived, 0u);
}

TEST(expired_entries_go_before_living_ones_whatever_their_hits_and_leave_no_ghost) {
  Store s(room_for(100));
  for (u32 i = 0; i < 50; ++i) s.set(numbered("dead", i), "v", s.now + 10);
  for (u32 i = 0; i < 50; ++i) s.set(numbered("alive", i), "v");
  for (u32 round = 0; round < 3; ++round)
    for (u32 i = 0; i < 50; ++i) s.get(numbered("dead", i));
  s.now += 11;
  for (u32 i = 0; i < 50; ++i) s.set(numbered("new", i), "v");
  CHECK_EQ(s.removed_for(Reason::evicted).size(), 0u);
  CHECK_EQ(s.removed_for(Reason::expired).size(), 50u);
  const auto* shard = reinterpret_cast<const ShardHeader*>(s.base() + s.cache.geometry().index_offset(0));
  CHECK_EQ(shard->ghosts[0].count.get() + shard->ghosts[1].count.get(), 0u);
}

TEST(an_entry_that_comes_back_soon_after_its_eviction_enters_the_main_queue) {
  Store s(room_for(100));
  for (u32 i = 0; i < 110; ++i) s.set(numbered("k", i), "v");
  CHECK(!s.has("k0"));
  s.set("k0", "v");
  const auto* slot = reinterpret_cast<const Slot*>(s.base() + s.cache.slot_offset(s.placed.slot));
  CHECK_EQ(slot->queue.get() & 15, kQueueMain);
  s.set("new", "v");
  slot = reinterpret_cast<const Slot*>(s.base() + s.cache.slot_offset(s.placed.slot));
  CHECK_EQ(slot->queue.get() & 15, kQueueSmall);
}

// ---- what it tells ----

TEST(every_departure_is_reported_once_with_its_reason_and_the_counters_add_up) {
  Store s(room_for(50, 4, 64 << 10));
  Rng random(5);
  for (u32 i = 0; i < 5000; ++i) {
    const std::string name = numbered("k", random.below(120));
    switch (random.below(8)) {
      case 0: s.cache.erase(s.key(name), s.now); break;
      case 1: s.get(name); break;
      case 2: s.now += static_cast<f64>(random.below(5)); break;
      case 3: s.invalidate(tag(numbered("t", random.below(30)))); break;
      default:
        s.set(name, value_of(i, random.below(40)), random.chance(0.5) ? s.now + 20 : kNever,
              {tag(numbered("t", random.below(30)))});
    }
    if (i % 1000 == 999) s.clear();
  }
  const Stats stats = s.cache.stats();
  CHECK_EQ(stats.evictions, s.removed_for(Reason::evicted).size());
  CHECK_EQ(stats.expirations, s.removed_for(Reason::expired).size());
  CHECK_EQ(stats.deletes, s.removed_for(Reason::deleted).size());
  CHECK_EQ(stats.invalidations, s.removed_for(Reason::invalidated).size());
  CHECK_EQ(stats.inserts, s.removed.size() + stats.entries);
  CHECK_EQ(stats.entries, s.names.size());
  CHECK(stats.evictions != 0 && stats.expirations != 0 && stats.deletes != 0 && stats.invalidations != 0);
}

TEST(stats_tell_hits_misses_sizes_and_the_split) {
  Store s(room_for(100, 4));
  for (u32 i = 0; i < 10; ++i) s.set(numbered("k", i), value_of(i, 100));
  s.set("k0", "again");
  for (u32 i = 0; i < 15; ++i) s.get(numbered("k", i));
  Stats stats = s.cache.stats();
  CHECK_EQ(stats.entries, 10u);
  CHECK_EQ(stats.inserts, 10u);
  CHECK_EQ(stats.updates, 1u);
  CHECK_EQ(stats.hits, 10u);
  CHECK_EQ(stats.misses, 5u);
  CHECK_EQ(stats.shards, 4u);
  CHECK_EQ(stats.slots, 4 * s.cache.geometry().slots);
  CHECK_EQ(stats.arena_bytes, 4u << 20);
  CHECK_EQ(stats.region_bytes, s.cache.geometry().region_bytes);
  CHECK(std::abs(stats.small_share - 0.25) < 0.01);
  CHECK(stats.largest_free > 900'000);
  stats = s.cache.stats();
  CHECK_EQ(stats.hits, 10u);  // told once
}

TEST(a_reader_that_saw_the_control_byte_of_an_entry_that_left_finds_nothing) {
  for (const std::size_t length : {5u, 100u}) {
    Store s(room_for(10));
    s.set("k", value_of(1, length));
    const u32 slot = s.placed.slot;
    const Key key = s.key("k");
    s.cache.erase(key, s.now);
    // As if the reader had loaded the group just before.
    u8* control = s.base() + s.cache.geometry().index_offset(0) + s.cache.geometry().at_groups +
                  slot / kGroupSlots * kGroupBytes + slot % kGroupSlots;
    CHECK_EQ(*control, 0);
    *control = key.tag;
    Hit hit;
    CHECK(!s.cache.find(key, hit));
    *control = 0;
  }
}

TEST(a_region_of_one_thread_keeps_keys_up_to_a_cell_out_of_blocks_and_refuses_longer_ones) {
  Config config = room_for(100);
  config.flags = 0;
  Store s(config);
  const u64 free_before = s.cache.stats().free_bytes;
  for (u32 length = 1; length <= kCellBytes; ++length)
    CHECK_EQ(s.set(Bytes(length, 'k'), numbered("v", length)), Status::ok);
  CHECK_EQ(s.cache.stats().free_bytes, free_before);
  CHECK_EQ(s.set(Bytes(kCellBytes + 1, 'k'), "v"), Status::too_large);
  for (u32 length = 1; length <= kCellBytes; ++length) {
    CHECK(s.get(Bytes(length, 'k')) == numbered("v", length));
    s.set(Bytes(length, 'k'), value_of(length, 700), kNever, {tag("t")});
  }
  Bytes twin(kCellBytes, 'k');
  twin.back() = 'x';
  CHECK(!s.get(twin));
  for (u32 length = 1; length <= kCellBytes; ++length) CHECK(s.get(Bytes(length, 'k')) == value_of(length, 700));
  u32 seen = 0;
  for (u32 cursor = 0; cursor != kNil;)
    cursor = s.cache.sweep(cursor, 50, s.now, Reason::deleted, [&](const Hit&, const Cache::StoredKey& k) noexcept {
      CHECK(Bytes(reinterpret_cast<const char*>(k.bytes), k.length) == Bytes(k.length, 'k'));
      ++seen;
      return false;
    });
  CHECK_EQ(seen, kCellBytes);
  CHECK_EQ(s.invalidate(tag("t")), u64{kCellBytes});
  CHECK_EQ(s.cache.stats().free_bytes, free_before);
}

TEST(a_second_view_of_the_region_sees_the_same_entries) {
  Store s(room_for(100, 4));
  s.set("k", value_of(1, 100), s.now + 10, {tag("t")});
  Config config;
  Geometry geometry;
  CHECK_EQ(read_header(s.base(), s.cache.geometry().region_bytes, config, geometry), RegionFault::none);
  CHECK(config == s.cache.config());
  Cache other;
  other.open(s.base(), config, geometry);
  Hit hit;
  CHECK(other.find(s.key("k"), hit));
  CHECK_EQ(hit.length, 100u);
  CHECK_EQ(hit.deadline, s.now + 10);
  CHECK_EQ(other.validate(), nullptr);
  CHECK(!other.closed());
  s.cache.close_region();
  CHECK(other.closed());
  CHECK_EQ(read_header(s.base(), s.cache.geometry().region_bytes, config, geometry), RegionFault::closed);
}

TEST(the_empty_key_may_come_without_bytes) {
  Store s(room_for(10));
  const Key none = make_key(kKeyLatin1, nullptr, 0, s.cache.config().seed);
  CHECK_EQ(s.cache.set(none, {7, nullptr, 0}, {}, kNever, s.now, s.placed), Status::ok);
  s.names[s.placed.slot] = "";
  Hit hit;
  CHECK(s.cache.find(none, hit));
  CHECK_EQ(hit.length, 0u);
  CHECK_EQ(s.cache.set(none, {7, nullptr, 0}, std::vector{tag("t")}, kNever, s.now, s.placed), Status::ok);
  CHECK(s.cache.find(none, hit));
  CHECK(s.cache.erase(none, s.now));
}
