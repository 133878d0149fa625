// The arena of a shard: where blocks of any size come from.
//
// A two-level segregated fit allocator (Masmano, Ripoll, Crespo, Real: "TLSF: a new dynamic memory allocator
// for real-time systems", ECRTS 2004) over a byte range of the region. Offsets, in granules of 8 bytes; no
// pointer is stored. Blocks are drawn in layout.h; while one is free its words mean:
//
//    0  size     kFree set; kPrevFree clear, because two free neighbours are always one block (I5)
//    4  next     the next block in the list of its class, or kNil
//    8  prev     the previous one, or kNil at the head
//    .. last 4   footer: its granules, so that the block after it, whose kPrevFree is set, finds its start
//
// The smallest block is therefore 2 granules. A fence is a used block of 1 granule that nobody owns: the last
// granule of the arena is one, and an arena beyond 4 GB, more than a size word can say, has one between its
// sections. No merge crosses a fence. `bytes` counts fences, `free_bytes` does not.
//
// Classes, g granules: below 32 each g has its own list; above, each power of two is cut in 16. `first_level`
// and `second_level` tell which lists are not empty, so the smallest class that surely fits is two bit scans
// away.
//
// Always true: I5. Who may call: the holder of the shard's lock. Other threads may be reading the data of a
// block meanwhile, even after it was released: they validate by the sequence word of their slot, and every
// store here is a relaxed store of a Word, ordered by the cache's stores to that sequence word.
//
// Hostile bytes: nothing in shared memory is trusted. An index beyond the arena lands in the arena's last
// word, which is nobody's; a size is cut at the arena's end; loops are bounded. `allocate` and `capacity`
// never promise a byte outside, whatever the headers say. The bounds come from the constructor's `bytes`,
// never from ArenaState.
//
// Cost: O(1) for all but find_run (its bound stands there) and validate. With its headers in the processor's
// cache a release and an allocate together take 25 ns when sizes repeat and 40 to 50 when they vary (2.5 GHz
// Xeon): merge or not, split or not are branches that the processor then guesses wrong. In 64 MB of scattered
// blocks it is 150 to 220 ns, the misses on the neighbours' headers.
//
// Waste inside a block: 12 bytes of header, at most 7 of rounding, and at most 8 that were left over and too
// small for a block: 27 bytes, whatever the size. A search that only rounds up would refuse a block of the
// request's own class, which may be 1/16 larger; here the first blocks of that class are tried before
// (kQuickTries), and more of them when nothing larger is left (kPatientTries).
//
// Waste between blocks: an allocator that cannot move blocks has no useful bound of its own. The cache has
// one, because it chooses what to evict: if it calls find_run as soon as 1/16 of the arena lies free beyond
// what it needs, then no eviction leaves less than 15/16 of the arena, less two or three of the largest
// blocks, in use. Measured over shifts of size (64 B, 4.8 KB, 300 B, 64 KB, mixed) with scattered eviction:
// never below 0.93. Without find_run: 0.67 to 1 on the mean of a phase, and 0.02 at a shift from 64 B to
// 64 KB, when one set evicts 200 000 entries. native/test/arena_test.cc measures and asserts it.
#pragma once

#include <algorithm>

#include "layout.h"

namespace hitpath {

class Arena {
 public:
  static constexpr u32 kFree = 1;
  static constexpr u32 kPrevFree = 2;
  static constexpr u32 kTagged = 4;

  static constexpr u32 kMinGranules = 2;
  static constexpr u32 kMaxGranules = 0xffff'ffffu >> 3;  // of one block: 4 GB less 8 bytes
  static constexpr u64 kMinArena = u64{kMinGranules + 1} * kGranule;
  static constexpr u32 kQuickTries = 8;
  static constexpr u32 kPatientTries = 256;
  static constexpr u32 kRunLook = 64;

  /// Bytes of the arena that an allocation takes.
  [[nodiscard]] static constexpr u64 block_bytes(u64 payload_bytes) noexcept {
    return std::max<u64>((payload_bytes + kBlockHeader + kGranule - 1) / kGranule, kMinGranules) * kGranule;
  }

  /// An arena of nothing, to be assigned to.
  Arena() = default;
  /// `base` is 4 modulo 8; `bytes`, at least one granule, is the caller's own knowledge, not read from shared
  /// memory.
  Arena(ArenaState& state, void* base, u64 bytes) noexcept
      : state_(&state),
        words_(static_cast<Word<u32>*>(base)),
        end_(static_cast<u32>(std::min<u64>(bytes / kGranule, 0xffff'ffffu) - 1)) {}

  /// Makes the arena one free block (one a section beyond 4 GB). Everything that was in it is gone.
  void format() noexcept {
    state_->bytes.put((u64{end_} + 1) * kGranule);
    state_->free_bytes.put(0);
    state_->pinned_bytes.put(0);
    state_->first_level.put(0);
    for (auto& word : state_->second_level) word.put(0);
    for (auto& head : state_->heads) head.put(kNil);
    u32 at = 0;
    while (at < end_) {
      const u32 size = std::min(end_ - at, kMaxGranules);
      const bool room = size >= kMinGranules;
      if (room) {
        put_free(at, size);
        state_->free_bytes.add(u64{size} * kGranule);
        at += size;
      }
      put_size(at, 1, room ? kPrevFree : 0);
      ++at;
    }
    if (at == end_) put_size(end_, 1, 0);
  }

  /// A block that holds `payload_bytes`, without owner, pins or tags; kNil when no free block suffices. Its
  /// data is what its last user left.
  [[nodiscard]] u32 allocate(u64 payload_bytes) noexcept {
    if (payload_bytes > max_payload()) return kNil;
    const u32 need = granules_for(payload_bytes);
    const auto [block, size] = find(need);
    if (block == kNil) return kNil;
    u32 taken = need;
    if (const u32 rest = size - need; rest >= kMinGranules && class_of(rest) == class_of(size)) {
      replace(block, block + need, rest);
    } else {
      unlink(block, size);
      taken = cut(block, need, size);
    }
    put_size(block, taken, 0);
    inside(block, 1).put(kNil);
    inside(block, 2).put(0);
    state_->free_bytes.sub(u64{taken} * kGranule);
    return block;
  }

  /// A block that is handed out in pieces, one behind the other. While it lasts the arena is not tiled: whoever looks for blocks to
  /// evict gives it back before.
  struct Strip {
    u32 block = kNil;
    u32 left = 0;  // granules
  };
  /// Empty when there is no block of so many bytes.
  [[nodiscard]] Strip take_strip(u64 payload_bytes) noexcept {
    const u32 block = allocate(payload_bytes);
    return block == kNil ? Strip{} : Strip{block, granules(block)};
  }
  /// As allocate(), out of a strip; kNil when it has not that much left.
  [[nodiscard]] u32 carve(Strip& strip, u64 payload_bytes) noexcept {
    const u64 wanted = block_bytes(payload_bytes) / kGranule;
    if (wanted > strip.left) return kNil;
    // What could be no block of its own stays with the last.
    const u32 taken = strip.left - wanted < kMinGranules ? strip.left : static_cast<u32>(wanted);
    const u32 block = strip.block;
    inside(block, 0).put(taken << 3);
    inside(block, 1).put(kNil);
    inside(block, 2).put(0);
    strip.block += taken;
    strip.left -= taken;
    return block;
  }
  void give_back(Strip& strip) noexcept {
    if (strip.left != 0) {
      put_size(strip.block, strip.left, 0);
      inside(strip.block, 2).put(0);
      release(strip.block);
    }
    strip = {};
  }

  /// Gives a block back, merged with its free neighbours. A block that is free already, or pinned, stays as
  /// it is.
  void release(u32 block) noexcept {
    const u32 head = header(block);
    u32 size = granules(block, head);
    if (size < kMinGranules || (head & kFree) != 0 || inside(block, 2).get() != 0) return;
    state_->free_bytes.add(u64{size} * kGranule);
    const u32 after = block + size;
    const u32 after_head = inside(after, 0).get();
    if (const u32 more = free_granules(after, after_head); more != 0) {
      unlink(after, more);
      size += more;
    } else {
      inside(after, 0).put(after_head | kPrevFree);
    }
    if ((head & kPrevFree) != 0) {
      const u32 before = prev_if_free(block);
      if (before != kNil) {
        unlink(before, block - before);
        size += block - before;
        block = before;
      }
    }
    put_free(block, size);
  }

  /// Makes a block smaller, or larger when the block after it is free and suffices. False: nothing changed.
  /// Pinned blocks do not change.
  [[nodiscard]] bool resize_in_place(u32 block, u64 payload_bytes) noexcept {
    const u32 head = header(block);
    const u32 size = granules(block, head);
    if (payload_bytes > max_payload() || size < kMinGranules || (head & kFree) != 0 || pins(block) != 0) return false;
    const u32 need = granules_for(payload_bytes);
    if (need == size) return true;
    const u32 after = block + size;
    const u32 more = free_granules(after, inside(after, 0).get());
    if (u64{size} + more < need) return false;
    if (more != 0) unlink(after, more);
    const u32 taken = cut(block, need, size + more);
    put_size(block, taken, head & (kPrevFree | kTagged));
    state_->free_bytes.put(state_->free_bytes.get() + u64{size} * kGranule - u64{taken} * kGranule);
    return true;
  }

  /// Payload bytes that the block can hold.
  [[nodiscard]] u64 capacity(u32 block) const noexcept {
    const u64 bytes = u64{granules(block)} * kGranule;
    return bytes < kBlockHeader ? 0 : bytes - kBlockHeader;
  }
  /// Where the block's data begins, 8-byte aligned.
  [[nodiscard]] void* data(u32 block) const noexcept { return &word(block, 3); }
  /// Granules to bytes: the block's data as an offset from the arena's base.
  [[nodiscard]] static constexpr u64 data_offset(u32 block) noexcept { return u64{block} * kGranule + kBlockHeader; }

  [[nodiscard]] bool is_free(u32 block) const noexcept { return (size_word(block).get() & kFree) != 0; }
  [[nodiscard]] u32 owner(u32 block) const noexcept { return word(block, 1).get(); }
  void set_owner(u32 block, u32 slot) noexcept { word(block, 1).put(slot); }
  [[nodiscard]] bool tagged(u32 block) const noexcept { return (size_word(block).get() & kTagged) != 0; }
  void set_tagged(u32 block, bool on) noexcept { set_flag(block, kTagged, on); }

  [[nodiscard]] u32 pins(u32 block) const noexcept { return word(block, 2).get(); }
  /// Counts the block in pinned_bytes with its first pin.
  void add_pin(u32 block) noexcept {
    if (pins(block) == 0) state_->pinned_bytes.add(u64{granules(block)} * kGranule);
    pins_word(block).add(1);
  }
  /// Returns the pins that are left.
  u32 drop_pin(u32 block) noexcept {
    const u32 held = pins(block);
    if (held == 0) return 0;
    if (held == 1) state_->pinned_bytes.sub(u64{granules(block)} * kGranule);
    pins_word(block).put(held - 1);
    return held - 1;
  }

  [[nodiscard]] u64 bytes() const noexcept { return (u64{end_} + 1) * kGranule; }
  [[nodiscard]] u64 free_bytes() const noexcept { return state_->free_bytes.get(); }
  [[nodiscard]] u64 pinned_bytes() const noexcept { return state_->pinned_bytes.get(); }
  /// The largest payload that an empty arena can take.
  [[nodiscard]] u64 max_payload() const noexcept {
    const u64 bytes = u64{std::min(end_, kMaxGranules)} * kGranule;
    return end_ < kMinGranules ? 0 : bytes - kBlockHeader;
  }
  /// The largest payload that allocate takes now; 0 when there is none. Looks at kPatientTries blocks at
  /// most.
  [[nodiscard]] u64 largest_free() const noexcept {
    const u32 first = state_->first_level.get();
    if (first == 0) return 0;
    const u32 level = static_cast<u32>(std::bit_width(first)) - 1;
    const u32 second = state_->second_level[level].get() & kSecondMask;
    if (second == 0) return 0;
    u32 block = state_->heads[level * kArenaSecondLevels + static_cast<u32>(std::bit_width(second)) - 1].get();
    u64 largest = 0;
    for (u32 tries = 0; block < end_ && tries < kPatientTries; ++tries, block = next_link(block).get())
      largest = std::max(largest, capacity(block));
    return largest;
  }

  /// The physical neighbours, fences passed over: from first() through next() to kNil every block comes once.
  [[nodiscard]] u32 first() const noexcept { return end_ < kMinGranules ? kNil : 0; }
  [[nodiscard]] u32 next(u32 block) const noexcept {
    const u32 size = granules(block);
    if (size == 0) return kNil;
    u32 after = block + size;
    if (after < end_ && granules(after) == 1) ++after;
    return after < end_ && granules(after) >= kMinGranules ? after : kNil;
  }
  /// The block before, if it is free; kNil otherwise.
  [[nodiscard]] u32 prev_if_free(u32 block) const noexcept {
    if (block == 0 || (header(block) & kPrevFree) == 0) return kNil;
    const u32 size = inside(block - 1, 1).get();
    if (size < kMinGranules || size > block) return kNil;
    const u32 before = block - size;
    return inside(before, 0).get() == ((size << 3) | kFree) ? before : kNil;
  }

  /// Adjacent blocks, from granule `first` up to granule `end`.
  struct Run {
    u32 first = kNil;
    u32 end = kNil;
    u64 used_bytes = 0;      // of the blocks that must be released
    bool exhausted = false;  // there is none in the whole arena
    [[nodiscard]] explicit operator bool() const noexcept { return first != kNil; }
  };

  /// What to evict when allocate(payload_bytes) fails: adjacent blocks, none of them pinned, that together
  /// suffice. Walks from `around` (the coldest entry's block) forward, once past the arena's end, and returns
  /// the run with the fewest used bytes among those met in kRunLook blocks, or the first one after. Release
  /// what next_used yields; the same allocate then succeeds. Empty when pins leave no such room within
  /// kRunLook + 2 * granules blocks; without pins there is always one.
  [[nodiscard]] Run find_run(u64 payload_bytes, u32 around) noexcept {
    return find_run(payload_bytes, around, kRunLook, kRunLook + 2 * u64{granules_for(payload_bytes)});
  }
  /// The same with bounds of the caller's: the best of `look` blocks, in `budget` blocks at most.
  [[nodiscard]] Run find_run(u64 payload_bytes, u32 around, u64 look, u64 budget) noexcept {
    const Run best = search(payload_bytes, around, look, budget);
    // One free block, further down its list than allocate looks.
    if (best && best.used_bytes == 0) bring_to_front(best.first);
    return best;
  }
  /// Whether pins leave no run at all, so that no eviction helps. False too when `budget` blocks do not tell.
  [[nodiscard]] bool no_run(u64 payload_bytes, u32 around, u64 budget) const noexcept {
    return search(payload_bytes, around, 1, budget).exhausted;
  }

  /// The next used block of a run, kNil at its end. The caller releases it before it asks again: the run
  /// already begins at a block that this release does not merge away.
  [[nodiscard]] u32 next_used(Run& run) const noexcept {
    u32 block = run.first;
    const u32 end = std::min(run.end, end_);
    if (block < end && is_free(block)) block += granules(block);
    const u32 size = granules(block);
    if (block >= end || size < kMinGranules || is_free(block)) return kNil;
    run.first = block + size;
    if (run.first < end && is_free(run.first)) run.first += granules(run.first);
    return block;
  }

  /// Recomputes I5 and every counter; nullptr, or what is wrong. `used(block)` is asked about each used block
  /// and answers in the same way. Time and memory accesses are bounded whatever the bytes.
  template <class Used>
  [[nodiscard]] const char* validate(Used&& used) const noexcept {
    u64 free_blocks = 0;
    u64 free_granules = 0;
    u64 pinned_granules = 0;
    bool prev_free = false;
    u32 at = 0;
    while (at < end_) {
      const u32 size_flags = size_word(at).get();
      const u32 size = size_flags >> 3;
      if (size == 0) return "a block of no size";
      if (size > end_ - at) return "a block beyond the arena's end";
      if (((size_flags & kPrevFree) != 0) != prev_free) return "kPrevFree disagrees with the block before";
      const bool free = (size_flags & kFree) != 0;
      if (free) {
        if (prev_free) return "two neighbours are free";
        if (size < kMinGranules) return "a free block too small for its links";
        if (inside(at + size - 1, 1).get() != size) return "a footer disagrees with its header";
        if ((size_flags & kTagged) != 0) return "a free block is tagged";
        if (!linked(at, size)) return "a free block is not in the list of its class";
        ++free_blocks;
        free_granules += size;
      } else if (size >= kMinGranules) {
        if (pins(at) != 0) pinned_granules += size;
        if (const char* wrong = used(at)) return wrong;
      }
      prev_free = free;
      at += size;
    }
    if (at != end_) return "blocks do not tile the arena";
    if (size_word(end_).get() != ((1u << 3) | (prev_free ? kPrevFree : 0))) return "the last fence is broken";
    if (state_->bytes.get() != bytes()) return "bytes disagrees with the arena's size";
    if (state_->free_bytes.get() != free_granules * kGranule) return "free_bytes disagrees with the blocks";
    if (state_->pinned_bytes.get() != pinned_granules * kGranule) return "pinned_bytes disagrees with the blocks";
    return validate_lists(free_blocks);
  }
  [[nodiscard]] const char* validate() const noexcept {
    return validate([](u32) -> const char* { return nullptr; });
  }

 private:
  static constexpr u32 kSecondMask = (1u << kArenaSecondLevels) - 1;
  static constexpr u32 kClasses = kArenaFirstLevels * kArenaSecondLevels;

  // Granules left .. right - 1: whole blocks, none of them pinned; how many granules, how many of them used.
  struct Window {
    u32 left = 0;
    u32 right = 0;
    u64 total = 0;
    u64 used = 0;
  };

  // The word `index` of a block. Beyond the arena, kNil included, it is the second word of the last fence,
  // which means nothing: a store there is lost.
  [[nodiscard]] Word<u32>& word(u32 block, u32 index) const noexcept {
    return words_[std::min(u64{block} * 2 + index, u64{end_} * 2 + 1)];
  }
  // The same for a block whose granules are known to lie inside.
  [[nodiscard]] Word<u32>& inside(u32 block, u32 index) const noexcept { return words_[u64{block} * 2 + index]; }
  [[nodiscard]] Word<u32>& size_word(u32 block) const noexcept { return word(block, 0); }
  [[nodiscard]] Word<u32>& pins_word(u32 block) const noexcept { return word(block, 2); }
  [[nodiscard]] Word<u32>& next_link(u32 block) const noexcept { return word(block, 1); }
  [[nodiscard]] Word<u32>& prev_link(u32 block) const noexcept { return word(block, 2); }

  // The size word of a block, 0 beyond the arena.
  [[nodiscard]] u32 header(u32 block) const noexcept { return block < end_ ? inside(block, 0).get() : 0; }
  // What a size word says, cut at the arena's end: `block` is at most end_.
  [[nodiscard]] u32 granules(u32 block, u32 head) const noexcept { return std::min(head >> 3, end_ - block); }
  [[nodiscard]] u32 granules(u32 block) const noexcept {
    return block < end_ ? granules(block, inside(block, 0).get()) : 0;
  }
  // Granules of a block that is free; 0 for any other.
  [[nodiscard]] u32 free_granules(u32 block, u32 head) const noexcept {
    const u32 size = granules(block, head);
    return size >= kMinGranules && (head & kFree) != 0 ? size : 0;
  }
  [[nodiscard]] static u32 granules_for(u64 payload_bytes) noexcept {
    return static_cast<u32>(block_bytes(payload_bytes) / kGranule);
  }
  void put_size(u32 block, u32 size, u32 flags) noexcept { size_word(block).put((size << 3) | flags); }
  void set_flag(u32 block, u32 flag, bool on) noexcept {
    const u32 size_flags = size_word(block).get();
    size_word(block).put(on ? size_flags | flag : size_flags & ~flag);
  }

  // Lists 0 .. 31 hold one size each; from there every 16 lists span a power of two. The number of a list is
  // its first level times 16 plus its second.
  [[nodiscard]] static constexpr u32 class_of(u32 size) noexcept {
    const u32 shift = static_cast<u32>(std::bit_width(size | kArenaSecondLevels)) - 5;
    return (shift << 4) + (size >> shift);
  }
  static_assert(kArenaSecondLevels == 16, "class_of cuts a power of two in 16");

  void link(u32 block, u32 size) noexcept {
    const u32 list = class_of(size);
    const u32 level = list / kArenaSecondLevels;
    const u32 head = state_->heads[list].get();
    inside(block, 1).put(head);
    inside(block, 2).put(kNil);
    prev_link(head).put(block);
    state_->heads[list].put(block);
    state_->second_level[level].put(state_->second_level[level].get() | 1u << list % kArenaSecondLevels);
    state_->first_level.put(state_->first_level.get() | 1u << level);
  }
  // Without branches, because whether a list becomes empty is a coin toss that the processor loses half the
  // time.
  void unlink(u32 block, u32 size) noexcept {
    const u32 list = class_of(size);
    const u32 level = list / kArenaSecondLevels;
    const u32 after = inside(block, 1).get();
    const u32 before = inside(block, 2).get();
    prev_link(after).put(before);
    Word<u32>* const from = before == kNil ? &state_->heads[list] : &next_link(before);
    from->put(after);
    const u32 emptied = (before & after) == kNil;
    const u32 second = state_->second_level[level].get() & ~(emptied << list % kArenaSecondLevels);
    state_->second_level[level].put(second);
    state_->first_level.put(state_->first_level.get() & ~(u32{second == 0} << level));
  }
  // Puts the last `rest` granules of a free block into its list in its stead. What comes behind has a free block before it
  // either way: its line, at the far end of an arena that fills, is left alone.
  void replace(u32 block, u32 with, u32 rest) noexcept {
    const u32 after = inside(block, 1).get();
    const u32 before = inside(block, 2).get();
    inside(with, 0).put((rest << 3) | kFree);
    inside(with, 1).put(after);
    inside(with, 2).put(before);
    inside(with + rest - 1, 1).put(rest);
    prev_link(after).put(with);
    Word<u32>* const from = before == kNil ? &state_->heads[class_of(rest)] : &next_link(before);
    from->put(with);
  }
  void bring_to_front(u32 block) noexcept {
    const u32 size = granules(block);
    unlink(block, size);
    link(block, size);
  }

  void put_free(u32 block, u32 size) noexcept {
    inside(block, 0).put((size << 3) | kFree);
    inside(block + size - 1, 1).put(size);
    link(block, size);
  }

  // Of `size` granules at `block`, in no list, keeps `need` and frees the rest if it makes a block. Returns
  // what is kept and leaves the size word of `block` to the caller.
  u32 cut(u32 block, u32 need, u32 size) noexcept {
    const u32 rest = size - need;
    const bool worth = rest >= kMinGranules;
    if (worth) put_free(block + need, rest);
    Word<u32>& after = inside(block + size, 0);
    after.put((after.get() & ~kPrevFree) | (worth ? kPrevFree : 0));
    return worth ? need : size;
  }

  struct Piece {
    u32 block = kNil;
    u32 size = 0;
  };
  [[nodiscard]] Piece find(u32 need) const noexcept {
    const u32 list = class_of(need);
    Piece piece = find_in(list, need, kQuickTries);
    if (piece.block == kNil) piece = find_above(list, need);
    if (piece.block == kNil) piece = find_in(list, need, kPatientTries);
    return piece;
  }
  [[nodiscard]] Piece find_in(u32 list, u32 need, u32 tries) const noexcept {
    u32 block = state_->heads[list].get();
    for (; block < end_ && tries != 0; --tries, block = inside(block, 1).get())
      if (const u32 size = free_granules(block, inside(block, 0).get()); size >= need) return {block, size};
    return {};
  }
  // The first block of the first list after `list` that is not empty: each block of it is larger than `need`.
  [[nodiscard]] Piece find_above(u32 list, u32 need) const noexcept {
    const u32 level = list / kArenaSecondLevels;
    const u32 here = state_->second_level[level].get() & kSecondMask & (~1u << list % kArenaSecondLevels);
    const u32 higher = state_->first_level.get() & (~1u << level);
    if ((here | higher) == 0) return {};
    const u32 from = here != 0 ? level : static_cast<u32>(std::countr_zero(higher));
    const u32 second = here != 0 ? here : state_->second_level[from].get() & kSecondMask;
    if (second == 0) return {};
    const u32 block = state_->heads[from * kArenaSecondLevels + static_cast<u32>(std::countr_zero(second))].get();
    const u32 size = block < end_ ? free_granules(block, inside(block, 0).get()) : 0;
    return size >= need ? Piece{block, size} : Piece{};
  }

  // Takes one more block into the window, or begins it anew after a block that cannot move. False: broken
  // bytes.
  [[nodiscard]] bool extend(Window& window) const noexcept {
    const u32 size = granules(window.right);
    if (size == 0) return false;
    const bool free = is_free(window.right);
    const bool stays = size < kMinGranules || (!free && pins(window.right) != 0);
    window.right += size;
    if (stays) {
      window = {window.right, window.right, 0, 0};
    } else {
      window.total += size;
      if (!free) window.used += size;
    }
    return true;
  }
  // Drops the blocks at the left that are not needed.
  void trim(Window& window, u32 need) const noexcept {
    while (window.left < window.right) {
      const u32 size = granules(window.left);
      if (size == 0 || window.total < u64{need} + size) return;
      if (!is_free(window.left)) window.used -= std::min<u64>(window.used, size);
      window.total -= size;
      window.left += size;
    }
  }

  [[nodiscard]] Run search(u64 payload_bytes, u32 around, u64 look, u64 budget) const noexcept {
    Run best;
    if (payload_bytes > max_payload()) return best;
    const u32 need = granules_for(payload_bytes);
    u32 start = around < end_ ? around : 0;
    if (const u32 before = prev_if_free(start); before != kNil) start = before;
    Window window{start, start, 0, 0};
    bool wrapped = false;
    for (u64 step = 0; step < budget && !(best && step >= look); ++step) {
      if (window.right >= end_) {
        best.exhausted = !best && wrapped;
        if (wrapped) break;
        wrapped = true;
        window = {};
      }
      if (wrapped && window.left >= start) {
        best.exhausted = !best;
        break;
      }
      if (!extend(window)) break;
      trim(window, need);
      const u64 used_bytes = window.used * kGranule;
      if (window.total < need || (best && used_bytes >= best.used_bytes)) continue;
      best = {window.left, window.right, used_bytes, false};
      if (used_bytes == 0) break;
    }
    return best;
  }

  [[nodiscard]] bool linked(u32 block, u32 size) const noexcept {
    const u32 before = prev_link(block).get();
    const u32 after = next_link(block).get();
    const u32 from = before == kNil ? state_->heads[class_of(size)].get() : next_link(before).get();
    return from == block && (after == kNil || prev_link(after).get() == block);
  }
  [[nodiscard]] const char* validate_lists(u64 free_blocks) const noexcept {
    u64 listed = 0;
    for (u32 list = 0; list < kClasses; ++list) {
      const u32 level = list / kArenaSecondLevels;
      const u32 second = state_->second_level[level].get();
      u32 block = state_->heads[list].get();
      if (((second >> list % kArenaSecondLevels & 1) != 0) != (block != kNil)) return "second_level disagrees";
      if ((second & ~kSecondMask) != 0) return "second_level has bits of no list";
      if (((state_->first_level.get() >> level & 1) != 0) != (second != 0)) return "first_level disagrees";
      for (; block != kNil; block = next_link(block).get()) {
        if (++listed > free_blocks) return "a list holds what is not a free block";
        if (!is_free(block) || class_of(granules(block)) != list) return "a block is in the wrong list";
      }
    }
    return listed == free_blocks ? nullptr : "a free block is in no list";
  }

  ArenaState* state_ = nullptr;
  Word<u32>* words_ = nullptr;
  u32 end_ = 0;  // the last granule: the fence that ends the arena
};

static_assert(Arena::block_bytes(0) == 16 && Arena::block_bytes(4) == 16 && Arena::block_bytes(5) == 24,
              "the smallest block holds the links and the footer of a free one");

}  // namespace hitpath
