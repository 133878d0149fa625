// A record of a snapshot as bytes; snapshot.h draws it.
#pragma once

#include "digest.h"

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

[[nodiscard]] constexpr u64 record_bytes(u64 tags, u64 key, u64 value) noexcept {
  return (sizeof(RecordHead) + 16 * tags + key + value + 7) & ~u64{7};
}

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

}  // namespace hitpath
