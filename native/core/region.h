// From options to offsets, and the check that bytes are a region at all.
#pragma once

#include "layout.h"

namespace hitpath {

inline constexpr u32 kMaxShards = 64;
inline constexpr u32 kMaxEntries = 1u << 28;
inline constexpr u64 kMaxArena = u64{8} << 30;  // a shard
inline constexpr u64 kMinArena = 512;

struct Config {
  u32 shards = 1;
  u32 max_entries = 0;
  u64 arena_bytes = 0;  // a shard, a multiple of 64
  u64 seed = 0;
  u64 id = 0;
  f64 default_ttl = 0;  // Infinity: none
  u32 flags = 0;
  u32 max_pinned = 25;  // per cent of an arena

  friend bool operator==(const Config&, const Config&) = default;
};

/// Offsets in bytes, from the start of a shard's index or, from the ghosts on, of its store.
struct Geometry {
  u32 shard_capacity = 0;  // entries that the eviction policy reckons with
  u32 groups = 0;
  u32 slots = 0;
  u32 tag_buckets = 0;
  u32 tag_nodes = 0;  // without the one that is nobody's
  bool cells = false;
  u64 at_groups = 0, at_slots = 0, at_cells = 0, at_wheel = 0;
  u64 at_ghosts = 0, at_tags = 0, at_tag_nodes = 0, at_arena = 0;
  u64 index_bytes = 0;  // of a shard
  u64 store_bytes = 0;
  u64 stores = 0;  // where the first store begins, from the start of the region
  u64 region_bytes = 0;

  [[nodiscard]] u64 index_offset(u32 shard) const noexcept { return sizeof(Header) + shard * index_bytes; }
  [[nodiscard]] u64 store_offset(u32 shard) const noexcept { return stores + shard * store_bytes; }
};

enum class RegionFault : u32 { none, too_small, not_a_region, other_version, truncated, damaged, closed, bad_config };

/// False when the options are out of range or need more than 2^40 bytes.
[[nodiscard]] bool plan(const Config& config, Geometry& out) noexcept;

/// Reads and checks a header. Foreign bytes give a fault, never an offset outside `bytes`.
[[nodiscard]] RegionFault read_header(const void* base, u64 bytes, Config& config, Geometry& geometry) noexcept;

/// Writes a header over zeroed bytes. The shards are formatted by the cache.
void write_header(void* base, const Config& config, const Geometry& geometry) noexcept;

}  // namespace hitpath
