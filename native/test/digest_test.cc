// Digests: golden vectors, the same by every path through the code.
//
// The constants come from two implementations that are not ours and agree: python3-xxhash 3.0.0 (xxHash 0.8.1; Debian) and
// hash-wasm 4.13.0 (`xxhash128`). The bytes are those of xxHash's own sanity check: byte i is the top byte of
// 2654435761 * 11400714785074694797^i modulo 2^64. An array digest is, in Python:
//   h = bytes([dtype, len(shape)]) + b''.join(struct.pack('<Q', d) for d in shape) + xxh3_128(data).digest()
//   d = xxh3_128(h).digest();  if scope: d = xxh3_128(struct.pack('<Q', scope) + d).digest()
#define XXH_VECTOR 0  // scalar in this file; xxh3_128_long takes the widest that the processor has
#include "digest.h"

#include <string>
#include <vector>

#include "check.h"
#include "long_rows.h"

using namespace hitpath;

namespace {

std::vector<u8> sanity_bytes(std::size_t count) {
  std::vector<u8> out(count);
  u64 state = 2654435761u;
  for (auto& byte : out) {
    byte = static_cast<u8>(state >> 56);
    state *= 11400714785074694797u;
  }
  return out;
}

std::string hex(const Digest& d) {
  u8 bytes[16];
  canonical(d, bytes);
  std::string out;
  for (const u8 b : bytes) {
    out += "0123456789abcdef"[b >> 4];
    out += "0123456789abcdef"[b & 15];
  }
  return out;
}

struct Golden {
  u32 length;
  u64 low, high;
};

struct GoldenArray {
  u8 dtype;
  std::vector<u64> shape;
  u32 bytes;
  u64 scope;
  const char* digest;
};

Digest scalar(const void* bytes, std::size_t length) {
  const XXH128_hash_t h = XXH3_128bits(bytes, length);
  return {h.low64, h.high64};
}

}  // namespace

TEST(xxh3_128_gives_the_known_values) {
  static constexpr Golden kGolden[] = {
      {0, 0x6001c324468d497fu, 0x99aa06d3014798d8u},      {1, 0xc44bdff4074eecdbu, 0xa6cd5e9392000f6au},
      {2, 0x7a9978044cb8a8bbu, 0x76750c3c7bf95668u},      {3, 0x54247382a8d6b94du, 0x20efc49ff02422eau},
      {4, 0x2e7d8d6876a39fe9u, 0x970d585ac632bf8eu},      {6, 0x3e7039bdda43cfc6u, 0x082afe0b8162d12au},
      {8, 0x64c69cab4bb21dc5u, 0x47a7f080d82bb456u},      {9, 0xed7ccbc501eb7501u, 0x564ef6078950d457u},
      {12, 0x061a192713f69ad9u, 0x6e3efd8fc7802b18u},     {16, 0x562980258a998629u, 0xc68c368ecf8a9c05u},
      {17, 0xabbc12d11973d7dbu, 0x955fa78643ed3669u},     {24, 0x1e7044d28b1b901du, 0x0ce966e4678d3761u},
      {32, 0x278410a17595e3f9u, 0x98fc6458710dc2e8u},     {64, 0xefdb6a44690721a9u, 0x6d90e81a9b0fd622u},
      {80, 0x454ae6bf7a8a532du, 0xfdf2cefde9eaac8au},     {96, 0xe9324473ea9afebeu, 0xd9d0b885f56c93f1u},
      {128, 0xebb15e34a7fb5ab1u, 0x39992220e045260au},    {129, 0x86c9e3bc8f0a3b5cu, 0x03815fc91f1b30b6u},
      {195, 0x3fb593c086a66075u, 0x7729543a26b207eeu},    {222, 0xf1aebd597cec6b3au, 0x337e09641b948717u},
      {240, 0x5c9aae94c8ebe5a0u, 0xaa4202daa2769dc8u},    {241, 0xc5a639ecd2030e5eu, 0x99a80ecf0ecfc647u},
      {256, 0x55de574ad89d0ac5u, 0x8b1c66091423d288u},    {257, 0xb17fd5a8ae75bb0bu, 0xf15fee7f9f457599u},
      {400, 0xfe72257eb83fe803u, 0x1ad73f8bbeaf5028u},    {403, 0xcdeb804d65c6dea4u, 0x1b6de21e332dd73du},
      {511, 0x8089715b163e7fc0u, 0x9f7619cb8d250f0du},    {512, 0x617e49599013cb6bu, 0x18d2d110dcc9bca1u},
      {513, 0xf7037d3b6722aeecu, 0xf5c760ed98fd9e0au},    {1024, 0xdd85c9b5c1109c5cu, 0x0d30d24071c64c57u},
      {1025, 0xd870c0fa13211c6au, 0xfd3ee4fe7f2954c6u},   {2048, 0xdd59e2c3a5f038e0u, 0xf736557fd47073a5u},
      {2240, 0x6e73a90539cf2948u, 0xccb134fbfa7ce49du},   {2367, 0xcb37aeb9e5d361edu, 0xe89c0f6ff369b427u},
      {4096, 0xe91206429d1f48f9u, 0xb9cfaea2ca5626a4u},   {65535, 0x40df5e3e5608bbe9u, 0x0839ca9ab30b5e44u},
      {100000, 0x34d658192a014311u, 0x351330331bc078fbu},
  };
  const auto bytes = sanity_bytes(100'000);
  for (const Golden& g : kGolden) {
    CHECK(xxh3_128(bytes.data(), g.length) == Digest{g.low, g.high});
    CHECK(xxh3_128_long(bytes.data(), g.length) == Digest{g.low, g.high});
    CHECK(scalar(bytes.data(), g.length) == Digest{g.low, g.high});
  }
}

TEST(the_widest_instructions_agree_with_scalar_code_for_all_lengths_and_alignments) {
  std::vector<u8> bytes(70'000);
  Rng random(1);
  for (auto& b : bytes) b = static_cast<u8>(random.next());
  for (std::size_t length = 0; length <= 512; ++length) {
    for (const std::size_t from : {std::size_t{0}, length % 61}) {
      const Digest expected = scalar(bytes.data() + from, length);
      CHECK(xxh3_128_long(bytes.data() + from, length) == expected);
      CHECK(xxh3_128(bytes.data() + from, length) == expected);
    }
  }
  for (u32 i = 0; i < 200; ++i) {
    const std::size_t length = random.below(60'000), from = random.below(10'000);
    CHECK(xxh3_128_long(bytes.data() + from, length) == scalar(bytes.data() + from, length));
  }
}

TEST(long_rows_hash_as_each_of_them_alone) {
  constexpr u64 kRows = 5;
  std::vector<u8> bytes(kRows * 5'000 + 64);
  Rng random(4);
  for (auto& b : bytes) b = static_cast<u8>(random.next());
  const bool written_for = std::string(vector_instructions()) == "avx512";
  for (u64 length = kLongRow; length < 4'900; length += length < 1'100 || length > 4'090 ? 1 : 31) {
    const auto stride = static_cast<std::int64_t>(length + random.below(64));
    const u8* const lowest = bytes.data() + random.below(64);
    for (const bool backwards : {false, true}) {
      const u8* const first = backwards ? lowest + (kRows - 1) * static_cast<u64>(stride) : lowest;
      Digest out[kRows];
      CHECK_EQ(hash_long_rows(first, kRows, backwards ? -stride : stride, length, out), written_for);
      for (u64 i = 0; written_for && i < kRows; ++i) {
        const auto at = static_cast<std::int64_t>(i) * (backwards ? -stride : stride);
        CHECK(out[i] == scalar(first + at, length));
      }
    }
  }
}

TEST(array_digests_are_the_documented_ones) {
  const GoldenArray kGolden[] = {
      {0, {}, 1, 0x0u, "1d5becb04e741ec7a9a5cbc63cd3f6ca"},
      {9, {}, 8, 0x0u, "fca5250db29ecb62a907b44d3cf06cbc"},
      {9, {0}, 0, 0x0u, "5e3b577f5559aba78edfaf0863a99688"},
      {8, {1}, 4, 0x0u, "091c7416483f88e034c7c2c049ac2bdd"},
      {8, {12}, 48, 0x0u, "aa1c04ecb8216437b09fe4d04bb43332"},
      {8, {3, 4}, 48, 0x0u, "10d96175542be68a29ead0344bf9ac32"},
      {8, {4, 3}, 48, 0x0u, "264c109903c4a65309e3e9e686995c6d"},
      {9, {2, 3, 5}, 240, 0x0u, "128c1f7a2d21297a67189acc352e346f"},
      {9, {31}, 248, 0x0u, "a38fcb6cedaf0264e29f85e65a5aed3a"},
      {5, {100, 25}, 2500, 0x0u, "2a96ec5f08ee476aaf13225b7bc48356"},
      {8, {12}, 48, 0x1u, "f465aaacd6a4516be283f3c13897839c"},
      {8, {12}, 48, 0x2u, "bf20f93d4608cddf581abd46bef7d00d"},
      {8, {12}, 48, 0x1fffffffffffffu, "86215d13932cf31cd4155ef09c109db4"},
      {1,
       {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
       1,
       0x0u,
       "6c23233f8d3c9bcb7ffd008bc5941515"},
      {1,
       {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
       1,
       0x7u,
       "9859c0a207535433668e9a3688d92036"},
      {8, {1099511627776, 0}, 0, 0x0u, "0b479da73cbc37b0158232bc310dad6f"},
  };
  const auto bytes = sanity_bytes(10'000);
  for (const GoldenArray& g : kGolden) {
    ArrayHeader header(g.dtype, g.shape, g.scope);
    CHECK_EQ(hex(header.digest(bytes.data(), g.bytes)), g.digest);
    CHECK_EQ(hex(header.combine(xxh3_128(bytes.data(), g.bytes))), g.digest);
  }
}

TEST(dtype_shape_bytes_and_scope_each_change_a_digest) {
  const auto bytes = sanity_bytes(100);
  const u64 flat[] = {12}, tall[] = {12, 1}, wide[] = {1, 12};
  std::vector<std::string> digests;
  for (const u8 dtype : {u8{1}, u8{2}})
    for (const u64 scope : {u64{0}, u64{1}, u64{2}})
      for (const std::span<const u64> shape :
           {std::span<const u64>(flat), std::span<const u64>(tall), std::span<const u64>(wide)})
        for (const u32 from : {0u, 1u})
          digests.push_back(hex(ArrayHeader(dtype, shape, scope).digest(bytes.data() + from, 48)));
  for (std::size_t i = 0; i < digests.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) CHECK(digests[i] != digests[j]);
}

TEST(a_canonical_digest_is_big_endian_high_half_first) {
  CHECK_EQ(hex({0x0807'0605'0403'0201u, 0x100f'0e0d'0c0b'0a09u}), "100f0e0d0c0b0a090807060504030201");
}

TEST(number_keys_are_canonical) {
  CHECK_EQ(std::bit_cast<u64>(canonical_number(-0.0)), 0u);
  CHECK_EQ(std::bit_cast<u64>(canonical_number(0.0)), 0u);
  for (const u64 nan : {0x7ff8'0000'0000'0000u, 0xfff8'0000'0000'0000u, 0x7ff0'0000'0000'0001u, 0xffff'ffff'ffff'ffffu})
    CHECK_EQ(std::bit_cast<u64>(canonical_number(std::bit_cast<f64>(nan))), 0x7ff8'0000'0000'0000u);
  CHECK_EQ(canonical_number(-1.5), -1.5);
}

TEST(keys_spread_over_tags_groups_and_shards) {
  u32 tags[256] = {}, homes[64] = {}, shards[64] = {};
  for (u32 i = 0; i < 64'000; ++i) {
    const f64 number = i;
    const Key key = make_key(kKeyNumber, &number, 8, 42);
    ++tags[key.tag];
    ++homes[key.hash >> 26];
    ++shards[(u64{key.shard_bits} * 64) >> 24];
  }
  CHECK_EQ(tags[0], 0u);
  for (u32 i = 1; i < 256; ++i) CHECK(tags[i] > 150 && tags[i] < (i == 0x5a ? 700u : 350u));
  for (u32 i = 0; i < 64; ++i) CHECK(homes[i] > 800 && homes[i] < 1200 && shards[i] > 800 && shards[i] < 1200);
}

TEST(narrow_agrees_with_a_loop_wherever_the_wide_unit_stands) {
  Rng random(2);
  for (u32 count = 0; count <= 70; ++count) {
    std::vector<u16> units(count);
    for (auto& u : units) u = static_cast<u16>(random.below(256));
    std::vector<u8> expected(units.begin(), units.end()), out(count);
    CHECK(narrow(units.data(), count, out.data()));
    CHECK(out == expected);
    for (u32 at = 0; at < count; ++at) {
      for (const u16 wide : {0x100, 0x8000, 0xff00, 0xffff, 0x0141}) {
        const u16 was = units[at];
        units[at] = wide;
        CHECK(!narrow(units.data(), count, out.data()));
        units[at] = was;
      }
    }
  }
}
