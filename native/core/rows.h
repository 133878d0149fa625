// Rows of a matrix as keys: hash all, prefetch, probe, gather, for a batch at a time.
#pragma once

#include "cache.h"
#include "rounding.h"

namespace hitpath {

constexpr u32 kDigestBytes = 16;

/// A matrix whose rows are keys: n rows of row_bytes bytes, row i at `bytes + i * stride_bytes`. With `digests` the rows are
/// no elements but the canonical digests of rows, kDigestBytes each. Rows are rounded before they are hashed when `grid` has steps.
struct KeyRows {
  const u8* bytes = nullptr;
  u64 rows = 0;
  u64 row_bytes = 0;
  std::int64_t stride_bytes = 0;
  ArrayHeader header;
  bool digests = false;
  Grid grid = {};
};

struct RowResult {
  Status status = Status::ok;
  u64 hits = 0;       // get: rows found; set: rows stored
  u64 at = 0;         // the row that a fault is about
  u32 value_tag = 0;  // of that row
  u32 length = 0;
};

/// For each row that is found alive: its value into out + i * out_bytes, and found[i] = 1; else found[i] = 0. A stored value
/// whose tag or length differs from what `out` takes is a fault. The digest of row i goes to digests + i * kDigestBytes, unless
/// that is nullptr.
[[nodiscard]] RowResult get_rows(Cache& cache, KeyRows& keys, u8 value_tag, u8* out, u32 out_bytes, u8* found, f64 now,
                                 u8* digests = nullptr) noexcept;

/// When rows end: all at one time, or row i `ttls[i]` after now, where NaN stands for `deadline`.
struct RowDeadlines {
  f64 deadline = 0;
  const f64* ttls = nullptr;
};

/// Stores values + i * value_bytes for each row whose found[i] is 0.
[[nodiscard]] RowResult set_rows(Cache& cache, KeyRows& keys, u8 value_tag, const u8* values, u32 value_bytes,
                                 const u8* found, RowDeadlines ends, f64 now) noexcept;

}  // namespace hitpath
