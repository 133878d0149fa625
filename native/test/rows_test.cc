// Rows as keys: a batch does what single operations do.
#include "rows.h"

#include <limits>
#include <vector>

#include "check.h"

using namespace hitpath;

namespace {

constexpr f64 kNever = std::numeric_limits<f64>::infinity();
constexpr u8 kDtype = 9;
constexpr u8 kTag = 40;

class Store {
 public:
  explicit Store(u32 max_entries = 10'000, u32 shards = 4) {
    Config config;
    config.shards = shards;
    config.max_entries = max_entries;
    config.arena_bytes = 1 << 20;
    config.seed = 99;
    config.default_ttl = kNever;
    Geometry geometry;
    if (!CHECK(plan(config, geometry))) std::abort();
    memory_ = static_cast<u8*>(std::aligned_alloc(kLine, geometry.region_bytes));
    std::memset(memory_, 0, geometry.region_bytes);
    cache.create(memory_, config, geometry, now);
  }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store() {
    CHECK_EQ(cache.validate(), nullptr);
    std::free(memory_);
  }

  Cache cache;
  f64 now = 1000;

 private:
  u8* memory_;
};

/// n rows of `columns` floats; row i of seed s is always the same.
std::vector<float> matrix(u64 n, u64 columns, u64 seed) {
  std::vector<float> out(n * columns);
  for (u64 i = 0; i < n; ++i) {
    Rng pattern = Rng::exactly(seed + i);
    for (u64 j = 0; j < columns; ++j) out[i * columns + j] = static_cast<float>(pattern.next() % 1000);
  }
  return out;
}

KeyRows rows_of(const std::vector<float>& m, u64 columns) {
  const u64 shape[] = {columns};
  return {reinterpret_cast<const u8*>(m.data()), m.size() / columns, columns * 4,
          static_cast<std::int64_t>(columns * 4), ArrayHeader(kDtype, shape, 0)};
}

struct RowKey {
  u8 bytes[16];
  Key key;
  RowKey(KeyRows& rows, u64 i, u64 seed) {
    canonical(rows.header.digest(rows.bytes + static_cast<std::int64_t>(i) * rows.stride_bytes, rows.row_bytes), bytes);
    key = make_key(kKeyDigest, bytes, 16, seed);
  }
};

}  // namespace

TEST(rows_that_were_stored_are_found_and_others_are_not) {
  for (const u64 n : {u64{0}, u64{1}, u64{63}, u64{64}, u64{65}, u64{200}}) {
    for (const u32 width : {2u, 8u, 40u}) {  // values inline, at its edge, and in blocks
      Store s;
      const auto keys = matrix(n, 12, 1), others = matrix(n, 12, 1'000'000);
      std::vector<u8> values(n * width), out(n * width, 0xee), found(n, 7);
      for (auto& v : values) v = static_cast<u8>(&v - values.data());
      KeyRows rows = rows_of(keys, 12), strangers = rows_of(others, 12);
      RowResult r = set_rows(s.cache, rows, kTag, values.data(), width, nullptr, {kNever}, s.now);
      CHECK_EQ(r.status, Status::ok);
      CHECK_EQ(r.hits, n);
      r = get_rows(s.cache, rows, kTag, out.data(), width, found.data(), s.now);
      CHECK_EQ(r.status, Status::ok);
      CHECK_EQ(r.hits, n);
      CHECK(out == values);
      CHECK(found == std::vector<u8>(n, 1));
      r = get_rows(s.cache, strangers, kTag, out.data(), width, found.data(), s.now);
      CHECK_EQ(r.hits, 0u);
      CHECK(found == std::vector<u8>(n, 0));
      CHECK(out == values);  // what is not found stays as it was
      const Stats stats = s.cache.stats();
      CHECK_EQ(stats.hits, n);
      CHECK_EQ(stats.misses, n);
    }
  }
}

TEST(a_batch_agrees_with_finding_and_setting_one_by_one) {
  Store s;
  Rng random(3);
  for (u32 round = 0; round < 40; ++round) {
    const u64 n = random.between(1, 300);
    const auto keys = matrix(n, 5, random.below(500));
    KeyRows rows = rows_of(keys, 5);
    std::vector<u8> found(n, 9), single(n);
    std::vector<u64> out(2 * n), expected(2 * n);
    s.now += static_cast<f64>(random.below(30));
    for (u64 i = 0; i < n; ++i) {
      const RowKey k(rows, i, s.cache.config().seed);
      Hit hit;
      single[i] = s.cache.find(k.key, hit) && s.now <= hit.deadline;
      if (single[i]) CHECK(s.cache.copy(hit, &expected[2 * i]));
    }
    RowResult r = get_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(out.data()), 16, found.data(), s.now);
    CHECK_EQ(r.status, Status::ok);
    CHECK(found == single);
    CHECK(out == expected);
    // Half of the misses are stored in a batch, a few one by one.
    std::vector<u64> values(2 * n);
    for (auto& v : values) v = random.next();
    u64 wanted = 0;
    for (auto& f : found) wanted += (f |= static_cast<u8>(random.chance(0.5))) == 0;
    const f64 deadline = s.now + static_cast<f64>(random.below(100));
    r = set_rows(s.cache, rows, kTag, reinterpret_cast<const u8*>(values.data()), 16, found.data(), {deadline}, s.now);
    CHECK_EQ(r.hits, wanted);
    for (u64 i = 0; i < n; ++i) {
      const RowKey k(rows, i, s.cache.config().seed);
      Hit hit;
      u64 stored[2];
      if (found[i] == 0 && CHECK(s.cache.find(k.key, hit))) {
        CHECK_EQ(hit.deadline, deadline);
        CHECK(s.cache.copy(hit, stored));
        CHECK(stored[0] == values[2 * i] && stored[1] == values[2 * i + 1]);
      }
      if (random.chance(0.1)) {
        Placed placed;
        CHECK_EQ(s.cache.set(k.key, {kTag, &values[2 * i], 16}, {}, kNever, s.now, placed), Status::ok);
      }
    }
    CHECK_EQ(s.cache.validate(), nullptr);
  }
}

TEST(rows_past_their_deadline_are_not_found) {
  Store s;
  const auto keys = matrix(100, 4, 1);
  KeyRows rows = rows_of(keys, 4);
  std::vector<float> values(100, 1.5f), out(100);
  std::vector<u8> found(100);
  CHECK_EQ(set_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(values.data()), 4, nullptr, {s.now + 10}, s.now).hits,
           100u);
  CHECK_EQ(get_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(out.data()), 4, found.data(), s.now + 10).hits, 100u);
  CHECK_EQ(get_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(out.data()), 4, found.data(), s.now + 10.5).hits, 0u);
}

TEST(rows_may_lie_apart_and_backwards) {
  for (const u64 columns : {6u, 61u, 300u}) {  // short rows, and long ones of a block and more
    Store s;
    const auto keys = matrix(70, columns, 5);
    KeyRows rows = rows_of(keys, columns);
    std::vector<u32> values(70), out(70);
    for (u32 i = 0; i < 70; ++i) values[i] = i;
    std::vector<u8> found(70);
    CHECK_EQ(set_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(values.data()), 4, nullptr, {kNever}, s.now).hits,
             70u);
    for (u64 i = 0; i < 70; ++i) {
      Hit hit;
      CHECK(s.cache.find(RowKey(rows, i, s.cache.config().seed).key, hit));
    }
    KeyRows backwards = rows;
    backwards.bytes = rows.bytes + 69 * rows.stride_bytes;
    backwards.stride_bytes = -rows.stride_bytes;
    CHECK_EQ(get_rows(s.cache, backwards, kTag, reinterpret_cast<u8*>(out.data()), 4, found.data(), s.now).hits, 70u);
    for (u32 i = 0; i < 70; ++i) CHECK_EQ(out[i], 69 - i);
    KeyRows every_other = rows;
    every_other.rows = 35;
    every_other.stride_bytes = 2 * rows.stride_bytes;
    CHECK_EQ(get_rows(s.cache, every_other, kTag, reinterpret_cast<u8*>(out.data()), 4, found.data(), s.now).hits, 35u);
    for (u32 i = 0; i < 35; ++i) CHECK_EQ(out[i], 2 * i);
  }
}

TEST(equal_rows_in_one_batch_are_one_entry_and_the_last_one_stays) {
  Store s;
  const std::vector<float> keys(4 * 10, 2.5f);
  KeyRows rows = rows_of(keys, 4);
  std::vector<u32> values(10), out(10);
  for (u32 i = 0; i < 10; ++i) values[i] = i;
  std::vector<u8> found(10);
  CHECK_EQ(set_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(values.data()), 4, nullptr, {kNever}, s.now).hits, 10u);
  CHECK_EQ(s.cache.size(), 1u);
  CHECK_EQ(get_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(out.data()), 4, found.data(), s.now).hits, 10u);
  CHECK(out == std::vector<u32>(10, 9));
}

TEST(another_dtype_shape_or_scope_is_another_key) {
  Store s;
  const auto keys = matrix(10, 4, 1);
  std::vector<u32> values(10), out(10);
  std::vector<u8> found(10);
  KeyRows rows = rows_of(keys, 4);
  CHECK_EQ(set_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(values.data()), 4, nullptr, {kNever}, s.now).hits, 10u);
  const u64 flat[] = {4}, square[] = {2, 2};
  for (ArrayHeader header :
       {ArrayHeader(kDtype + 1, flat, 0), ArrayHeader(kDtype, square, 0), ArrayHeader(kDtype, flat, 1)}) {
    KeyRows other = rows;
    other.header = header;
    CHECK_EQ(get_rows(s.cache, other, kTag, reinterpret_cast<u8*>(out.data()), 4, found.data(), s.now).hits, 0u);
  }
  CHECK_EQ(get_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(out.data()), 4, found.data(), s.now).hits, 10u);
}

TEST(digests_given_by_a_search_are_the_keys_of_its_rows) {
  Store s;
  const auto keys = matrix(150, 7, 1);
  KeyRows rows = rows_of(keys, 7);
  std::vector<u32> values(150), out(150, 7);
  for (u32 i = 0; i < 150; ++i) values[i] = i;
  std::vector<u8> found(150), digests(150 * kDigestBytes);
  u8* at = reinterpret_cast<u8*>(out.data());
  CHECK_EQ(get_rows(s.cache, rows, kTag, at, 4, found.data(), s.now, digests.data()).hits, 0u);
  for (u32 i = 0; i < 150; ++i)
    CHECK_EQ(std::memcmp(RowKey(rows, i, 1).bytes, &digests[i * kDigestBytes], kDigestBytes), 0);
  KeyRows by_digest{digests.data(), 150, kDigestBytes, kDigestBytes, {}, true};
  for (u32 i = 0; i < 150; ++i) found[i] = i % 3 == 0;
  const u8* from = reinterpret_cast<const u8*>(values.data());
  CHECK_EQ(set_rows(s.cache, by_digest, kTag, from, 4, found.data(), {kNever}, s.now).hits, 100u);
  CHECK_EQ(get_rows(s.cache, rows, kTag, at, 4, found.data(), s.now).hits, 100u);
  for (u32 i = 0; i < 150; ++i) {
    CHECK_EQ(found[i], i % 3 != 0);
    CHECK_EQ(out[i], i % 3 != 0 ? i : 7);
  }
  CHECK_EQ(get_rows(s.cache, by_digest, kTag, at, 4, found.data(), s.now).hits, 100u);
}

TEST(each_row_may_have_a_ttl_of_its_own) {
  Store s;
  const auto keys = matrix(100, 4, 1);
  KeyRows rows = rows_of(keys, 4);
  std::vector<u32> values(100), out(100);
  std::vector<u8> found(100);
  std::vector<f64> ttls(100);
  for (u32 i = 0; i < 100; ++i) ttls[i] = i < 70 ? i : std::numeric_limits<f64>::quiet_NaN();
  (void)set_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(values.data()), 4, nullptr, {s.now + 200, ttls.data()},
                 s.now);
  for (const u32 later : {0u, 33u, 69u, 70u, 200u, 201u}) {
    (void)get_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(out.data()), 4, found.data(), s.now + later);
    for (u32 i = 0; i < 100; ++i) CHECK_EQ(found[i], i < 70 ? i >= later : later <= 200);
  }
}

TEST(rows_that_round_to_the_same_are_one_key) {
  Store s;
  std::vector<float> keys{1.04f, 10.f, 0.96f, 14.f, 1.06f, 10.f, 1.04f, 16.f};
  KeyRows rows = rows_of(keys, 2);
  const f64 steps[] = {0.1, 10};
  alignas(8) u8 rounded[8];
  rows.grid = {steps, rounded, 2, false};
  std::vector<u32> values{1, 2, 3, 4}, out(4);
  std::vector<u8> found{0, 1, 0, 0};
  CHECK_EQ(set_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(values.data()), 4, found.data(), {kNever}, s.now).hits,
           3u);
  CHECK_EQ(s.cache.size(), 3u);
  CHECK_EQ(get_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(out.data()), 4, found.data(), s.now).hits, 4u);
  CHECK(out == (std::vector<u32>{1, 1, 3, 4}));
  rows.grid = {};
  CHECK_EQ(get_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(out.data()), 4, found.data(), s.now).hits, 0u);
}

TEST(a_stored_row_that_does_not_fit_what_is_asked_for_is_a_fault_that_names_it) {
  Store s;
  const auto keys = matrix(100, 4, 1);
  std::vector<u8> values(100 * 16), out(100 * 32), found(100);
  KeyRows rows = rows_of(keys, 4);
  CHECK_EQ(set_rows(s.cache, rows, kTag, values.data(), 16, nullptr, {kNever}, s.now).hits, 100u);
  RowResult r = get_rows(s.cache, rows, kTag + 1, out.data(), 16, found.data(), s.now);
  CHECK_EQ(r.status, Status::dtype_mismatch);
  CHECK_EQ(r.at, 0u);
  CHECK_EQ(r.value_tag, u32{kTag});
  CHECK_EQ(r.length, 16u);
  r = get_rows(s.cache, rows, kTag, out.data(), 32, found.data(), s.now);
  CHECK_EQ(r.status, Status::shape_mismatch);
  // One odd row, in the second batch.
  const RowKey odd(rows, 77, s.cache.config().seed);
  Placed placed;
  CHECK_EQ(s.cache.set(odd.key, {kTag, values.data(), 5}, {}, kNever, s.now, placed), Status::ok);
  r = get_rows(s.cache, rows, kTag, out.data(), 16, found.data(), s.now);
  CHECK_EQ(r.status, Status::shape_mismatch);
  CHECK_EQ(r.at, 77u);
  CHECK_EQ(r.length, 5u);
}

TEST(a_row_that_may_never_fit_stops_the_batch) {
  Store s;
  const auto keys = matrix(3, 4, 1);
  std::vector<u8> values(3 << 20), found{1, 0, 0};
  KeyRows rows = rows_of(keys, 4);
  const RowResult r = set_rows(s.cache, rows, kTag, values.data(), 1 << 20, found.data(), {kNever}, s.now);
  CHECK_EQ(r.status, Status::too_large);
  CHECK_EQ(r.at, 1u);
  CHECK_EQ(r.hits, 0u);
}

TEST(a_hit_in_a_batch_counts_for_eviction) {
  Store s(1000, 1);
  const auto hot = matrix(200, 4, 1);
  std::vector<u32> values(200), out(200);
  std::vector<u8> found(200);
  KeyRows rows = rows_of(hot, 4);
  (void)set_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(values.data()), 4, nullptr, {kNever}, s.now);
  for (u64 from : {10'000u, 20'000u, 30'000u, 40'000u}) {
    const auto scan = matrix(200, 4, from);
    KeyRows cold = rows_of(scan, 4);
    (void)set_rows(s.cache, cold, kTag, reinterpret_cast<u8*>(values.data()), 4, nullptr, {kNever}, s.now);
  }
  CHECK_EQ(get_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(out.data()), 4, found.data(), s.now).hits, 200u);
  for (u64 from = 50'000; from < 60'000; from += 200) {
    const auto scan = matrix(200, 4, from);
    KeyRows cold = rows_of(scan, 4);
    (void)set_rows(s.cache, cold, kTag, reinterpret_cast<u8*>(values.data()), 4, nullptr, {kNever}, s.now);
  }
  CHECK(get_rows(s.cache, rows, kTag, reinterpret_cast<u8*>(out.data()), 4, found.data(), s.now).hits >= 198);
}
