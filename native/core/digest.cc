#include "digest.h"

#include <iterator>

#if defined(__x86_64__) || defined(_M_X64)
extern "C" {
#undef XXH_INLINE_ALL
XXH128_hash_t XXH3_128bits_dispatch(const void* input, size_t length);
XXH64_hash_t XXH3_64bits_withSeed_dispatch(const void* input, size_t length, XXH64_hash_t seed);
int XXH_featureTest(void);
}
#endif

namespace hitpath {

Digest xxh3_128_long(const void* bytes, std::size_t length) noexcept {
#if defined(__x86_64__) || defined(_M_X64)
  const XXH128_hash_t h = XXH3_128bits_dispatch(bytes, length);
#else
  const XXH128_hash_t h = XXH3_128bits(bytes, length);
#endif
  return {h.low64, h.high64};
}

u64 xxh3_64_long(const void* bytes, std::size_t length, u64 seed) noexcept {
#if defined(__x86_64__) || defined(_M_X64)
  return XXH3_64bits_withSeed_dispatch(bytes, length, seed);
#else
  return XXH3_64bits_withSeed(bytes, length, seed);
#endif
}

const char* vector_instructions() noexcept {
  // In the order of XXH_VECTOR_TYPE.
  constexpr const char* kNames[] = {"scalar", "sse2", "avx2", "avx512", "neon", "vsx", "sve"};
#if defined(__x86_64__) || defined(_M_X64)
  const auto kind = static_cast<unsigned>(XXH_featureTest());
#else
  constexpr unsigned kind = XXH_VECTOR;
#endif
  return kind < std::size(kNames) ? kNames[kind] : "other";
}

bool narrow(const u16* units, u32 count, u8* out) noexcept {
#if defined(__SSE2__)
  const __m128i high = _mm_set1_epi16(static_cast<short>(0xff00));
  const auto eight = [&](u32 at) noexcept {
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(units + at));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + at), _mm_packus_epi16(a, a));
    return _mm_and_si128(a, high);
  };
  if (count >= 8) {
    __m128i wide = eight(count - 8);  // the end first, overlapping what follows
    for (u32 i = 0; i + 8 < count; i += 8) wide = _mm_or_si128(wide, eight(i));
    return _mm_movemask_epi8(_mm_cmpeq_epi16(wide, _mm_setzero_si128())) == 0xffff;
  }
#endif
  u16 seen = 0;
  for (u32 i = 0; i < count; ++i) {
    seen |= units[i];
    out[i] = static_cast<u8>(units[i]);
  }
  return seen < 256;
}

}  // namespace hitpath
