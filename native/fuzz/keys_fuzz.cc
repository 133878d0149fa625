// Keys and digests: narrowing against a loop, and every hash against the plain API of XXH3 over the same bytes.
#include <vector>

#include "digest.h"
#include "fuzz.h"

using namespace fuzz;

namespace {

/// XXH3-128 fed in pieces, by the streaming API.
XXH128_hash_t streamed(std::span<const u8> bytes, std::size_t piece) {
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    XXH3_128bits_update(&state, bytes.data() + at, std::min(piece, bytes.size() - at));
  return XXH3_128bits_digest(&state);
}
bool same(const Digest& d, const XXH128_hash_t& h) { return d.low == h.low64 && d.high == h.high64; }

void append(std::vector<u8>& to, const void* from, std::size_t bytes) {
  const u8* at = static_cast<const u8*>(from);
  to.insert(to.end(), at, at + bytes);
}
void check_key(KeyKind kind, std::span<const u8> bytes, u64 seed) {
  const Key key = make_key(kind, bytes.data(), static_cast<u32>(bytes.size()), seed);
  u64 h = 0;
  if (kind == kKeyDigest) {
    u64 words[2];
    std::memcpy(words, bytes.data(), 16);
    const XXH128_hash_t product = XXH_mult64to128(words[0] ^ seed, words[1] ^ (seed * 0x9e37'79b9'7f4a'7c15u));
    h = product.low64 ^ product.high64;
  } else {
    h = XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed + kind);
  }
  REQUIRE(key.hash == static_cast<u32>(h));
  REQUIRE(key.shard_bits == h >> 40);
  REQUIRE(key.tag != 0);  // an empty slot's
  REQUIRE(key.tag == ((h >> 32 & 0xff) == 0 ? 0x5a : (h >> 32 & 0xff)));
  REQUIRE(key.kind == kind && key.length == bytes.size() && key.bytes == bytes.data());
}

void check_text(std::span<const u8> bytes, u64 seed) {
  const u32 count = static_cast<u32>(bytes.size() / 2);
  std::vector<u16> units(count);
  if (count != 0) std::memcpy(units.data(), bytes.data(), 2 * count);
  std::vector<u8> out(count), expected;
  bool latin1 = true;
  for (const u16 unit : units) {
    latin1 = latin1 && unit < 256;
    expected.push_back(static_cast<u8>(unit));
  }
  REQUIRE(narrow(units.data(), count, out.data()) == latin1);
  if (!latin1) return check_key(kKeyUtf16, bytes.first(2 * count), seed);
  REQUIRE(out == expected);
  check_key(kKeyLatin1, out, seed);
  // As wide text the same string is another key, yet with the same bytes.
  check_key(kKeyUtf16, bytes.first(2 * count), seed);
}

void check_array(Input& in) {
  const u8 dtype = in.byte();
  const u64 scope = in.flag() ? in.raw<u64>() : 0;
  u64 shape[kMaxDims];
  const u32 ndim = in.below(kMaxDims + 1);
  for (u32 i = 0; i < ndim; ++i) shape[i] = in.flag() ? in.raw<u64>() : in.byte();
  const std::size_t piece = 1 + in.byte();
  const auto bytes = in.bytes(~std::size_t{0});

  std::vector<u8> form{dtype, static_cast<u8>(ndim)};
  append(form, shape, ndim * 8);
  XXH128_hash_t h = streamed(bytes, piece);
  const auto mix = [&](const void* at, std::size_t length) {
    const XXH128_hash_t part = XXH3_128bits_withSeed(at, length, 1);
    h.low64 ^= part.low64;
    h.high64 ^= part.high64;
  };
  mix(form.data(), form.size());
  if (scope != 0) mix(&scope, 8);
  const ArrayHeader header(dtype, std::span(shape, ndim), scope);
  REQUIRE(same(header.digest(bytes.data(), bytes.size()), h));
  REQUIRE(same(header.combine(xxh3_128(bytes.data(), bytes.size())), h));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  Input in(data, size);
  const u8 what = in.byte();
  const u64 seed = in.flag() ? in.raw<u64>() : in.byte();
  switch (what % 5) {
    case 0: check_text(in.bytes(~std::size_t{0}), seed); break;
    case 1: check_array(in); break;
    case 2: {  // an odd address, and long inputs: these go by the dispatch to the widest instructions
      const u32 times = in.between(1, 9), from = in.below(17);
      const auto bytes = in.bytes(~std::size_t{0});
      std::vector<u8> repeated(from, 0xee);
      for (u32 i = 0; i < times; ++i) append(repeated, bytes.data(), bytes.size());
      const std::span<const u8> tail = std::span<const u8>(repeated).subspan(from);
      REQUIRE(same(xxh3_128(tail.data(), tail.size()), XXH3_128bits(tail.data(), tail.size())));
      REQUIRE(same(xxh3_128(tail.data(), tail.size()), streamed(tail, 1 + seed % 97)));
      break;
    }
    case 3: {
      const u64 bits = in.raw<u64>();
      const f64 number = std::bit_cast<f64>(bits), canonical = canonical_number(number);
      if (number != number)
        REQUIRE(std::bit_cast<u64>(canonical) == 0x7ff8'0000'0000'0000u);
      else
        REQUIRE(canonical == number && (number != 0 || !std::signbit(canonical)));
      check_key(kKeyNumber, {reinterpret_cast<const u8*>(&canonical), 8}, seed);
      break;
    }
    default: {
      u8 bytes[16];
      const Digest d{in.raw<u64>(), in.raw<u64>()};
      canonical(d, bytes);
      XXH128_canonical_t plain;
      XXH128_canonicalFromHash(&plain, {d.low, d.high});
      REQUIRE(std::memcmp(bytes, plain.digest, 16) == 0);
      check_key(kKeyDigest, bytes, seed);
    }
  }
  return 0;
}
