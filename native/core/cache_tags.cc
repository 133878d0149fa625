// The tags of entries: nodes for a set, leaving them, removing what carries a tag.
#include <algorithm>

#include "cache.h"

namespace hitpath {

/// Calls each(ref) for the links of an entry that carries tags, in words of the arena.
template <class Each>
void Cache::each_link(const Shard& shard, const Slot& slot, Each&& each) const noexcept {
  const u64 at = tags_at(slot);
  if (at + 4 > config_.arena_bytes) return;
  const u32 count = std::min(reinterpret_cast<const Word<u32>*>(shard.arena_base + at)->get(), kMaxTags);
  for (u32 i = 0; i < count; ++i) each(static_cast<u32>((at + 4) / 4 + i * (sizeof(TagLink) / 4)));
}

void Cache::unlink_tags(Shard& shard, const Slot& slot) noexcept {
  each_link(shard, slot, [&](u32 ref) noexcept { shard.tags.unlink(ref); });
  shard.arena.set_tagged(slot.block.get(), false);
}

u32 Cache::tags_of(const Hit& hit, std::span<Digest, kMaxTags> out) const noexcept {
  const Shard& shard = shards_[hit.shard];
  u32 count = 0;
  if (carries_tags(shard, hit.index))
    each_link(shard, shard.slots[hit.index],
              [&](u32 ref) noexcept { out[count++] = shard.tags.name_of(shard.tags.node_of(ref)); });
  return count;
}

bool Cache::frees_node(const Shard& shard, u32 slot) const noexcept {
  bool frees = false;
  if (carries_tags(shard, slot))
    each_link(shard, shard.slots[slot], [&](u32 ref) noexcept { frees |= shard.tags.only_link(ref); });
  return frees;
}

/// A held node for each tag; when the table is full, each new one evicts an entry that has a tag of its own, or the entries of a
/// tag that few carry. `keep` as in take_block. False, with nothing held: there are more nodes than one entry may have
/// tags, so the table is damaged.
bool Cache::take_nodes(Shard& shard, std::span<const Digest> tags, f64 now, u32& keep, std::span<u32> nodes) noexcept {
  for (u32 i = 0; i < tags.size(); ++i) {
    nodes[i] = shard.tags.hold(tags[i]);
    if (nodes[i] != kNoTagNode) continue;
    free_node(shard, tags[i], nodes.first(i), now, keep);
    nodes[i] = shard.tags.hold(tags[i]);
    if (nodes[i] != kNoTagNode) continue;
    for (const u32 node : nodes.first(i)) shard.tags.release(node);
    return false;
  }
  return true;
}

/// Frees a node of a full table, none of those that are held.
void Cache::free_node(Shard& shard, const Digest& seed, std::span<const u32> held, f64 now, u32& keep) noexcept {
  const auto leaves = [&](u32 slot) noexcept {
    if (slot == keep) keep = kNil;
    evict(shard, slot, now);
  };
  const auto frees = [&](u32 slot) noexcept { return frees_node(shard, slot); };
  u32 victim = shard.eviction.victim(now);
  if (victim != kNil) victim = shard.eviction.oldest_from(victim, frees);
  if (victim != kNil && frees(victim)) return leaves(victim);
  const u32 node =
      shard.tags.cheapest(seed, [&](u32 n) noexcept { return std::find(held.begin(), held.end(), n) != held.end(); });
  for (u32 left = std::min(shard.tags.links(node), geometry_.slots); left != 0; --left) {
    const u32 slot = shard.tags.first(node);
    if (slot >= geometry_.slots || (shard.slots[slot].queue.get() & 15) == kQueueNone) return;  // a damaged list
    leaves(slot);
  }
}

bool Cache::erase_tag(const Digest& tag, u32 shard_index, u32 budget, f64 now, u64& removed) noexcept {
  Shard& shard = shards_[shard_index];
  const ShardLock lock = enter(shard);
  if (!lock) return false;
  const u32 node = shard.tags.find(tag);
  if (node == kNoTagNode) return false;
  // Held, so that the node outlives its last link.
  shard.tags.hold(node);
  u32 slot = shard.tags.first(node);
  for (; slot != kNil && budget != 0; --budget, slot = shard.tags.first(node)) {
    // A damaged list: nothing more to remove here.
    if (slot >= geometry_.slots || (shard.slots[slot].queue.get() & 15) == kQueueNone) {
      slot = kNil;
      break;
    }
    const bool live = now <= shard.slots[slot].deadline.get();
    (live ? shard.header->invalidations : shard.header->expirations).add(1);
    removed += live;
    remove(shard, slot, live ? Reason::invalidated : Reason::expired);
  }
  shard.tags.release(node);
  return slot != kNil;
}

}  // namespace hitpath
