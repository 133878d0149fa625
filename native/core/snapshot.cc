#include "snapshot.h"

#include <algorithm>

namespace hitpath {

namespace {

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

// ---- checking ----

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
    if (head.deadline != head.deadline || head.heat > (Heat::kFreqBits | Heat::kMainBit)) return false;
    const Record record(bytes.data() + at);
    for (u32 i = 1; i < head.tag_count; ++i)
      for (u32 j = 0; j < i; ++j)
        if (record.tag(i) == record.tag(j)) return false;
    at += size;
  }
  return at == bytes.size();
}

BlockFault verify_block(std::span<const u8> bytes, const FileBlock& block, u64 seed) noexcept {
  const u8* head = bytes.data() + block.at;
  u64 sum;
  std::memcpy(&sum, head, 8);
  if (xxh3_64_long(head + 8, kBlockHeadBytes - 8 + block.bytes, seed) != sum) return BlockFault::checksum;
  return check_records({head + kBlockHeadBytes, block.bytes}, block.records) ? BlockFault::none : BlockFault::records;
}

}  // namespace hitpath
