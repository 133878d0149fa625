#include "long_rows.h"

#include <string_view>

#if (defined(__x86_64__) || defined(_M_X64)) && (defined(__GNUC__) || defined(__clang__))
#include <immintrin.h>
#define HITPATH_LONG_ROWS 1
#else
#define HITPATH_LONG_ROWS 0
#endif

namespace hitpath {

#if HITPATH_LONG_ROWS

namespace {

// XXH3 as its specification has it (doc/xxhash_spec.md): a block is as many stripes as fit into the secret.
constexpr u64 kStripe = 64;
constexpr u64 kSecretStep = 8;  // from a stripe to the next
constexpr u64 kSecret = XXH_SECRET_DEFAULT_SIZE;
constexpr u64 kBlockStripes = (kSecret - kStripe) / kSecretStep;
constexpr u64 kBlock = kBlockStripes * kStripe;
constexpr u64 kLastStripeSecret = kSecret - kStripe - 7;
constexpr u64 kMergeSecret = 11;
constexpr u32 kLanes = 8;
constexpr u64 kAhead = 512;  // bytes: the rows of a matrix lie in the second cache, or farther away

static_assert(kBlock == 1024, "another secret than that of XXH3 without a seed would give other hashes");

#define HITPATH_AVX512 __attribute__((target("avx512f"), always_inline)) inline

using Lanes = u64 __attribute__((vector_size(kStripe)));

HITPATH_AVX512 Lanes load(const void* bytes) noexcept {
  Lanes lanes;
  std::memcpy(&lanes, bytes, sizeof lanes);
  return lanes;
}

/// The product of the low halves. (With a mask of all lanes: what the intrinsic without one leaves undefined, GCC 12 warns of.)
HITPATH_AVX512 Lanes multiply(Lanes a, Lanes b) noexcept {
  return reinterpret_cast<Lanes>(
      _mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
}

/// The accumulators of a stretch of stripes between two scrambles. Each takes the product of its lane's halves, and its neighbour's lane as it
/// is; since sums may be swapped as well as what they are made of, that is done once a stretch.
struct Sums {
  Lanes products;
  Lanes elements;
};

HITPATH_AVX512 void take(Sums& sums, Lanes stripe, Lanes secret) noexcept {
  const Lanes mixed = stripe ^ secret;
  sums.products += multiply(mixed, mixed >> 32);
  sums.elements += stripe;
}

HITPATH_AVX512 Lanes total(const Sums& sums) noexcept {
  return sums.products + reinterpret_cast<Lanes>(_mm512_maskz_shuffle_epi32(
                             0xffff, reinterpret_cast<__m512i>(sums.elements), _MM_PERM_BADC));
}

HITPATH_AVX512 Lanes scramble(Lanes acc, Lanes secret, Lanes prime) noexcept {
  const Lanes mixed = acc ^ acc >> 47 ^ secret;
  return multiply(mixed, prime) + (multiply(mixed >> 32, prime) << 32);
}

/// Of eight lanes that the secret is mixed into already.
inline u64 merge(const u64* lanes, u64 start) noexcept {
  u64 sum = start;
  for (u32 i = 0; i < kLanes; i += 2) sum += XXH3_mul128_fold64(lanes[i], lanes[i + 1]);
  sum ^= sum >> 37;
  sum *= 0x1656'6791'9e37'79f9u;
  return sum ^ sum >> 32;
}

__attribute__((target("avx512f"))) void hash_avx512(const u8* bytes, u64 count, std::int64_t stride, u64 length,
                                                    Digest* out) noexcept {
  const u8* const secret = XXH3_kSecret;
  const Lanes first = {XXH_PRIME32_3, XXH_PRIME64_1, XXH_PRIME64_2, XXH_PRIME64_3,
                       XXH_PRIME64_4, XXH_PRIME32_2, XXH_PRIME64_5, XXH_PRIME32_1};
  const Lanes none = {}, prime = none + XXH_PRIME32_1;
  const Lanes scramble_secret = load(secret + kSecret - kStripe);
  const Lanes last_secret = load(secret + kLastStripeSecret);
  const Lanes low_secret = load(secret + kMergeSecret);
  const Lanes high_secret = load(secret + kSecret - kStripe - kMergeSecret);
  const u64 blocks = (length - 1) / kBlock;
  const u64 stripes = (length - 1 - blocks * kBlock) / kStripe;
  const u64 low_start = length * XXH_PRIME64_1, high_start = ~(length * XXH_PRIME64_2);
  for (u64 row = 0; row < count; ++row) {
    const u8* const from = bytes + static_cast<std::int64_t>(row) * stride;
    const u8* at = from;
    Sums sums = {first, none};
    for (u64 block = 0; block < blocks; ++block, at += kBlock) {
#pragma GCC unroll 16
      for (u64 i = 0; i < kBlockStripes; ++i) {
        prefetch(at + i * kStripe + kAhead);
        take(sums, load(at + i * kStripe), load(secret + i * kSecretStep));
      }
      sums = {scramble(total(sums), scramble_secret, prime), none};
    }
    for (u64 i = 0; i < stripes; ++i) {
      prefetch(at + i * kStripe + kAhead);
      take(sums, load(at + i * kStripe), load(secret + i * kSecretStep));
    }
    prefetch(from + length - kStripe + kAhead);
    take(sums, load(from + length - kStripe), last_secret);
    const Lanes acc = total(sums), low = acc ^ low_secret, high = acc ^ high_secret;
    u64 words[2][kLanes];
    std::memcpy(words[0], &low, sizeof low);
    std::memcpy(words[1], &high, sizeof high);
    out[row] = {merge(words[0], low_start), merge(words[1], high_start)};
  }
}

// Known when the library is loaded: a constant of the function would bring in the guard of its first call.
const bool written_for = std::string_view(vector_instructions()) == "avx512";

}  // namespace

bool hash_long_rows(const u8* bytes, u64 count, std::int64_t stride, u64 length, Digest* out) noexcept {
  if (!written_for) return false;
  hash_avx512(bytes, count, stride, length, out);
  return true;
}

#else

bool hash_long_rows(const u8*, u64, std::int64_t, u64, Digest*) noexcept { return false; }

#endif

}  // namespace hitpath
