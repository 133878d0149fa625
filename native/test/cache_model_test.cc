// Random operations on a cache and on an obvious one: an unordered_map, and a list for the order of LRU.
//
// The model does what the operations promise; which entry is evicted and when an expired one is reclaimed it learns from the
// sink, and checks that the report is plausible (and exact, under LRU). validate() follows the operations.
#include <algorithm>
#include <cmath>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "cache.h"
#include "check.h"

using namespace hitpath;

namespace {

constexpr f64 kNever = std::numeric_limits<f64>::infinity();
constexpr u32 kSlow = HITPATH_TSAN ? 10 : 1;  // one thread has nothing to show ThreadSanitizer

struct Scene {
  const char* name;
  u32 shards = 1;
  u32 max_entries = 400;
  u64 arena_bytes = 1 << 20;
  u32 flags = 0;
  u32 keys = 300;
  u32 longest = 700;  // bytes of a value
  u32 operations = 20'000;
  u32 validate_every = 1;
  f64 mortal = 0.7;     // share of the entries with a deadline
  bool frozen = false;  // the clock
  bool pins = true;
  u32 tags = 12;      // to choose from
  u32 most_tags = 4;  // of an entry
};

struct Entry {
  std::string value;
  u8 tag = 0;
  f64 deadline = 0;
  std::set<u32> tags;
  u32 slot = 0;
};

struct Pin {
  u32 shard, block;
  const u8* at;
  std::string bytes;
};

class Pair {
 public:
  Pair(const Scene& scene, u64 seed) : scene_(scene), random_(seed) {
    Config config;
    config.shards = scene.shards;
    config.max_entries = scene.max_entries;
    config.arena_bytes = scene.arena_bytes;
    config.seed = random_.next();
    config.default_ttl = kNever;
    config.flags = scene.flags;
    Geometry geometry;
    if (!CHECK(plan(config, geometry))) std::abort();
    memory_ = static_cast<u8*>(std::aligned_alloc(kLine, geometry.region_bytes));
    std::memset(memory_, 0, geometry.region_bytes);
    cache_.create(memory_, config, geometry, now_);
    cache_.set_sink({hear, this});
    for (u32 t = 0; t < scene.tags; ++t) tags_.push_back(xxh3_128(&t, sizeof t));
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() { std::free(memory_); }

  void run() {
    for (u32 i = 0; i < scene_.operations / kSlow; ++i) {
      step();
      if (i % scene_.validate_every == 0) CHECK_EQ(cache_.validate(), nullptr);
      if (!CHECK_EQ(cache_.size(), model_.size()) || !CHECK(cache_.size() <= scene_.max_entries) ||
          check::failures != 0) {
        std::printf("    %s, operation %u: %s\n", scene_.name, i, last_);
        return;
      }
    }
    finish();
  }

 private:
  // ---- keys: short and long ones of several kinds, chosen with skew ----

  std::string key_bytes(u32 id) const {
    std::string bytes = std::to_string(id);
    if (id % 5 == 1) bytes.resize(8, '#');
    if (id % 5 == 2) bytes.resize(16, '#');
    if (id % 5 == 3) bytes.resize(17 + id % 40, '#');
    if (id % 50 == 4) bytes.resize((scene_.flags & kFlagShared) != 0 ? 400 : 64, '#');
    return bytes;
  }
  u32 pick() {
    const u64 a = random_.below(scene_.keys), b = random_.below(scene_.keys);
    return static_cast<u32>(std::min(a, b));
  }
  Key key(u32 id, const std::string& bytes) const {
    const KeyKind kind = id % 5 == 1 ? kKeyNumber : id % 5 == 2 ? kKeyDigest : id % 5 == 3 ? kKeyUtf16 : kKeyLatin1;
    return make_key(kind, bytes.data(), static_cast<u32>(bytes.size()), cache_.config().seed);
  }
  u32 shard_of_slot(u32 slot) const { return slot / cache_.geometry().slots; }

  // ---- what the sink says ----

  static void hear(void* context, u32 slot, Reason reason) noexcept {
    static_cast<Pair*>(context)->removed(slot, reason);
  }
  void removed(u32 slot, Reason reason) {
    const auto at = by_slot_.find(slot);
    if (!CHECK(at != by_slot_.end())) return;
    const u32 id = at->second;
    const Entry& e = model_.at(id);
    CHECK_EQ(e.slot, slot);
    const bool alive = now_ <= e.deadline;
    if (reason == Reason::expired) CHECK(!alive);
    if (reason == Reason::evicted || reason == Reason::deleted || reason == Reason::invalidated) CHECK(alive);
    if (reason == Reason::evicted) {
      CHECK(writing_);
      if (exact_order()) CHECK_EQ(order_.back(), id);
    } else if (reason != Reason::expired) {
      CHECK(expected_ == reason);
    }
    ++departures_[static_cast<u32>(reason)];
    by_slot_.erase(at);
    order_.remove(id);
    model_.erase(id);
  }
  bool exact_order() const { return (scene_.flags & kFlagLru) != 0 && scene_.arena_bytes >= 1 << 20; }
  void use(u32 id) {
    if (!exact_order()) return;
    order_.remove(id);
    order_.push_front(id);
  }

  // ---- operations ----

  void step() {
    move_clock();
    const u64 die = random_.below(1000);
    if (die < 450)
      set();
    else if (die < 800)
      get();
    else if (die < 860)
      erase();
    else if (die < 890)
      expire();
    else if (die < 920)
      erase_tag();
    else if (die < 925)
      sweep();
    else if (die < 927)
      clear();
    else if (die < 950)
      advance();
    else if (die < 980)
      pin();
    else
      unpin(false);
  }

  void move_clock() {
    if (scene_.frozen) return;
    const u64 die = random_.below(1000);
    if (die < 300)
      now_ += static_cast<f64>(random_.below(4));
    else if (die < 330)
      now_ += static_cast<f64>(random_.below(1000)) / 7;
    else if (die < 334)
      now_ += static_cast<f64>(random_.below(100'000));
    else if (die < 344)
      now_ -= static_cast<f64>(random_.below(200));
    else if (die == 344)
      now_ += static_cast<f64>(random_.below(u64{1} << 40));
    latest_ = std::max(latest_, now_);
  }
  f64 some_deadline() {
    if (!random_.chance(scene_.mortal)) return kNever;
    const u64 die = random_.between(30, 99);
    if (die < 80) return now_ + static_cast<f64>(random_.below(50));
    if (die < 90) return now_ + static_cast<f64>(random_.below(100'000)) / 3;
    if (die < 95) return now_ + static_cast<f64>(random_.below(u64{1} << 42));
    if (die < 98) return now_ - static_cast<f64>(random_.below(10));
    return now_;
  }
  std::string some_value() {
    static constexpr u32 edges[] = {0, 1, 7, 8, 9, 16, 512, 513};
    std::string value(random_.chance(0.3) ? edges[random_.below(std::size(edges))]
                                          : random_.below(random_.chance(0.1) ? scene_.longest * 8 : scene_.longest),
                      '\0');
    Rng pattern = Rng::exactly(random_.next());
    for (auto& c : value) c = static_cast<char>(pattern.next());
    return value;
  }

  void set() {
    last_ = "set";
    const u32 id = pick();
    const std::string name = key_bytes(id);
    Entry e;
    // Often the value of before with other bytes, so that it is written in place.
    const auto before = model_.find(id);
    e.value = some_value();
    if (before != model_.end() && random_.chance(0.4)) e.value.resize(before->second.value.size(), '!');
    e.tag = static_cast<u8>(random_.next());
    e.deadline = some_deadline();
    std::vector<Digest> tags;
    if (random_.chance(0.3))
      for (u64 n = random_.between(1, scene_.most_tags); n != 0; --n) {
        const u32 t = static_cast<u32>(random_.below(scene_.tags));
        e.tags.insert(t);
        tags.push_back(tags_[t]);
      }
    const u32 cut = static_cast<u32>(random_.below(e.value.size() + 1));
    const Value value{e.tag, e.value.data(), cut, e.value.data() + cut, static_cast<u32>(e.value.size()) - cut};
    Placed placed;
    writing_ = true;
    const u64 evicted = departures_[static_cast<u32>(Reason::evicted)];
    const Status status = cache_.set(key(id, name), value, tags, e.deadline, now_, placed);
    writing_ = false;
    if (status == Status::too_large) {
      CHECK(e.value.size() + name.size() + 16 * tags.size() + 8 > cache_.max_payload());
      return;
    }
    if (status == Status::no_memory) {
      CHECK(!pins_.empty());
      CHECK_EQ(departures_[static_cast<u32>(Reason::evicted)], evicted);
      ++refused_;
      return;
    }
    if (!CHECK_EQ(status, Status::ok)) return;
    CHECK_EQ(placed.replaced, model_.count(id) == 1);
    if (placed.replaced)
      CHECK_EQ(model_[id].slot, placed.slot);
    else
      CHECK_EQ(by_slot_.count(placed.slot), 0u);
    ++(placed.replaced ? updates_ : inserts_);
    e.slot = placed.slot;
    by_slot_[placed.slot] = id;
    model_[id] = std::move(e);
    use(id);
  }

  bool find(u32 id, Hit& hit) {
    const std::string name = key_bytes(id);
    const bool found = cache_.find(key(id, name), hit);
    const auto at = model_.find(id);
    if (!CHECK_EQ(found, at != model_.end()) || !found) return false;
    const Entry& e = at->second;
    CHECK_EQ(hit.slot, e.slot);
    CHECK_EQ(hit.deadline, e.deadline);
    CHECK_EQ(hit.value_tag, e.tag);
    if (!CHECK_EQ(hit.length, e.value.size())) return false;
    std::string copy(hit.length, '\0');
    CHECK(cache_.copy(hit, copy.data()));
    CHECK(copy == e.value);
    return true;
  }
  void get() {
    last_ = "get";
    const u32 id = pick();
    Hit hit;
    if (!find(id, hit) || now_ > hit.deadline) return;
    cache_.touch(hit);
    use(id);
  }
  void erase() {
    last_ = "erase";
    const u32 id = pick();
    const std::string name = key_bytes(id);
    const auto at = model_.find(id);
    const bool alive = at != model_.end() && now_ <= at->second.deadline;
    expected_ = Reason::deleted;
    CHECK_EQ(cache_.erase(key(id, name), now_), alive);
    CHECK_EQ(model_.count(id), 0u);
  }
  void expire() {
    last_ = "expire";
    const u32 id = pick();
    Hit hit;
    if (!find(id, hit)) return;
    const bool dead = now_ > hit.deadline;
    cache_.expire(hit, now_);
    CHECK_EQ(model_.count(id), dead ? 0u : 1u);
  }
  void erase_tag() {
    last_ = "erase_tag";
    const u32 t = static_cast<u32>(random_.below(scene_.tags));
    u64 carried = 0, removed = 0;
    for (const auto& [id, e] : model_) carried += e.tags.count(t) && now_ <= e.deadline;
    expected_ = Reason::invalidated;
    for (u32 shard = 0; shard < scene_.shards; ++shard)
      for (u32 rounds = 0; cache_.erase_tag(tags_[t], shard, static_cast<u32>(random_.between(1, 20)), now_, removed);
           ++rounds)
        if (!CHECK(rounds < 10'000)) return;
    CHECK_EQ(removed, carried);
    for (const auto& [id, e] : model_) CHECK_EQ(e.tags.count(t), 0u);
  }
  void sweep() {
    last_ = "sweep";
    const u8 match = static_cast<u8>(random_.below(8));
    u64 wanted = 0, asked = 0, alive = 0;
    for (const auto& [id, e] : model_) {
      alive += now_ <= e.deadline;
      wanted += now_ <= e.deadline && e.tag % 8 == match;
    }
    const u64 before = model_.size();
    expected_ = Reason::invalidated;
    for (u32 cursor = 0; cursor != kNil;)
      cursor = cache_.sweep(cursor, static_cast<u32>(random_.between(1, 500)), now_, Reason::invalidated,
                            [&](const Hit& hit, const Cache::StoredKey& k) noexcept {
                              ++asked;
                              const auto at = by_slot_.find(hit.slot);
                              if (!CHECK(at != by_slot_.end())) return false;
                              const std::string name = key_bytes(at->second);
                              CHECK(name == std::string(reinterpret_cast<const char*>(k.bytes), k.length));
                              return hit.value_tag % 8 == match;
                            });
    CHECK_EQ(asked, alive);
    CHECK_EQ(before - model_.size(), wanted);
  }
  void clear() {
    last_ = "clear";
    expected_ = Reason::cleared;
    for (u32 cursor = 0; cursor != kNil;) cursor = cache_.clear(cursor, static_cast<u32>(random_.between(1, 300)));
    CHECK(model_.empty());
  }
  void advance() {
    last_ = "advance";
    const u32 budget = random_.chance(0.2) ? 1'000'000 : static_cast<u32>(random_.below(20));
    const u32 left = cache_.advance(now_, budget);
    CHECK(left <= budget);
    if (left == 0 || now_ < latest_) return;  // after a step back the wheel waits for the clock
    // What is whole milliseconds past its deadline is gone.
    for (const auto& [id, e] : model_) CHECK(e.deadline + 1 > now_);
    CHECK(cache_.next_due() > now_);
  }
  void pin() {
    last_ = "pin";
    const u32 id = pick();
    Hit hit;
    if (!scene_.pins || pins_.size() > 40 || !find(id, hit)) return;
    u64 offset = 0;
    if (!cache_.pin(hit, offset)) {
      CHECK(hit.block == kNil || cache_.stats().pinned_bytes + hit.length + 40 + 500 > scene_.arena_bytes / 100 * 25);
      return;
    }
    CHECK(hit.block != kNil);
    CHECK_EQ(memory_ + offset, hit.value);
    pins_.push_back({shard_of_slot(hit.slot), hit.block, memory_ + offset, model_[id].value});
  }
  void unpin(bool all) {
    last_ = "unpin";
    for (const Pin& p : pins_) CHECK(std::memcmp(p.at, p.bytes.data(), p.bytes.size()) == 0);
    while (!pins_.empty()) {
      std::swap(pins_[random_.below(pins_.size())], pins_.back());
      cache_.unpin(pins_.back().shard, pins_.back().block);
      pins_.pop_back();
      if (!all) break;
    }
  }

  void finish() {
    last_ = "the end";
    const Stats stats = cache_.stats();
    const auto left = [&](Reason r) { return departures_[static_cast<u32>(r)]; };
    CHECK_EQ(stats.inserts, inserts_);
    CHECK_EQ(stats.updates, updates_);
    CHECK_EQ(stats.evictions, left(Reason::evicted));
    CHECK_EQ(stats.expirations, left(Reason::expired));
    CHECK_EQ(stats.deletes, left(Reason::deleted));
    CHECK_EQ(stats.invalidations, left(Reason::invalidated));
    CHECK_EQ(stats.rejections, refused_);
    std::set<std::pair<u32, u32>> tags;
    for (const auto& [id, e] : model_)
      for (const u32 t : e.tags) tags.insert({shard_of_slot(e.slot), t});
    CHECK_EQ(stats.tags, tags.size());
    for (u32 id = 0; id < scene_.keys; ++id) {
      Hit hit;
      (void)find(id, hit);
    }
    unpin(true);
    clear();
    CHECK_EQ(cache_.validate(), nullptr);
    CHECK_EQ(cache_.stats().free_bytes, cache_.stats().arena_bytes - 8 * scene_.shards);
    CHECK_EQ(cache_.stats().pinned_bytes, 0u);
    if (std::getenv("HITPATH_VERBOSE") != nullptr)
      std::printf("    %s: %llu inserts, %llu updates, %llu evicted, %llu expired, %llu refused, hand %u\n",
                  scene_.name, static_cast<unsigned long long>(inserts_), static_cast<unsigned long long>(updates_),
                  static_cast<unsigned long long>(left(Reason::evicted)),
                  static_cast<unsigned long long>(left(Reason::expired)), static_cast<unsigned long long>(refused_),
                  stats.hand_steps);
  }

  Scene scene_;
  Rng random_;
  u8* memory_;
  Cache cache_;
  f64 now_ = 5000;
  f64 latest_ = 5000;  // that the clock has shown
  std::vector<Digest> tags_;
  std::unordered_map<u32, Entry> model_;
  std::map<u32, u32> by_slot_;
  std::list<u32> order_;  // of last use, youngest first; under LRU
  std::vector<Pin> pins_;
  Reason expected_ = Reason::deleted;
  bool writing_ = false;
  u64 departures_[8] = {};
  u64 inserts_ = 0, updates_ = 0, refused_ = 0;
  const char* last_ = "";
};

void play(const Scene& scene, u64 seed) { std::make_unique<Pair>(scene, seed)->run(); }

}  // namespace

TEST(plenty_of_room) { play({.name = "room"}, 1); }
TEST(plenty_of_room_under_lru) { play({.name = "room, lru", .flags = kFlagLru}, 2); }
TEST(few_entries) { play({.name = "few entries", .max_entries = 40}, 3); }
TEST(few_entries_under_lru_leave_in_the_exact_order) {
  play({.name = "few entries, lru", .max_entries = 40, .flags = kFlagLru, .mortal = 0.3}, 4);
}
TEST(one_entry) {
  play({.name = "one entry", .max_entries = 1, .flags = kFlagShared, .keys = 20, .operations = 5000}, 5);
}
TEST(few_bytes) { play({.name = "few bytes", .arena_bytes = 16 << 10, .flags = kFlagShared, .mortal = 0.05}, 6); }
TEST(few_bytes_under_lru) {
  play({.name = "few bytes, lru", .arena_bytes = 16 << 10, .flags = kFlagLru | kFlagShared}, 7);
}
TEST(few_bytes_and_few_entries) {
  play({.name = "few of both", .max_entries = 60, .arena_bytes = 16 << 10, .flags = kFlagShared}, 8);
}
TEST(almost_no_bytes) { play({.name = "almost no bytes", .arena_bytes = kMinArena, .longest = 40}, 9); }
TEST(a_frozen_clock) {
  play({.name = "frozen clock", .max_entries = 100, .arena_bytes = 32 << 10, .frozen = true}, 10);
}
TEST(no_pins_and_few_bytes_refuse_nothing_but_what_is_too_large) {
  play({.name = "no pins", .arena_bytes = 24 << 10, .flags = kFlagShared, .longest = 300, .mortal = 0.1, .pins = false},
       11);
}
TEST(eight_shards) {
  play({.name = "8 shards",
        .shards = 8,
        .arena_bytes = 128 << 10,
        .keys = 1500,
        .operations = 30'000,
        .validate_every = 7},
       12);
}
TEST(eight_shards_that_share_few_entries) {
  play({.name = "8 shards, few entries",
        .shards = 8,
        .max_entries = 50,
        .arena_bytes = 64 << 10,
        .operations = 30'000,
        .validate_every = 5},
       13);
}
TEST(eight_shards_with_locks_and_few_bytes) {
  play({.name = "8 shards, few bytes",
        .shards = 8,
        .arena_bytes = 8 << 10,
        .flags = kFlagShared,
        .keys = 1000,
        .longest = 300,
        .operations = 30'000,
        .validate_every = 7,
        .mortal = 0.1},
       14);
}
TEST(eight_shards_under_lru) {
  play({.name = "8 shards, lru",
        .shards = 8,
        .max_entries = 200,
        .arena_bytes = 8 << 10,
        .flags = kFlagLru | kFlagShared,
        .keys = 1000,
        .longest = 200,
        .operations = 20'000,
        .validate_every = 7,
        .mortal = 0.05},
       15);
}
TEST(a_full_table_of_tags) {
  Scene scene{.name = "full table", .max_entries = 100, .flags = kFlagShared, .tags = 2000, .most_tags = 20};
  play(scene, 17);
  scene = {.name = "full table, few bytes", .max_entries = 100, .arena_bytes = 32 << 10, .tags = 700, .most_tags = 64};
  play(scene, 18);
  scene = {.name = "full table, two shards",
           .shards = 2,
           .max_entries = 300,
           .flags = kFlagShared,
           .tags = 5000,
           .most_tags = 64};
  play(scene, 19);
}
TEST(many_short_runs) {
  Rng seeds(16);
  for (u32 i = 0; i < 60; ++i) {
    Scene scene{.name = "short run"};
    scene.shards = static_cast<u32>(seeds.between(1, 4));
    scene.max_entries = static_cast<u32>(seeds.between(1, 200));
    scene.arena_bytes = kLine * seeds.between(kMinArena / kLine, 600);
    scene.flags = (seeds.chance(0.3) ? kFlagLru : 0) | (seeds.chance(0.5) ? kFlagShared : 0);
    scene.keys = static_cast<u32>(seeds.between(5, 400));
    scene.longest = static_cast<u32>(seeds.between(10, 500));
    scene.operations = 600;
    scene.mortal = seeds.chance(0.5) ? 0.7 : 0.1;
    if (seeds.chance(0.3)) scene.tags = 500, scene.most_tags = 30;
    std::make_unique<Pair>(scene, seeds.next())->run();
    if (check::failures != 0) return;
  }
}
