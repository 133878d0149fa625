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
// Hostile bytes: check_records() proves every length before anything here reads by it. Nothing in a record is an offset or
// the number of a slot, so what a forged one can do is what set() can.
#pragma once

#include "cache.h"
#include "record.h"

namespace hitpath {

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
  RestoredAt* where =
      nullptr;  // with room for each record: values stay outside, and strings beyond kCellBytes become digests
};

/// Stores the records, which check_records() has passed.
[[nodiscard]] RestoredSlice restore_records(Cache& cache, std::span<const u8> bytes, u64 records,
                                            const Restoring& how) noexcept;

// ---- blocks of a file ----

/// A block in memory: a head of kBlockHeadBytes, which begins with the checksum of all behind it, then records.
struct FileBlock {
  u64 at = 0;     // of the head, a multiple of 8
  u64 bytes = 0;  // of the records
  u32 records = 0;
};
inline constexpr u64 kBlockHeadBytes = 32;

enum class BlockFault : u32 { none = 0, checksum = 1, records = 2 };

/// Whether a block that lies inside `bytes` is what its checksum and its number of records say.
[[nodiscard]] BlockFault verify_block(std::span<const u8> bytes, const FileBlock& block, u64 seed) noexcept;

/// Records by the shards that they belong to, each hashed once, in the order of the file.
class RecordIndex {
 public:
  struct Entry {
    u64 hash;
    u32 at;     // of the record, in units of 8 bytes
    u32 index;  // among those that were added
  };

  RecordIndex() = default;
  /// `room` is for twice as many records as are added between clear() and sort().
  RecordIndex(std::span<Entry> room, const u8* bytes, u32 shards) noexcept;
  /// Makes it empty; the next record is `first` in Restoring::where.
  void clear(u64 first) noexcept;
  /// Adds records from `at` on, which check_records() has passed, and gives where they end. Those that are not to be stored are
  /// counted in `counts`.
  u64 add(const Cache& cache, u64 at, u64 records, const Restoring& how, RestoredSlice& counts) noexcept;
  /// Once all are added.
  void sort() noexcept;
  /// Stores the records of a shard. Threads that have a shard each do not meet.
  void store(Cache& cache, u32 shard, const Restoring& how, RestoredSlice& result) const noexcept;

 private:
  class Placer;

  std::span<Entry> added_;
  std::span<Entry> sorted_;
  const u8* bytes_ = nullptr;
  u32 shards_ = 0;
  u32 seen_ = 0;
  u32 count_ = 0;
  u64 first_ = 0;
  u32 ends_[kMaxShards];  // before sort(): how many of each shard; then where its entries end
};

}  // namespace hitpath
