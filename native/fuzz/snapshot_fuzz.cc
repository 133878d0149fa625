// Records that a forger made: whatever check_records() passes, restore_records() stores without harm, and what it stored can be
// saved again. Half of the inputs begin with records that are right, and damage them.
#include <algorithm>
#include <iterator>
#include <vector>

#include "fuzz.h"
#include "snapshot.h"

using namespace fuzz;

namespace {

constexpr u32 kMostBytes = 4096;
constexpr u32 kMostRecords = 24;
constexpr u8 kKinds[] = {kKeyLatin1, kKeyUtf16, kKeyNumber, kKeyDigest, kKeyPortable};

void put(std::vector<u8>& out, const void* bytes, std::size_t length) {
  const auto* from = static_cast<const u8*>(bytes);
  out.insert(out.end(), from, from + length);
}

/// A record whose lengths agree; what its fields say is the input's.
void record(Input& in, std::vector<u8>& out) {
  RecordHead head{};
  head.deadline = in.flag() ? kNever : in.any_time(1000);
  head.key_kind = in.below(8) == 0 ? in.byte() : kKinds[in.below(std::size(kKinds))];
  const bool digest = head.key_kind == kKeyDigest || head.key_kind == kKeyPortable;
  head.key_len = head.key_kind == kKeyNumber ? 8 : digest ? 16 : in.below(90);
  head.value_tag = in.below(4) == 0 ? in.byte() : static_cast<u8>(in.between(kTagNull, kTagNdArray + 12));
  head.value_len = in.below(4) == 0 ? in.below(600) : in.below(5) * 4;
  head.tag_count = static_cast<u8>(in.below(4) == 0 ? in.below(kMaxTags + 2) : in.below(3));
  head.heat = static_cast<u8>(in.below(in.below(16) == 0 ? 256 : 8));
  put(out, &head, sizeof head);
  for (u32 t = 0; t < head.tag_count; ++t) {
    const u64 tag[2] = {in.below(6), u64{t} << 32};
    put(out, tag, 16);
  }
  const std::size_t end = out.size() + head.key_len + head.value_len;
  const auto raw = in.bytes(in.below(40));
  put(out, raw.data(), std::min<std::size_t>(raw.size(), head.key_len + head.value_len));
  out.resize((end + 7) & ~std::size_t{7});
}

struct Side {
  explicit Side(Input& in) {
    Config c;
    c.shards = in.between(1, 3);
    c.max_entries = in.between(1, 40);
    c.arena_bytes = 512 + u64{kLine} * in.below(60);
    c.seed = in.byte();
    c.default_ttl = kNever;
    c.max_pinned = 25;
    c.flags = in.byte() & (kFlagShared | kFlagLru);
    if (c.shards > 1) c.flags |= kFlagShared;
    Geometry g;
    REQUIRE(plan(c, g));
    memory = std::make_unique<Memory>(g.region_bytes);
    cache.create(memory->at(), c, g, 1000);
  }
  std::unique_ptr<Memory> memory;
  Cache cache;
};

void one(Input& in) {
  auto side = std::make_unique<Side>(in);
  for (u32 round = 0; round < 3 && !in.empty(); ++round) {
    u32 records = in.below(kMostRecords);
    std::vector<u8> bytes;
    if (in.below(8) == 0) {
      const auto raw = in.bytes(in.below(256));
      bytes.assign(raw.begin(), raw.end());
    } else {
      for (u32 i = 0; i < records; ++i) record(in, bytes);
      for (u32 n = in.below(3); n != 0 && !bytes.empty(); --n)
        bytes[in.below(static_cast<u32>(bytes.size()))] ^= static_cast<u8>(1u << in.below(8));
    }
    // Exactly as long as it is, so that a step beyond shows.
    const std::vector<u8> block(bytes);
    if (!check_records(block, records)) continue;
    std::vector<RestoredAt> where(records);
    Restoring how{.shift = in.finite_time(0), .now = 1000, .replace = in.flag(), .dtypes = in.raw<u32>()};
    const bool local = !side->cache.shared();
    if (local) how.where = where.data();
    const RestoredSlice r = restore_records(side->cache, block, records, how);
    REQUIRE(r.status == Status::ok);
    REQUIRE(r.restored + r.kept + r.expired + r.rejected + r.foreign == records);
    REQUIRE_SOUND(side->cache.validate());
    for (const RestoredAt& at : where) {
      if (!local || at.slot == kNil) continue;
      REQUIRE(at.slot < side->cache.geometry().slots && u64{at.at} * 8 + sizeof(RecordHead) <= block.size());
    }
  }
  std::vector<u8> out(64 << 10);
  std::vector<u32> slots(side->cache.config().shards * side->cache.geometry().slots);
  const SavedSlice slice =
      save_records(side->cache, 0, kNil, out, 0, 1000, side->cache.shared() ? nullptr : slots.data());
  if (side->cache.shared()) REQUIRE(check_records(std::span(out).first(slice.bytes), slice.records));
  REQUIRE(slice.cursor != kNil || slice.records <= side->cache.size());
  REQUIRE_SOUND(side->cache.validate());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  Input in(data, std::min<std::size_t>(size, kMostBytes));
  one(in);
  return 0;
}
