// XG against itself: the cache's hit ratio beside that of an exact one, written from DESIGN.md alone with lists and exact ghosts.
//
// The cache's ghosts forget in buckets that may be full, and its hands are bounded; the exact one forgets in strict order. The two must
// agree to a point, on what XG is for: skewed popularity, scans, a working set that moves, and loops.
#include "eviction.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "cache.h"
#include "check.h"

using namespace hitpath;

namespace {

constexpr f64 kNever = std::numeric_limits<f64>::infinity();

// ---- traces ----

class Zipf {
 public:
  Zipf(u32 keys, f64 skew) {
    f64 sum = 0;
    for (u32 i = 0; i < keys; ++i) sums_.push_back(sum += std::pow(i + 1, -skew));
  }
  u32 pick(Rng& random) const {
    const f64 at = static_cast<f64>(random.next() >> 11) * 0x1p-53 * sums_.back();
    return static_cast<u32>(std::lower_bound(sums_.begin(), sums_.end(), at) - sums_.begin());
  }

 private:
  std::vector<f64> sums_;
};

/// Popular keys, scans over keys that do not come back, and a working set that moves on a third of the way at a time.
std::vector<u32> trace(u64 seed, u32 requests) {
  Rng random = Rng::exactly(seed);
  const Zipf popular(20'000, 0.9), local(1500, 0.6);
  std::vector<u32> out;
  u32 scanned = 10'000'000, base = 1'000'000;
  while (out.size() < requests) {
    const u64 die = random.below(1000);
    if (die < 600)
      out.push_back(popular.pick(random));
    else if (die < 990)
      out.push_back(base + local.pick(random));
    else if (die < 998)
      for (u32 n = 0; n < 30; ++n) out.push_back(scanned++);
    else
      base += 5;
    if (out.size() % 60'000 < 2) base += 500;
  }
  out.resize(requests);
  return out;
}

std::vector<u32> loop(u32 keys, u32 requests) {
  std::vector<u32> out(requests);
  for (u32 i = 0; i < requests; ++i) out[i] = i % keys;
  return out;
}

// ---- exact XG ----

class ExactXg {
 public:
  explicit ExactXg(u32 capacity) : capacity_(capacity), share_(0.25 * capacity) {}

  bool access(u32 key) {
    const auto at = where_.find(key);
    if (at != where_.end() && (at->second.list == kSmall || at->second.list == kMain)) {
      Node& n = at->second;
      const bool burst = n.list == kSmall && entered_ - n.stamp < std::ceil(share_ / 2);
      if (!burst && n.freq < 3) ++n.freq;
      return true;
    }
    u32 into = kSmall;
    if (at != where_.end()) {
      const f64 small = static_cast<f64>(lists_[kSmallGhost].size()),
                main = static_cast<f64>(lists_[kMainGhost].size());
      share_ += at->second.list == kSmallGhost ? std::max(1.0, main / small) : -std::max(1.0, small / main);
      share_ = std::clamp(share_, std::max(1.0, 0.01 * capacity_), std::max(1.0, 0.9 * capacity_));
      remove(key);
      into = kMain;
    }
    while (lists_[kSmall].size() + lists_[kMain].size() >= capacity_) evict();
    put(key, into);
    return false;
  }

 private:
  enum : u32 { kSmall, kMain, kSmallGhost, kMainGhost };
  struct Node {
    u32 list;
    std::list<u32>::iterator at;
    u32 freq = 0;
    u64 stamp = 0;
  };

  void put(u32 key, u32 list) {
    lists_[list].push_front(key);
    where_[key] = {list, lists_[list].begin(), 0, entered_};
    if (list == kSmall) ++entered_;
  }
  void remove(u32 key) {
    const Node& n = where_[key];
    lists_[n.list].erase(n.at);
    where_.erase(key);
  }
  void leave(u32 key, u32 ghost) {
    remove(key);
    put(key, ghost);
    if (lists_[ghost].size() > capacity_ / 2) remove(lists_[ghost].back());
  }
  void evict() {
    for (;;) {
      const bool from_small =
          lists_[kMain].empty() || (!lists_[kSmall].empty() && static_cast<f64>(lists_[kSmall].size()) >= share_);
      const u32 key = lists_[from_small ? kSmall : kMain].back();
      Node& n = where_[key];
      if (n.freq == 0) return leave(key, from_small ? kSmallGhost : kMainGhost);
      const u32 freq = from_small ? 0 : n.freq - 1;
      remove(key);
      put(key, kMain);
      where_[key].freq = freq;
    }
  }

  u32 capacity_;
  f64 share_;
  u64 entered_ = 0;  // into the small queue, so far
  std::list<u32> lists_[4];
  std::unordered_map<u32, Node> where_;
};

// ---- the cache ----

struct Replay {
  f64 hit_ratio = 0;  // per cent
  Stats stats;
};

Replay replay(const std::vector<u32>& keys, u32 capacity, u32 shards, u32 flags = 0) {
  Config config;
  config.shards = shards;
  config.max_entries = capacity;
  config.arena_bytes = kMinArena;
  config.seed = 12345;
  config.default_ttl = kNever;
  config.flags = flags;
  Geometry geometry;
  if (!CHECK(plan(config, geometry))) std::abort();
  u8* memory = static_cast<u8*>(std::aligned_alloc(kLine, geometry.region_bytes));
  std::memset(memory, 0, geometry.region_bytes);
  auto cache = std::make_unique<Cache>();
  cache->create(memory, config, geometry, 0);
  u64 hits = 0;
  for (const u32 id : keys) {
    const Key key = make_key(kKeyNumber, &id, 4, config.seed);
    Hit hit;
    if (cache->find(key, hit)) {
      cache->touch(hit);
      ++hits;
      continue;
    }
    Placed placed;
    CHECK_EQ(cache->set(key, {1, &id, 4}, {}, kNever, 0, placed), Status::ok);
  }
  CHECK_EQ(cache->validate(), nullptr);
  Replay out{100.0 * static_cast<f64>(hits) / static_cast<f64>(keys.size()), cache->stats()};
  std::free(memory);
  return out;
}

template <class Policy>
f64 exact(const std::vector<u32>& keys, Policy&& policy) {
  u64 hits = 0;
  for (const u32 key : keys) hits += policy.access(key);
  return 100.0 * static_cast<f64>(hits) / static_cast<f64>(keys.size());
}

class ExactLru {
 public:
  explicit ExactLru(u32 capacity) : capacity_(capacity) {}
  bool access(u32 key) {
    const auto at = where_.find(key);
    const bool hit = at != where_.end();
    if (hit)
      order_.erase(at->second);
    else if (order_.size() == capacity_)
      where_.erase(order_.back()), order_.pop_back();
    order_.push_front(key);
    where_[key] = order_.begin();
    return hit;
  }

 private:
  u32 capacity_;
  std::list<u32> order_;
  std::unordered_map<u32, std::list<u32>::iterator> where_;
};

constexpr u32 kRequests = HITPATH_TSAN ? 60'000 : 200'000;

}  // namespace

TEST(the_hit_ratio_is_that_of_exact_xg_within_a_point) {
  const auto keys = trace(1, kRequests);
  for (const u32 capacity : {100u, 300u, 1000u, 3000u, 8000u}) {
    const f64 expected = exact(keys, ExactXg(capacity));
    const Replay one = replay(keys, capacity, 1);
    std::printf("    %5u entries: %.2f %%, exact %.2f, LRU %.2f; longest hand %u\n", capacity, one.hit_ratio, expected,
                exact(keys, ExactLru(capacity)), one.stats.hand_steps);
    CHECK(std::abs(one.hit_ratio - expected) <= 1);
    CHECK(one.stats.small_share >= 0.01 && one.stats.small_share <= 0.9);
  }
}

TEST(sixteen_shards_cost_a_few_tenths_of_a_point) {
  const auto keys = trace(2, kRequests);
  for (const u32 capacity : {1000u, 3000u, 8000u}) {
    const f64 expected = exact(keys, ExactXg(capacity));
    const Replay many = replay(keys, capacity, 16);
    std::printf("    %5u entries in 16 shards: %.2f %%, exact %.2f\n", capacity, many.hit_ratio, expected);
    CHECK(many.hit_ratio >= expected - 1);
  }
}

TEST(xg_beats_lru_where_there_are_scans) {
  const auto keys = trace(3, kRequests);
  for (const u32 capacity : {300u, 1000u, 3000u})
    CHECK(replay(keys, capacity, 1).hit_ratio > exact(keys, ExactLru(capacity)));
}

TEST(lru_has_exactly_the_hits_of_lru) {
  const auto keys = trace(4, kRequests / 4);
  for (const u32 capacity : {1u, 7u, 100u, 1000u})
    CHECK_EQ(replay(keys, capacity, 1, kFlagLru).hit_ratio, exact(keys, ExactLru(capacity)));
}

TEST(hands_are_bounded_even_when_every_entry_was_hit) {
  constexpr u32 kMost = Eviction::kMainSteps + Eviction::kSmallSteps + 1;
  // Everything is hit three times before anything new comes: no victim has a counter of zero.
  std::vector<u32> keys;
  for (u32 round = 0; round < 5; ++round)
    for (u32 i = 0; i < 5000; ++i) keys.push_back(i);
  for (u32 i = 0; i < 3000; ++i) keys.push_back(1'000'000 + i);
  const Replay r = replay(keys, 5000, 1);
  CHECK(r.stats.hand_steps <= kMost);
  CHECK(r.stats.hand_steps >= Eviction::kSmallSteps);
  CHECK(replay(trace(5, kRequests / 4), 2000, 4).stats.hand_steps <= kMost);
}

TEST(a_loop_larger_than_the_cache_and_tiny_caches_agree_with_exact_xg) {
  for (const auto& [capacity, keys] :
       {std::pair{1000u, 1100u}, {1000u, 1450u}, {1000u, 1550u}, {1000u, 990u}, {8u, 9u}, {2u, 3u}, {1u, 1u}}) {
    const auto requests = loop(keys, 60'000);
    const f64 expected = exact(requests, ExactXg(capacity)), is = replay(requests, capacity, 1).hit_ratio;
    std::printf("    %5u entries, a loop of %5u: %.2f %%, exact %.2f\n", capacity, keys, is, expected);
    CHECK(std::abs(is - expected) <= 1);
  }
  const auto all = loop(1000, 10'000);
  CHECK_EQ(replay(all, 1000, 1).hit_ratio, 90.0);
}
