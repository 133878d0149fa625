// Rows of a matrix as keys, however they lie, against a map from a row's bytes to its value.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "fuzz.h"
#include "rows.h"

using namespace fuzz;

namespace {

constexpr u32 kMostSteps = 10;
constexpr u32 kMostRows = 150;  // more than two batches
constexpr u32 kMostBytes = 4096;

struct Entry {
  std::string value;
  u8 tag;
  f64 deadline;
};

/// n rows of `width` bytes, `stride` apart; the first begins at `first` of `bytes`.
struct Matrix {
  std::vector<u8> bytes;
  u32 n, width, first;
  std::int64_t stride;

  [[nodiscard]] std::string row(u32 i) const {
    const auto at = static_cast<std::size_t>(first + i * stride);
    return {reinterpret_cast<const char*>(bytes.data()) + at, width};
  }
};

class Pair {
 public:
  explicit Pair(Input& in) : in_(in) {
    Config config;
    config.shards = in.between(1, 3);
    config.max_entries = kMostSteps * kMostRows;  // more than an input can name: nothing is evicted
    config.arena_bytes = 512 << 10;
    config.seed = in.byte();
    config.default_ttl = kNever;
    config.flags = in.byte() & (kFlagShared | kFlagLru);
    for (u32 i = 0; i < ndim_; ++i) shape_[i] = in.byte();
    Geometry geometry;
    REQUIRE(plan(config, geometry));
    memory_ = std::make_unique<Memory>(geometry.region_bytes);
    cache_.create(memory_->at(), config, geometry, now_);
  }

  void run() {
    for (u32 step = 0; step < kMostSteps && !in_.empty(); ++step) {
      if (in_.flag()) now_ += in_.byte();
      const Matrix m = matrix();
      KeyRows rows{m.bytes.data() + m.first, m.n, m.width, m.stride, ArrayHeader(9, std::span(shape_, ndim_), 0)};
      const u8 tag = static_cast<u8>(in_.below(8) == 0);
      const u32 value_bytes = kWidths[in_.below(8) == 0 ? in_.below(std::size(kWidths)) : 2];
      if (in_.flag())
        get(m, rows, tag, value_bytes);
      else
        set(m, rows, tag, value_bytes);
    }
    REQUIRE_SOUND(cache_.validate());
    REQUIRE(cache_.stats().hits == hits_ && cache_.stats().misses == misses_);
    REQUIRE(cache_.stats().evictions == 0);
  }

 private:
  static constexpr u32 kWidths[] = {0, 1, 8, 9, 16, 40, 200};

  /// Rows apart, touching, overlapping, all one, or backwards.
  Matrix matrix() {
    Matrix m;
    m.n = in_.below(kMostRows);
    m.width = in_.below(40);
    const u32 step = in_.below(m.width + 8);
    m.stride = in_.flag() ? -static_cast<std::int64_t>(step) : step;
    const u32 reach = m.n == 0 ? 0 : (m.n - 1) * step;
    m.first = m.stride < 0 ? reach : 0;
    // Exactly what the rows cover.
    const u8 start = in_.byte(), growth = in_.byte();
    m.bytes.resize(m.n == 0 ? 0 : reach + m.width);
    for (std::size_t i = 0; i < m.bytes.size(); ++i) m.bytes[i] = static_cast<u8>(start + (i / 4 * growth & 0x7));
    const auto raw = in_.bytes(in_.below(16));
    std::copy_n(raw.begin(), std::min(raw.size(), m.bytes.size()), m.bytes.begin());
    return m;
  }

  void get(const Matrix& m, KeyRows& rows, u8 tag, u32 value_bytes) {
    std::vector<u8> out(u64{m.n} * value_bytes, 0xee), found(m.n, 7);
    const RowResult r = get_rows(cache_, rows, tag, out.data(), value_bytes, found.data(), now_);
    u64 hits = 0;
    for (u32 i = 0; i < m.n; ++i) {
      const auto at = model_.find(m.row(i));
      const bool alive = at != model_.end() && now_ <= at->second.deadline;
      const auto given = std::span(out).subspan(u64{i} * value_bytes, value_bytes);
      if (alive && (at->second.tag != tag || at->second.value.size() != value_bytes)) {
        REQUIRE(r.status == (at->second.tag != tag ? Status::dtype_mismatch : Status::shape_mismatch));
        REQUIRE(r.at == i && r.value_tag == at->second.tag && r.length == at->second.value.size() && r.hits == hits);
        return;
      }
      REQUIRE(found[i] == (alive ? 1 : 0));
      if (alive)
        REQUIRE(std::equal(given.begin(), given.end(), at->second.value.begin(),
                           [](u8 a, char b) { return a == static_cast<u8>(b); }));
      else
        for (const u8 b : given) REQUIRE(b == 0xee);  // what is not found stays as it was
      hits += alive;
    }
    REQUIRE(r.status == Status::ok && r.hits == hits);
    hits_ += hits;
    misses_ += m.n - hits;
  }

  void set(const Matrix& m, KeyRows& rows, u8 tag, u32 value_bytes) {
    std::vector<u8> values(u64{m.n} * value_bytes), found(m.n);
    const u8 fill = in_.byte(), mask = in_.byte();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<u8>(fill + i + i / 251);
    for (u32 i = 0; i < m.n; ++i) found[i] = (mask >> (i & 7)) & 1;
    const f64 deadline = in_.flag() ? kNever : now_ + in_.byte();
    const bool all = in_.flag();
    const RowResult r =
        set_rows(cache_, rows, tag, values.data(), value_bytes, all ? nullptr : found.data(), {deadline}, now_);
    u64 stored = 0;
    for (u32 i = 0; i < m.n; ++i) {
      if (!all && found[i] != 0) continue;
      const char* value = reinterpret_cast<const char*>(values.data()) + u64{i} * value_bytes;
      // The value of a row that comes twice is the last one.
      model_[m.row(i)] = {std::string(value, value_bytes), tag, deadline};
      ++stored;
    }
    REQUIRE(r.status == Status::ok && r.hits == stored);
  }

  Input& in_;
  static constexpr u32 ndim_ = 2;
  u64 shape_[ndim_];
  std::unique_ptr<Memory> memory_;
  Cache cache_;
  f64 now_ = 1000;
  std::map<std::string, Entry> model_;
  u64 hits_ = 0, misses_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  Input in(data, std::min<std::size_t>(size, kMostBytes));
  std::make_unique<Pair>(in)->run();
  return 0;
}
