#include "region.h"

#include <algorithm>
#include <cmath>

#include "digest.h"
#include "ghost.h"

namespace hitpath {

namespace {

constexpr u64 line(u64 bytes) noexcept { return (bytes + kLine - 1) / kLine * kLine; }

constexpr u64 kConfigBytes = 128;  // from magic to unused_config
static_assert(offsetof(Header, state) == kConfigBytes);

u64 header_check(const void* base) noexcept {
  u8 copy[kConfigBytes];
  copy_out(copy, base, kConfigBytes);
  std::memset(copy + offsetof(Header, check), 0, 8);
  return XXH3_64bits(copy, sizeof copy);
}

}  // namespace

bool plan(const Config& config, Geometry& out) noexcept {
  if (config.shards == 0 || config.shards > kMaxShards) return false;
  if (config.max_entries == 0 || config.max_entries > kMaxEntries) return false;
  if (config.arena_bytes < kMinArena || config.arena_bytes > kMaxArena || config.arena_bytes % kLine != 0) return false;
  if (!(config.default_ttl > 0) || config.max_pinned > 100) return false;

  Geometry g;
  // Entries are spread over the shards by hash: leave four standard deviations above the mean, and fill groups to 5/6: see
  // hash_map.h. At 7/8 a churned map looks at 11 % more groups a hit than a fresh one, at 5/6 at 6 % more.
  const u64 mean = (u64{config.max_entries} + config.shards - 1) / config.shards;
  const u64 spread = config.shards == 1 ? 0 : static_cast<u64>(4 * std::sqrt(static_cast<f64>(mean))) + 8;
  const u64 limit = std::min<u64>(mean + spread, config.max_entries);
  g.shard_capacity = static_cast<u32>(mean);
  g.groups = static_cast<u32>((limit * 6 + 5 * kGroupSlots - 1) / (5 * kGroupSlots)) + 1;
  g.slots = g.groups * kGroupSlots;
  g.tag_nodes = static_cast<u32>(std::max<u64>(kLeastTagNodes, kTagNodesPerEntry * limit));
  g.tag_buckets = g.tag_nodes / 2;

  u64 at = line(sizeof(ShardHeader));
  g.at_slots = at;
  at += (u64{g.slots} + 1) * sizeof(Slot);  // and the scrap slot
  // Behind the slots: before them, the boundary at which large pages can begin would mostly come after the groups.
  g.at_groups = at;
  at += line(u64{g.groups} * kGroupBytes);
  g.cells = (config.flags & kFlagShared) == 0;
  g.at_cells = at;
  if (g.cells) at += u64{g.slots} * kCellBytes;
  g.at_wheel = at;
  at += line(kWheelBuckets * sizeof(u32));
  g.index_bytes = at;
  at = g.at_ghosts = 0;
  at += line(Ghosts::bytes_for(mean));
  g.at_tags = at;
  at += line(u64{g.tag_buckets} * sizeof(u32));
  g.at_tag_nodes = at;
  at += line((u64{g.tag_nodes} + 1) * sizeof(TagNode));
  g.at_arena = at + 4;  // so that block data, 12 bytes further, is aligned
  at += line(4 + config.arena_bytes);
  g.store_bytes = at;
  g.stores = g.index_offset(config.shards);
  g.region_bytes = g.store_offset(config.shards);
  if (g.region_bytes > (u64{1} << 40)) return false;
  out = g;
  return true;
}

RegionFault read_header(const void* base, u64 bytes, Config& config, Geometry& geometry) noexcept {
  if (bytes < sizeof(Header)) return RegionFault::too_small;
  const Header& h = *static_cast<const Header*>(base);
  if (h.magic.get() != kMagic) return RegionFault::not_a_region;
  if (h.fingerprint.get() != kFingerprint) return RegionFault::other_version;
  if (h.region_bytes.get() > bytes) return RegionFault::truncated;
  if (h.check.get() != header_check(base)) return RegionFault::damaged;
  Config c;
  c.shards = h.shards.get();
  c.max_entries = h.max_entries.get();
  c.arena_bytes = h.arena_bytes.get();
  c.seed = h.seed.get();
  c.id = h.id.get();
  c.default_ttl = h.default_ttl.get();
  c.flags = h.flags.get();
  c.max_pinned = h.max_pinned.get();
  Geometry g;
  if (!plan(c, g) || g.region_bytes != h.region_bytes.get()) return RegionFault::damaged;
  const u32 state = h.state.acquire();
  if (state == kStateDamaged) return RegionFault::damaged;
  if (state != kStateOpen) return RegionFault::closed;
  config = c;
  geometry = g;
  return RegionFault::none;
}

void write_header(void* base, const Config& config, const Geometry& geometry) noexcept {
  Header& h = *static_cast<Header*>(base);
  h.fingerprint.put(kFingerprint);
  h.region_bytes.put(geometry.region_bytes);
  h.shards.put(config.shards);
  h.max_entries.put(config.max_entries);
  h.arena_bytes.put(config.arena_bytes);
  h.seed.put(config.seed);
  h.id.put(config.id);
  h.default_ttl.put(config.default_ttl);
  h.flags.put(config.flags);
  h.max_pinned.put(config.max_pinned);
  h.magic.put(kMagic);
  h.check.put(header_check(base));
  h.state.release(kStateOpen);
}

}  // namespace hitpath
