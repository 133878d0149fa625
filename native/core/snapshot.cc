#include "snapshot.h"

#include <algorithm>

namespace hitpath {

namespace {

constexpr u32 kBatch = 512;  // records that are sorted by their shards, so that one taking of a lock serves many
constexpr u32 kAhead = 24;   // slots on their way from memory
constexpr u8 kFreqBits = 3;

constexpr u64 align8(u64 n) noexcept { return (n + 7) & ~u64{7}; }

[[nodiscard]] u64 record_bytes(u64 tags, u64 key, u64 value) noexcept {
  return align8(sizeof(RecordHead) + 16 * tags + key + value);
}

// ---- writing ----

/// Writes records one after another. A long value is left for the time when the lock is free.
class RecordWriter {
 public:
  RecordWriter(Cache& cache, std::span<u8> out, f64 shift, u32* at) noexcept
      : cache_(cache), out_(out), shift_(shift), at_(at) {}

  /// Called under the lock. False ends the visit: the record does not fit, its value is long, or enough was copied.
  [[nodiscard]] bool write(const Hit& hit, const Cache::StoredKey& key) noexcept {
    const u32 count = cache_.tags_of(hit, tags_);
    const u64 size = record_bytes(count, key.length, hit.length);
    if (size > out_.size() - slice.bytes) {
      refused_ = hit.slot;
      if (slice.records == 0) slice.wanted = size;
      return false;
    }
    const Heat heat = cache_.heat_of(hit);
    RecordHead head{};
    head.deadline = hit.deadline + shift_;
    head.value_len = hit.length;
    head.key_len = key.length;
    head.key_kind = key.kind;
    head.value_tag = hit.value_tag;
    head.tag_count = static_cast<u8>(count);
    head.heat = static_cast<u8>(heat.freq | (heat.queue == kQueueMain ? Heat::kMainBit : 0));
    u8* to = out_.data() + slice.bytes;
    std::memset(to + size - 8, 0, 8);  // the padding
    std::memcpy(to, &head, sizeof head);
    to += sizeof head;
    for (u32 i = 0; i < count; ++i, to += 16) std::memcpy(to, &tags_[i], 16);
    copy_out(to, key.bytes, key.length);
    to += key.length;
    if (at_ != nullptr) at_[slice.records] = hit.slot;
    ++slice.records;
    slice.bytes += size;
    if (hit.length > kLongValue && cache_.hold_value(hit)) {
      held_ = hit;
      held_to_ = to;
      return false;
    }
    copy_out(to, hit.value, hit.length);
    locked_ += size;
    return locked_ < kLockedBytes;
  }

  /// After each visit, without the lock. The slot whose record did not fit; kNil when all did.
  [[nodiscard]] u32 settle() noexcept {
    if (held_to_ != nullptr) {
      copy_out(held_to_, held_.value, held_.length);
      cache_.unpin(held_.shard, held_.block);
      held_to_ = nullptr;
    }
    locked_ = 0;
    return refused_;
  }

  SavedSlice slice;

 private:
  Cache& cache_;
  std::span<u8> out_;
  f64 shift_;
  u32* at_;
  u64 locked_ = 0;
  u32 refused_ = kNil;
  Hit held_;
  u8* held_to_ = nullptr;
  Digest tags_[kMaxTags];  // here, since clearing it costs more than a record without tags
};

// ---- reading ----

/// A record whose lengths were proved.
struct Record {
  RecordHead head;
  const u8* tags;
  const u8* key;
  const u8* value;

  explicit Record(const u8* at) noexcept {
    std::memcpy(&head, at, sizeof head);
    tags = at + sizeof head;
    key = tags + u64{16} * head.tag_count;
    value = key + head.key_len;
  }
  [[nodiscard]] u64 bytes() const noexcept { return record_bytes(head.tag_count, head.key_len, head.value_len); }
  [[nodiscard]] Digest tag(u32 i) const noexcept {
    Digest d;
    std::memcpy(&d, tags + u64{16} * i, 16);
    return d;
  }
};

[[nodiscard]] bool is_key(const RecordHead& head) noexcept {
  switch (head.key_kind) {
    case kKeyLatin1: return head.key_len <= kMaxKeyUnits;
    case kKeyUtf16: return head.key_len % 2 == 0 && head.key_len / 2 <= kMaxKeyUnits;
    case kKeyNumber: return head.key_len == 8;
    case kKeyDigest:
    case kKeyPortable: return head.key_len == 16;
    default: return false;
  }
}

[[nodiscard]] bool is_nd_array(const Record& r, u32 width) noexcept {
  if (r.head.value_len < 4) return false;
  u32 dims;
  std::memcpy(&dims, r.value + r.head.value_len - 4, 4);
  if (dims > kMaxDims || r.head.value_len < 4 * (dims + 1)) return false;
  const u64 bytes = r.head.value_len - 4 * (dims + 1);
  u64 product = width;
  bool empty = false;
  for (u32 i = 0; i < dims; ++i) {
    u32 extent;
    std::memcpy(&extent, r.value + bytes + 4 * i, 4);
    empty |= extent == 0;
    if (!empty && product <= bytes) product *= extent;  // below 2^64: either is below 2^32
  }
  return (empty ? 0 : product) == bytes;
}

/// Whether the value is one that a set could have stored; what msgpack says is for its decoder to judge.
[[nodiscard]] bool is_value(const Record& r, u32 dtypes) noexcept {
  const u32 length = r.head.value_len;
  const u8 tag = r.head.value_tag;
  switch (tag) {
    case kTagNull:
    case kTagFalse:
    case kTagTrue: return length == 0;
    case kTagNumber: return length == 8;
    case kTagLatin1:
    case kTagBuffer: return true;
    case kTagUtf16: return length % 2 == 0;
    case kTagMsgpack: return length != 0;
    default: break;
  }
  if (tag < kTagArray || tag >= kTagNdArray + 16) return false;
  const u32 width = element_bytes(tag & 15u);
  if (width == 0) return false;
  if (tag >= kTagNdArray) return is_nd_array(r, width);
  return (dtypes >> (tag & 15u) & 1) != 0 && length % width == 0;
}

/// The key as this cache takes it. False when it takes none of that length.
[[nodiscard]] bool place(const Cache& cache, const Record& r, bool local, u8* digest, Key& key,
                         bool& is_long) noexcept {
  const u64 seed = cache.config().seed;
  const RecordHead& head = r.head;
  is_long = false;
  if (head.key_kind == kKeyNumber) {
    f64 number;
    std::memcpy(&number, r.key, 8);
    number = canonical_number(number);
    std::memcpy(digest, &number, 8);
    key = make_key(kKeyNumber, digest, 8, seed);
    return true;
  }
  const auto kind = static_cast<KeyKind>(head.key_kind);
  if (local && kind != kKeyDigest && head.key_len > kCellBytes) {
    long_key_digest(r.key, head.key_len, kind, seed, digest);
    key = make_key(kKeyLong, digest, 16, seed);
    is_long = true;
    return true;
  }
  if (head.key_len > Cache::kMaxKeyBytes) return false;
  key = make_key(kind, r.key, head.key_len, seed);
  return true;
}

struct Pending {
  const u8* at;
  u64 index;
  Key key;
  u8 digest[16];
  u16 next;  // of the same shard
  bool is_long;
};

/// Stores records a batch at a time: all keys hashed and their groups on their way, then shard by shard.
class RecordReader {
 public:
  RecordReader(Cache& cache, std::span<const u8> bytes, const Restoring& how) noexcept
      : cache_(cache), bytes_(bytes), how_(how) {}

  [[nodiscard]] RestoredSlice run(u64 records) noexcept {
    const u8* at = bytes_.data();
    for (u64 done = 0; done < records && result_.status == Status::ok;) {
      const u64 end = done + std::min<u64>(kBatch, records - done);
      begin_batch();
      for (; done < end; ++done) {
        const Record record(at);
        if (how_.where != nullptr)
          how_.where[done] = {kNil, 0, static_cast<u32>(static_cast<u64>(at - bytes_.data()) / 8), 0};
        Pending& p = pending_[count_];
        p.at = at;
        p.index = done;
        if (wanted(record, p)) enlist(p);
        at += record.bytes();
      }
      for (u32 shard = 0; shard < cache_.config().shards && result_.status == Status::ok; ++shard)
        if (of_shard_[shard] != 0) store_shard(shard);
    }
    if (how_.where != nullptr) forget_the_gone(records);
    return result_;
  }

 private:
  static constexpr u16 kEnd = 0xffff;
  static_assert(kBatch < kEnd);

  void begin_batch() noexcept {
    count_ = 0;
    std::fill_n(of_shard_, cache_.config().shards, u16{0});
    std::fill_n(first_, cache_.config().shards, kEnd);
  }

  /// Whether the record is to be stored; then its groups are on their way.
  [[nodiscard]] bool wanted(const Record& record, Pending& p) noexcept {
    const bool counts = how_.part == 0;  // what has no place is counted by the first part alone
    if (how_.now > record.head.deadline + how_.shift) return result_.expired += counts, false;
    if (record.head.key_kind == kKeyPortable) return result_.foreign += counts, false;
    if (!is_value(record, how_.dtypes) || !place(cache_, record, how_.where != nullptr, p.digest, p.key, p.is_long))
      return result_.rejected += counts, false;
    if (how_.parts != 1 && cache_.shard_index(p.key) % how_.parts != how_.part) return false;
    cache_.prefetch_home(p.key);
    return true;
  }

  /// Behind the others of its shard: of two records with one key the first is the first.
  void enlist(Pending& p) noexcept {
    const u32 shard = cache_.shard_index(p.key);
    const u16 self = static_cast<u16>(count_++);
    (first_[shard] == kEnd ? first_[shard] : pending_[last_[shard]].next) = self;
    last_[shard] = self;
    p.next = kEnd;
    ++of_shard_[shard];
  }

  void store_shard(u32 shard) noexcept {
    u16 at = first_[shard], ahead = at;
    for (u32 i = 0; i < kAhead && ahead != kEnd; ++i) ahead = fetch(ahead);
    while (at != kEnd && result_.status == Status::ok) {
      const Pending* elsewhere = nullptr;
      {
        Cache::Run run(cache_, shard, of_shard_[shard], how_.now);
        for (; at != kEnd && elsewhere == nullptr && result_.status == Status::ok; at = pending_[at].next) {
          if (ahead != kEnd) ahead = fetch(ahead);
          if (!store(pending_[at], &run)) elsewhere = pending_ + at;
          --of_shard_[shard];
        }
      }
      if (elsewhere != nullptr) (void)store(*elsewhere, nullptr);
    }
  }

  [[nodiscard]] u16 fetch(u16 at) const noexcept {
    cache_.prefetch_place(pending_[at].key);
    return pending_[at].next;
  }

  /// False when there is room in other shards only.
  [[nodiscard]] bool store(const Pending& p, Cache::Run* run) noexcept {
    const Record record(p.at);
    const RecordHead& head = record.head;
    for (u32 i = 0; i < head.tag_count; ++i) tags_[i] = record.tag(i);
    const std::span<const Digest> tags(tags_, head.tag_count);
    const Heat heat{static_cast<u8>(head.heat & kFreqBits),
                    (head.heat & Heat::kMainBit) != 0 ? kQueueMain : kQueueSmall};
    const Placing placing{!how_.replace, &heat};
    Value value;
    if (how_.where == nullptr) value = {head.value_tag, record.value, head.value_len, nullptr, 0};
    const f64 deadline = head.deadline + how_.shift;
    Placed placed;
    Status status;
    if (run == nullptr)
      status = cache_.set(p.key, value, tags, deadline, how_.now, placed, placing);
    else if (!run->set(p.key, value, tags, deadline, placed, placing, status))
      return false;
    count(status, placed, p);
    return true;
  }

  void count(Status status, const Placed& placed, const Pending& p) noexcept {
    if (status == Status::damaged) {
      result_.status = status;
    } else if (status != Status::ok) {
      ++result_.rejected;
    } else if (placed.kept) {
      ++result_.kept;
    } else {
      ++result_.restored;
      if (how_.where == nullptr) return;
      RestoredAt& where = how_.where[p.index];
      where.slot = placed.slot;
      where.seq = placed.seq;
      where.flags = (p.is_long ? RestoredAt::kLong : 0) | (placed.replaced ? RestoredAt::kReplaced : 0);
    }
  }

  /// A later record may have pushed an earlier one out.
  void forget_the_gone(u64 records) noexcept {
    const u32 slots = cache_.geometry().slots;
    for (u64 i = 0; i < records; ++i) {
      RestoredAt& where = how_.where[i];
      if (where.slot == kNil) continue;
      Hit hit;
      hit.shard = where.slot / slots;
      hit.index = where.slot % slots;
      hit.seq = where.seq;
      if (!cache_.still(hit)) where.slot = kNil;
    }
  }

  Cache& cache_;
  std::span<const u8> bytes_;
  const Restoring& how_;
  RestoredSlice result_;
  u32 count_ = 0;
  u16 of_shard_[kMaxShards];
  u16 first_[kMaxShards];
  u16 last_[kMaxShards];
  Pending pending_[kBatch];
  Digest tags_[kMaxTags];
};

}  // namespace

SavedSlice save_records(Cache& cache, u32 cursor, u32 slots, std::span<u8> out, f64 shift, f64 now, u32* at) noexcept {
  RecordWriter writer(cache, out, shift, at);
  const u32 total = cache.config().shards * cache.geometry().slots;
  while (slots != 0 && cursor < total) {
    const u32 next = cache.visit(cursor, std::min(slots, kLockedSlots), now,
                                 [&](const Hit& hit, const auto& key) noexcept { return writer.write(hit, key); });
    const u32 refused = writer.settle();
    if (refused != kNil) {
      cursor = refused;
      break;
    }
    slots -= std::min(slots, next == kNil ? slots : next - cursor);
    cursor = next;
  }
  writer.slice.cursor = cursor < total ? cursor : kNil;
  return writer.slice;
}

bool check_records(std::span<const u8> bytes, u64 records) noexcept {
  u64 at = 0;
  for (; records != 0; --records) {
    if (bytes.size() - at < sizeof(RecordHead)) return false;
    RecordHead head;
    std::memcpy(&head, bytes.data() + at, sizeof head);
    // Before any pointer is made of them: in 64 bits, since the two lengths may overflow 32.
    const u64 size = record_bytes(head.tag_count, head.key_len, head.value_len);
    if (size > bytes.size() - at || head.tag_count > kMaxTags || head.zero != 0 || !is_key(head)) return false;
    if (head.deadline != head.deadline || head.heat > (kFreqBits | Heat::kMainBit)) return false;
    const Record record(bytes.data() + at);
    for (u32 i = 1; i < head.tag_count; ++i)
      for (u32 j = 0; j < i; ++j)
        if (record.tag(i) == record.tag(j)) return false;
    at += size;
  }
  return at == bytes.size();
}

RestoredSlice restore_records(Cache& cache, std::span<const u8> bytes, u64 records, const Restoring& how) noexcept {
  return RecordReader(cache, bytes, how).run(records);
}

}  // namespace hitpath
