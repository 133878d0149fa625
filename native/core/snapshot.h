// Entries as records of a snapshot: out of a region in slices, and back into any.
//
//   record   a multiple of 8 bytes, little endian; src/l1/SNAPSHOT.md describes the file around it
//             0  deadline    f64  the caller's clock plus his shift; +Infinity: none
//             8  value_len   u32  bytes of the value
//            12  key_len     u32  bytes of the key; of a string at most kMaxKeyUnits units
//            16  key_kind    u8   KeyKind; kKeyLong only on its way to JavaScript, never in a file; kKeyPortable only in a file
//            17  value_tag   u8   ValueTag
//            18  tag_count   u8   at most kMaxTags
//            19  heat        u8   bits 0, 1: hits since the eviction hand last came by; bit 2: in the main queue
//            20  zero        u32
//            24  tags, 16 bytes each: the two words of the digest of a tag's name
//                key, value, zeros up to a multiple of 8
//
// Writing takes a shard's lock for kLockedSlots slots or kLockedBytes bytes at a time, and readers take none, so nobody stands
// still; a long value is pinned under the lock and copied without it. Each record is one state of its entry; records
// of two slices may be of two moments.
//
// Hostile bytes: check_records() proves every length before restore_records() reads by it. Nothing in a record is an offset or
// the number of a slot, so what a forged one can do is what set() can.
#pragma once

#include "cache.h"

namespace hitpath {

struct RecordHead {
  f64 deadline;
  u32 value_len;
  u32 key_len;
  u8 key_kind;
  u8 value_tag;
  u8 tag_count;
  u8 heat;
  u32 zero;
};
static_assert(sizeof(RecordHead) == 24 && offsetof(RecordHead, key_kind) == 16, "as the picture draws it");

inline constexpr u32 kMaxKeyUnits = (u32{1} << 29) - 24;  // of a string in V8, so of any key that a set() was given
inline constexpr u32 kLockedSlots = 256;
inline constexpr u32 kLockedBytes = 64 << 10;
inline constexpr u32 kLongValue = 32 << 10;

struct SavedSlice {
  u32 cursor = 0;   // where the next slice begins; kNil: that was the last
  u32 records = 0;  // written
  u64 bytes = 0;    // of them
  u64 wanted = 0;   // when the first record does not fit: its bytes, and nothing was written
};

/// Writes the live entries of slots [cursor, cursor + slots) as records, as far as they fit `out`. `shift` is added to their
/// deadlines. `at`, when given, has room for `slots` words and takes the slot of each record.
[[nodiscard]] SavedSlice save_records(Cache& cache, u32 cursor, u32 slots, std::span<u8> out, f64 shift, f64 now,
                                      u32* at) noexcept;

/// Whether the bytes are exactly `records` records, each with a key that some set() could have made.
[[nodiscard]] bool check_records(std::span<const u8> bytes, u64 records) noexcept;

struct RestoredSlice {
  Status status = Status::ok;  // `damaged`: the region's, and the rest was not looked at
  u64 restored = 0;
  u64 kept = 0;  // a live entry of the cache stood there
  u64 expired = 0;
  u64 rejected = 0;  // of no form that this build knows, too large for this cache, or no room
  u64 foreign = 0;   // their keys are digests of the portable engine, which no look-up here would find
};

/// Where a record went, for a cache whose values JavaScript keeps.
struct RestoredAt {
  static constexpr u32 kLong = 1, kReplaced = 2;
  u32 slot;  // kNil: nowhere, or it left again
  u32 seq;
  u32 at;  // of the record, in units of 8 bytes
  u32 flags;
};

struct Restoring {
  f64 shift = 0;  // from the deadlines of the records to this cache's clock
  f64 now = 0;
  bool replace = false;  // live entries too
  u32 dtypes = ~u32{0};  // a bit for each dtype of which typed arrays can be made
  u32 part = 0;  // shards whose number leaves this remainder divided by `parts`; threads with a part each do not meet
  u32 parts = 1;
  RestoredAt* where =
      nullptr;  // with room for each record: values stay outside, and strings beyond kCellBytes become digests
};

/// Stores the records, which check_records() has passed.
[[nodiscard]] RestoredSlice restore_records(Cache& cache, std::span<const u8> bytes, u64 records,
                                            const Restoring& how) noexcept;

}  // namespace hitpath
