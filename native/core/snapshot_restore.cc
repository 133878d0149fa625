// Out of the records of a snapshot into a region: each is hashed once and filed under its shard, then shard by shard they are stored.
#include <algorithm>

#include "snapshot.h"

namespace hitpath {

namespace {

constexpr u32 kBatch = 512;  // records of a LocalCache that are filed at a time
constexpr u32 kRun = 256;    // that one taking of a lock stores at most
// How many records ahead memory is asked for a record and its groups, then for its slot.
constexpr u32 kFar = 32;
constexpr u32 kNear = 16;

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

[[nodiscard]] bool is_long(const RecordHead& head, bool local) noexcept {
  return local && (head.key_kind == kKeyLatin1 || head.key_kind == kKeyUtf16) && head.key_len > kCellBytes;
}

/// The bytes of a key as this cache takes it, and its kind; `room` is for those that do not stand in the record.
struct KeyBytes {
  KeyKind kind;
  const u8* bytes;
  u32 length;

  KeyBytes(const Record& r, bool local, u64 seed, u8* room) noexcept
      : kind(static_cast<KeyKind>(r.head.key_kind)), bytes(r.key), length(r.head.key_len) {
    if (kind == kKeyNumber) {
      f64 number;
      std::memcpy(&number, r.key, 8);
      number = canonical_number(number);
      std::memcpy(room, &number, 8);
      bytes = room;
    } else if (is_long(r.head, local)) {
      long_key_digest(r.key, length, kind, seed, room);
      *this = KeyBytes(kKeyLong, room, 16);
    }
  }

 private:
  KeyBytes(KeyKind k, const u8* b, u32 l) noexcept : kind(k), bytes(b), length(l) {}
};

/// What place_key() made a key of.
[[nodiscard]] u64 hash_of(const Key& key) noexcept { return key.hash | u64{key.tag} << 32 | u64{key.shard_bits} << 40; }

}  // namespace

RecordIndex::RecordIndex(std::span<Entry> room, const u8* bytes, u32 shards) noexcept
    : added_(room.first(room.size() / 2)), sorted_(room.subspan(room.size() / 2)), bytes_(bytes), shards_(shards) {
  clear(0);
}

void RecordIndex::clear(u64 first) noexcept {
  seen_ = count_ = 0;
  first_ = first;
  std::fill_n(ends_, shards_, 0);
}

u64 RecordIndex::add(const Cache& cache, u64 at, u64 records, const Restoring& how, RestoredSlice& counts) noexcept {
  const bool local = how.where != nullptr;
  const u64 seed = cache.config().seed;
  for (; records != 0; --records, ++seen_) {
    const Record record(bytes_ + at);
    const RecordHead& head = record.head;
    const u32 units = static_cast<u32>(at / 8);
    if (local) how.where[first_ + seen_] = {kNil, 0, units, 0};
    at += record.bytes();
    if (how.now > head.deadline + how.shift) {
      ++counts.expired;
    } else if (head.key_kind == kKeyPortable) {
      ++counts.foreign;
    } else if (!is_value(record, how.dtypes) || (head.key_len > Cache::kMaxKeyBytes && !is_long(head, local))) {
      ++counts.rejected;
    } else {
      u8 room[16];
      const KeyBytes own(record, local, seed, room);
      const Key key = make_key(own.kind, own.bytes, own.length, seed);
      added_[count_++] = {hash_of(key), units, seen_};
      ++ends_[cache.shard_index(key)];
    }
  }
  return at;
}

void RecordIndex::sort() noexcept {
  u32 next[kMaxShards], sum = 0;
  for (u32 shard = 0; shard < shards_; ++shard) {
    next[shard] = sum;
    sum += ends_[shard];
    ends_[shard] = sum;
  }
  // Stable: of two records with one key the first is the first.
  for (const Entry& e : added_.first(count_)) sorted_[next[((e.hash >> 40) * shards_) >> 24]++] = e;
}

/// Stores the records of one shard, a run at a time.
class RecordIndex::Placer {
 public:
  Placer(Cache& cache, const RecordIndex& index, std::span<const Entry> entries, const Restoring& how,
         RestoredSlice& result) noexcept
      : cache_(cache), index_(index), entries_(entries), how_(how), result_(result) {}

  void run_all(u32 shard) noexcept {
    for (u32 i = 0; i < kFar; ++i) approach(i);
    for (u32 i = 0; i < entries_.size() && result_.status == Status::ok;) i = run(shard, i);
  }

 private:
  /// From the entry `i` on; gives where it ended.
  [[nodiscard]] u32 run(u32 shard, u32 i) noexcept {
    const u32 end = i + static_cast<u32>(std::min<std::size_t>(kRun, entries_.size() - i));
    const Entry* elsewhere = nullptr;
    {
      Cache::Run run(cache_, shard, end - i, how_.now);
      for (u64 copied = 0; i != end && copied < kLockedBytes && elsewhere == nullptr && result_.status == Status::ok;
           ++i) {
        approach(i + kFar);
        if (!store(entries_[i], &run, copied)) elsewhere = &entries_[i];
      }
    }
    u64 copied = 0;
    if (elsewhere != nullptr) (void)store(*elsewhere, nullptr, copied);
    return i;
  }

  [[nodiscard]] const u8* bytes(const Entry& e) const noexcept { return index_.bytes_ + u64{e.at} * 8; }
  [[nodiscard]] static Key where(const Entry& e) noexcept { return place_key(kKeyLatin1, nullptr, 0, e.hash); }

  /// Asks memory for what an entry needs, in the order in which one thing leads to the other.
  void approach(u32 i) const noexcept {
    if (i < entries_.size()) {
      const u8* record = bytes(entries_[i]);
      prefetch(record);
      prefetch(record + 64);
      prefetch(record + 128);
      cache_.prefetch_home(where(entries_[i]));
    }
    if (const u32 near = i - (kFar - kNear); i >= kFar - kNear && near < entries_.size())
      cache_.prefetch_place(where(entries_[near]));
  }

  /// False when there is room in other shards only.
  [[nodiscard]] bool store(const Entry& e, Cache::Run* run, u64& copied) noexcept {
    const Record record(bytes(e));
    const RecordHead& head = record.head;
    u8 room[16];
    const KeyBytes own(record, how_.where != nullptr, cache_.config().seed, room);
    const Key key = place_key(own.kind, own.bytes, own.length, e.hash);
    for (u32 i = 0; i < head.tag_count; ++i) tags_[i] = record.tag(i);
    const std::span<const Digest> tags(tags_, head.tag_count);
    const Heat heat{static_cast<u8>(head.heat & Heat::kFreqBits),
                    (head.heat & Heat::kMainBit) != 0 ? kQueueMain : kQueueSmall};
    const Placing placing{!how_.replace, &heat};
    Value value;
    if (how_.where == nullptr) value = {head.value_tag, record.value, head.value_len, nullptr, 0};
    copied += record.bytes();
    const f64 deadline = head.deadline + how_.shift;
    Placed placed;
    Status status;
    if (run == nullptr)
      status = cache_.set(key, value, tags, deadline, how_.now, placed, placing);
    else if (!run->set(key, value, tags, deadline, placed, placing, status))
      return false;
    count(status, placed, e, own.kind == kKeyLong);
    return true;
  }

  void count(Status status, const Placed& placed, const Entry& e, bool is_long) noexcept {
    if (status == Status::damaged) {
      result_.status = status;
    } else if (status != Status::ok) {
      ++result_.rejected;
    } else if (placed.kept) {
      ++result_.kept;
    } else {
      ++result_.restored;
      if (how_.where == nullptr) return;
      RestoredAt& where = how_.where[index_.first_ + e.index];
      where.slot = placed.slot;
      where.seq = placed.seq;
      where.flags = (is_long ? RestoredAt::kLong : 0) | (placed.replaced ? RestoredAt::kReplaced : 0);
    }
  }

  Cache& cache_;
  const RecordIndex& index_;
  const std::span<const Entry> entries_;
  const Restoring& how_;
  RestoredSlice& result_;
  Digest tags_[kMaxTags];  // here, since clearing it costs more than a record without tags
};

void RecordIndex::store(Cache& cache, u32 shard, const Restoring& how, RestoredSlice& result) const noexcept {
  const u32 from = shard == 0 ? 0 : ends_[shard - 1];
  Placer(cache, *this, sorted_.subspan(from, ends_[shard] - from), how, result).run_all(shard);
}

namespace {

/// A later record may have pushed an earlier one out.
void forget_the_gone(const Cache& cache, std::span<RestoredAt> where) noexcept {
  const u32 slots = cache.geometry().slots;
  for (RestoredAt& one : where) {
    if (one.slot == kNil) continue;
    Hit hit;
    hit.shard = one.slot / slots;
    hit.index = one.slot % slots;
    hit.seq = one.seq;
    if (!cache.still(hit)) one.slot = kNil;
  }
}

}  // namespace

RestoredSlice restore_records(Cache& cache, std::span<const u8> bytes, u64 records, const Restoring& how) noexcept {
  RecordIndex::Entry room[2 * kBatch];
  const u32 shards = cache.config().shards;
  RecordIndex index(room, bytes.data(), shards);
  RestoredSlice result;
  u64 at = 0;
  for (u64 done = 0; done < records && result.status == Status::ok;) {
    const u64 batch = std::min<u64>(kBatch, records - done);
    index.clear(done);
    at = index.add(cache, at, batch, how, result);
    index.sort();
    for (u32 shard = 0; shard < shards; ++shard) index.store(cache, shard, how, result);
    done += batch;
  }
  if (how.where != nullptr) forget_the_gone(cache, {how.where, records});
  return result;
}

}  // namespace hitpath
