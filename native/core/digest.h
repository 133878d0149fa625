// Hashes of keys and the public digest of arrays, all XXH3 (Yann Collet).
//
// digest(array) = XXH3-128(bytes) xor XXH3-128(header, seed 1), where bytes are the elements in C order, little-endian, and
// header is u8 dtype, u8 ndim, then each dimension as u64 little-endian. The same in every process, language and machine;
// written out it is canonical: sixteen bytes, big-endian. The hash of the header is made once for a batch of rows, and
// the seed keeps elements that look like a header from trading places with one.
//
// Where an entry lies in a map is another matter: it comes from a 64-bit hash with the region's secret seed, so that nobody
// can choose keys that collide.
#pragma once

#include <span>

#include "layout.h"

#define XXH_INLINE_ALL
#include "xxhash.h"

namespace hitpath {

struct Digest {
  u64 low = 0;
  u64 high = 0;
  friend bool operator==(const Digest&, const Digest&) = default;
};

/// XXH3-128 of long inputs with the widest instructions of this processor (xxh_x86dispatch.c); XXH3-128 elsewhere.
[[nodiscard]] Digest xxh3_128_long(const void* bytes, std::size_t length) noexcept;

/// The instructions that long inputs are hashed with: "avx512", "avx2", "sse2", "neon", "sve", "vsx" or "scalar".
[[nodiscard]] const char* vector_instructions() noexcept;

/// XXH3-64 of long inputs, in the same way.
[[nodiscard]] u64 xxh3_64_long(const void* bytes, std::size_t length, u64 seed) noexcept;

[[nodiscard]] inline Digest xxh3_128(const void* bytes, std::size_t length) noexcept {
  if (length > 240) return xxh3_128_long(bytes, length);
  const XXH128_hash_t h = XXH3_128bits(bytes, length);
  return {h.low64, h.high64};
}

inline constexpr u64 byte_swap(u64 v) noexcept {
  v = ((v & 0x00ff'00ff'00ff'00ffu) << 8) | ((v >> 8) & 0x00ff'00ff'00ff'00ffu);
  v = ((v & 0x0000'ffff'0000'ffffu) << 16) | ((v >> 16) & 0x0000'ffff'0000'ffffu);
  return (v << 32) | (v >> 32);
}

/// Sixteen bytes, big-endian, high half first.
inline void canonical(const Digest& d, u8* out) noexcept {
  const u64 words[2] = {byte_swap(d.high), byte_swap(d.low)};
  std::memcpy(out, words, 16);
}

/// Bytes an element by dtype code (src/key/dtype.ts); 0 for a number that is no code.
[[nodiscard]] inline u32 element_bytes(u32 dtype) noexcept {
  constexpr u8 kBytes[16] = {0, 1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8, 0, 0, 0};
  return kBytes[dtype & 15];
}

/// The part of a digest that says what the bytes mean. Made once for a batch of rows.
class ArrayHeader {
 public:
  ArrayHeader() noexcept = default;
  ArrayHeader(u8 dtype, std::span<const u64> shape, u64 scope) noexcept {
    u8 bytes[2 + 8 * kMaxDims];
    bytes[0] = dtype;
    bytes[1] = static_cast<u8>(shape.size());
    if (!shape.empty()) std::memcpy(bytes + 2, shape.data(), 8 * shape.size());
    mix(bytes, 2 + 8 * shape.size());
    if (scope != 0) mix(&scope, 8);  // another key space; no header has eight bytes
  }

  [[nodiscard]] Digest digest(const void* bytes, std::size_t length) const noexcept {
    return combine(xxh3_128(bytes, length));
  }
  [[nodiscard]] Digest combine(const Digest& body) const noexcept {
    return {body.low ^ hash_.low, body.high ^ hash_.high};
  }

 private:
  void mix(const void* bytes, std::size_t length) noexcept {
    const XXH128_hash_t h = XXH3_128bits_withSeed(bytes, length, 1);
    hash_.low ^= h.low64;
    hash_.high ^= h.high64;
  }

  Digest hash_;
};

/// A key as the core takes it: bytes with their kind, and where they belong.
struct Key {
  const u8* bytes = nullptr;
  u32 length = 0;
  u8 kind = kKeyLatin1;
  u8 tag = 1;
  u32 hash = 0;
  u32 shard_bits = 0;  // 24 bits; shard = shard_bits * shards / 2^24
};

[[nodiscard]] inline Key place_key(KeyKind kind, const void* bytes, u32 length, u64 h) noexcept {
  Key key;
  key.bytes = static_cast<const u8*>(bytes);
  key.length = length;
  key.kind = kind;
  key.hash = static_cast<u32>(h);
  const u8 tag = static_cast<u8>(h >> 32);
  key.tag = tag == 0 ? u8{0x5a} : tag;
  key.shard_bits = static_cast<u32>(h >> 40);
  return key;
}

/// A digest is a hash already: one multiplication with the seed places it.
[[nodiscard]] inline Key make_digest_key(const u8* canonical_bytes, u64 seed) noexcept {
  u64 words[2];
  std::memcpy(words, canonical_bytes, 16);
  return place_key(kKeyDigest, canonical_bytes, 16,
                   XXH3_mul128_fold64(words[0] ^ seed, words[1] ^ (seed * 0x9e37'79b9'7f4a'7c15u)));
}

[[nodiscard]] inline Key make_key(KeyKind kind, const void* bytes, u32 length, u64 seed) noexcept {
  // Kinds are separate key spaces: '1' and 1, 'é' in one byte and in two.
  if (kind == kKeyDigest) return make_digest_key(static_cast<const u8*>(bytes), seed);
  return place_key(kind, bytes, length, XXH3_64bits_withSeed(bytes, length, seed + kind));
}

/// What stands for a string that JavaScript keeps; the encodings are apart, like their key spaces.
inline void long_key_digest(const void* bytes, u64 length, KeyKind encoding, u64 seed, u8* out) noexcept {
  const XXH128_hash_t d = XXH3_128bits_withSeed(bytes, length, seed + (encoding == kKeyLatin1));
  canonical({d.low64, d.high64}, out);
}

/// The canonical double of a number key: -0 is 0, every NaN is the same.
[[nodiscard]] inline f64 canonical_number(f64 value) noexcept {
  if (value != value) return std::bit_cast<f64>(u64{0x7ff8'0000'0000'0000u});
  return value == 0 ? 0.0 : value;
}

/// Narrows UTF-16 to Latin-1 where every unit is below 256. `out` takes `count` bytes; after false they mean nothing, so it
/// may not overlap the units.
[[nodiscard]] bool narrow(const u16* units, u32 count, u8* out) noexcept;

}  // namespace hitpath
