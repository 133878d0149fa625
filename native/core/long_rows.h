// XXH3-128 of many long inputs of one length: the rows of a matrix.
//
// The hash is that of xxhash.h, bit for bit; what is saved is a call an input, half of the shuffles, and secrets that are loaded once.
// Written for AVX-512, which is where hashing is short enough for that to show; other processors have xxhash.h's own code.
#pragma once

#include "digest.h"

namespace hitpath {

inline constexpr u64 kLongRow = 241;  // bytes from which on XXH3 hashes in stripes

/// The hashes of `count` inputs of `length` bytes, kLongRow or more, each `stride` bytes after the one before. False, and nothing done, on
/// a processor that this is not written for.
[[nodiscard]] bool hash_long_rows(const u8* bytes, u64 count, std::int64_t stride, u64 length, Digest* out) noexcept;

}  // namespace hitpath
