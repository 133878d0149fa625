// What the tests of the cache share: a region in memory of exactly its size, keys, values and tags by name.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "cache.h"
#include "check.h"

using namespace hitpath;

inline constexpr f64 kNever = std::numeric_limits<f64>::infinity();
using Bytes = std::string;

inline Config room_for(u32 entries, u32 shards = 1, u64 arena_bytes = 1 << 20) {
  Config c;
  c.shards = shards;
  c.max_entries = entries;
  c.arena_bytes = arena_bytes;
  c.seed = 0x5eed;
  c.default_ttl = kNever;
  c.flags = kFlagShared;
  return c;
}

inline Digest tag(std::string_view name) { return xxh3_128(name.data(), name.size()); }

/// A region in memory of exactly its size, a clock that the test moves, and what the sink reported, by key.
class Store {
 public:
  explicit Store(const Config& config) {
    Geometry geometry;
    if (!CHECK(plan(config, geometry))) std::abort();
    bytes_ = geometry.region_bytes;
    memory_ = static_cast<u8*>(std::aligned_alloc(kLine, bytes_));
    std::memset(memory_, 0, bytes_);
    cache.create(memory_, config, geometry, now);
    cache.set_sink({hear, this});
  }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store() {
    CHECK_EQ(cache.validate(), nullptr);
    std::free(memory_);
  }

  [[nodiscard]] Key key(std::string_view name, KeyKind kind = kKeyLatin1) const {
    return make_key(kind, name.data(), static_cast<u32>(name.size()), cache.config().seed);
  }

  Status set(const Key& k, const Bytes& value, f64 deadline = kNever, const std::vector<Digest>& tags = {}) {
    const Status status = cache.set(k, {7, value.data(), static_cast<u32>(value.size())}, tags, deadline, now, placed);
    if (status == Status::ok) names[placed.slot] = Bytes(reinterpret_cast<const char*>(k.bytes), k.length);
    return status;
  }
  Status set(std::string_view name, const Bytes& value, f64 deadline = kNever, const std::vector<Digest>& tags = {}) {
    return set(key(name), value, deadline, tags);
  }

  /// A read as the binding makes it: find, compare the deadline, copy, touch, count.
  std::optional<Bytes> get(const Key& k) {
    Hit hit;
    const bool alive = cache.find(k, hit) && now <= hit.deadline;
    cache.count(alive);
    if (!alive) return std::nullopt;
    Bytes value(hit.length, '\0');
    if (!CHECK(cache.copy(hit, value.data()))) return std::nullopt;
    CHECK_EQ(hit.value_tag, 7);
    cache.touch(hit);
    return value;
  }
  std::optional<Bytes> get(std::string_view name) { return get(key(name)); }
  bool has(std::string_view name) {
    Hit hit;
    return cache.find(key(name), hit);
  }
  Hit find(std::string_view name) {
    Hit hit;
    CHECK(cache.find(key(name), hit));
    return hit;
  }
  u8* base() { return memory_; }
  u64 invalidate(const Digest& t, u32 budget = 1'000'000) {
    u64 removed = 0;
    for (u32 shard = 0; shard < cache.config().shards; ++shard)
      while (cache.erase_tag(t, shard, budget, now, removed)) {}
    return removed;
  }
  void clear() {
    for (u32 cursor = 0; cursor != kNil;) cursor = cache.clear(cursor, 10);
  }
  std::vector<Bytes> removed_for(Reason reason) {
    std::vector<Bytes> out;
    for (const auto& [name, why] : removed)
      if (why == reason) out.push_back(name);
    return out;
  }

  Cache cache;
  f64 now = 1000;
  Placed placed;
  std::map<u32, Bytes> names;  // by slot
  std::vector<std::pair<Bytes, Reason>> removed;

 private:
  static void hear(void* context, u32 slot, Reason reason) noexcept {
    auto& self = *static_cast<Store*>(context);
    CHECK_EQ(self.names.count(slot), 1u);
    self.removed.emplace_back(self.names[slot], reason);
    self.names.erase(slot);
  }
  u64 bytes_;
  u8* memory_;
};

inline Bytes value_of(u64 id, std::size_t length) {
  Rng pattern = Rng::exactly(id);
  Bytes out(length, '\0');
  for (auto& c : out) c = static_cast<char>(pattern.next());
  return out;
}

inline std::string numbered(const char* prefix, u64 i) { return std::string(prefix).append(std::to_string(i)); }
