// Damaged and foreign bytes: a header is refused, and behind a good header nothing leads outside the region or never ends.
//
// The region lies in an allocation of exactly its size, so AddressSanitizer sees a step beyond it; an alarm ends a loop that
// does not end by itself. What the operations answer on damaged bytes is not claimed. A lock word that says it is held
// is waited for, so it is never left behind.
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "check.h"
#include "rows.h"

using namespace hitpath;

namespace {

constexpr f64 kNever = std::numeric_limits<f64>::infinity();

Config small_config(u32 shards = 1, u32 flags = 0) {
  Config c;
  c.shards = shards;
  c.max_entries = 60;
  c.arena_bytes = 8 << 10;
  c.seed = 1;
  c.default_ttl = kNever;
  c.flags = flags;
  return c;
}

class Memory {
 public:
  explicit Memory(u64 bytes)
      : size_(bytes), at_(static_cast<u8*>(std::aligned_alloc(kLine, (bytes + kLine - 1) / kLine * kLine))) {
    std::memset(at_, 0, bytes);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { std::free(at_); }
  u8* at() { return at_; }
  [[nodiscard]] u64 size() const { return size_; }

 private:
  u64 size_;
  u8* at_;
};

RegionFault read(void* base, u64 bytes) {
  Config config;
  Geometry geometry;
  const RegionFault fault = read_header(base, bytes, config, geometry);
  if (fault == RegionFault::none) CHECK(geometry.region_bytes <= bytes);
  return fault;
}

/// A formatted region, its header good.
std::unique_ptr<Memory> fresh(const Config& config, Geometry& geometry) {
  if (!CHECK(plan(config, geometry))) std::abort();
  auto memory = std::make_unique<Memory>(geometry.region_bytes);
  Cache().create(memory->at(), config, geometry, 0);
  return memory;
}

/// Makes the header's own check agree again, as someone would who means harm.
void sign(u8* base) {
  std::memset(base + offsetof(Header, check), 0, 8);
  const u64 check = XXH3_64bits(base, 128);
  std::memcpy(base + offsetof(Header, check), &check, 8);
}

// ---- damage ----

template <class T>
void put(u8* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

void damage(u8* base, const Cache& cache, Rng& random) {
  const Geometry& g = cache.geometry();
  const u64 first = sizeof(Header), length = g.region_bytes - first;
  const u32 some = static_cast<u32>(random.below(cache.config().shards));
  u8* const index = base + g.index_offset(some);
  u8* const store = base + g.store_offset(some);
  switch (random.below(7)) {
    case 0:  // a few bits anywhere
      for (u64 n = random.between(1, 40); n != 0; --n)
        base[first + random.below(length)] ^= static_cast<u8>(1u << random.below(8));
      break;
    case 1:  // one byte in a hundred
      for (u64 n = length / 100; n != 0; --n) base[first + random.below(length)] = static_cast<u8>(random.next());
      break;
    case 2: {  // a part of a shard is noise, or all zero, or all ones
      u8* const parts[][2] = {{index, index + g.at_slots},
                              {index + g.at_slots, index + g.at_groups},
                              {index + g.at_groups, index + g.at_wheel},
                              {index + g.at_wheel, index + g.index_bytes},
                              {store + g.at_ghosts, store + g.at_tags},
                              {store + g.at_tags, store + g.at_tag_nodes},
                              {store + g.at_tag_nodes, store + g.at_arena - 4},
                              {store + g.at_arena - 4, store + g.store_bytes}};
      const auto& [from, to] = parts[random.below(std::size(parts))];
      const u64 kind = random.below(3);
      for (u8* at = from; at != to; ++at) *at = kind == 0 ? static_cast<u8>(random.next()) : kind == 1 ? 0 : 0xff;
      break;
    }
    case 3: {  // words that look like indices
      const u32 likely[] = {0,
                            1,
                            kNil,
                            kNil - 1,
                            g.slots,
                            g.slots - 1,
                            g.slots + 1,
                            kBucketFlag,
                            kBucketFlag | kWheelBuckets,
                            static_cast<u32>(cache.config().arena_bytes / 8),
                            0x8000'0000u,
                            0x7fff'ffffu};
      for (u64 n = random.between(1, 200); n != 0; --n)
        put(base + first + random.below(length / 4) * 4,
            random.chance(0.5) ? likely[random.below(std::size(likely))] : static_cast<u32>(random.below(g.slots)));
      break;
    }
    case 4: {  // the same in slots and the shard's header alone
      for (u64 n = random.between(1, 60); n != 0; --n) {
        u8* shard = base + g.index_offset(static_cast<u32>(random.below(cache.config().shards)));
        u8* at = random.chance(0.4) ? shard + random.below(sizeof(ShardHeader) / 4) * 4
                                    : shard + g.at_slots + random.below(g.slots * 16) * 4;
        put(at, random.chance(0.5) ? static_cast<u32>(random.below(g.slots + 3)) : static_cast<u32>(random.next()));
      }
      break;
    }
    case 5: {  // buckets, nodes, free list and links of tags name others
      const u32 likely[] = {0, 1, 2, kNil, kNil - 1, g.tag_nodes - 1, g.tag_nodes, g.tag_nodes + 1, 0x8000'0000u};
      const auto word = [&] {
        return random.chance(0.3) ? likely[random.below(std::size(likely))] : static_cast<u32>(random.below(40));
      };
      for (u64 n = random.between(1, 100); n != 0; --n)
        put(store + g.at_tags + random.below((g.at_arena - 4 - g.at_tags) / 4) * 4, word());
      for (u64 n = random.between(1, 40); n != 0; --n) put(store + g.at_tag_nodes + random.below(40 * 8) * 4, word());
      for (u64 n = random.between(0, 20); n != 0; --n)
        put(store + g.at_arena + random.below(cache.config().arena_bytes / 4) * 4, word());
      for (const u64 at :
           {offsetof(ShardHeader, tag_free), offsetof(ShardHeader, tag_taken), offsetof(ShardHeader, tag_count)})
        if (random.chance(0.3)) put(index + at, word());
      break;
    }
    default: {  // slots change places
      for (u64 n = random.between(1, 20); n != 0; --n) {
        u8* slots = base + g.index_offset(0) + g.at_slots;
        u8 kept[sizeof(Slot)];
        u8 *a = slots + random.below(g.slots) * sizeof(Slot), *b = slots + random.below(g.slots) * sizeof(Slot);
        std::memcpy(kept, a, sizeof kept);
        std::memmove(a, b, sizeof kept);
        std::memcpy(b, kept, sizeof kept);
      }
    }
  }
  for (u32 i = 0; i < cache.config().shards; ++i)
    put(base + g.index_offset(i) + offsetof(ShardHeader, lock),
        random.chance(0.05) ? static_cast<u32>(random.below(kLockHeld)) : 0);
}

// ---- operations ----

class Hand {
 public:
  Hand(u8* base, const Config& config, const Geometry& geometry, Rng& random) : random_(random), base_(base) {
    cache.open(base, config, geometry);
    cache.set_sink({[](void* context, u32 slot, Reason) noexcept {
                      auto& self = *static_cast<Hand*>(context);
                      CHECK(slot < self.cache.config().shards * self.cache.geometry().slots);
                    },
                    this});
    for (u32 t = 0; t < kMaxTags; ++t) tags_[t] = xxh3_128(&t, sizeof t);
  }

  /// A sweep's test that reads all it is shown.
  auto look() {
    return [this](const Hit& hit, const Cache::StoredKey& k) noexcept {
      for (u32 i = 0; i < k.length; ++i) seen_ += k.bytes[i];
      for (u32 i = 0; i < hit.length; ++i) seen_ += hit.value[i];
      return seen_ % 64 == 0;
    };
  }

  void some(u32 operations) {
    for (u32 i = 0; i < operations; ++i) one();
  }
  /// Loops over everything end.
  void all() {
    u32 rounds = 0;
    for (u32 cursor = 0; cursor != kNil; ++rounds) cursor = cache.sweep(cursor, 50, now_, Reason::deleted, look());
    for (u32 cursor = 0; cursor != kNil; ++rounds) cursor = cache.clear(cursor, 50);
    CHECK(rounds <= 2 * (cache.config().shards * cache.geometry().slots / 50 + cache.config().shards + 1));
    for (const Digest& tag : tags_) {
      u64 removed = 0;
      for (u32 shard = 0; shard < cache.config().shards; ++shard) {
        rounds = 0;
        while (cache.erase_tag(tag, shard, 10, now_, removed) && CHECK(++rounds < 1000)) {}
      }
    }
    (void)cache.stats();
  }

  Cache cache;

 private:
  void one() {
    char name[64];
    const u64 id = random_.below(100);
    u32 length =
        static_cast<u32>(std::snprintf(name, sizeof name, id % 3 == 0 ? "key %llu that does not fit a slot" : "%llu",
                                       static_cast<unsigned long long>(id)));
    const Key key = make_key(kKeyLatin1, name, length, cache.config().seed);
    u8 bytes[2000];
    std::memset(bytes, static_cast<int>(id), sizeof bytes);
    Hit hit;
    switch (random_.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        Placed placed;
        const u64 first = random_.below(kMaxTags);
        const u32 size = random_.chance(0.3)   ? static_cast<u32>(random_.below(9))
                         : random_.chance(0.5) ? 100
                                               : static_cast<u32>(random_.below(2000));
        (void)cache.set(key, {1, bytes, size},
                        std::span(tags_).subspan(first, random_.chance(0.3) ? random_.below(kMaxTags + 1 - first) : 0),
                        random_.chance(0.5) ? kNever : now_ + static_cast<f64>(random_.below(100)), now_, placed);
        break;
      }
      case 4:
      case 5:
        if (!cache.find(key, hit)) break;
        (void)cache.copy(hit, std::make_unique<u8[]>(hit.length).get());
        cache.touch(hit);
        cache.expire(hit, now_);
        break;
      case 6: cache.erase(key, now_); break;
      case 7: now_ += static_cast<f64>(random_.below(50)), cache.advance(now_, 30), (void)cache.next_due(); break;
      case 8: {
        u64 removed = 0;
        (void)cache.erase_tag(tags_[random_.below(kMaxTags)], static_cast<u32>(random_.below(cache.config().shards)),
                              10, now_, removed);
        break;
      }
      case 9: {
        u64 offset = 0;
        if (!cache.find(key, hit) || !cache.pin(hit, offset)) break;
        for (u32 i = 0; i < hit.length; ++i) seen_ += base_[offset + i];
        cache.unpin(hit.slot / cache.geometry().slots, hit.block);
        break;
      }
      case 10: {
        f64 mean;
        u32 longest;
        cache.probe_lengths(mean, longest);
        (void)cache.stats();
        break;
      }
      default: {
        const u64 shape[] = {2};
        u8 found[20], out[20 * 16];
        KeyRows rows{bytes, 20, 16, 8, ArrayHeader(1, shape, 0)};
        (void)get_rows(cache, rows, 1, out, 16, found, now_);
        (void)set_rows(cache, rows, 1, out, 16, nullptr, {now_ + 50}, now_);
      }
    }
  }

  Rng& random_;
  u8* base_;
  f64 now_ = 100;
  Digest tags_[kMaxTags];
  u64 seen_ = 0;
};

void survive(u64 seed, u32 rounds, u32 flags) {
  Rng random(seed);
  for (u32 round = 0; round < rounds / (HITPATH_TSAN ? 5 : 1); ++round) {
    alarm(60);
    Config config = small_config(static_cast<u32>(random.between(1, 3)), flags);
    if (random.chance(0.3)) config.arena_bytes = kMinArena;
    Geometry geometry;
    const auto memory = fresh(config, geometry);
    auto hand = std::make_unique<Hand>(memory->at(), config, geometry, random);
    hand->some(100);
    Hand* before = hand.get();
    for (u32 i = 0; i < 3; ++i) {
      damage(memory->at(), before->cache, random);
      hand = std::make_unique<Hand>(memory->at(), config, geometry, random);
      before = hand.get();
      hand->some(150);
    }
    hand->all();
  }
  alarm(0);
}

}  // namespace

// ---- headers ----

TEST(a_header_cut_short_is_refused) {
  Geometry geometry;
  const auto whole = fresh(small_config(), geometry);
  for (u64 bytes = 0; bytes < sizeof(Header); ++bytes) {
    Memory part(std::max<u64>(bytes, 1));
    std::memcpy(part.at(), whole->at(), bytes);
    CHECK_EQ(read(part.at(), bytes), RegionFault::too_small);
  }
  for (u64 bytes = sizeof(Header); bytes < geometry.region_bytes; bytes += 997)
    CHECK_EQ(read(whole->at(), bytes), RegionFault::truncated);
  CHECK_EQ(read(whole->at(), geometry.region_bytes - 1), RegionFault::truncated);
  CHECK_EQ(read(whole->at(), geometry.region_bytes), RegionFault::none);
}

TEST(every_flipped_bit_of_a_header_is_noticed) {
  Geometry geometry;
  const auto memory = fresh(small_config(3), geometry);
  for (u32 bit = 0; bit < 8 * (offsetof(Header, state) + sizeof(u32)); ++bit) {
    memory->at()[bit / 8] ^= static_cast<u8>(1u << bit % 8);
    const RegionFault fault = read(memory->at(), memory->size());
    const u32 byte = bit / 8;
    if (byte < 8)
      CHECK_EQ(fault, RegionFault::not_a_region);
    else if (byte < 16)
      CHECK_EQ(fault, RegionFault::other_version);
    else if (byte >= offsetof(Header, state))
      CHECK_EQ(fault, RegionFault::closed);
    else
      CHECK(fault == RegionFault::damaged || fault == RegionFault::truncated);
    memory->at()[bit / 8] ^= static_cast<u8>(1u << bit % 8);
  }
  CHECK_EQ(read(memory->at(), memory->size()), RegionFault::none);
}

TEST(foreign_bytes_are_not_a_region) {
  Memory memory(64 << 10);
  CHECK_EQ(read(memory.at(), memory.size()), RegionFault::not_a_region);
  Rng random(1);
  for (u32 round = 0; round < 1000; ++round) {
    for (u32 i = 0; i < sizeof(Header); ++i) memory.at()[i] = static_cast<u8>(random.next());
    if (round % 2 == 0) put(memory.at(), kMagic);
    CHECK_EQ(read(memory.at(), memory.size()), round % 2 == 0 ? RegionFault::other_version : RegionFault::not_a_region);
    put(memory.at(), kMagic);
    put(memory.at() + 8, kFingerprint);
    CHECK(read(memory.at(), memory.size()) != RegionFault::none);
  }
}

TEST(a_signed_header_that_makes_no_sense_is_refused) {
  Geometry geometry;
  const auto memory = fresh(small_config(), geometry);
  const std::vector<u8> good(memory->at(), memory->at() + sizeof(Header));
  const auto refused = [&](std::size_t at, auto value) {
    std::memcpy(memory->at(), good.data(), good.size());
    put(memory->at() + at, value);
    sign(memory->at());
    CHECK(read(memory->at(), memory->size()) != RegionFault::none);
  };
  for (const u32 v : {0u, 2u, kMaxShards, kMaxShards + 1, kNil}) refused(offsetof(Header, shards), v);
  for (const u32 v : {0u, 1u, kMaxEntries, kMaxEntries + 1, kNil}) refused(offsetof(Header, max_entries), v);
  for (const u64 v : {u64{0}, u64{64}, u64{8 << 10} + 8, kMaxArena, kMaxArena + 64, ~u64{0}, ~u64{63}})
    refused(offsetof(Header, arena_bytes), v);
  for (const f64 v : {0.0, -1.0, -kNever, std::nan("")}) refused(offsetof(Header, default_ttl), v);
  refused(offsetof(Header, max_pinned), 101u);
  for (const u64 v : {u64{0}, geometry.region_bytes - 64, geometry.region_bytes + 64, ~u64{0}})
    refused(offsetof(Header, region_bytes), v);
  Rng random(2);
  for (u32 round = 0; round < 5000; ++round) {
    std::memcpy(memory->at(), good.data(), good.size());
    for (u64 n = random.between(1, 4); n != 0; --n)
      put(memory->at() + 16 + 4 * random.below(16), static_cast<u32>(random.next() >> random.below(32)));
    sign(memory->at());
    (void)read(memory->at(), memory->size());  // claims that what it accepts lies inside
  }
}

TEST(plans_that_cannot_be_are_refused_and_the_largest_fits_its_words) {
  Geometry g;
  Config c = small_config(kMaxShards);
  c.max_entries = kMaxEntries;
  CHECK(plan(c, g));
  CHECK(u64{c.shards} * g.slots < kBucketFlag);
  c.arena_bytes = kMaxArena;
  CHECK(plan(c, g));
  CHECK(g.region_bytes <= u64{1} << 40);
  c = small_config();
  c.max_entries = kMaxEntries;
  CHECK(plan(c, g));
  CHECK(g.slots < kBucketFlag);
  c.max_entries = 0;
  CHECK(!plan(c, g));
}

// ---- damaged regions ----

TEST(nothing_leaves_a_damaged_region_of_one_thread) { survive(11, 100, 0); }
TEST(nothing_leaves_a_damaged_region_of_several) { survive(12, 100, kFlagShared); }
TEST(nothing_leaves_a_damaged_region_under_lru) {
  survive(13, 50, kFlagLru);
  survive(14, 50, kFlagLru | kFlagShared);
}

TEST(a_slot_left_half_written_is_a_miss_not_a_wait_for_ever) {
  Geometry geometry;
  const Config config = small_config(1, kFlagShared);
  const auto memory = fresh(config, geometry);
  Cache cache;
  cache.open(memory->at(), config, geometry);
  const Key key = make_key(kKeyLatin1, "k", 1, config.seed);
  Placed placed;
  CHECK_EQ(cache.set(key, {1, "v", 1}, {}, kNever, 0, placed), Status::ok);
  put(memory->at() + cache.slot_offset(placed.slot), placed.seq + 1);
  alarm(60);
  Hit hit;
  CHECK(!cache.find(key, hit));
  alarm(0);
}

// ---- locks ----

TEST(a_lock_word_that_no_thread_writes_closes_the_region_at_once) {
  for (const u32 word : {1u, 2u, kLockHeld ^ 1, kLockHeld - 1, 0x8000'0000u, kNil}) {
    Geometry geometry;
    const Config config = small_config(1, kFlagShared);
    const auto memory = fresh(config, geometry);
    Cache cache, other;
    cache.open(memory->at(), config, geometry);
    other.open(memory->at(), config, geometry);
    const Key key = make_key(kKeyLatin1, "k", 1, config.seed);
    Placed placed;
    CHECK_EQ(cache.set(key, {1, "v", 1}, {}, kNever, 0, placed), Status::ok);
    put(memory->at() + cache.geometry().index_offset(0) + offsetof(ShardHeader, lock), word);
    alarm(60);
    CHECK(!other.damaged());
    CHECK_EQ(cache.set(key, {1, "w", 1}, {}, kNever, 0, placed), Status::damaged);
    CHECK(other.damaged() && other.closed());
    CHECK_EQ(read(memory->at(), memory->size()), RegionFault::damaged);
    Hit hit;
    CHECK(other.find(key, hit) && *hit.value == 'v');
    CHECK(!other.erase(key, 0));
    u64 removed = 0, offset = 0;
    CHECK(!other.erase_tag(xxh3_128("t", 1), 0, 10, 0, removed));
    CHECK(!other.pin(hit, offset));
    other.unpin(0, 0);
    CHECK_EQ(other.clear(0, 10), kNil);
    CHECK_EQ(other.size(), 1u);
    CHECK_EQ(other.advance(100, 10), 10u);
    (void)other.stats();
    CHECK(other.validate() != nullptr);
    alarm(0);
  }
}

TEST(a_holder_is_waited_for_however_slow_and_damage_ends_the_wait) {
  for (const bool damaged : {false, true}) {
    Geometry geometry;
    const Config config = small_config(1, kFlagShared);
    const auto memory = fresh(config, geometry);
    Cache cache;
    cache.open(memory->at(), config, geometry);
    auto& lock =
        *reinterpret_cast<Word<u32>*>(memory->at() + cache.geometry().index_offset(0) + offsetof(ShardHeader, lock));
    lock.release(kLockHeld);
    std::atomic<bool> returned{false};
    Status status = Status::ok;
    alarm(60);
    std::thread writer([&] {
      Placed placed;
      status = cache.set(make_key(kKeyLatin1, "k", 1, config.seed), {1, "v", 1}, {}, kNever, 0, placed);
      returned = true;
    });
    for (u32 i = 0; i < 20'000; ++i) std::this_thread::yield();
    CHECK(!returned);
    lock.release(damaged ? 7 : 0);
    writer.join();
    alarm(0);
    CHECK_EQ(status, damaged ? Status::damaged : Status::ok);
    CHECK_EQ(lock.get(), damaged ? 7u : 0u);
  }
}
