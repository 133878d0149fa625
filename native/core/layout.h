// The layout of a region: the one place that knows offsets.
//
//   region   | header | index 0 | index 1 | ... | store 0 | store 1 | ... |      every part starts on a 64-byte line
//   index    | shard header | slots | groups | cells | wheel |              of a shard: what it touches at random. Those of
//                                                                           all shards lie side by side, in large pages
//   store    | ghosts | tag buckets | tag nodes | arena |                   of the same shard: what fills little by little
//
//   group    16 bytes: what a probe looks at
//             0 .. 13   control bytes, one a slot: 0 empty, else the 8-bit tag of the slot's hash (1 .. 255)
//            14 .. 15   overflow: how many entries, alive now, passed this group because it and their homes were full
//
//   slot     64 bytes, one line: all that a hit needs besides the value
//             0  seq         u32  odd while being written; grows by two with every change of the entry
//             4  freq        u8   0 .. 3, hits since the eviction hand last came by
//             5  queue       u8   low bits: 0 free, 1 small, 2 main; high nibble: bytes of an inline value
//             6  key_shape   u8   low 3 bits: kind of key, kNoKey once the entry left; high 5 bits: its length when inline
//             7  value_tag   u8   the caller's word on the value
//             8  hash        u32  chooses the home group
//            12  stamp       u32  the shard's insertion count when the entry entered the small queue
//            16  deadline    f64  milliseconds of the cache's clock; alive while now <= deadline
//            24  wheel_prev  u32  a slot, or kBucketFlag | bucket for the first of a bucket
//            28  wheel_next  u32
//            32  queue_prev  u32  towards the head (younger)
//            36  queue_next  u32  towards the tail (older)
//            40  block       u32  the arena block, in granules, or kNil; an inline value takes 40 .. 47
//            44  value_len   u32  bytes of the value in the block
//            48  key         16 B the key itself up to 16 bytes, the digest of an array,
//                                 or the length (u32) of a longer key: it stands in the block, or in the cell
//
//   cell     64 bytes a slot, in the region of a single thread only: a key of 17 to 64 bytes. Its address follows from the
//            slot's number, so both lines are on their way from memory at once, and a write needs no block for the key
//
//   tag node 32 bytes: a tag that some entry of the shard carries. Node 0 is nobody's; a node that was never taken is zero
//             0  low         u64  the digest of the tag's name
//             8  high        u64
//            16  head        u32  its first link, in words from the arena's start, or kNil
//            20  count       u32  links, and holds of the thread that has the lock
//            24  next        u32  the next node of the bucket, or of the free list; 0: the last
//            28  spare       u32
//
//   tag link 16 bytes, in the block of its entry: u32 node, prev, next (links or kNil), slot
//
//   block    in granules of 8 bytes; its data is 8-byte aligned because the arena starts at 4 modulo 8
//             0  size        u32  low 3 bits: kFree, kPrevFree, kTagged; the rest: granules
//             4  owner       u32  the slot, or kNil once the entry is gone and only pins hold the block
//             8  pins        u32  views that threads still hold
//            12  data: value | tag links (when kTagged) | key
//
// Invariants (code, validate() and tests cite them by number):
//   I1  A control byte is non-zero exactly when its slot is in a queue.
//   I2  An entry lies in one of its two home groups, or behind the second where both were full when it came; then each
//       group from the second home up to its own counts it in overflow.
//   I3  A slot with a finite deadline is in exactly one wheel bucket; others are in none.
//   I4  A slot that is not free is in exactly one of the queues; the counts agree.
//   I5  Blocks tile the arena; no two neighbours are both free; free bytes agree with the free lists.
//   I6  Every block that is not free is owned by one slot or has pins.
//   I7  seq is even whenever the shard's lock is free.
//   I8  Every tag link is in the list of its tag; a tag with no links does not exist. A node that was ever taken is in one
//       bucket, that of its tag, or in the free list; tag_count counts the former.
//   I9  The region's count of live entries is the sum of the shards' counts, while nobody writes.
#pragma once

#include "word.h"

namespace hitpath {

inline constexpr u32 kNil = 0xffff'ffffu;
inline constexpr u64 kMagic = 0x3148'5441'5054'4948u;  // "HITPATH1"
inline constexpr u32 kLine = 64;

inline constexpr u32 kGroupSlots = 14;
inline constexpr u32 kGroupBytes = 16;

inline constexpr u32 kWheelLevels = 7;
inline constexpr u32 kWheelBits = 6;
inline constexpr u32 kWheelBuckets = kWheelLevels << kWheelBits;
inline constexpr u32 kBucketFlag = 0xffff'0000u;

inline constexpr u32 kGranule = 8;
inline constexpr u32 kBlockHeader = 12;
inline constexpr u32 kArenaFirstLevels = 32;
inline constexpr u32 kArenaSecondLevels = 16;

inline constexpr u32 kGhostWays = 10;
inline constexpr u32 kGhostTicks = 256;

// A shard's tag nodes, for each entry that it may hold and at least. Memory is committed as nodes are taken.
inline constexpr u32 kTagNodesPerEntry = 2;
inline constexpr u32 kLeastTagNodes = 256;
inline constexpr u32 kNoTagNode = 0;
inline constexpr u32 kMaxTags = 64;  // an entry

enum QueueId : u8 { kQueueNone = 0, kQueueSmall = 1, kQueueMain = 2 };

enum KeyKind : u8 {
  kKeyLatin1 = 0,    // a string whose units are all below 256, one byte each
  kKeyUtf16 = 1,     // any other string, two bytes a unit
  kKeyNumber = 2,    // eight bytes of a canonical double
  kKeyDigest = 3,    // the 128-bit digest of an array
  kKeyLong = 4,      // the 128-bit digest of a long string; JavaScript holds the string and compares it
  kKeyPortable = 5,  // in snapshots: the digest of an array by the portable engine, which has another
};
inline constexpr u32 kKindMask = 7;
inline constexpr u8 kNoKey = 7;  // equals no key: a free slot still holds the hash and the bytes of the one that left
inline constexpr u32 kInlineKey = 16;
inline constexpr u32 kInlineValue = 8;
inline constexpr u32 kElsewhere = 31;  // in the length bits of key_shape: the key stands in the block or the cell

struct Slot {
  Word<u32> seq;
  Word<u8> freq;
  Word<u8> queue;
  Word<u8> key_shape;
  Word<u8> value_tag;
  Word<u32> hash;
  Word<u32> stamp;
  Word<f64> deadline;
  Word<u32> wheel_prev;
  Word<u32> wheel_next;
  Word<u32> queue_prev;
  Word<u32> queue_next;
  Word<u32> block;
  Word<u32> value_len;
  Word<u64> key[2];
};

struct Queue {
  Word<u32> head;
  Word<u32> tail;
  Word<u32> count;
  Word<u32> unused;
};

struct TagNode {
  Word<u64> low;
  Word<u64> high;
  Word<u32> head;
  Word<u32> count;
  Word<u32> next;
  Word<u32> spare;
};

struct TagLink {
  Word<u32> node;
  Word<u32> prev;
  Word<u32> next;
  Word<u32> slot;
};

struct Wheel {
  Word<u64> tick;  // every bucket before this tick is empty
  Word<u64> occupied[kWheelLevels];
};

struct ArenaState {
  Word<u64> bytes;       // granules of the arena times 8
  Word<u64> free_bytes;  // in free blocks, headers included
  Word<u64> pinned_bytes;
  Word<u32> first_level;  // bit i: some list of first level i is not empty
  Word<u32> second_level[kArenaFirstLevels];
  Word<u32> unused;
  Word<u32> heads[kArenaFirstLevels * kArenaSecondLevels];
};

struct GhostState {
  Word<u32> count;   // keys that are remembered
  Word<u32> tick;    // the one in which keys come now
  Word<u32> filled;  // how many came in it
  Word<u32> oldest;  // the first tick whose keys are remembered
};

struct GhostBucket {
  Word<u32> key[kGhostWays];
  Word<u16> came[kGhostWays];
  Word<u32> unused;
};

struct ShardHeader {
  // What every operation touches.
  Word<u32> lock;
  Word<u32> count;
  Word<u32> small_seq;    // insertions into the small queue so far
  Word<u32> small_young;  // an entry of the small queue younger than this many insertions is in its younger half
  Queue small;
  Queue main;
  Word<f64> small_share;  // entries that the small queue should hold
  Word<u64> unused;
  // Counters, changed under the lock.
  Word<u64> inserts;
  Word<u64> updates;
  Word<u64> deletes;
  Word<u64> evictions;
  Word<u64> expirations;
  Word<u64> invalidations;
  Word<u64> rejections;
  Word<u32> tag_count;
  Word<u32> hand_steps;  // longest walk of an eviction hand so far
  Wheel wheel;
  ArenaState arena;
  Word<u32> tag_free;    // the first free tag node, 0: none
  Word<u32> tag_taken;   // nodes that were ever taken: those from 1 on
  GhostState ghosts[2];  // of the small and the main queue
};

struct Header {
  Word<u64> magic;
  Word<u64> fingerprint;
  Word<u64> region_bytes;
  Word<u64> check;  // of the words from magic to unused_config, itself taken as 0
  Word<u32> shards;
  Word<u32> max_entries;
  Word<u64> arena_bytes;  // a shard
  Word<u64> seed;
  Word<u64> id;
  Word<f64> default_ttl;  // milliseconds; Infinity: none
  Word<u32> flags;
  Word<u32> max_pinned;  // per cent of the arena that pins may hold
  Word<u64> unused_config[6];
  // Changing words, each group on lines of its own.
  Word<u32> state;
  Word<u32> unused_state;
  Word<u64> hits;
  Word<u64> misses;
  Word<u64> unused[5];
  Word<u32> live;  // on a line of its own: every insertion changes it, every read looks at state
  Word<u32> unused_live[15];
};

// A shard's lock is 0 or this. Any other word is damage.
inline constexpr u32 kLockHeld = 0x4b43'4f4cu;  // "LOCK"

inline constexpr u32 kFlagShared = 1;        // several threads: lock
inline constexpr u32 kFlagLru = 2;           // exact LRU instead of XG
inline constexpr u32 kFlagForeignClock = 4;  // deadlines are of a clock that the user gave

inline constexpr u32 kStateOpen = 1;
inline constexpr u32 kStateClosed = 2;
inline constexpr u32 kStateDamaged = 4;  // a lock word was found that no thread writes

// Words of the staging area, in which JavaScript and the binding hand each other numbers without a call of Node-API.
// The layout is part of the fingerprint like the rest.
struct Staging {
  u32 status;        // out: Status of the last call
  u32 slot;          // out
  u32 seq;           // out
  u32 value_tag;     // in and out
  u32 removed;       // out: entries that the call removed, for LocalCache
  u32 removed_slot;  // out: the first of them
  u32 removed_why;   // out: its Reason
  u32 count;         // in and out: sizes, numbers of items
  f64 now;           // in: reading of a foreign clock
  f64 ttl;           // in: milliseconds; Infinity: none; NaN: the cache's default
  f64 deadline;      // out
  f64 offset;        // out: byte offset in the region, or in the staging area
  f64 length;        // in and out: bytes
  f64 extra[3];      // per call: 0 a number key or value read, 1 a number to store, 2 spare
  // An array as key: how its elements lie. Its dtype and number of dimensions are in `form`.
  f64 known;       // in its place: the number of an array that is known, with kFormKnown
  f64 key_offset;  // in elements, with kBitOffset
  f64 scope;       // a 53-bit word mixed into the identity, with kBitScope
  f64 shape[32];
  f64 strides[32];    // in elements
  f64 tick;           // the ticker's reading of the monotonic clock; Infinity while it rests
  u32 form;           // in: what the key is: KeyForm | dtype << 8 | dimensions << 16
  u32 value_form;     // in: where the value is, a ValueForm
  u32 cache;          // in: which cache of this thread the call is about; 0: none
  u32 bits;           // in: CallBits
  u32 delivery;       // out: a Delivery
  u32 suffix_length;  // in: bytes at kScratchSuffix that follow the value
  f64 last_known;     // the number of the array that was learnt last; kKnownArrays of them are known, the last ones
};
inline constexpr u32 kStagingBytes = 65536;
inline constexpr u32 kStagingScratch = 1024;  // bytes from here on are scratch
inline constexpr u32 kMaxDims = 32;
inline constexpr u32 kKnownArrays = 1024;
// The scratch of a call: a small key at its start, then what follows a value, then a value.
inline constexpr u32 kScratchSuffix = 256;
inline constexpr u32 kScratchValue = 512;

// Where the binding finds the key of a call that is not given a string, and the value of a set.
enum KeyForm : u32 { kFormNumber = 1, kFormArray = 2, kFormDigest = 3, kFormKnown = 4 };
enum ValueForm : u32 { kValueNone = 0, kValueNumber = 1, kValueBytes = 2, kValueScratch = 3, kValueString = 4 };
enum CallBits : u32 {
  kBitPeek = 1,      // neither counts nor touches
  kBitStrided = 2,   // the array key's elements lie by its strides
  kBitPin = 4,       // pin an array of any size, remembered or not
  kBitSmallKey = 8,  // JavaScript copied the array key to the start of the scratch
  kBitOffset = 16,
  kBitScope = 32,
};
// How the value of a hit reaches JavaScript.
enum Delivery : u32 { kDelivered = 0, kRemembered = 1, kPinned = 2, kCopied = 3, kTooBig = 4 };

// What the bytes of a value are.
enum ValueTag : u8 {
  kTagNone = 0,  // LocalCache: the value is JavaScript's
  kTagNull = 1,
  kTagFalse = 2,
  kTagTrue = 3,
  kTagNumber = 4,  // 8 bytes
  kTagLatin1 = 5,  // a string; kTagUtf16 is the next number
  kTagUtf16 = 6,
  kTagMsgpack = 7,
  kTagBuffer = 8,    // raw bytes that come back as a Buffer
  kTagArray = 16,    // + dtype: a typed array
  kTagNdArray = 32,  // + dtype: elements in C order, then u32 dimensions, then their number (u32)
};

// A LocalCache leaves longer strings to JavaScript and keeps their digest.
inline constexpr u32 kCellBytes = 64;

// clang-format off
#define HITPATH_SLOT_FIELDS(F)                                                                          \
  F(Slot, seq, 0) F(Slot, freq, 4) F(Slot, queue, 5) F(Slot, key_shape, 6) F(Slot, value_tag, 7)        \
  F(Slot, hash, 8) F(Slot, stamp, 12) F(Slot, deadline, 16) F(Slot, wheel_prev, 24)                     \
  F(Slot, wheel_next, 28) F(Slot, queue_prev, 32) F(Slot, queue_next, 36) F(Slot, block, 40)            \
  F(Slot, value_len, 44) F(Slot, key, 48)

#define HITPATH_SHARD_FIELDS(F)                                                                         \
  F(ShardHeader, lock, 0) F(ShardHeader, count, 4) F(ShardHeader, small_seq, 8)                         \
  F(ShardHeader, small_young, 12) F(ShardHeader, small, 16) F(ShardHeader, main, 32)                    \
  F(ShardHeader, small_share, 48) F(ShardHeader, inserts, 64)           \
  F(ShardHeader, updates, 72) F(ShardHeader, deletes, 80) F(ShardHeader, evictions, 88)                 \
  F(ShardHeader, expirations, 96) F(ShardHeader, invalidations, 104) F(ShardHeader, rejections, 112)    \
  F(ShardHeader, tag_count, 120) F(ShardHeader, hand_steps, 124) F(ShardHeader, wheel, 128)             \
  F(ShardHeader, arena, 192) F(ShardHeader, tag_free, 2400) F(ShardHeader, tag_taken, 2404)     \
  F(ShardHeader, ghosts, 2408)

#define HITPATH_GHOST_FIELDS(F)                                                                         \
  F(GhostState, count, 0) F(GhostState, tick, 4) F(GhostState, filled, 8) F(GhostState, oldest, 12)     \
  F(GhostBucket, key, 0) F(GhostBucket, came, 40)

#define HITPATH_TAG_FIELDS(F)                                                                           \
  F(TagNode, low, 0) F(TagNode, high, 8) F(TagNode, head, 16) F(TagNode, count, 20)                     \
  F(TagNode, next, 24) F(TagLink, node, 0) F(TagLink, prev, 4) F(TagLink, next, 8) F(TagLink, slot, 12)

#define HITPATH_HEADER_FIELDS(F)                                                                        \
  F(Header, magic, 0) F(Header, fingerprint, 8) F(Header, region_bytes, 16) F(Header, check, 24)        \
  F(Header, shards, 32) F(Header, max_entries, 36) F(Header, arena_bytes, 40) F(Header, seed, 48)       \
  F(Header, id, 56) F(Header, default_ttl, 64) F(Header, flags, 72) F(Header, max_pinned, 76)           \
  F(Header, state, 128) F(Header, hits, 136) F(Header, misses, 144) F(Header, live, 192)

#define HITPATH_STAGING_FIELDS(F)                                                                       \
  F(Staging, status, 0) F(Staging, slot, 4) F(Staging, seq, 8) F(Staging, value_tag, 12)                \
  F(Staging, removed, 16) F(Staging, removed_slot, 20) F(Staging, removed_why, 24)                      \
  F(Staging, count, 28) F(Staging, now, 32) F(Staging, ttl, 40) F(Staging, deadline, 48)                \
  F(Staging, offset, 56) F(Staging, length, 64) F(Staging, extra, 72) F(Staging, known, 96) F(Staging, key_offset, 104) F(Staging, scope, 112) F(Staging, shape, 120)       \
  F(Staging, strides, 376) F(Staging, tick, 632)                                                       \
  F(Staging, form, 640) F(Staging, value_form, 644) F(Staging, cache, 648) F(Staging, bits, 652)          \
  F(Staging, delivery, 656) F(Staging, suffix_length, 660) F(Staging, last_known, 664)

#define HITPATH_LAYOUT_FIELDS(F) \
  HITPATH_SLOT_FIELDS(F) HITPATH_SHARD_FIELDS(F) HITPATH_GHOST_FIELDS(F) HITPATH_TAG_FIELDS(F)         \
  HITPATH_HEADER_FIELDS(F) HITPATH_STAGING_FIELDS(F)

#define HITPATH_LAYOUT_SIZES(S)                                                                          \
  S(SLOT_BYTES, sizeof(Slot)) S(SHARD_HEADER_BYTES, sizeof(ShardHeader)) S(HEADER_BYTES, sizeof(Header)) \
  S(GROUP_SLOTS, kGroupSlots) S(GROUP_BYTES, kGroupBytes) S(WHEEL_BUCKETS, kWheelBuckets)               \
  S(GRANULE, kGranule) S(BLOCK_HEADER, kBlockHeader) S(STAGING_BYTES, kStagingBytes)                    \
  S(STAGING_SCRATCH, kStagingScratch) S(MAX_DIMS, kMaxDims) S(SCRATCH_SUFFIX, kScratchSuffix) S(SCRATCH_VALUE, kScratchValue) S(FLAG_SHARED, kFlagShared)                  \
  S(FLAG_LRU, kFlagLru) S(FLAG_FOREIGN_CLOCK, kFlagForeignClock) S(QUEUE_SMALL, kQueueSmall)             \
  S(QUEUE_MAIN, kQueueMain) S(STATE_OPEN, kStateOpen) S(STATE_CLOSED, kStateClosed)                      \
  S(STATE_DAMAGED, kStateDamaged) S(TAG_NODE_BYTES, sizeof(TagNode)) S(TAG_LINK_BYTES, sizeof(TagLink))  \
  S(TAG_NODES_PER_ENTRY, kTagNodesPerEntry) S(LEAST_TAG_NODES, kLeastTagNodes)                           \
  S(MAX_TAGS, kMaxTags) S(LOCK_HELD, kLockHeld)                                                          \
  S(KEY_LATIN1, kKeyLatin1) S(KEY_UTF16, kKeyUtf16) S(KEY_NUMBER, kKeyNumber) S(KEY_DIGEST, kKeyDigest) \
  S(KEY_LONG, kKeyLong) S(KEY_PORTABLE, kKeyPortable) S(FORM_NUMBER, kFormNumber) S(FORM_ARRAY, kFormArray) S(FORM_DIGEST, kFormDigest) S(FORM_KNOWN, kFormKnown) S(KNOWN_ARRAYS, kKnownArrays)                                        \
  S(VALUE_NONE, kValueNone) S(VALUE_NUMBER, kValueNumber) S(VALUE_BYTES, kValueBytes)                    \
  S(VALUE_SCRATCH, kValueScratch) S(VALUE_STRING, kValueString) S(DELIVERED, kDelivered)                 \
  S(REMEMBERED, kRemembered) S(PINNED, kPinned) S(COPIED, kCopied) S(TOO_BIG, kTooBig) S(BIT_PEEK, kBitPeek) S(BIT_STRIDED, kBitStrided) S(BIT_PIN, kBitPin) S(BIT_SMALL_KEY, kBitSmallKey) S(BIT_OFFSET, kBitOffset) S(BIT_SCOPE, kBitScope)    \
  S(TAG_NULL, kTagNull) S(TAG_FALSE, kTagFalse) S(TAG_TRUE, kTagTrue) S(TAG_NUMBER, kTagNumber)         \
  S(TAG_LATIN1, kTagLatin1) S(TAG_UTF16, kTagUtf16) S(TAG_MSGPACK, kTagMsgpack)                          \
  S(TAG_BUFFER, kTagBuffer) S(TAG_ARRAY, kTagArray) S(TAG_ND_ARRAY, kTagNdArray)                         \
  S(CELL_BYTES, kCellBytes)

// clang-format on

#define HITPATH_ASSERT_OFFSET(type, field, at) \
  static_assert(offsetof(type, field) == at, #type "." #field " is not where the picture draws it");
HITPATH_LAYOUT_FIELDS(HITPATH_ASSERT_OFFSET)
#undef HITPATH_ASSERT_OFFSET

static_assert(sizeof(Slot) == kLine, "a hit touches one line of slot");
static_assert(sizeof(Header) % kLine == 0, "shards start on a line");
static_assert(sizeof(Staging) <= kStagingScratch, "the scratch area starts after the words");
static_assert(sizeof(Wheel) == 64);
static_assert(sizeof(GhostState) == 16 && sizeof(GhostBucket) == kLine, "a bucket of the ghosts is a line");
static_assert(sizeof(TagNode) == 32 && sizeof(TagLink) == 16, "as the picture draws them");
static_assert(kLeastTagNodes > kMaxTags, "an entry with the most tags fits a table that others fill");

/// FNV-1a over the names, offsets and sizes above and the parts of a shard: a region made by another layout is refused.
constexpr u64 layout_fingerprint() noexcept {
  u64 h = 0xcbf2'9ce4'8422'2325u;
  auto byte = [&h](u8 b) { h = (h ^ b) * 0x0000'0100'0000'01b3u; };
  auto word = [&byte](u64 v) {
    for (int i = 0; i < 8; ++i) byte(static_cast<u8>(v >> (8 * i)));
  };
  auto text = [&byte](const char* s) {
    while (*s) byte(static_cast<u8>(*s++));
  };
#define HITPATH_MIX_FIELD(type, field, at) \
  text(#type "." #field); \
  word(at);
#define HITPATH_MIX_SIZE(name, value) \
  text(#name); \
  word(value);
  HITPATH_LAYOUT_FIELDS(HITPATH_MIX_FIELD)
  HITPATH_LAYOUT_SIZES(HITPATH_MIX_SIZE)
  text("slots groups cells wheel | ghosts buckets nodes arena");
  for (const u32 size : {kGhostWays, kGhostTicks}) word(size);
#undef HITPATH_MIX_FIELD
#undef HITPATH_MIX_SIZE
  return h;
}
inline constexpr u64 kFingerprint = layout_fingerprint();

}  // namespace hitpath
