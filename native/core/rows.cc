#include "rows.h"

#include <limits>

namespace hitpath {

namespace {

constexpr u32 kBatch = 64;  // keys in flight: enough to hide memory, few enough to stay in the first cache

struct Batch {
  u8 digests[kBatch][kDigestBytes];
  Key keys[kBatch];
  u32 likely[kBatch];  // the slot that a search will most likely look at
};

/// Hashes up to kBatch rows and asks memory for their groups.
u32 hash_rows(Cache& cache, KeyRows& keys, u64 from, Batch& batch) noexcept {
  const u32 count = static_cast<u32>(keys.rows - from < kBatch ? keys.rows - from : kBatch);
  for (u32 i = 0; i < count; ++i) {
    const u8* row = keys.bytes + static_cast<std::int64_t>(from + i) * keys.stride_bytes;
    if (keys.digests)
      std::memcpy(batch.digests[i], row, kDigestBytes);
    else
      canonical(keys.header.digest(keys.grid.rounded(row), keys.row_bytes), batch.digests[i]);
    batch.keys[i] = make_digest_key(batch.digests[i], cache.config().seed);
    cache.prefetch_home(batch.keys[i]);
  }
  for (u32 i = 0; i < count; ++i) batch.likely[i] = cache.prefetch_slot(batch.keys[i]);
  return count;
}

}  // namespace

RowResult get_rows(Cache& cache, KeyRows& keys, u8 value_tag, u8* out, u32 out_bytes, u8* found, f64 now,
                   u8* digests) noexcept {
  RowResult result;
  Batch batch;
  Hit hits[kBatch];
  for (u64 from = 0; from < keys.rows; from += kBatch) {
    const u32 count = hash_rows(cache, keys, from, batch);
    if (digests != nullptr) std::memcpy(digests + from * kDigestBytes, batch.digests, u64{count} * kDigestBytes);
    for (u32 i = 0; i < count; ++i) {
      const bool alive = cache.find_near(batch.keys[i], batch.likely[i], hits[i]) && now <= hits[i].deadline;
      if (!alive)
        hits[i].slot = kNil;
      else
        prefetch(hits[i].value);
    }
    for (u32 i = 0; i < count; ++i) {
      Hit& hit = hits[i];
      u8& flag = found[from + i];
      flag = 0;
      while (hit.slot != kNil) {
        if (hit.value_tag != value_tag || hit.length != out_bytes) {
          if (cache.still(hit)) {
            result.status = hit.value_tag != value_tag ? Status::dtype_mismatch : Status::shape_mismatch;
            result.at = from + i;
            result.value_tag = hit.value_tag;
            result.length = hit.length;
            return result;
          }
        } else if (cache.copy(hit, out + (from + i) * out_bytes)) {
          cache.touch(hit);
          flag = 1;
          ++result.hits;
          break;
        }
        // A writer changed the entry between the two passes.
        if (!cache.find(batch.keys[i], hit) || now > hit.deadline) hit.slot = kNil;
      }
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
