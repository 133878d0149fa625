// Operations on a cache and on a map of what it should hold; validate() after each.
//
// Which entry is evicted, and when an expired one is reclaimed, the model learns from the sink, and checks that it may be.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cache.h"
#include "fuzz.h"

using namespace fuzz;

namespace {

constexpr u32 kKeys = 128;
constexpr u32 kTags = 6;
constexpr u32 kAll = 1'000'000;  // budget enough
constexpr u32 kCrowded = 0x80;   // a flag that the core does not know: keys have few hashes and
                                 // one shard, so that groups overflow and the shard fills up
constexpr u64 kRoomy = 1 << 20;  // of arena: only the number of entries is a bound

f64 whole(f64 time) { return std::floor(std::clamp(time, -0x1p52, 0x1p52)); }

struct Entry {
  std::string value;
  u8 value_tag = 0;
  f64 deadline = 0;
  std::set<u32> tags;
  u32 slot = 0;
};

struct Pin {
  u32 shard, block;
  u64 offset;
  std::string bytes;
};

Config decode_config(Input& in) {
  Config c;
  c.shards = in.between(1, 3);
  c.max_entries = in.between(1, 120);
  c.arena_bytes = in.below(8) == 0 ? kRoomy : kMinArena + u64{kLine} * in.below(200);
  c.seed = in.byte();
  c.default_ttl = kNever;
  c.flags = in.byte() & (kFlagShared | kFlagLru | kCrowded);
  c.max_pinned = in.below(101);
  return c;
}

class Pair {
 public:
  explicit Pair(Input& in) : in_(in), config_(decode_config(in)) {
    now_ = latest_ = in_.finite_time(5000);
    REQUIRE(plan(config_, geometry_));
    memory_ = std::make_unique<Memory>(geometry_.region_bytes);
    cache_.create(memory_->at(), config_, geometry_, now_);
    cache_.set_sink(
        {[](void* context, u32 slot, Reason reason) noexcept { static_cast<Pair*>(context)->removed(slot, reason); },
         this});
    for (u32 t = 0; t < kTags; ++t) tags_[t] = xxh3_128(&t, sizeof t);
  }

  void run() {
    while (!in_.empty()) {
      step();
      check();
    }
    finish();
  }

 private:
  // ---- keys ----

  /// Inline and long ones of each kind, their bytes a function of the number.
  std::string key_bytes(u32 id) const {
    std::string bytes = std::to_string(id);
    if (id % 5 == 1) bytes.resize(8, '#');
    if (id % 5 == 2) bytes.resize(16, '#');
    if (id % 5 == 3) bytes.resize(17 + id % 48, '#');
    if (id % 10 == 4 && geometry_.cells) bytes.resize(kCellBytes, '#');
    if (id % 10 == 4 && !geometry_.cells) bytes.resize(300, '#');
    if (id == 0) bytes.clear();
    return bytes;
  }
  Key key(u32 id, const std::string& bytes) const {
    const KeyKind kind = id % 5 == 1 ? kKeyNumber : id % 5 == 2 ? kKeyDigest : id % 5 == 3 ? kKeyUtf16 : kKeyLatin1;
    Key k = make_key(kind, bytes.data(), static_cast<u32>(bytes.size()), config_.seed);
    if ((config_.flags & kCrowded) != 0) {
      k.hash = id % 3 * 0x5555'5555u;
      k.tag = static_cast<u8>(1 + id % 2);
      if (id % 16 != 15) k.shard_bits = 0;
    }
    return k;
  }
  bool roomy() const { return config_.arena_bytes >= kRoomy; }
  u32 pick() { return in_.below(kKeys); }

  // ---- what the sink says ----

  void removed(u32 slot, Reason reason) {
    const auto at = by_slot_.find(slot);
    REQUIRE(at != by_slot_.end());
    const u32 id = at->second;
    const Entry& e = model_.at(id);
    const bool alive = now_ <= e.deadline;
    switch (reason) {
      case Reason::expired: REQUIRE(!alive); break;
      case Reason::evicted:
        REQUIRE(alive && writing_);
        // Under LRU the order is exact where one shard has all entries and bytes are no matter.
        if ((config_.flags & kFlagLru) != 0 && config_.shards == 1 && roomy()) REQUIRE(order_.back() == id);
        break;
      default: REQUIRE(reason == expected_ && (alive || reason == Reason::cleared));
    }
    ++left_[static_cast<u32>(reason)];
    std::erase(order_, id);
    model_.erase(id);
    by_slot_.erase(at);
  }
  void use(u32 id) {
    std::erase(order_, id);
    order_.insert(order_.begin(), id);
  }

  // ---- operations ----

  void step() {
    switch (in_.below(17)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4: set(); break;
      case 5:
      case 6: get(); break;
      case 7: erase(); break;
      case 8: expire(); break;
      case 9: erase_tag(); break;
      case 10: sweep(); break;
      case 11: advance(); break;
      case 12: pin(); break;
      case 13: unpin(); break;
      case 14:
        now_ = in_.finite_time(now_);
        latest_ = std::max(latest_, now_);
        break;
      case 15: fill(); break;
      default:
        if (in_.byte() < 32)
          clear();
        else
          now_ += in_.byte(), latest_ = std::max(latest_, now_);
    }
  }

  f64 some_deadline() {
    switch (in_.below(4)) {
      case 0: return kNever;
      case 1: return now_ + in_.byte();
      default: break;
    }
    const f64 deadline = in_.any_time(now_);
    return deadline == deadline ? deadline : kNever;
  }
  std::string some_value() {
    const u8 kind = in_.byte();
    const u32 size = kind < 100   ? in_.below(20)
                     : kind < 230 ? in_.below(600)
                     : roomy()    ? 1000
                     : kind < 250 ? in_.below(static_cast<u32>(config_.arena_bytes))
                                  : static_cast<u32>(cache_.max_payload()) - in_.below(64);
    return std::string(size, static_cast<char>(kind));
  }

  void set() {
    const u32 id = pick();
    Entry e;
    e.value = some_value();
    const auto before = model_.find(id);
    // Often as long as the value of before, so that it is written in place.
    if (before != model_.end() && in_.byte() < 80) e.value.resize(before->second.value.size(), '!');
    e.deadline = some_deadline();
    std::vector<Digest> tags;
    if (in_.byte() < 90)
      for (u32 n = in_.between(1, 4); n != 0; --n) {
        const u32 t = in_.below(kTags);
        e.tags.insert(t);
        tags.push_back(tags_[t]);
      }
    set(id, std::move(e), tags, in_.byte());
  }
  /// Many at once, in few bytes of input: what one large value then has to displace.
  void fill() {
    const u32 first = pick(), count = in_.below(kKeys), tag = in_.below(2 * kTags);
    const std::string value(in_.byte(), 'f');
    const f64 deadline = some_deadline();
    for (u32 i = 0; i < count; ++i) {
      Entry e;
      e.value = value;
      e.deadline = deadline;
      std::vector<Digest> tags;
      if (tag < kTags) e.tags.insert(tag), tags.push_back(tags_[tag]);
      set((first + i) % kKeys, std::move(e), tags, 0);
    }
  }

  void set(u32 id, Entry e, const std::vector<Digest>& tags, u32 cut) {
    const std::string name = key_bytes(id);
    e.value_tag = static_cast<u8>(e.value.size());
    const u32 size = static_cast<u32>(e.value.size());
    cut = std::min(cut, size);
    const Value value{e.value_tag, e.value.data(), cut, e.value.data() + cut, size - cut};
    const Stats stats = cache_.stats();
    const bool free_to_move = stats.pinned_bytes == 0 && stats.tags == 0 && tags.empty();
    Placed placed;
    writing_ = true;
    const Status status = cache_.set(key(id, name), value, tags, e.deadline, now_, placed);
    writing_ = false;
    if (status == Status::too_large) {
      REQUIRE(size + name.size() + 24 * tags.size() + 8 > cache_.max_payload());
      return;
    }
    if (status == Status::no_memory) {
      REQUIRE(!free_to_move);
      ++refused_;
      return;
    }
    REQUIRE(status == Status::ok);
    REQUIRE(placed.replaced == (model_.count(id) == 1));
    if (placed.replaced)
      REQUIRE(model_[id].slot == placed.slot);
    else
      REQUIRE(by_slot_.count(placed.slot) == 0);
    ++(placed.replaced ? updates_ : inserts_);
    e.slot = placed.slot;
    by_slot_[placed.slot] = id;
    model_[id] = std::move(e);
    use(id);
    Hit hit;
    REQUIRE(find(id, hit) && hit.seq == placed.seq);
  }

  bool find(u32 id, Hit& hit) {
    const std::string name = key_bytes(id);
    const Key k = key(id, name);
    const bool found = cache_.find(k, hit);
    const auto at = model_.find(id);
    REQUIRE(found == (at != model_.end()));
    Hit near;
    Cache::Trail trail = cache_.prefetch_groups(k);
    cache_.prefetch_slot(k, trail);
    REQUIRE(cache_.find_near(k, trail, near) == found);
    if (!found) return false;
    const Entry& e = at->second;
    REQUIRE(hit.slot == e.slot && near.slot == e.slot && hit.seq == near.seq && (hit.seq & 1) == 0);
    REQUIRE(hit.deadline == e.deadline && hit.value_tag == e.value_tag && hit.length == e.value.size());
    std::string copy(hit.length, '\0');
    REQUIRE(cache_.copy(hit, copy.data()));
    REQUIRE(copy == e.value);
    return true;
  }
  void get() {
    const u32 id = pick();
    Hit hit;
    if (!find(id, hit) || now_ > hit.deadline) return;
    cache_.touch(hit);
    use(id);
  }
  void erase() {
    const u32 id = pick();
    const std::string name = key_bytes(id);
    const auto at = model_.find(id);
    const bool alive = at != model_.end() && now_ <= at->second.deadline;
    expected_ = Reason::deleted;
    REQUIRE(cache_.erase(key(id, name), now_) == alive);
    REQUIRE(model_.count(id) == 0);
  }
  void expire() {
    const u32 id = pick();
    Hit hit;
    if (!find(id, hit)) return;
    const bool dead = now_ > hit.deadline;
    cache_.expire(hit, now_);
    REQUIRE(model_.count(id) == (dead ? 0 : 1));
    REQUIRE(cache_.still(hit) != dead);
  }
  void erase_tag() {
    const u32 t = in_.below(kTags), budget = in_.between(1, 8);
    u64 carried = 0, removed = 0;
    for (const auto& [id, e] : model_) carried += e.tags.count(t) != 0 && now_ <= e.deadline;
    expected_ = Reason::invalidated;
    for (u32 shard = 0; shard < config_.shards; ++shard)
      for (u32 rounds = 0; cache_.erase_tag(tags_[t], shard, budget, now_, removed); ++rounds) REQUIRE(rounds < 100);
    REQUIRE(removed == carried);
    for (const auto& [id, e] : model_) REQUIRE(e.tags.count(t) == 0);
  }
  void sweep() {
    const u8 match = static_cast<u8>(in_.below(8));
    const u32 budget = in_.between(1, 64);
    u64 wanted = 0, asked = 0, alive = 0;
    for (const auto& [id, e] : model_) {
      alive += now_ <= e.deadline;
      wanted += now_ <= e.deadline && e.value_tag % 8 == match;
    }
    const u64 before = model_.size();
    expected_ = Reason::invalidated;
    for (u32 cursor = 0; cursor != kNil;)
      cursor = cache_.sweep(cursor, budget, now_, expected_, [&](const Hit& hit, const Cache::StoredKey& k) noexcept {
        ++asked;
        const auto at = by_slot_.find(hit.slot);
        REQUIRE(at != by_slot_.end());
        REQUIRE(key_bytes(at->second) == std::string(reinterpret_cast<const char*>(k.bytes), k.length));
        return hit.value_tag % 8 == match;
      });
    REQUIRE(asked == alive && before - model_.size() == wanted);
  }
  void clear() {
    expected_ = Reason::cleared;
    const u32 budget = in_.between(1, 100);
    for (u32 cursor = 0; cursor != kNil;) cursor = cache_.clear(cursor, budget);
    REQUIRE(model_.empty());
  }
  void advance() {
    const u32 budget = in_.flag() ? kAll : in_.below(12);
    const u32 left = cache_.advance(now_, budget);
    REQUIRE(left <= budget);
    if (left == 0 || now_ < latest_) return;  // after a step back the wheel waits for the clock
    for (const auto& [id, e] : model_)
      REQUIRE(e.deadline >= 0x1p52 || !std::isfinite(e.deadline) || whole(e.deadline) + 1 > whole(now_));
    REQUIRE(cache_.next_due() > whole(now_));
  }
  void pin() {
    const u32 id = pick();
    Hit hit;
    if (pins_.size() > 20 || !find(id, hit)) return;
    u64 offset = 0;
    if (!cache_.pin(hit, offset)) return;
    REQUIRE(hit.block != kNil && memory_->at() + offset == hit.value);
    pins_.push_back({hit.slot / geometry_.slots, hit.block, offset, model_[id].value});
  }
  void unpin() {
    if (pins_.empty()) return;
    std::swap(pins_[in_.below(static_cast<u32>(pins_.size()))], pins_.back());
    cache_.unpin(pins_.back().shard, pins_.back().block);
    pins_.pop_back();
  }

  // ---- what always holds ----

  void check() {
    REQUIRE_SOUND(cache_.validate());
    REQUIRE(cache_.size() == model_.size() && cache_.size() <= config_.max_entries);
    for (const Pin& p : pins_) REQUIRE(std::memcmp(memory_->at() + p.offset, p.bytes.data(), p.bytes.size()) == 0);
  }
  void finish() {
    const Stats stats = cache_.stats();
    const auto left = [&](Reason r) { return left_[static_cast<u32>(r)]; };
    REQUIRE(stats.inserts == inserts_ && stats.updates == updates_ && stats.rejections == refused_);
    REQUIRE(stats.evictions == left(Reason::evicted) && stats.expirations == left(Reason::expired));
    REQUIRE(stats.deletes == left(Reason::deleted) && stats.invalidations == left(Reason::invalidated));
    std::set<std::pair<u32, u32>> tags;
    for (const auto& [id, e] : model_)
      for (const u32 t : e.tags) tags.insert({e.slot / geometry_.slots, t});
    REQUIRE(stats.tags == tags.size());
    for (u32 id = 0; id < kKeys; ++id) {
      Hit hit;
      (void)find(id, hit);
    }
    // Another thread's view of the same bytes.
    Config config;
    Geometry geometry;
    REQUIRE(read_header(memory_->at(), geometry_.region_bytes, config, geometry) == RegionFault::none);
    REQUIRE(config == config_ && geometry.region_bytes == geometry_.region_bytes);
    while (!pins_.empty()) unpin();
    clear();
    REQUIRE_SOUND(cache_.validate());
    REQUIRE(cache_.stats().free_bytes == cache_.stats().arena_bytes - u64{kGranule} * config_.shards);
    REQUIRE(cache_.stats().pinned_bytes == 0 && cache_.stats().tags == 0);
  }

  Input& in_;
  Config config_;
  Geometry geometry_;
  std::unique_ptr<Memory> memory_;
  Cache cache_;
  f64 now_ = 0;
  f64 latest_ = 0;  // that the clock has shown
  Digest tags_[kTags];
  std::map<u32, Entry> model_;
  std::map<u32, u32> by_slot_;
  std::vector<u32> order_;  // of last use, youngest first
  std::vector<Pin> pins_;
  Reason expected_ = Reason::deleted;
  bool writing_ = false;
  u64 left_[8] = {};
  u64 inserts_ = 0, updates_ = 0, refused_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  Input in(data, std::min<std::size_t>(size, 2048));
  std::make_unique<Pair>(in)->run();
  return 0;
}
