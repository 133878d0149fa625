// The tag index of a shard: which entries carry a tag.
//
//   buckets[hash] -> tag node -> tag node ...          a node is an arena block, known by the digest of the tag's name
//                      |
//                      head -> link <-> link <-> ...   a link lies in the block of its entry: node, prev, next, slot
//
// Linking and unlinking are O(1), so an entry that leaves by any door leaves its tags too, and invalidating a tag costs what
// it removes. Nothing is spent on entries without tags. A node lives as long as something links or holds it (I8); it
// is marked as pinned, so that nobody moves or evicts it. All of it under the shard's lock.
#pragma once

#include "arena.h"
#include "digest.h"

namespace hitpath {

struct TagNode {
  Word<u64> low;
  Word<u64> high;
  Word<u32> head;   // a link, in words of four bytes from the arena's start
  Word<u32> count;  // links and holds
  Word<u32> next;   // node in the same bucket, in granules
  Word<u32> unused;
};

struct TagLink {
  Word<u32> node;
  Word<u32> prev;  // a link or kNil
  Word<u32> next;
  Word<u32> slot;
};

class Tags {
 public:
  Tags() = default;
  Tags(ShardHeader* shard, Word<u32>* buckets, u32 bucket_count, Arena arena, void* arena_base,
       u64 arena_bytes) noexcept
      : shard_(shard),
        buckets_(buckets),
        bucket_count_(bucket_count),
        arena_(arena),
        base_(static_cast<u8*>(arena_base)),
        arena_bytes_(arena_bytes) {}

  void format() noexcept {
    for (u32 i = 0; i < bucket_count_; ++i) buckets_[i].put(kNil);
  }

  [[nodiscard]] u32 find(const Digest& tag) const noexcept {
    u32 steps = 0;
    for (u32 n = bucket(tag).get(); n != kNil && steps <= most(); n = node(n).next.get(), ++steps)
      if (node(n).low.get() == tag.low && node(n).high.get() == tag.high) return n;
    return kNil;
  }

  /// Finds the node or makes it in `block` (from the arena, or kNil to find only), and holds it.
  u32 hold(const Digest& tag, u32 block) noexcept {
    u32 n = find(tag);
    if (n == kNil) {
      if (block == kNil) return kNil;
      n = block;
      arena_.add_pin(n);
      TagNode& fresh = node(n);
      fresh.low.put(tag.low);
      fresh.high.put(tag.high);
      fresh.head.put(kNil);
      fresh.count.put(0);
      fresh.next.put(bucket(tag).get());
      bucket(tag).put(n);
      shard_->tag_count.add(1);
    }
    node(n).count.add(1);
    return n;
  }

  void release(u32 n) noexcept {
    TagNode& gone = node(n);
    gone.count.sub(1);
    if (gone.count.get() != 0) return;
    const Digest tag{gone.low.get(), gone.high.get()};
    Word<u32>* at = &bucket(tag);
    for (u32 steps = 0; at->get() != n; ++steps) {
      if (at->get() == kNil || steps > most()) return;
      at = &node(at->get()).next;
    }
    at->put(gone.next.get());
    shard_->tag_count.sub(1);
    arena_.drop_pin(n);
    arena_.release(n);
  }

  /// `ref` is where the link lies, in words of the arena. The hold on the node becomes the link's.
  void link(u32 ref, u32 n, u32 slot) noexcept {
    TagLink& l = at(ref);
    const u32 head = node(n).head.get();
    l.node.put(n);
    l.prev.put(kNil);
    l.next.put(head);
    l.slot.put(slot);
    if (head != kNil) at(head).prev.put(ref);
    node(n).head.put(ref);
  }

  void unlink(u32 ref) noexcept {
    const TagLink& l = at(ref);
    const u32 prev = l.prev.get(), next = l.next.get(), n = l.node.get();
    if (prev != kNil)
      at(prev).next.put(next);
    else
      node(n).head.put(next);
    if (next != kNil) at(next).prev.put(prev);
    release(n);
  }

  /// Some slot that carries the tag; kNil when the node has no links.
  [[nodiscard]] u32 first(u32 n) const noexcept {
    const u32 head = node(n).head.get();
    return head == kNil ? kNil : at(head).slot.get();
  }

  /// I8. Calls each(slot) for every link. nullptr, or what is wrong.
  template <class Each>
  [[nodiscard]] const char* validate(Each&& each) const noexcept {
    u32 nodes = 0;
    for (u32 b = 0; b < bucket_count_; ++b) {
      for (u32 n = buckets_[b].get(); n != kNil; n = node(n).next.get()) {
        if (++nodes > shard_->tag_count.get()) return "I8: more tags than counted";
        u32 links = 0, prev = kNil;
        for (u32 ref = node(n).head.get(); ref != kNil; ref = at(ref).next.get()) {
          if (at(ref).node.get() != n || at(ref).prev.get() != prev) return "I8: tag links disagree";
          if (++links > node(n).count.get()) return "I8: more links than counted";
          each(at(ref).slot.get());
          prev = ref;
        }
        if (links == 0 || links != node(n).count.get()) return "I8: a tag's count is wrong";
      }
    }
    return nodes == shard_->tag_count.get() ? nullptr : "I8: fewer tags than counted";
  }

 private:
  // Nodes that a bucket can have, whatever the count says in a damaged region.
  [[nodiscard]] u64 most() const noexcept {
    return std::min<u64>(shard_->tag_count.get(), arena_bytes_ / sizeof(TagNode));
  }
  [[nodiscard]] Word<u32>& bucket(const Digest& tag) const noexcept {
    return buckets_[((tag.low >> 32) * bucket_count_) >> 32];
  }
  [[nodiscard]] TagNode& node(u32 n) const noexcept { return *static_cast<TagNode*>(arena_.data(n)); }
  [[nodiscard]] TagLink& at(u32 ref) const noexcept {
    const u64 offset = u64{ref} * 4;
    return *reinterpret_cast<TagLink*>(base_ + (offset + sizeof(TagLink) <= arena_bytes_ ? offset : 0));
  }

  ShardHeader* shard_ = nullptr;
  Word<u32>* buckets_ = nullptr;
  u32 bucket_count_ = 0;
  mutable Arena arena_;
  u8* base_ = nullptr;
  u64 arena_bytes_ = 0;
};

}  // namespace hitpath
