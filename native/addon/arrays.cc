// Arrays as keys: their digests, out of what the staging area says of them.
#include "keys.h"

namespace hitpath {

namespace {

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

/// Whether all elements of an array in C order lie in `length` bytes.
bool plain_in_bounds(const HeaderMemo& memo, f64 offset, u32 width, std::size_t length) noexcept {
  return whole(offset) && (offset + memo.elements) * width <= static_cast<f64>(length);
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
  if (s.form == kFormKnown) {
    const KnownArray* known = e.known.find(s.known);
    if (known == nullptr) return e.fail(Status::shape_mismatch), false;
    out = known->header.digest(known->bytes, known->length);
    return true;
  }
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
    if (!plain_in_bounds(memo, offset, width, length)) return e.fail(Status::shape_mismatch), false;
    const u8* bytes = static_cast<const u8*>(data) + static_cast<std::int64_t>(offset) * width;
    out = memo.header.digest(bytes, static_cast<std::size_t>(static_cast<std::int64_t>(memo.elements)) * width);
    return true;
  }
  if (!in_bounds(s, ndim, offset, length / width)) return e.fail(Status::shape_mismatch), false;
  out = memo.header.combine(StridedHash(s, ndim, offset, static_cast<const u8*>(data), width).run());
  return true;
}

namespace {

/// learnArray(array): remembers where the elements of the array that the staging area describes lie, unless they are strided or none.
/// staging.last_known is then its number, which a later call may give in its place.
napi_value LearnArray(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  Environment& e = *call.environment;
  Staging& s = *e.staging;
  void* data = nullptr;
  std::size_t length = 0;
  if ((s.form & 0xff) != kFormArray || (s.bits & (kBitStrided | kBitSmallKey)) != 0 || !e.header.read(s) ||
      napi_get_buffer_info(env, call.args[0], &data, &length) != napi_ok)
    return nullptr;
  const f64 first = (s.bits & kBitOffset) == 0 ? 0 : s.key_offset;
  const u32 width = element_bytes((s.form >> 8) & 0xff);
  if (!plain_in_bounds(e.header, first, width, length) || e.header.elements == 0) return nullptr;
  KnownArray known;
  known.bytes = static_cast<const u8*>(data) + static_cast<std::int64_t>(first) * width;
  known.length = static_cast<std::size_t>(static_cast<std::int64_t>(e.header.elements)) * width;
  known.header = e.header.header;
  s.last_known = e.known.add(known);
  return nullptr;
}

}  // namespace

void add_arrays(napi_env env, napi_value exports, Environment& e) noexcept {
  const napi_property_descriptor list[] = {HITPATH_FUNCTION("learnArray", LearnArray)};
  napi_define_properties(env, exports, sizeof list / sizeof *list, list);
}

}  // namespace hitpath
