// The tag index of a shard: which entries carry a tag.
//
//   buckets[digest] -> node -> node ...                a node stands in a table of its own, which never moves
//                       |
//                      head -> link <-> link <-> ...   a link lies in the block of its entry
//
// Linking and unlinking are O(1), so an entry that leaves by any door leaves its tags too, and invalidating a tag costs what
// it removes. Nothing is spent on entries without tags. A node lives as long as something links or holds it (I8). Free nodes
// are a list; those behind the first `tag_taken` were never touched, and zeroed bytes are an empty index. All of it under the
// shard's lock.
//
// Hostile bytes: a node beyond the table is node 0, which is nobody's; a link beyond the arena is the arena's first words, the
// header of a block; loops are bounded.
#pragma once

#include "digest.h"
#include "layout.h"

namespace hitpath {

class Tags {
 public:
  Tags() = default;
  /// `nodes` has one more than `node_count`.
  Tags(ShardHeader* shard, Word<u32>* buckets, u32 bucket_count, TagNode* nodes, u32 node_count, u8* arena,
       u64 arena_bytes) noexcept
      : shard_(shard),
        buckets_(buckets),
        bucket_count_(bucket_count),
        nodes_(nodes),
        node_count_(node_count),
        arena_(arena),
        arena_bytes_(arena_bytes) {}

  [[nodiscard]] u32 find(const Digest& tag) const noexcept {
    u32 n = bucket(tag).get();
    for (u32 steps = most(); real(n) && steps != 0; n = node(n).next.get(), --steps)
      if (node(n).low.get() == tag.low && node(n).high.get() == tag.high) return n;
    return kNoTagNode;
  }

  void hold(u32 n) noexcept { node(n).count.add(1); }

  /// Finds the node or takes a free one, and holds it; kNoTagNode when the table is full.
  [[nodiscard]] u32 hold(const Digest& tag) noexcept {
    u32 n = find(tag);
    if (n == kNoTagNode) {
      n = take();
      if (n == kNoTagNode) return n;
      TagNode& fresh = node(n);
      fresh.low.put(tag.low);
      fresh.high.put(tag.high);
      fresh.head.put(kNil);
      fresh.count.put(0);
      fresh.next.put(bucket(tag).get());
      bucket(tag).put(n);
      shard_->tag_count.add(1);
    }
    hold(n);
    return n;
  }

  /// Ends a hold. A node that nothing links or holds any more is free.
  void release(u32 n) noexcept {
    if (!real(n)) return;
    TagNode& gone = node(n);
    gone.count.sub(1);
    if (gone.count.get() != 0) return;
    Word<u32>* at = &bucket({gone.low.get(), gone.high.get()});
    for (u32 steps = most(); at->get() != n; --steps) {
      if (!real(at->get()) || steps == 0) return;
      at = &node(at->get()).next;
    }
    at->put(gone.next.get());
    gone.next.put(shard_->tag_free.get());
    shard_->tag_free.put(n);
    shard_->tag_count.sub(1);
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

  /// The digest of the tag that a node is of, and the node of a link.
  [[nodiscard]] Digest name_of(u32 n) const noexcept { return {node(n).low.get(), node(n).high.get()}; }
  [[nodiscard]] u32 node_of(u32 ref) const noexcept { return at(ref).node.get(); }
  /// Some slot that carries the tag; kNil when the node has no links.
  [[nodiscard]] u32 first(u32 n) const noexcept {
    const u32 head = node(n).head.get();
    return head == kNil ? kNil : at(head).slot.get();
  }
  /// Whether the link is the only one of its tag, and nobody holds that.
  [[nodiscard]] bool only_link(u32 ref) const noexcept { return links(at(ref).node.get()) == 1; }
  [[nodiscard]] u32 links(u32 n) const noexcept { return node(n).count.get(); }

  /// In a full table, the node that costs the fewest entries among kMaxTags of them spread over the table, without those for
  /// which skip(node): fewer than kMaxTags, or there may be none.
  template <class Skip>
  [[nodiscard]] u32 cheapest(const Digest& seed, Skip&& skip) const noexcept {
    u32 best = kNoTagNode;
    const u32 stride = node_count_ / kMaxTags;
    u32 n = static_cast<u32>(seed.low % node_count_);
    for (u32 i = 0; i < kMaxTags; ++i, n = (n + stride) % node_count_) {
      const u32 candidate = n + 1;
      if (best != kNoTagNode && links(candidate) >= links(best)) continue;
      if (!skip(candidate)) best = candidate;
    }
    return best;
  }

  /// I8. Calls each(slot) for every link. nullptr, or what is wrong.
  template <class Each>
  [[nodiscard]] const char* validate(Each&& each) const noexcept {
    const u32 count = shard_->tag_count.get(), taken = shard_->tag_taken.get();
    if (taken > node_count_ || count > taken) return "I8: more tags than nodes";
    u32 nodes = 0;
    for (u32 b = 0; b < bucket_count_; ++b) {
      for (u32 n = buckets_[b].get(); n != kNoTagNode; n = node(n).next.get()) {
        if (!real(n) || n > taken) return "I8: a bucket names a node that was never taken";
        if (++nodes > count) return "I8: more tags than counted";
        if (&bucket({node(n).low.get(), node(n).high.get()}) != buckets_ + b) return "I8: a tag is in the wrong bucket";
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
    if (nodes != count) return "I8: fewer tags than counted";
    for (u32 n = shard_->tag_free.get(); n != kNoTagNode; n = node(n).next.get())
      if (!real(n) || n > taken || ++nodes > taken) return "I8: a free node was never taken, or the list does not end";
    return nodes == taken ? nullptr : "I8: a node is neither a tag's nor free";
  }

 private:
  static_assert(kLeastTagNodes >= kMaxTags, "a stride of cheapest() is at least 1");

  [[nodiscard]] bool real(u32 n) const noexcept { return n - 1 < node_count_; }
  /// Nodes that a bucket can have, whatever the count says in a damaged region.
  [[nodiscard]] u32 most() const noexcept {
    const u32 count = shard_->tag_count.get();
    return count < node_count_ ? count : node_count_;
  }
  [[nodiscard]] Word<u32>& bucket(const Digest& tag) const noexcept {
    return buckets_[((tag.low >> 32) * bucket_count_) >> 32];
  }
  [[nodiscard]] TagNode& node(u32 n) const noexcept { return nodes_[n <= node_count_ ? n : kNoTagNode]; }
  [[nodiscard]] TagLink& at(u32 ref) const noexcept {
    const u64 offset = u64{ref} * 4;
    return *reinterpret_cast<TagLink*>(arena_ + (offset + sizeof(TagLink) <= arena_bytes_ ? offset : 0));
  }

  [[nodiscard]] u32 take() noexcept {
    const u32 free = shard_->tag_free.get();
    if (real(free)) {
      shard_->tag_free.put(node(free).next.get());
      return free;
    }
    const u32 taken = shard_->tag_taken.get();
    if (taken >= node_count_) return kNoTagNode;
    shard_->tag_taken.put(taken + 1);
    return taken + 1;
  }

  ShardHeader* shard_ = nullptr;
  Word<u32>* buckets_ = nullptr;
  u32 bucket_count_ = 0;
  TagNode* nodes_ = nullptr;
  u32 node_count_ = 0;
  u8* arena_ = nullptr;
  u64 arena_bytes_ = 0;
};

}  // namespace hitpath
