#include "keys.h"

#include <algorithm>

namespace hitpath {

namespace {

/// All units of a string of any length, in e.key_bytes.
bool read_long(Environment& e, napi_value value, const u16*& units, std::size_t& count) noexcept {
  if (napi_get_value_string_utf16(e.env, value, nullptr, 0, &count) != napi_ok) return false;
  e.key_bytes.resize((count + 1) * 3);  // and room to narrow it
  auto* at = reinterpret_cast<char16_t*>(e.key_bytes.data());
  if (napi_get_value_string_utf16(e.env, value, at, count + 1, &count) != napi_ok) return false;
  units = reinterpret_cast<const u16*>(at);
  return true;
}

}  // namespace

bool KeyReader::from_units(Environment& e, const Handle& h, const u16* units, u32 count, u8* narrowed) noexcept {
  const u64 seed = h.cache.config().seed;
  const bool latin1 = narrow(units, count, narrowed);
  const void* bytes = latin1 ? static_cast<const void*>(narrowed) : units;
  const u64 length = latin1 ? count : u64{2} * count;
  if (h.local && length > kCellBytes) {
    long_key_digest(bytes, length, latin1 ? kKeyLatin1 : kKeyUtf16, seed, digest);
    key = make_key(kKeyLong, digest, 16, seed);
    return true;
  }
  if (length > Cache::kMaxKeyBytes) return e.fail(Status::too_large), false;
  key = make_key(latin1 ? kKeyLatin1 : kKeyUtf16, bytes, static_cast<u32>(length), seed);
  return true;
}

bool KeyReader::read_string(Environment& e, const Handle& h, napi_value value) noexcept {
  std::size_t count = 0;
  if (napi_get_value_string_utf16(e.env, value, reinterpret_cast<char16_t*>(units_), kStack, &count) != napi_ok)
    return e.fail(Status::shape_mismatch), false;
  if (count + 1 < kStack) return from_units(e, h, units_, static_cast<u32>(count), bytes_);
  const u16* units = nullptr;
  if (!read_long(e, value, units, count)) return e.fail(Status::shape_mismatch), false;
  if (count > (u32{1} << 30)) return e.fail(Status::too_large), false;
  return from_units(e, h, units, static_cast<u32>(count), e.key_bytes.data() + 2 * (count + 1));
}

bool KeyReader::read_staged(Environment& e, const Handle& h, napi_value value) noexcept {
  const u64 seed = h.cache.config().seed;
  switch (e.staging->form & 0xff) {
    case kFormNumber: {
      const f64 number = canonical_number(e.staging->extra[0]);
      std::memcpy(digest, &number, 8);
      key = make_key(kKeyNumber, digest, 8, seed);
      return true;
    }
    case kFormArray:
    case kFormKnown: {
      Digest d;
      if (!digest_array(e, value, d)) return false;
      canonical(d, digest);
      key = make_key(kKeyDigest, digest, 16, seed);
      return true;
    }
    case kFormDigest:
      std::memcpy(digest, e.scratch, 16);
      key = make_key(kKeyDigest, digest, 16, seed);
      return true;
    default: return e.fail(Status::shape_mismatch), false;
  }
}

bool read_tag(Environment& e, napi_value value, Digest& out) noexcept {
  u16 units[256];
  const u16* at = units;
  std::size_t count = 0;
  if (napi_get_value_string_utf16(e.env, value, reinterpret_cast<char16_t*>(units), 256, &count) != napi_ok)
    return false;
  if (count == 255 && !read_long(e, value, at, count)) return false;
  out = xxh3_128(at, count * 2);
  return true;
}

}  // namespace hitpath
