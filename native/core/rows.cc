#include "rows.h"

#include <limits>

#include "long_rows.h"

namespace hitpath {

namespace {

constexpr u32 kBatch = 64;  // keys in flight: enough to hide memory, few enough to stay in the first cache
static_assert(kBatch <= 64, "get_rows() has a bit for each key in flight");

struct Batch {
  u8 digests[kBatch][kDigestBytes];  // canonical
  Key keys[kBatch];
  Cache::Trail trails[kBatch];
};

const u8* row_at(const KeyRows& keys, u64 row) noexcept {
  return keys.bytes + static_cast<std::int64_t>(row) * keys.stride_bytes;
}

void read_digests(KeyRows& keys, u64 from, u32 count, Batch& batch) noexcept {
  if (keys.digests) {
    for (u32 i = 0; i < count; ++i) std::memcpy(batch.digests[i], row_at(keys, from + i), kDigestBytes);
    return;
  }
  Digest bodies[kBatch];
  if (keys.grid.steps != nullptr || keys.row_bytes < kLongRow ||
      !hash_long_rows(row_at(keys, from), count, keys.stride_bytes, keys.row_bytes, bodies)) {
    for (u32 i = 0; i < count; ++i) bodies[i] = xxh3_128(keys.grid.rounded(row_at(keys, from + i)), keys.row_bytes);
  }
  for (u32 i = 0; i < count; ++i) canonical(keys.header.combine(bodies[i]), batch.digests[i]);
}

/// Hashes up to kBatch rows and asks memory for their slots.
u32 hash_rows(const Cache& cache, KeyRows& keys, u64 from, Batch& batch) noexcept {
  const u32 count = static_cast<u32>(keys.rows - from < kBatch ? keys.rows - from : kBatch);
  read_digests(keys, from, count, batch);
  for (u32 i = 0; i < count; ++i) {
    batch.keys[i] = make_digest_key(batch.digests[i], cache.config().seed);
    batch.trails[i] = cache.prefetch_groups(batch.keys[i]);
  }
  for (u32 i = 0; i < count; ++i) cache.prefetch_slot(batch.keys[i], batch.trails[i]);
  return count;
}

/// Where the values of hits go, and what they must be.
struct Target {
  u8* out;
  u32 bytes;  // a value
  u8 tag;
  f64 now;
};

/// Copies the value of a hit; whether it was what the target takes, and all of one state of the entry.
bool deliver(Cache& cache, const Hit& hit, const Target& target, u64 row) noexcept {
  if (hit.value_tag != target.tag || hit.length != target.bytes) return false;
  if (!cache.copy(hit, target.out + row * target.bytes)) return false;
  cache.touch(hit);
  return true;
}

/// After deliver() failed: finds out why. Whether the row was delivered after all; otherwise it is a miss, or result says what is wrong.
[[gnu::noinline]] bool deliver_again(Cache& cache, const Key& key, Hit& hit, const Target& target, u64 row,
                                     RowResult& result) noexcept {
  for (;;) {
    const bool other = hit.value_tag != target.tag || hit.length != target.bytes;
    if (other && cache.still(hit)) {
      const Status status = hit.value_tag != target.tag ? Status::dtype_mismatch : Status::shape_mismatch;
      result = {status, result.hits, row, hit.value_tag, hit.length};
      return false;
    }
    // A writer changed the entry between the two passes.
    if (!cache.find(key, hit) || target.now > hit.deadline) return false;
    if (deliver(cache, hit, target, row)) return true;
  }
}

}  // namespace

RowResult get_rows(Cache& cache, KeyRows& keys, u8 value_tag, u8* out, u32 out_bytes, u8* found, f64 now,
                   u8* digests) noexcept {
  const Target target = {out, out_bytes, value_tag, now};
  RowResult result;
  Batch batch;
  Hit hits[kBatch];
  for (u64 from = 0; from < keys.rows; from += kBatch) {
    const u32 count = hash_rows(cache, keys, from, batch);
    if (digests != nullptr) std::memcpy(digests + from * kDigestBytes, batch.digests, u64{count} * kDigestBytes);
    u64 alive = 0;  // a bit for each key in flight
    for (u32 i = 0; i < count; ++i) {
      if (!cache.find_near(batch.keys[i], batch.trails[i], hits[i]) || now > hits[i].deadline) continue;
      alive |= u64{1} << i;
      prefetch(hits[i].value);
    }
    for (u32 i = 0; i < count; ++i) {
      const u64 row = from + i;
      found[row] = 0;
      if ((alive >> i & 1) == 0) continue;
      if (!deliver(cache, hits[i], target, row) && !deliver_again(cache, batch.keys[i], hits[i], target, row, result)) {
        if (result.status != Status::ok) return result;
        continue;
      }
      found[row] = 1;
      ++result.hits;
    }
  }
  cache.count(result.hits, keys.rows - result.hits);
  return result;
}

RowResult set_rows(Cache& cache, KeyRows& keys, u8 value_tag, const u8* values, u32 value_bytes, const u8* found,
                   RowDeadlines ends, f64 now) noexcept {
  RowResult result;
  Batch batch;
  for (u64 from = 0; from < keys.rows; from += kBatch) {
    const u32 count = hash_rows(cache, keys, from, batch);
    for (u32 i = 0; i < count; ++i) {
      if (found != nullptr && found[from + i] != 0) continue;
      Placed placed;
      const Value value{value_tag, values + (from + i) * value_bytes, value_bytes, nullptr, 0};
      const f64 ttl = ends.ttls == nullptr ? std::numeric_limits<f64>::quiet_NaN() : ends.ttls[from + i];
      result.status = cache.set(batch.keys[i], value, {}, ttl == ttl ? now + ttl : ends.deadline, now, placed);
      if (result.status != Status::ok) {
        result.at = from + i;
        return result;
      }
      ++result.hits;
    }
  }
  return result;
}

}  // namespace hitpath
