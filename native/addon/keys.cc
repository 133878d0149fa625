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

/// Feeds the elements of a strided array to XXH3 in C order, a kilobyte at a time.
class StridedHash {
 public:
  StridedHash(const Staging& s, u32 ndim, f64 offset, const u8* data, u32 width) noexcept
      : s_(s), ndim_(ndim), offset_(static_cast<std::int64_t>(offset)), data_(data), width_(width) {
    XXH3_128bits_reset(&state_);
  }
  [[nodiscard]] Digest run() noexcept {
    walk(0, offset_);
    XXH3_128bits_update(&state_, buffer_, used_);
    const XXH128_hash_t h = XXH3_128bits_digest(&state_);
    return {h.low64, h.high64};
  }

 private:
  void walk(u32 axis, std::int64_t at) noexcept {
    const u64 count = static_cast<u64>(s_.shape[axis]);
    const auto stride = static_cast<std::int64_t>(s_.strides[axis]);
    if (axis + 1 < ndim_) {
      for (u64 i = 0; i < count; ++i) walk(axis + 1, at + static_cast<std::int64_t>(i) * stride);
    } else if (stride == 1) {
      flush();
      XXH3_128bits_update(&state_, data_ + at * width_, count * width_);
    } else {
      for (u64 i = 0; i < count; ++i, at += stride) {
        if (used_ + width_ > sizeof buffer_) flush();
        std::memcpy(buffer_ + used_, data_ + at * width_, width_);
        used_ += width_;
      }
    }
  }
  void flush() noexcept {
    XXH3_128bits_update(&state_, buffer_, used_);
    used_ = 0;
  }

  const Staging& s_;
  u32 ndim_;
  std::int64_t offset_;
  const u8* data_;
  u32 width_;
  u32 used_ = 0;
  u8 buffer_[1024];
  XXH3_state_t state_;
};

// By way of int64: the processor has no conversion to or from u64.
bool whole(f64 v) noexcept {
  return v >= 0 && v <= 9007199254740991.0 && v == static_cast<f64>(static_cast<std::int64_t>(v));
}

/// Whether every element that shape, strides and offset reach lies in `elements` elements.
bool in_bounds(const Staging& s, u32 ndim, f64 offset, u64 elements) noexcept {
  f64 low = offset, high = offset;
  for (u32 i = 0; i < ndim; ++i) {
    const f64 reach = (s.shape[i] - 1) * s.strides[i];
    (reach < 0 ? low : high) += reach;
  }
  return low >= 0 && high < static_cast<f64>(elements);
}

}  // namespace

/// What the staging area says of dtype, shape and scope, as a header. One after another, arrays have the same: it is remembered.
bool HeaderMemo::read(const Staging& s) noexcept {
  const u32 ndim = s.form >> 16;
  const f64 scope = (s.bits & kBitScope) == 0 ? 0 : s.scope;
  if (s.form == form_ && scope == scope_ && std::memcmp(shape_, s.shape, ndim * sizeof(f64)) == 0) return true;
  const u32 dtype = (s.form >> 8) & 0xff;
  form_ = 0;
  if (ndim > kMaxDims || element_bytes(dtype) == 0) return false;
  u64 dims[kMaxDims];
  elements = 1;  // doubles do not overflow
  for (u32 i = 0; i < ndim; ++i) {
    if (!whole(s.shape[i])) return false;
    dims[i] = static_cast<u64>(static_cast<std::int64_t>(s.shape[i]));
    elements *= s.shape[i];
  }
  header =
      ArrayHeader(static_cast<u8>(dtype), std::span(dims, ndim), static_cast<u64>(static_cast<std::int64_t>(scope)));
  std::memcpy(shape_, s.shape, ndim * sizeof(f64));
  scope_ = scope;
  form_ = s.form;
  return true;
}

bool digest_array(Environment& e, napi_value value, Digest& out) noexcept {
  const Staging& s = *e.staging;
  HeaderMemo& memo = e.header;
  if (!memo.read(s)) return e.fail(Status::shape_mismatch), false;
  void* data = e.scratch;
  std::size_t length = kScratchSuffix;
  if ((s.bits & kBitSmallKey) == 0 && napi_get_buffer_info(e.env, value, &data, &length) != napi_ok)
    return e.fail(Status::shape_mismatch), false;
  const u32 ndim = s.form >> 16, width = element_bytes((s.form >> 8) & 0xff);
  const f64 offset = (s.bits & kBitOffset) == 0 ? 0 : s.key_offset;
  if (memo.elements == 0) {
    out = memo.header.digest(e.scratch, 0);
    return true;
  }
  if ((s.bits & kBitStrided) == 0) {
    if (!whole(offset) || !((offset + memo.elements) * width <= static_cast<f64>(length)))
      return e.fail(Status::shape_mismatch), false;
    const u8* bytes = static_cast<const u8*>(data) + static_cast<std::int64_t>(offset) * width;
    out = memo.header.digest(bytes, static_cast<std::size_t>(static_cast<std::int64_t>(memo.elements)) * width);
    return true;
  }
  if (!in_bounds(s, ndim, offset, length / width)) return e.fail(Status::shape_mismatch), false;
  out = memo.header.combine(StridedHash(s, ndim, offset, static_cast<const u8*>(data), width).run());
  return true;
}

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
    case kFormArray: {
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
