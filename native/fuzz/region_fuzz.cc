// A region whose bytes are damaged between operations: nothing leads outside it, nothing crashes, everything ends.
//
// What the operations answer on damaged bytes is not claimed. Damage is addressed by part, element and word, which come
// from Geometry and layout.h, so an input means much the same after the layout has changed.
#include <algorithm>
#include <vector>

#include "fuzz.h"
#include "rows.h"

using namespace fuzz;

namespace {

constexpr u32 kKeys = 40;
constexpr u32 kTags = 4;
constexpr u32 kSteps = 400;
constexpr u32 kCrowded = 0x80;  // a flag that the core does not know: keys have few hashes, so that groups overflow

/// Elements of `stride` bytes, from `at` on.
struct Part {
  u64 at, stride, count;
};

Config decode_config(Input& in) {
  Config c;
  c.shards = in.between(1, 2);
  c.max_entries = in.between(1, 60);
  c.arena_bytes = kMinArena + u64{kLine} * in.below(64);
  c.seed = in.byte();
  c.default_ttl = kNever;
  c.flags = in.byte() & (kFlagShared | kFlagLru | kCrowded);
  return c;
}

class Victim {
 public:
  explicit Victim(Input& in) : in_(in) {
    const Config config = decode_config(in);
    Geometry geometry;
    REQUIRE(plan(config, geometry));
    bytes_ = geometry.region_bytes;
    memory_ = std::make_unique<Memory>(bytes_);
    cache_.create(memory_->at(), config, geometry, now_);
    listen();
    for (u32 t = 0; t < kTags; ++t) tags_[t] = xxh3_128(&t, sizeof t);
  }

  void run() {
    // Something to damage, without a word of the input.
    for (u32 id = 0; id < kKeys; ++id)
      set(id, 37 * id % 200, id % 3 == 0 ? id % kTags : 0, id % 2 == 0 ? kNever : 60.0 + id);
    for (u32 step = 0; step < kSteps && !in_.empty(); ++step) {
      if (in_.below(3) == 0)
        damage();
      else
        operate();
    }
    everything();
  }

 private:
  // ---- damage ----

  [[nodiscard]] u8* shard(u32 index) const { return memory_->at() + cache_.geometry().index_offset(index); }

  /// The parts of a shard, and last the header of the region.
  Part some_part() {
    const Geometry& g = cache_.geometry();
    const u64 arena = cache_.config().arena_bytes;
    const u32 some = in_.below(cache_.config().shards);
    const u64 at = g.index_offset(some), store = g.store_offset(some);
    const Part parts[] = {
        {at, sizeof(ShardHeader), 1},
        {at + offsetof(ShardHeader, wheel), sizeof(Wheel), 1},
        {at + offsetof(ShardHeader, arena), sizeof(ArenaState), 1},
        {at + g.at_groups, kGroupBytes, g.groups},
        {at + g.at_slots, sizeof(Slot), g.slots + 1},
        {at + g.at_slots, sizeof(Slot), g.slots + 1},
        {at + g.at_cells, g.at_wheel - g.at_cells, 1},
        {at + g.at_wheel, sizeof(u32), kWheelBuckets},
        {store + g.at_ghosts, g.at_tags - g.at_ghosts, 1},
        {store + g.at_tags, sizeof(u32), (g.at_tag_nodes - g.at_tags) / sizeof(u32)},
        {store + g.at_tag_nodes, sizeof(TagNode), (g.at_arena - g.at_tag_nodes) / sizeof(TagNode)},
        {store + g.at_arena, kGranule, arena / kGranule},
        {store + g.at_arena, kGranule, arena / kGranule},
        {0, sizeof(Header), 1},
        {0, bytes_ / kGranule * kGranule, 1},
    };
    return parts[in_.below(std::size(parts))];
  }

  /// A number that might be an index, a size or a count, or any.
  u64 some_word() {
    const Geometry& g = cache_.geometry();
    const u64 likely[] = {0,
                          1,
                          kNil,
                          kNil - 1,
                          g.slots,
                          g.slots - 1,
                          g.slots + 1,
                          g.groups,
                          kBucketFlag,
                          kBucketFlag | kWheelBuckets,
                          kBucketFlag | (kWheelBuckets - 1),
                          cache_.config().arena_bytes / kGranule,
                          cache_.config().arena_bytes / kGranule - 1,
                          cache_.config().arena_bytes,
                          0x8000'0000u,
                          0x7fff'ffffu,
                          ~u64{0},
                          0x7ff8'0000'0000'0000u,
                          0xfff0'0000'0000'0000u,
                          HashMap::kStuck};
    switch (in_.below(5)) {
      case 0: return likely[in_.below(std::size(likely))];
      case 1: return in_.below(g.slots + 2);
      case 2: return u64{in_.below(static_cast<u32>(cache_.config().arena_bytes / kGranule))} << in_.below(5);
      case 3: return in_.byte();
      default: return in_.raw<u64>();
    }
  }

  void damage() {
    for (u32 n = in_.between(1, 4); n != 0; --n) {
      const Part part = some_part();
      if (part.stride == 0 || part.count == 0) continue;
      const u64 element = part.at + in_.below(static_cast<u32>(part.count)) * part.stride;
      const u32 width = 1u << in_.below(4);
      const u64 words = std::max<u64>(part.stride / width, 1);
      u8* at = memory_->at() + std::min(element + in_.below(static_cast<u32>(words)) * width, bytes_ - 8);
      switch (in_.below(6)) {
        case 0: {
          const u64 word = some_word();
          std::memcpy(at, &word, width);
          break;
        }
        case 1: at[0] ^= static_cast<u8>(1u << in_.below(8)); break;
        case 2: at[0] = static_cast<u8>(at[0] + in_.between(0, 4) - 2); break;
        case 3:  // the rest of the element is one byte over and over
          std::memset(at, in_.byte(), std::min(element + part.stride, bytes_) - static_cast<u64>(at - memory_->at()));
          break;
        case 4: {  // another element of the part in its place
          const u64 other = part.at + in_.below(static_cast<u32>(part.count)) * part.stride;
          std::memmove(memory_->at() + element, memory_->at() + other,
                       std::min(part.stride, bytes_ - std::max(element, other)));
          break;
        }
        default: {  // raw bytes of the input
          const auto raw = in_.bytes(std::min<u64>(in_.byte(), bytes_ - static_cast<u64>(at - memory_->at())));
          if (!raw.empty()) std::memcpy(at, raw.data(), raw.size());
        }
      }
    }
    spare_locks();
    attach();
  }

  /// EXCLUDED FROM THE DAMAGE: a lock word that says "held" is waited for. Any other that is not 0 closes the region.
  void spare_locks() {
    for (u32 i = 0; i < cache_.config().shards; ++i) {
      auto& lock = reinterpret_cast<ShardHeader*>(shard(i))->lock;
      if (lock.get() == kLockHeld) lock.put(0);
    }
  }

  /// Opens the region again, by its header if that passes, also where damage signed it.
  void attach() {
    if (in_.flag()) sign();
    Config config;
    Geometry geometry;
    const RegionFault fault = read_header(memory_->at(), bytes_, config, geometry);
    if (fault == RegionFault::none) {
      REQUIRE(geometry.region_bytes <= bytes_);
      cache_ = Cache();
      cache_.open(memory_->at(), config, geometry);
      held_.clear();  // a hit is of one view
      spare_locks();  // another geometry has them elsewhere
    }
    listen();
  }
  /// Makes the header's own check agree, as someone would who means harm.
  void sign() {
    u8* base = memory_->at();
    std::memset(base + offsetof(Header, check), 0, sizeof(u64));
    const u64 check = XXH3_64bits(base, offsetof(Header, state));
    std::memcpy(base + offsetof(Header, check), &check, sizeof check);
  }
  void listen() {
    cache_.set_sink({[](void* context, u32 slot, Reason) noexcept {
                       const Cache& cache = static_cast<Victim*>(context)->cache_;
                       REQUIRE(slot < cache.config().shards * cache.geometry().slots);
                     },
                     this});
  }

  // ---- operations ----

  struct Name {
    char text[64];
    u32 length;
  };
  [[nodiscard]] static Name name_of(u32 id) {
    Name name;
    name.length = static_cast<u32>(
        std::snprintf(name.text, sizeof name.text, id % 3 == 0 ? "key %u that does not fit a slot" : "%u", id));
    return name;
  }
  [[nodiscard]] Key key_of(const Name& name) const {
    Key k = make_key(kKeyLatin1, name.text, name.length, cache_.config().seed);
    if ((cache_.config().flags & kCrowded) != 0) k.hash %= 3, k.hash *= 0x5555'5555u;
    return k;
  }

  /// Reads all that a hit promises.
  void read(const u8* bytes, u64 length) {
    for (u64 i = 0; i < length; ++i) seen_ = seen_ + bytes[i];
  }

  void set(u32 id, u32 size, u32 tags, f64 deadline) {
    const Name name = name_of(id);
    const std::vector<u8> value(size, static_cast<u8>(id));
    Placed placed;
    (void)cache_.set(key_of(name), {static_cast<u8>(id), value.data(), size}, std::span(tags_).first(tags), deadline,
                     now_, placed);
  }

  void operate() {
    const u32 id = in_.below(kKeys);
    const Name name = name_of(id);
    Hit hit;
    switch (in_.below(17)) {
      case 0:
      case 1:
      case 2: {
        const u32 size = in_.flag() ? in_.byte() : in_.below(3000), tags = in_.below(kTags + 1);
        set(id, size, tags, in_.any_time(now_));
        break;
      }
      case 3:
      case 4:
        if (!cache_.find(key_of(name), hit)) break;
        read(hit.value, hit.length);
        (void)cache_.copy(hit, std::make_unique<u8[]>(hit.length).get());
        cache_.touch(hit);
        if (held_.size() < 16) held_.push_back(hit);
        break;
      case 5: (void)cache_.erase(key_of(name), now_); break;
      case 6:
        if (!held_.empty()) cache_.expire(held_[id % held_.size()], now_);
        break;
      case 7:
        if (!held_.empty()) cache_.touch(held_[id % held_.size()]);
        break;
      case 8: now_ = in_.any_time(std::isfinite(now_) ? now_ : 0); break;
      case 9:
        (void)cache_.advance(now_, in_.byte());
        (void)cache_.next_due();
        break;
      case 10: {
        u64 removed = 0;
        (void)cache_.erase_tag(tags_[id % kTags], id % cache_.config().shards, in_.byte(), now_, removed);
        break;
      }
      case 11: {
        u64 offset = 0;
        if (held_.empty() || !cache_.pin(held_[id % held_.size()], offset)) break;
        hit = held_[id % held_.size()];
        REQUIRE(offset + hit.length <= bytes_);
        read(memory_->at() + offset, hit.length);
        if (pins_.size() < 16) pins_.push_back({hit.slot / cache_.geometry().slots, hit.block});
        break;
      }
      case 12:
        if (pins_.empty()) break;
        if (pins_.back().shard < cache_.config().shards) cache_.unpin(pins_.back().shard, pins_.back().block);
        pins_.pop_back();
        break;
      case 13: rows(); break;
      case 14: sweep(in_.byte(), in_.byte()); break;
      case 15: {  // many at once
        const u32 count = in_.below(kKeys), size = in_.byte(), tags = in_.below(kTags + 1);
        for (u32 i = 0; i < count; ++i) set((id + i) % kKeys, size, tags, kNever);
        break;
      }
      default: look();
    }
  }

  void rows() {
    u8 keys[24], out[24 * 16], found[24];
    for (u32 i = 0; i < sizeof keys; ++i) keys[i] = static_cast<u8>(i);
    const u64 shape[] = {1};
    KeyRows rows{keys, sizeof keys, 1, 1, ArrayHeader(1, shape, 0)};
    std::memset(out, 7, sizeof out);
    (void)get_rows(cache_, rows, 1, out, 16, found, now_);
    (void)set_rows(cache_, rows, 1, out, 16, nullptr, {now_ + 50}, now_);
  }
  void sweep(u32 modulus, u32 budget) {
    u32 rounds = 0, asked = 0;
    for (u32 cursor = 0; cursor != kNil; ++rounds)
      cursor = cache_.sweep(cursor, budget + 1, now_, Reason::deleted,
                            [&](const Hit& hit, const Cache::StoredKey& k) noexcept {
                              read(hit.value, hit.length);
                              read(k.bytes, k.length);
                              return ++asked % (modulus + 1) == 0;
                            });
    REQUIRE(rounds <= cache_.config().shards * cache_.geometry().slots);
  }
  void look() {
    f64 mean;
    u32 longest;
    cache_.probe_lengths(mean, longest);
    (void)cache_.stats();
    (void)cache_.validate();
  }

  /// Loops over everything end.
  void everything() {
    look();
    for (u32 id = 0; id < kKeys; ++id) {
      const Name name = name_of(id);
      Hit hit;
      if (cache_.find(key_of(name), hit)) read(hit.value, hit.length);
    }
    (void)cache_.advance(0x1p52, 10'000);
    for (const Digest& tag : tags_)
      for (u32 index = 0; index < cache_.config().shards; ++index) {
        u64 removed = 0;
        for (u32 rounds = 0; cache_.erase_tag(tag, index, 10, now_, removed); ++rounds) REQUIRE(rounds < 1000);
      }
    sweep(1, 20);
    for (u32 cursor = 0; cursor != kNil;) cursor = cache_.clear(cursor, 50);
    look();
  }

  struct Pin {
    u32 shard, block;
  };

  Input& in_;
  u64 bytes_ = 0;
  std::unique_ptr<Memory> memory_;
  Cache cache_;
  f64 now_ = 50;
  Digest tags_[kTags];
  std::vector<Hit> held_;
  std::vector<Pin> pins_;
  volatile u64 seen_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  Input in(data, size);
  std::make_unique<Victim>(in)->run();
  return 0;
}
