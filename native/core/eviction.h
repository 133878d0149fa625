// Which entry leaves: XG, or exact LRU.
//
// XG is S3-FIFO (Yang et al., SOSP'23) with a split that moves: a small queue for newcomers, a main queue for what was hit,
// and two ghosts that remember what left either. A miss found in the small ghost says that the small
// queue is too small, one found in the main ghost that it is too large. A hit only raises a 2-bit counter in the slot.
//
// The queues are doubly linked through the slots: removing an entry that expired or was deleted costs O(1) and leaves no
// hole, which a ring of slot numbers would have to compact; and LRU is the same list. Head is young, tail is old.
//
// Everything here is called under the shard's lock, except touch(), whose lost updates cost nothing but precision.
#pragma once

#include <algorithm>
#include <cmath>

#include "ghost.h"

namespace hitpath {

class Eviction {
 public:
  static constexpr f64 kFirstShare = 0.25;
  static constexpr f64 kLeastShare = 0.01;
  static constexpr f64 kMostShare = 0.90;
  // One write promotes at most so many of the small queue, and then looks at so many of the main queue before it takes one, so
  // that it never walks a million. A cache that fills with what is read again and again promotes long runs the first time.
  static constexpr u32 kSmallSteps = 256;
  static constexpr u32 kMainSteps = 384;
  static constexpr u32 kLook = 32;  // steps of the search for an entry with bytes
  static constexpr u8 kMaxFreq = 3;

  Eviction() = default;
  /// capacity: entries of the shard. ghosts: their memory.
  Eviction(ShardHeader* shard, Slot* slots, u32 slot_count, void* ghosts, u32 capacity, bool lru) noexcept
      : shard_(shard),
        slots_(slots),
        slot_count_(slot_count),
        ghosts_(shard->ghosts, ghosts, capacity),
        capacity_(capacity),
        lru_(lru) {}

  void format() noexcept {
    for (Queue* q : {&shard_->small, &shard_->main}) {
      q->head.put(kNil);
      q->tail.put(kNil);
      q->count.put(0);
    }
    set_share(kFirstShare * capacity_);
  }

  /// A hit: up to two bits, and no store at all once they are full. Hits in the younger half of the small queue do not
  /// count, since two touches in a burst are one.
  void touch(u32 slot) noexcept {
    Slot& s = at(slot);
    if (lru_) {
      to_head(slot, shard_->main);
      return;
    }
    const u8 freq = s.freq.get();
    if (freq >= kMaxFreq) return;
    if ((s.queue.get() & 15) == kQueueSmall && shard_->small_seq.get() - s.stamp.get() < shard_->small_young.get())
      return;
    s.freq.put(static_cast<u8>(freq + 1));
  }

  /// Where a newcomer goes. Adapts the split, so it is asked once an insertion, before room is made.
  [[nodiscard]] QueueId consult(u32 hash) noexcept {
    if (lru_) return kQueueMain;
    const f64 small = ghosts_.count(kQueueSmall), main = ghosts_.count(kQueueMain);
    const QueueId left = ghosts_.take(hash);
    if (left == kQueueNone) return kQueueSmall;
    const f64 share = shard_->small_share.get();
    set_share(left == kQueueSmall ? share + std::max(1.0, main / small) : share - std::max(1.0, small / main));
    return kQueueMain;
  }

  /// Where an entry that comes back from `queue` goes: LRU has one queue.
  [[nodiscard]] QueueId home(QueueId queue) const noexcept { return lru_ ? kQueueMain : queue; }

  void enter(u32 slot, QueueId queue) noexcept {
    Slot& s = at(slot);
    s.freq.put(0);
    s.queue.put(static_cast<u8>((s.queue.get() & 0xf0) | queue));
    if (queue == kQueueSmall) {
      const u32 seq = shard_->small_seq.get();
      s.stamp.put(seq);
      shard_->small_seq.put(seq + 1);
    }
    push_head(slot, queue == kQueueSmall ? shard_->small : shard_->main);
  }

  void unlink(u32 slot) noexcept {
    Slot& s = at(slot);
    pull(slot, (s.queue.get() & 15) == kQueueSmall ? shard_->small : shard_->main);
    s.queue.put(static_cast<u8>(s.queue.get() & 0xf0));
  }

  /// The entry to evict next, still linked; kNil when the shard is empty. An expired one goes first, whatever its counter.
  [[nodiscard]] u32 victim(f64 now) noexcept {
    u32 steps = 0, small_steps = 0, main_steps = 0;
    u32 chosen = kNil;
    for (;;) {
      const u32 small = shard_->small.count.get(), main = shard_->main.count.get();
      if (small + main == 0) break;
      const bool from_small =
          main == 0 || (small != 0 && small >= shard_->small_share.get() && small_steps < kSmallSteps);
      const u32 slot = from_small ? shard_->small.tail.get() : shard_->main.tail.get();
      if (slot >= slot_count_) return kNil;  // a damaged region
      Slot& s = at(slot);
      chosen = slot;
      ++steps;
      if (now > s.deadline.get() || lru_) break;
      const u8 freq = s.freq.get();
      if (freq == 0) break;
      if (from_small) {
        if (small_steps++ >= kSmallSteps) break;
        unlink(slot);
        enter(slot, kQueueMain);
      } else {
        if (main_steps++ >= kMainSteps) break;
        s.freq.put(static_cast<u8>(freq - 1));
        to_head(slot, shard_->main);
      }
      prefetch(&at(from_small ? shard_->small.tail.get() : shard_->main.tail.get()));
    }
    if (steps > shard_->hand_steps.get()) shard_->hand_steps.put(steps);
    return chosen;
  }

  /// Asks memory for the line of the entry that the next eviction will most likely look at first.
  void prefetch_next() const noexcept { prefetch(&at(next_tail())); }

  /// Asks for what evicting that entry touches besides its line, which prefetch_next() brought: its neighbour and its ghosts'
  /// bucket. Returns its slot, kNil when there is none.
  [[nodiscard]] u32 prefetch_around_next() const noexcept {
    const u32 slot = next_tail();
    const Slot& s = at(slot);
    prefetch(&at(s.queue_prev.get()));
    if (!lru_) ghosts_.prefetch_for(s.hash.get());
    return slot;
  }

  /// Where bytes are wanted, an entry without any is no help: the oldest for which useful(slot), among the next few of the
  /// same queue that were not hit; else `slot` itself. LRU keeps its order.
  template <class Useful>
  [[nodiscard]] u32 oldest_from(u32 slot, Useful&& useful) const noexcept {
    if (lru_ || useful(slot)) return slot;
    u32 other = at(slot).queue_prev.get();
    for (u32 look = 0; look < kLook && other < slot_count_; ++look, other = at(other).queue_prev.get())
      if (at(other).freq.get() == 0 && useful(other)) return other;
    return slot;
  }

  /// An evicted entry leaves its hash to a ghost. Before unlink().
  void remember(u32 slot) noexcept {
    if (lru_) return;
    const Slot& s = at(slot);
    ghosts_.put((s.queue.get() & 15) == kQueueSmall ? kQueueSmall : kQueueMain, s.hash.get());
  }

  /// I4, and the ghosts' counts. nullptr, or what is wrong.
  [[nodiscard]] const char* validate() const noexcept {
    for (const QueueId id : {kQueueSmall, kQueueMain}) {
      const Queue& q = id == kQueueSmall ? shard_->small : shard_->main;
      u32 seen = 0, previous = kNil;
      for (u32 i = q.head.get(); i != kNil; i = at(i).queue_next.get()) {
        if (i >= slot_count_ || seen++ > slot_count_) return "I4: a queue leaves the slots or does not end";
        if ((at(i).queue.get() & 15) != id) return "I4: a slot is in a queue that it does not name";
        if (at(i).queue_prev.get() != previous) return "I4: queue links disagree";
        if (at(i).freq.get() > kMaxFreq) return "I4: a counter is above 3";
        previous = i;
      }
      if (q.tail.get() != previous) return "I4: a queue's tail is not its last slot";
      if (q.count.get() != seen) return "I4: a queue's count is wrong";
    }
    return ghosts_.validate();
  }

 private:
  // An index read from a damaged region leads to the scrap slot behind the last one.
  [[nodiscard]] Slot& at(u32 slot) const noexcept { return slots_[slot < slot_count_ ? slot : slot_count_]; }

  [[nodiscard]] u32 next_tail() const noexcept {
    const u32 small = shard_->small.count.get();
    const bool from_small = small != 0 && small >= shard_->small_share.get();
    return (from_small ? shard_->small : shard_->main).tail.get();
  }

  void set_share(f64 share) noexcept {
    share =
        std::max(std::max(1.0, kLeastShare * capacity_), share);  // in this order, what is not a number is the least
    share = std::min(std::max(1.0, kMostShare * capacity_), share);
    shard_->small_share.put(share);
    shard_->small_young.put(static_cast<u32>(std::ceil(share / 2)));
  }

  void push_head(u32 slot, Queue& q) noexcept {
    Slot& s = at(slot);
    const u32 head = q.head.get();
    s.queue_prev.put(kNil);
    s.queue_next.put(head);
    if (head != kNil)
      at(head).queue_prev.put(slot);
    else
      q.tail.put(slot);
    q.head.put(slot);
    q.count.add(1);
  }
  void pull(u32 slot, Queue& q) noexcept {
    const Slot& s = at(slot);
    const u32 prev = s.queue_prev.get(), next = s.queue_next.get();
    if (prev != kNil)
      at(prev).queue_next.put(next);
    else
      q.head.put(next);
    if (next != kNil)
      at(next).queue_prev.put(prev);
    else
      q.tail.put(prev);
    q.count.sub(1);
  }
  void to_head(u32 slot, Queue& q) noexcept {
    if (q.head.get() == slot) return;
    pull(slot, q);
    push_head(slot, q);
  }

  ShardHeader* shard_ = nullptr;
  Slot* slots_ = nullptr;
  u32 slot_count_ = 0;
  Ghosts ghosts_;
  u32 capacity_ = 0;
  bool lru_ = false;
};

}  // namespace hitpath
