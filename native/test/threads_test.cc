// Several threads over one region, each with its own Cache: what one reads is whole, alive, and nobody's else.
//
// A value says whose it is: word 0 is its generation, word 1 its deadline, each further word a hash of key, generation and
// place. So a torn copy, a recycled block or another entry's bytes show. Made for ThreadSanitizer as much as for a plain run.
#include <atomic>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "check.h"
#include "rows.h"

using namespace hitpath;

namespace {

constexpr f64 kNever = std::numeric_limits<f64>::infinity();
constexpr u32 kRounds = HITPATH_TSAN ? 12'000 : 200'000;

u64 mix(u64 x) { return Rng::exactly(x).next(); }

struct Written {
  u64 words[80];
  u32 bytes;
};

Written value_of(u64 key, u64 generation, f64 deadline, u32 words) {
  Written v;
  v.bytes = words * 8;
  v.words[0] = generation;
  v.words[1] = std::bit_cast<u64>(deadline);
  for (u32 i = 2; i < words; ++i) v.words[i] = mix(key << 32 ^ generation << 8 ^ i);
  if (words == 1) v.words[0] = mix(key) << 32 | (generation & 0xffff'ffff);  // inline: all in one word
  return v;
}

/// Whether the bytes are some value of the key; its deadline must be the one that came with it.
bool is_value_of(u64 key, const u64* words, u32 bytes, f64 deadline) {
  if (bytes % 8 != 0 || bytes == 0) return false;
  if (bytes == 8) return words[0] >> 32 == (mix(key) & 0xffff'ffff);
  if (bytes > sizeof(Written::words) || std::bit_cast<f64>(words[1]) != deadline) return false;
  for (u32 i = 2; i < bytes / 8; ++i)
    if (words[i] != mix(key << 32 ^ words[0] << 8 ^ i)) return false;
  return true;
}

/// Keys of 8 bytes in the slot and, every third, of 40 in the block.
struct NumberKey {
  u64 bytes[5];
  Key key;
  NumberKey(u64 id, u64 seed)
      : bytes{id, 1, 2, 3, 4},
        key(make_key(id % 3 == 0 ? kKeyLatin1 : kKeyNumber, bytes, id % 3 == 0 ? 40 : 8, seed)) {}
  NumberKey(const NumberKey&) = delete;
  NumberKey& operator=(const NumberKey&) = delete;
};

class Region {
 public:
  Region(u32 shards, u32 max_entries, u64 arena_bytes, u32 flags = 0) {
    Config config;
    config.shards = shards;
    config.max_entries = max_entries;
    config.arena_bytes = arena_bytes;
    config.seed = 7;
    config.default_ttl = kNever;
    config.flags = kFlagShared | flags;
    Geometry geometry;
    if (!CHECK(plan(config, geometry))) std::abort();
    bytes_ = geometry.region_bytes;
    memory_ = static_cast<u8*>(std::aligned_alloc(kLine, bytes_));
    std::memset(memory_, 0, bytes_);
    Cache().create(memory_, config, geometry, 0);
  }
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;
  ~Region() { std::free(memory_); }

  u8* base() { return memory_; }
  void open(Cache& cache) {
    Config config;
    Geometry geometry;
    if (!CHECK_EQ(read_header(memory_, bytes_, config, geometry), RegionFault::none)) std::abort();
    cache.open(memory_, config, geometry);
  }
  f64 now() { return static_cast<f64>(clock.load(std::memory_order_seq_cst)); }

  std::atomic<u64> clock{1000};

 private:
  u64 bytes_;
  u8* memory_;
};

struct Tally {
  u64 inserts = 0, updates = 0, refused = 0, hits = 0, misses = 0;
  u64 left[8] = {};
  void add(const Tally& o) {
    inserts += o.inserts, updates += o.updates, refused += o.refused, hits += o.hits, misses += o.misses;
    for (u32 i = 0; i < 8; ++i) left[i] += o.left[i];
  }
};

/// One thread's view, with what it did.
class View {
 public:
  View(Region& region, u64 seed) : region(region), random(Rng::exactly(seed)) {
    region.open(cache);
    cache.set_sink({[](void* context, u32, Reason why) noexcept {
                      ++static_cast<View*>(context)->tally.left[static_cast<u32>(why)];
                    },
                    this});
  }
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  ~View() { cache.flush_counts(); }

  Status set(u64 id, u64 generation, f64 deadline, u32 words, std::span<const Digest> tags = {}) {
    const NumberKey k(id, cache.config().seed);
    const Written v = value_of(id, generation, deadline, words);
    Placed placed;
    const Status status = cache.set(k.key, {3, v.words, v.bytes}, tags, deadline, region.now(), placed);
    if (status == Status::ok)
      ++(placed.replaced ? tally.updates : tally.inserts);
    else
      ++tally.refused;
    return status;
  }

  /// Reads as the binding does; the generation, or 0.
  u64 get(u64 id) {
    const NumberKey k(id, cache.config().seed);
    for (;;) {
      const f64 now = region.now();  // before the search, so that what is alive at `now` may be served
      Hit hit;
      const bool alive = cache.find(k.key, hit) && now <= hit.deadline;
      if (!alive) {
        count(false);
        return 0;
      }
      u64 words[80];
      if (hit.length > sizeof words) {
        CHECK(!cache.still(hit));
        continue;
      }
      if (!cache.copy(hit, words)) continue;
      cache.touch(hit);
      count(true);
      CHECK_EQ(hit.value_tag, 3);
      CHECK(is_value_of(id, words, hit.length, hit.deadline));
      return words[0];
    }
  }

  Region& region;
  Rng random;
  Cache cache;
  Tally tally;

 private:
  void count(bool hit) {
    cache.count(hit);
    ++(hit ? tally.hits : tally.misses);
  }
};

class Crew {
 public:
  explicit Crew(Region& region) : region_(region) {}
  template <class Work>
  void add(u32 count, Work work) {
    for (u32 i = 0; i < count; ++i) {
      const u64 seed = ++hired_;
      threads_.emplace_back([this, seed, work] {
        auto view = std::make_unique<View>(region_, seed);
        ready_.fetch_add(1);
        while (!go_.load()) std::this_thread::yield();
        work(*view, seed);
        std::lock_guard lock(mutex_);
        tally.add(view->tally);
      });
    }
  }
  void run() {
    while (ready_.load() != threads_.size()) std::this_thread::yield();
    go_.store(true);
    for (auto& t : threads_) t.join();
  }
  Tally tally;

 private:
  Region& region_;
  u64 hired_ = 0;
  std::atomic<u64> ready_{0};
  std::atomic<bool> go_{false};
  struct Mutex {
    std::atomic_flag flag;
    void lock() {
      while (flag.test_and_set()) std::this_thread::yield();
    }
    void unlock() { flag.clear(); }
  } mutex_;
  std::vector<std::thread> threads_;
};

void check_the_books(Region& region, const Tally& tally) {
  auto end = std::make_unique<View>(region, 0);
  CHECK_EQ(end->cache.validate(), nullptr);
  const Stats stats = end->cache.stats();
  const auto left = [&](Reason why) { return tally.left[static_cast<u32>(why)]; };
  CHECK_EQ(stats.inserts, tally.inserts);
  CHECK_EQ(stats.updates, tally.updates);
  CHECK_EQ(stats.rejections, tally.refused);
  CHECK_EQ(stats.hits, tally.hits);
  CHECK_EQ(stats.misses, tally.misses);
  CHECK_EQ(stats.evictions, left(Reason::evicted));
  CHECK_EQ(stats.expirations, left(Reason::expired));
  CHECK_EQ(stats.deletes, left(Reason::deleted));
  CHECK_EQ(stats.invalidations, left(Reason::invalidated));
  u64 gone = 0;
  for (const u64 n : tally.left) gone += n;
  CHECK_EQ(stats.entries + gone, tally.inserts);
  for (u32 cursor = 0; cursor != kNil;) cursor = end->cache.clear(cursor, 1000);
  CHECK_EQ(end->cache.stats().free_bytes, stats.arena_bytes - 8 * stats.shards);
  CHECK_EQ(end->cache.stats().pinned_bytes, 0u);
  CHECK_EQ(end->cache.validate(), nullptr);
}

/// Everything at once, on few keys, so that all of it collides.
void churn(u32 shards, u32 max_entries, u64 arena_bytes, u32 flags) {
  constexpr u64 kKeys = 300;
  Region region(shards, max_entries, arena_bytes, flags);
  Crew crew(region);
  crew.add(2, [](View& v, u64) {
    for (u32 i = 0; i < kRounds; ++i) {
      v.get(v.random.below(kKeys));
      CHECK(v.cache.size() <= v.cache.config().max_entries);
    }
  });
  crew.add(2, [](View& v, u64 who) {
    Digest tags[4];
    for (u64 t = 0; t < 4; ++t) tags[t] = xxh3_128(&t, sizeof t);
    for (u32 i = 0; i < kRounds; ++i) {
      const u64 id = v.random.below(kKeys), die = v.random.below(1000);
      const f64 now = v.region.now();
      if (die < 700) {
        const f64 deadline = v.random.chance(0.5) ? kNever : now + static_cast<f64>(v.random.below(20));
        const u32 words = v.random.chance(0.3) ? 1 : static_cast<u32>(v.random.between(2, 80));
        const u64 first = v.random.below(4);
        (void)v.set(id, who << 24 | i, deadline, words,
                    std::span(tags).subspan(first, v.random.chance(0.2) ? v.random.below(5 - first) : 0));
      } else if (die < 850) {
        const NumberKey k(id, v.cache.config().seed);
        v.cache.erase(k.key, now);
      } else if (die < 900) {
        const NumberKey k(id, v.cache.config().seed);
        Hit hit;
        if (v.cache.find(k.key, hit)) v.cache.expire(hit, now);
      } else if (die < 950) {
        v.cache.advance(now, 20);
      } else if (die < 960) {
        u64 removed = 0;
        (void)v.cache.erase_tag(tags[v.random.below(4)], static_cast<u32>(v.random.below(v.cache.config().shards)), 10,
                                now, removed);
      } else if (die < 962) {
        for (u32 cursor = 0; cursor != kNil;) cursor = v.cache.clear(cursor, 100);
      } else if (die < 966) {
        for (u32 cursor = 0; cursor != kNil;)
          cursor = v.cache.sweep(cursor, 100, now, Reason::invalidated,
                                 [](const Hit& hit, const Cache::StoredKey&) noexcept { return hit.slot % 16 == 3; });
      } else {
        v.region.clock.fetch_add(1);
      }
    }
  });
  crew.add(2, [](View& v, u64) {
    struct Pin {
      u32 shard, block;
      u64 key;
      const u64* at;
      std::vector<u64> words;
      f64 deadline;
    };
    std::vector<Pin> pins;
    const auto drop = [&](std::size_t n) {
      const Pin& p = pins[n];
      CHECK(std::memcmp(p.at, p.words.data(), p.words.size() * 8) == 0);
      CHECK(is_value_of(p.key, p.at, static_cast<u32>(p.words.size() * 8), p.deadline));
      v.cache.unpin(p.shard, p.block);
      pins[n] = std::move(pins.back());
      pins.pop_back();
    };
    for (u32 i = 0; i < kRounds; ++i) {
      const u64 id = v.random.below(kKeys);
      const NumberKey k(id, v.cache.config().seed);
      Hit hit;
      u64 offset = 0;
      if (v.cache.find(k.key, hit) && v.cache.pin(hit, offset)) {
        // Plain reads: a pin makes the bytes the reader's.
        const u64* at = reinterpret_cast<const u64*>(v.region.base() + offset);
        pins.push_back({hit.slot / v.cache.geometry().slots, hit.block, id, at,
                        std::vector<u64>(at, at + hit.length / 8), hit.deadline});
        CHECK(is_value_of(id, at, hit.length, hit.deadline));
      }
      if (pins.size() > 8 || (!pins.empty() && v.random.chance(0.3))) drop(v.random.below(pins.size()));
    }
    while (!pins.empty()) drop(0);
  });
  crew.run();
  check_the_books(region, crew.tally);
}

}  // namespace

TEST(readers_writers_and_pins_with_room) { churn(4, 1000, 1 << 20, 0); }
TEST(readers_writers_and_pins_with_few_entries) { churn(4, 40, 256 << 10, 0); }
TEST(readers_writers_and_pins_with_few_bytes) { churn(2, 1000, 16 << 10, 0); }
TEST(readers_writers_and_pins_under_lru) { churn(2, 100, 32 << 10, kFlagLru); }

TEST(what_a_thread_wrote_it_reads_back_while_others_churn) {
  constexpr u64 kOwn = 200;
  Region region(4, 20'000, 4 << 20);
  Crew crew(region);
  crew.add(4, [](View& v, u64 who) {
    std::vector<u64> last(kOwn);
    for (u32 i = 1; i <= kRounds; ++i) {
      const u64 n = v.random.below(kOwn), id = who * 1'000'000 + n;
      const u64 die = v.random.below(10);
      if (die < 5) {
        const u32 words = v.random.chance(0.5) ? 20 : static_cast<u32>(v.random.between(2, 60));
        if (CHECK_EQ(v.set(id, i, kNever, words), Status::ok)) last[n] = i;
        CHECK_EQ(v.get(id), i);
      } else if (die == 5) {
        const NumberKey k(id, v.cache.config().seed);
        CHECK_EQ(v.cache.erase(k.key, v.region.now()), last[n] != 0);
        last[n] = 0;
        CHECK_EQ(v.get(id), 0u);
      } else {
        CHECK_EQ(v.get(id), last[n]);
        v.get((who % 4 + 1) * 1'000'000 + n);  // another's
      }
    }
  });
  crew.run();
  check_the_books(region, crew.tally);
  CHECK_EQ(crew.tally.left[static_cast<u32>(Reason::evicted)], 0u);
}

TEST(nothing_is_served_once_its_deadline_was_seen_to_pass) {
  Region region(2, 1000, 1 << 20);
  Crew crew(region);
  std::atomic<u64> served{0};
  crew.add(2, [](View& v, u64 who) {
    for (u32 i = 0; i < kRounds; ++i) {
      (void)v.set(v.random.below(50), who << 24 | i, v.region.now() + static_cast<f64>(v.random.below(3)), 12);
      if (i % 4 == 0) v.region.clock.fetch_add(1);
      v.cache.advance(v.region.now(), 5);
    }
  });
  crew.add(2, [&served](View& v, u64) {
    for (u32 i = 0; i < kRounds; ++i) {
      const NumberKey k(v.random.below(50), v.cache.config().seed);
      const f64 now = v.region.now();
      Hit hit;
      u64 words[80];
      if (!v.cache.find(k.key, hit) || now > hit.deadline || !v.cache.copy(hit, words)) continue;
      CHECK(std::bit_cast<f64>(words[1]) >= now);
      served.fetch_add(1, std::memory_order_relaxed);
    }
  });
  crew.run();
  CHECK(served.load() != 0);
  check_the_books(region, crew.tally);
}

TEST(batches_of_rows_from_several_threads_agree) {
  constexpr u64 kRows = 500, kColumns = 6;
  constexpr u32 kValue = 48;
  Region region(4, 400, 256 << 10);  // fewer than there are rows
  std::vector<u64> matrix(kRows * kColumns);
  for (u64 i = 0; i < matrix.size(); ++i) matrix[i] = mix(i);
  const auto word_of = [](u64 row, u64 generation, u64 i) { return mix(row << 40 ^ generation << 8 ^ i); };
  Crew crew(region);
  crew.add(4, [&](View& v, u64 who) {
    const u64 shape[] = {kColumns};
    std::vector<u64> values(kRows * kValue / 8), out(values.size());
    std::vector<u8> found(kRows);
    u64 hits = 0, stored = 0;
    for (u32 round = 0; round < kRounds / 200; ++round) {
      const u64 first = v.random.below(kRows), n = v.random.between(1, kRows - first), generation = who << 24 | round;
      KeyRows rows{reinterpret_cast<const u8*>(&matrix[first * kColumns]), n, kColumns * 8, kColumns * 8,
                   ArrayHeader(1, shape, 0)};
      const RowResult got =
          get_rows(v.cache, rows, 5, reinterpret_cast<u8*>(out.data()), kValue, found.data(), v.region.now());
      CHECK_EQ(got.status, Status::ok);
      u64 counted = 0;
      for (u64 i = 0; i < n; ++i) {
        counted += found[i];
        if (found[i] == 0) continue;
        const u64* words = &out[i * kValue / 8];
        for (u64 w = 1; w < kValue / 8; ++w) CHECK_EQ(words[w], word_of(first + i, words[0], w));
      }
      CHECK_EQ(got.hits, counted);
      hits += got.hits;
      v.tally.hits += got.hits;
      v.tally.misses += n - got.hits;
      for (u64 i = 0; i < n; ++i) {
        u64* words = &values[i * kValue / 8];
        words[0] = generation;
        for (u64 w = 1; w < kValue / 8; ++w) words[w] = word_of(first + i, generation, w);
        if (v.random.chance(0.2)) found[i] = 0;  // also rows that are there
      }
      const RowResult set = set_rows(v.cache, rows, 5, reinterpret_cast<const u8*>(values.data()), kValue, found.data(),
                                     {kNever}, v.region.now());
      CHECK_EQ(set.status, Status::ok);
      stored += set.hits;
    }
    CHECK(hits != 0 && stored != 0);
  });
  crew.run();
  auto end = std::make_unique<View>(region, 0);
  CHECK_EQ(end->cache.validate(), nullptr);
  const Stats stats = end->cache.stats();
  CHECK_EQ(stats.hits, crew.tally.hits);
  CHECK_EQ(stats.misses, crew.tally.misses);
  CHECK(stats.entries <= 400);
}

TEST(a_closed_region_is_seen_by_every_view) {
  Region region(2, 100, 64 << 10);
  Crew crew(region);
  std::atomic<u32> seen{0};
  crew.add(2, [&seen](View& v, u64) {
    while (!v.cache.closed()) v.set(v.random.below(50), 1, kNever, 10);
    seen.fetch_add(1);
  });
  crew.add(1, [](View& v, u64) {
    for (u32 i = 0; i < 100; ++i) v.get(v.random.below(50));
    v.cache.close_region();
  });
  crew.run();
  CHECK_EQ(seen.load(), 2u);
}
