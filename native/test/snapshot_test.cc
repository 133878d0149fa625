// Records of snapshots: what is written comes back, whatever the size of the other cache; what is forged is refused.
#include "snapshot.h"

#include <atomic>
#include <cstdlib>
#include <memory>
#include <thread>

#include "store.h"

namespace {

struct Block {
  std::vector<u8> bytes;
  u32 records = 0;
};

/// All records of a cache, in blocks of at most `room` bytes, or larger where one record is.
std::vector<Block> saved(Cache& cache, f64 now, std::size_t room = 4096, f64 shift = 0) {
  std::vector<Block> blocks;
  for (u32 cursor = 0; cursor != kNil;) {
    Block block;
    block.bytes.resize(room);
    SavedSlice slice = save_records(cache, cursor, kNil, block.bytes, shift, now, nullptr);
    if (slice.wanted != 0) {
      CHECK(slice.records == 0 && slice.bytes == 0);
      block.bytes.resize(slice.wanted);
      slice = save_records(cache, cursor, kNil, block.bytes, shift, now, nullptr);
      CHECK_EQ(slice.wanted, 0u);
    }
    cursor = slice.cursor;
    block.bytes.resize(slice.bytes);
    block.records = slice.records;
    CHECK(check_records(block.bytes, block.records));
    blocks.push_back(std::move(block));
  }
  return blocks;
}

RestoredSlice restore(Cache& cache, const std::vector<Block>& blocks, Restoring how) {
  RestoredSlice sum;
  for (const Block& block : blocks) {
    const RestoredSlice one = restore_records(cache, block.bytes, block.records, how);
    CHECK_EQ(one.restored + one.kept + one.expired + one.rejected + one.foreign, block.records);
    sum.restored += one.restored, sum.kept += one.kept, sum.expired += one.expired, sum.rejected += one.rejected;
    sum.foreign += one.foreign;
  }
  return sum;
}

/// A store whose values are buffers, the form that any bytes may have.
class Filled {
 public:
  explicit Filled(const Config& config) : store(config) { store.cache.set_sink({}); }
  void set(const Key& key, const Bytes& value, f64 deadline, const std::vector<Digest>& tags) {
    Placed placed;
    CHECK_EQ(store.cache.set(key, {kTagBuffer, value.data(), static_cast<u32>(value.size()), nullptr, 0}, tags,
                             deadline, store.now, placed),
             Status::ok);
  }
  std::optional<Bytes> get(const Key& key) {
    Hit hit;
    if (!store.cache.find(key, hit) || store.now > hit.deadline) return std::nullopt;
    Bytes out(hit.length, '\0');
    CHECK(store.cache.copy(hit, out.data()));
    return out;
  }
  Store store;
};

struct Model {
  std::string key;
  KeyKind kind;
  Bytes value;
  f64 deadline;
  std::vector<Digest> tags;
};

std::vector<Model> some_entries(Rng& random, u32 count) {
  std::vector<Model> out;
  for (u32 i = 0; i < count; ++i) {
    Model m;
    m.kind = static_cast<KeyKind>(i % 4);
    const std::size_t length = m.kind == kKeyNumber ? 8 : m.kind == kKeyDigest ? 16 : 2 * random.below(40) + 8;
    m.key.resize(length);
    std::memcpy(m.key.data(), &i, 4);  // a small denormal when it is a number
    m.value = value_of(i, i % 50 == 0 ? 60'000 + i : random.below(300));
    m.deadline = i % 3 == 0 ? kNever : 1000.0 + static_cast<f64>(random.between(1, 500));
    for (u32 t = 0; t < i % 4; ++t) m.tags.push_back(tag(numbered("t", (i + t) % 7)));
    out.push_back(m);
  }
  return out;
}

}  // namespace

TEST(every_entry_comes_back_in_a_cache_of_another_shape) {
  Rng random(1);
  const std::vector<Model> entries = some_entries(random, 400);
  Filled from(room_for(1000, 2, 8 << 20));
  for (const Model& m : entries) from.set(from.store.key(m.key, m.kind), m.value, m.deadline, m.tags);
  const auto blocks = saved(from.store.cache, from.store.now, 4096, 5e9);

  Config other = room_for(3000, 5, 16 << 20);
  other.seed = 99;
  Filled to(other);
  to.store.now = 50;
  const RestoredSlice sum = restore(to.store.cache, blocks, {.shift = 50 - 1000 - 5e9, .now = 50});
  CHECK_EQ(sum.restored, 400u);
  for (const Model& m : entries) {
    const Key key = to.store.key(m.key, m.kind);
    CHECK(to.get(key) == std::optional(m.value));
    Hit hit;
    CHECK(to.store.cache.find(key, hit));
    CHECK_EQ(hit.deadline, m.deadline - 950);
  }
  u64 tagged = 0;
  for (const Model& m : entries) tagged += std::find(m.tags.begin(), m.tags.end(), tag("t3")) != m.tags.end();
  CHECK_EQ(to.store.invalidate(tag("t3")), tagged);
}

TEST(what_has_expired_meanwhile_stays_away_and_live_entries_win_unless_told) {
  Filled from(room_for(100));
  from.set(from.store.key("short"), "1", 1010, {});
  from.set(from.store.key("long"), "2", 2000, {});
  const auto blocks = saved(from.store.cache, 1000);
  Filled to(room_for(100));
  to.set(to.store.key("long"), "mine", kNever, {});
  const RestoredSlice kept = restore(to.store.cache, blocks, {.now = 1011});
  CHECK(kept.expired == 1 && kept.kept == 1 && kept.restored == 0);
  CHECK(to.get(to.store.key("long")) == std::optional<Bytes>("mine"));
  const RestoredSlice replaced = restore(to.store.cache, blocks, {.now = 1011, .replace = true});
  CHECK(replaced.restored == 1);
  CHECK(to.get(to.store.key("long")) == std::optional<Bytes>("2"));
}

TEST(a_smaller_cache_keeps_what_was_hot) {
  Filled from(room_for(2000));
  for (u32 i = 0; i < 1000; ++i) from.set(from.store.key(numbered("k", i)), "v", kNever, {});
  for (u32 round = 0; round < 3; ++round)
    for (u32 i = 0; i < 100; ++i) {
      Hit hit;
      CHECK(from.store.cache.find(from.store.key(numbered("k", i * 5)), hit));
      from.store.cache.touch(hit);
    }
  Filled to(room_for(200));
  (void)restore(to.store.cache, saved(from.store.cache, 1000), {.now = 1000});
  u32 hot = 0;
  for (u32 i = 0; i < 100; ++i) hot += to.get(to.store.key(numbered("k", i * 5))).has_value();
  CHECK(hot >= 90);
  CHECK_EQ(to.store.cache.size(), 200u);
}

TEST(what_does_not_fit_is_rejected_and_does_no_harm) {
  Filled from(room_for(10, 1, 1 << 20));
  from.set(from.store.key("large"), value_of(1, 100'000), kNever, {});
  from.set(from.store.key("small"), "s", kNever, {});
  Filled to(room_for(10, 1, 16 << 10));
  const RestoredSlice sum = restore(to.store.cache, saved(from.store.cache, 1000), {.now = 1000});
  CHECK(sum.rejected == 1 && sum.restored == 1);
}

TEST(a_full_region_is_shared_out_among_its_shards) {
  Filled from(room_for(600, 1));
  for (u32 i = 0; i < 600; ++i) from.set(from.store.key(numbered("k", i)), "value", kNever, {});
  Filled to(room_for(40, 8));
  const RestoredSlice sum = restore(to.store.cache, saved(from.store.cache, 1000), {.now = 1000});
  CHECK_EQ(sum.restored, 600u);
  CHECK_EQ(to.store.cache.size(), 40u);
}

TEST(digests_of_the_portable_engine_are_counted_and_left_out) {
  Filled from(room_for(10));
  const Bytes digest(16, 'd');
  from.set(from.store.key(digest, kKeyDigest), "value", kNever, {});
  Block block = saved(from.store.cache, 1000)[0];
  CHECK_EQ(block.bytes[16], kKeyDigest);
  block.bytes[16] = kKeyPortable;
  CHECK(check_records(block.bytes, 1));
  Filled to(room_for(10));
  const RestoredSlice sum = restore(to.store.cache, {block}, {.now = 1000});
  CHECK(sum.foreign == 1 && to.store.cache.size() == 0);
  block.bytes[12] = 8;
  CHECK(!check_records(block.bytes, 1));
}

TEST(forged_records_are_refused) {
  Filled from(room_for(10));
  from.set(from.store.key("key"), "value", kNever, {tag("a"), tag("b")});
  const Block good = saved(from.store.cache, 1000)[0];
  const auto refused = [&](std::size_t at, std::vector<u8> bytes) {
    Block bad = good;
    std::copy(bytes.begin(), bytes.end(), bad.bytes.begin() + static_cast<std::ptrdiff_t>(at));
    return !check_records(bad.bytes, bad.records);
  };
  CHECK(refused(0, {0, 0, 0, 0, 0, 0, 0xf8, 0x7f}));  // a deadline that is no number
  CHECK(refused(8, {0xff, 0xff, 0xff, 0xff}));        // a value beyond the block
  CHECK(refused(12, {0xff, 0xff, 0xff, 0xff}));
  CHECK(refused(8, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}));  // two lengths that overflow
  CHECK(refused(16, {kKeyLong}));
  CHECK(refused(16, {kNoKey}));
  CHECK(refused(16, {kKeyNumber}));
  CHECK(refused(16, {kKeyUtf16}));
  CHECK(refused(18, {65}));
  CHECK(refused(19, {8}));
  CHECK(refused(20, {1}));
  std::vector<u8> twice(good.bytes.begin() + 24, good.bytes.begin() + 40);
  CHECK(refused(40, twice));  // the same tag twice
  CHECK(!check_records(good.bytes, 0) && !check_records(good.bytes, 2));
  CHECK(!check_records(std::span(good.bytes).first(good.bytes.size() - 8), 1));
}

TEST(keys_longer_than_any_string_are_refused) {
  const auto passes = [](KeyKind kind, u64 length) {
    const u64 size = (24 + length + 7) & ~u64{7};
    // Zeros that nobody touches take no memory.
    const std::unique_ptr<void, decltype(&std::free)> bytes(std::calloc(size, 1), std::free);
    CHECK(bytes != nullptr);
    RecordHead head{};
    head.key_len = static_cast<u32>(length);
    head.key_kind = kind;
    std::memcpy(bytes.get(), &head, sizeof head);
    return check_records({static_cast<const u8*>(bytes.get()), size}, 1);
  };
  const u64 most = (u64{1} << 29) - 24;
  CHECK(passes(kKeyLatin1, most) && !passes(kKeyLatin1, most + 1));
  CHECK(passes(kKeyUtf16, 2 * most) && !passes(kKeyUtf16, 2 * most + 2));
}

TEST(values_of_no_form_are_rejected) {
  const auto rejects = [](u8 value_tag, const Bytes& value) {
    Filled from(room_for(10));
    Placed placed;
    CHECK_EQ(
        from.store.cache.set(from.store.key("k"), {value_tag, value.data(), static_cast<u32>(value.size()), nullptr, 0},
                             {}, kNever, 1000, placed),
        Status::ok);
    Filled to(room_for(10));
    return restore(to.store.cache, saved(from.store.cache, 1000), {.now = 1000}).rejected == 1;
  };
  const auto words = [](std::initializer_list<u32> list) {
    return Bytes(reinterpret_cast<const char*>(std::data(list)), 4 * list.size());
  };
  CHECK(rejects(0, "") && rejects(9, "x") && rejects(60, "x"));
  CHECK(rejects(kTagNull, "x") && rejects(kTagNumber, "1234567") && rejects(kTagUtf16, "123"));
  CHECK(rejects(kTagMsgpack, "") && rejects(kTagArray, "") && rejects(kTagArray + 11, "123"));
  CHECK(!rejects(kTagArray + 11, "1234") && !rejects(kTagLatin1, "") && !rejects(kTagTrue, ""));
  CHECK(!rejects(kTagNdArray + 11, words({1, 2, 2, 1, 2})));  // two floats, [2, 1]
  CHECK(rejects(kTagNdArray + 11, words({1, 2, 3, 1, 2})));   // [3, 1]
  CHECK(rejects(kTagNdArray + 11, words({1, 33})));
  CHECK(rejects(kTagNdArray + 11, words({0xffff'ffff, 0xffff'ffff, 0xffff'ffff, 3})));
  CHECK(!rejects(kTagNdArray + 11, words({0xffff'ffff, 0, 0xffff'ffff, 3})));  // empty
}

TEST(saving_while_others_write_gives_whole_records) {
  constexpr u32 kRounds = HITPATH_TSAN ? 3'000 : 60'000;
  Config config = room_for(400, 4, 4 << 20);
  config.max_pinned = 25;
  Filled from(config);
  std::atomic<bool> stop{false};
  // The value repeats the key's number, and the tag is its own: a record of two entries shows.
  const auto write = [&](u64 seed) {
    Config c;
    Geometry g;
    CHECK_EQ(read_header(from.store.base(), ~u64{0}, c, g), RegionFault::none);
    Cache mine;
    mine.open(from.store.base(), c, g);
    Rng random = Rng::exactly(seed);
    for (u32 i = 0; i < kRounds; ++i) {
      const u32 id = static_cast<u32>(random.below(600));
      const std::string name = numbered("key", id);
      const Key key = make_key(kKeyLatin1, name.data(), static_cast<u32>(name.size()), c.seed);
      if (random.chance(0.1)) {
        mine.erase(key, 1000);
        continue;
      }
      const std::vector<u32> value(random.chance(0.02) ? 12'000 : random.below(100) + 1, id);
      const std::vector<Digest> tags(random.chance(0.5) ? 1 : 0, tag(name));
      Placed placed;
      (void)mine.set(key, {kTagBuffer, value.data(), static_cast<u32>(4 * value.size()), nullptr, 0}, tags, kNever,
                     1000, placed);
    }
    stop = true;
  };
  std::thread one(write, 1), two(write, 2);
  u64 seen = 0;
  do {
    for (const Block& block : saved(from.store.cache, 1000, 200'000)) {
      const u8* at = block.bytes.data();
      for (u32 i = 0; i < block.records; ++i, ++seen) {
        RecordHead head;
        std::memcpy(&head, at, sizeof head);
        const std::string name(reinterpret_cast<const char*>(at) + 24 + 16 * head.tag_count, head.key_len);
        const u32 id = static_cast<u32>(std::strtoul(name.c_str() + 3, nullptr, 10));
        Digest carried;
        std::memcpy(&carried, at + 24, 16);
        if (head.tag_count != 0) CHECK(carried == tag(name));
        const u8* value = at + 24 + 16 * head.tag_count + head.key_len;
        for (u32 w = 0; w < head.value_len; w += 4) {
          u32 word;
          std::memcpy(&word, value + w, 4);
          if (!CHECK_EQ(word, id)) break;
        }
        at += (24 + 16 * head.tag_count + head.key_len + u64{head.value_len} + 7) & ~u64{7};
      }
    }
  } while (!stop);
  one.join();
  two.join();
  CHECK(seen != 0);
  CHECK_EQ(from.store.cache.stats().pinned_bytes, 0u);
}

TEST(two_threads_restore_into_one_region) {
  Filled from(room_for(4000, 1, 8 << 20));
  for (u32 i = 0; i < 3000; ++i)
    from.set(from.store.key(numbered("k", i)), value_of(i, 40), kNever, {tag(numbered("t", i % 5))});
  const auto blocks = saved(from.store.cache, 1000, 16 << 10);
  for (const u32 most : {4000u, 500u}) {
    Filled to(room_for(most, 4, 8 << 20));
    const auto work = [&](std::size_t first) {
      Config c;
      Geometry g;
      CHECK_EQ(read_header(to.store.base(), ~u64{0}, c, g), RegionFault::none);
      Cache mine;
      mine.open(to.store.base(), c, g);
      for (std::size_t i = first; i < blocks.size(); i += 2)
        (void)restore_records(mine, blocks[i].bytes, blocks[i].records, {.now = 1000});
    };
    std::thread one(work, 0), two(work, 1);
    one.join();
    two.join();
    CHECK_EQ(to.store.cache.size(), std::min(most, 3000u));
  }
}

namespace {

/// Blocks as they stand in a file, side by side.
struct Filed {
  std::vector<u64> words;  // so that records are aligned
  std::vector<FileBlock> blocks;
  u64 records = 0;

  Filed(const std::vector<Block>& from, u64 seed) {
    for (const Block& block : from) {
      const u64 at = words.size() * 8;
      words.resize(words.size() + (kBlockHeadBytes + block.bytes.size()) / 8, 0x5a5a);
      u8* head = reinterpret_cast<u8*>(words.data()) + at;
      std::memcpy(head + kBlockHeadBytes, block.bytes.data(), block.bytes.size());
      const u64 sum = xxh3_64_long(head + 8, kBlockHeadBytes - 8 + block.bytes.size(), seed);
      std::memcpy(head, &sum, 8);
      blocks.push_back({at, block.bytes.size(), block.records});
      records += block.records;
    }
  }
  [[nodiscard]] std::span<const u8> bytes() const {
    return {reinterpret_cast<const u8*>(words.data()), words.size() * 8};
  }
};

/// What several threads make of the blocks, each with a view of its own, a shard at a time.
RestoredSlice restore_together(Cache& cache, u8* base, const Filed& filed, const Restoring& how, u32 threads) {
  std::vector<RecordIndex::Entry> room(2 * filed.records);
  RecordIndex index(room, filed.bytes().data(), cache.config().shards);
  RestoredSlice sum;
  for (const FileBlock& block : filed.blocks)
    CHECK_EQ(index.add(cache, block.at + kBlockHeadBytes, block.records, how, sum),
             block.at + kBlockHeadBytes + block.bytes);
  index.sort();
  std::atomic<u32> next{0};
  std::vector<RestoredSlice> done(threads);
  std::vector<std::thread> running;
  for (u32 i = 0; i < threads; ++i)
    running.emplace_back([&, i] {
      Config c;
      Geometry g;
      CHECK_EQ(read_header(base, ~u64{0}, c, g), RegionFault::none);
      Cache mine;
      mine.open(base, c, g);
      for (u32 shard; (shard = next.fetch_add(1)) < c.shards;) index.store(mine, shard, how, done[i]);
    });
  for (u32 i = 0; i < threads; ++i) {
    running[i].join();
    sum.restored += done[i].restored, sum.kept += done[i].kept, sum.rejected += done[i].rejected;
  }
  CHECK_EQ(sum.restored + sum.kept + sum.rejected + sum.expired + sum.foreign, filed.records);
  return sum;
}

}  // namespace

TEST(threads_that_share_out_the_shards_restore_what_one_would) {
  Rng random(7);
  const std::vector<Model> entries = some_entries(random, 3000);
  Filled from(room_for(5000, 1, 32 << 20));
  for (const Model& m : entries) from.set(from.store.key(m.key, m.kind), m.value, m.deadline, m.tags);
  const Filed filed(saved(from.store.cache, 1000, 64 << 10), 9);
  for (const u32 most : {5000u, 700u}) {
    for (const u64 arena : {u64{8} << 20, u64{256} << 10}) {
      Config other = room_for(most, 5, arena);
      other.seed = 77;
      Filled to(other);
      for (u32 i = 0; i < 3000; i += 7)
        if (entries[i].value.size() < 1000) to.set(to.store.key(entries[i].key, entries[i].kind), "mine", kNever, {});
      const RestoredSlice sum = restore_together(to.store.cache, to.store.base(), filed, {.now = 1000}, 3);
      CHECK_EQ(sum.expired + sum.foreign, 0u);
      CHECK_EQ(to.store.cache.validate(), nullptr);
      CHECK(to.store.cache.size() <= most);
      if (most == 700u || arena < 1 << 20) continue;
      CHECK_EQ(to.store.cache.size(), 3000u);
      for (u32 i = 0; i < 3000; ++i) {
        const Model& m = entries[i];
        const bool mine = i % 7 == 0 && m.value.size() < 1000;
        CHECK(to.get(to.store.key(m.key, m.kind)) == std::optional(mine ? "mine" : m.value));
      }
    }
  }
}

TEST(of_two_records_with_one_key_the_first_stays_or_the_last_replaces_it) {
  const auto one = [](const Bytes& value) {
    Filled from(room_for(100));
    for (u32 i = 0; i < 50; ++i) from.set(from.store.key(numbered("key", i)), value + std::to_string(i), kNever, {});
    return saved(from.store.cache, 1000);
  };
  std::vector<Block> blocks = one("a");
  for (Block& block : one("b")) blocks.push_back(std::move(block));
  const Filed filed(blocks, 1);
  for (const bool replace : {false, true}) {
    Filled to(room_for(100, 3));
    const Restoring how{.now = 1000, .replace = replace};
    const RestoredSlice sum = restore_together(to.store.cache, to.store.base(), filed, how, 2);
    CHECK(sum.restored == (replace ? 100u : 50u) && sum.kept == (replace ? 0u : 50u));
    for (u32 i = 0; i < 50; ++i)
      CHECK(to.get(to.store.key(numbered("key", i))) == std::optional((replace ? "b" : "a") + std::to_string(i)));
  }
}

TEST(a_block_is_what_its_checksum_and_its_number_of_records_say) {
  Filled from(room_for(100));
  for (u32 i = 0; i < 50; ++i) from.set(from.store.key(numbered("key", i)), "value", kNever, {});
  const std::vector<Block> good = saved(from.store.cache, 1000);
  const Filed filed(good, 5);
  const FileBlock& block = filed.blocks[0];
  CHECK_EQ(verify_block(filed.bytes(), block, 5), BlockFault::none);
  CHECK_EQ(verify_block(filed.bytes(), block, 6), BlockFault::checksum);
  CHECK_EQ(verify_block(filed.bytes(), {block.at, block.bytes, block.records + 1}, 5), BlockFault::records);
  for (std::size_t bit = 0; bit < filed.words.size() * 64; bit += 37) {
    Filed bad = filed;
    bad.words[bit / 64] ^= u64{1} << bit % 64;
    CHECK_EQ(verify_block(bad.bytes(), block, 5), BlockFault::checksum);
  }
}
