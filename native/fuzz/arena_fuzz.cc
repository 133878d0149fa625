// The arena against a table of intervals: what is used never overlaps, keeps its bytes, and is refused only without room.
#include <algorithm>
#include <map>
#include <vector>

#include "arena.h"
#include "fuzz.h"

using namespace fuzz;

namespace {

constexpr u64 kMostBytes = 16 << 10;
constexpr u32 kMostBlocks = 250;  // fewer than allocate looks at, so that it must find what is there

struct Block {
  u32 granules = 0;
  u64 payload = 0;
  u8 fill = 0;
  u32 pins = 0;
  u32 owner = kNil;
  bool tagged = false;
};

class Pair {
 public:
  explicit Pair(Input& in)
      : in_(in), bytes_(u64{in.between(1, kMostBytes / kGranule)} * kGranule), memory_(bytes_ + 4) {
    arena_ = Arena(state_, memory_.at() + 4, bytes_);
    arena_.format();
  }

  void run() {
    check();
    while (!in_.empty()) {
      step();
      check();
    }
    for (auto& [at, block] : used_) {
      while (block.pins != 0) REQUIRE(arena_.drop_pin(at) == --block.pins);
      arena_.release(at);
    }
    used_.clear();
    check();
  }

 private:
  using Table = std::map<u32, Block>;

  void step() {
    switch (in_.below(9)) {
      case 0:
      case 1: allocate(some_size()); break;
      case 2:
      case 3: release(); break;
      case 4: resize(); break;
      case 5: pin(); break;
      case 6: unpin(); break;
      case 7: make_room(some_size()); break;
      default: mark();
    }
  }

  u64 some_size() {
    const u8 kind = in_.byte();
    if (kind < 160) return in_.byte();
    if (kind < 240) return in_.below(static_cast<u32>(bytes_) + 64);
    if (kind < 248) return arena_.max_payload() + in_.below(3) - 1;
    return in_.raw<u64>();
  }
  Table::iterator some() {
    if (used_.empty()) return used_.end();
    return std::next(used_.begin(), in_.below(static_cast<u32>(used_.size())));
  }

  void fill(u32 at, Block& block) {
    REQUIRE(arena_.capacity(at) >= block.payload);
    block.fill = in_.byte();
    std::memset(arena_.data(at), block.fill, block.payload);
  }

  /// Granules of the longest free piece.
  [[nodiscard]] u32 longest_free() const {
    u32 at = 0, longest = 0;
    for (const auto& [block, b] : used_) {
      longest = std::max(longest, block - at);
      at = block + b.granules;
    }
    const u32 end = static_cast<u32>(bytes_ / kGranule) - 1;
    return std::max(longest, end - at);
  }

  bool allocate(u64 payload) {
    if (used_.size() >= kMostBlocks) return true;
    const u32 longest = longest_free();
    const u32 at = arena_.allocate(payload);
    const bool room =
        payload <= bytes_ && longest >= Arena::kMinGranules && u64{longest} * kGranule >= Arena::block_bytes(payload);
    REQUIRE((at != kNil) == room);
    if (at == kNil) return false;
    REQUIRE(!arena_.is_free(at) && !arena_.tagged(at) && arena_.pins(at) == 0 && arena_.owner(at) == kNil);
    Block block;
    block.payload = payload;
    block.granules = static_cast<u32>((arena_.capacity(at) + kBlockHeader) / kGranule);
    const auto after = used_.lower_bound(at);
    if (after != used_.end()) REQUIRE(at + block.granules <= after->first);
    if (after != used_.begin()) REQUIRE(std::prev(after)->first + std::prev(after)->second.granules <= at);
    REQUIRE((u64{at} + block.granules + 1) * kGranule <= bytes_);
    fill(at, block);
    used_[at] = block;
    return true;
  }
  void release() {
    const auto it = some();
    if (it == used_.end()) return;
    arena_.release(it->first);
    if (it->second.pins == 0) used_.erase(it);  // a pinned one stays
  }
  void resize() {
    const auto it = some();
    if (it == used_.end()) return;
    auto& [at, block] = *it;
    const u64 payload = some_size(), before = arena_.free_bytes();
    const auto after = std::next(it);
    const u64 limit = after == used_.end() ? bytes_ / kGranule - 1 : after->first;
    const bool room = payload <= bytes_ && block.pins == 0 && at + Arena::block_bytes(payload) / kGranule <= limit;
    const bool done = arena_.resize_in_place(at, payload);
    REQUIRE(done == room);
    if (!done) {
      REQUIRE(arena_.free_bytes() == before);
      return;
    }
    REQUIRE(arena_.capacity(at) >= payload);
    const u8* data = static_cast<const u8*>(arena_.data(at));
    for (u64 i = 0; i < std::min(block.payload, payload); ++i) REQUIRE(data[i] == block.fill);
    block.payload = payload;
    block.granules = static_cast<u32>((arena_.capacity(at) + kBlockHeader) / kGranule);
    fill(at, block);
  }
  void pin() {
    const auto it = some();
    if (it == used_.end()) return;
    arena_.add_pin(it->first);
    ++it->second.pins;
  }
  void unpin() {
    const auto it = some();
    if (it == used_.end()) return;
    it->second.pins -= it->second.pins != 0;
    REQUIRE(arena_.drop_pin(it->first) == it->second.pins);
  }
  void mark() {
    const auto it = some();
    if (it == used_.end()) return;
    it->second.tagged = in_.flag();
    it->second.owner = in_.byte();
    arena_.set_tagged(it->first, it->second.tagged);
    arena_.set_owner(it->first, it->second.owner);
  }

  /// As the cache does when allocate has failed.
  void make_room(u64 payload) {
    if (bytes_ < Arena::kMinArena || payload > arena_.max_payload() || used_.size() >= kMostBlocks) return;
    const u32 around = in_.flag() || used_.empty() ? kNil : some()->first;
    Arena::Run run = arena_.find_run(payload, around);
    bool pinned = false;
    for (const auto& [at, block] : used_) pinned = pinned || block.pins != 0;
    if (!pinned) REQUIRE(static_cast<bool>(run));
    if (!run) return;
    u64 released = 0;
    const u64 expected = run.used_bytes;
    for (u32 at; (at = arena_.next_used(run)) != kNil;) {
      const auto it = used_.find(at);
      REQUIRE(it != used_.end() && it->second.pins == 0);
      released += u64{it->second.granules} * kGranule;
      arena_.release(at);
      used_.erase(it);
    }
    REQUIRE(released == expected);
    REQUIRE(allocate(payload));
  }

  void check() {
    REQUIRE_SOUND(arena_.validate([&](u32 block) { return used_.count(block) == 1 ? nullptr : "nobody's block"; }));
    REQUIRE(arena_.bytes() == bytes_);
    u64 taken = 0, pinned = 0;
    u32 at = arena_.first(), free_blocks = 0;
    for (const auto& [block, b] : used_) {
      taken += u64{b.granules} * kGranule;
      if (b.pins != 0) pinned += u64{b.granules} * kGranule;
      const u8* data = static_cast<const u8*>(arena_.data(block));
      REQUIRE(b.payload == 0 || (data[0] == b.fill && std::memcmp(data, data + 1, b.payload - 1) == 0));
      REQUIRE(arena_.pins(block) == b.pins && arena_.tagged(block) == b.tagged && arena_.owner(block) == b.owner);
      for (; at < block; at = arena_.next(at)) REQUIRE(arena_.is_free(at) && ++free_blocks != 0);
      REQUIRE(at == block);
      at = arena_.next(at);
    }
    for (; at != kNil; at = arena_.next(at)) REQUIRE(arena_.is_free(at) && ++free_blocks != 0);
    REQUIRE(arena_.pinned_bytes() == pinned);
    // The last granule is a fence; of an arena too small for a block all of them are.
    const u64 usable = bytes_ / kGranule - 1 < Arena::kMinGranules ? 0 : bytes_ - kGranule;
    REQUIRE(arena_.free_bytes() == usable - taken);
    const u32 longest = longest_free();
    REQUIRE(arena_.largest_free() <= (longest < Arena::kMinGranules ? 0 : u64{longest} * kGranule - kBlockHeader));
    REQUIRE((arena_.largest_free() == 0) == (free_blocks == 0));
  }

  Input& in_;
  u64 bytes_;
  Memory memory_;
  ArenaState state_{};
  Arena arena_;
  Table used_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  Input in(data, std::min<std::size_t>(size, 2048));
  std::make_unique<Pair>(in)->run();
  return 0;
}
