// Many keys in one crossing: an array of strings, the rows of a matrix.
#include <algorithm>

#include "keys.h"
#include "rows.h"
#include "ticker.h"

namespace hitpath {

namespace {

constexpr u32 kInFlight = 32;
constexpr u32 kSingle = kNil - 1;  // to be asked for alone: no short string, or a value that must be delivered

/// findMany(keys): for keys[count0 ..] up to `count` of them, slots into the scratch area.
napi_value FindMany(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  Environment& e = *call.environment;
  Staging& s = *e.staging;
  Handle* h = e.current();
  if (h == nullptr) return nullptr;
  const u32 from = static_cast<u32>(s.offset), count = s.count;
  if (count > Environment::kScratchBytes / 4) return e.fail(Status::shape_mismatch), nullptr;
  u32* slots = reinterpret_cast<u32*>(e.scratch);
  KeyReader readers[kInFlight];
  Cache::Trail trails[kInFlight];
  bool valid[kInFlight];
  u64 hits = 0, misses = 0;
  for (u32 done = 0; done < count; done += kInFlight) {
    const u32 n = std::min(kInFlight, count - done);
    for (u32 i = 0; i < n; ++i) {
      napi_value item;
      napi_valuetype type = napi_undefined;
      // Strings beyond the stack share a buffer, so they are asked for alone; so is what is no string.
      std::size_t length = 0;
      valid[i] = napi_get_element(env, call.args[0], from + done + i, &item) == napi_ok &&
                 napi_typeof(env, item, &type) == napi_ok && type == napi_string &&
                 napi_get_value_string_utf16(env, item, nullptr, 0, &length) == napi_ok && length < 250 &&
                 readers[i].read_string(e, *h, item);
      if (valid[i]) trails[i] = h->cache.prefetch_groups(readers[i].key);
    }
    for (u32 i = 0; i < n; ++i)
      if (valid[i]) h->cache.prefetch_slot(readers[i].key, trails[i]);
    for (u32 i = 0; i < n; ++i) {
      u32& out = slots[done + i];
      out = kSingle;
      if (!valid[i]) continue;
      Hit hit;
      if (!h->cache.find_near(readers[i].key, trails[i], hit) || !h->alive(hit.deadline, s)) {
        out = kNil;
        ++misses;
      } else if (readers[i].key.kind != kKeyLong &&
                 (h->local || (h->remembered != nullptr && h->remembered[hit.slot] == hit.seq))) {
        out = hit.slot;
        h->cache.touch(hit);
        ++hits;
      }
    }
  }
  h->cache.count(hits, misses);
  s.status = static_cast<u32>(Status::ok);
  return nullptr;
}

/// What the staging area says of a matrix of keys: extra[0] rows, length bytes a row, strides[0] bytes between rows,
/// key_offset bytes before the first, shape of a row, form its dtype and dimensions, scope; or, by form, digests of rows.
bool read_rows(Environment& e, napi_value matrix, KeyRows& rows) noexcept {
  const Staging& s = *e.staging;
  void* data = nullptr;
  std::size_t length = 0;
  if (napi_get_buffer_info(e.env, matrix, &data, &length) != napi_ok) return e.fail(Status::shape_mismatch), false;
  const f64 count = s.extra[0], stride = s.strides[0], first = s.key_offset;
  const f64 last = first + (count > 0 ? (count - 1) * stride : 0);
  const f64 size = static_cast<f64>(length);
  if (!(count >= 0 && s.length >= 0 && first >= 0 && last >= 0 && first + s.length <= size &&
        last + s.length <= size) &&
      count != 0)
    return e.fail(Status::shape_mismatch), false;
  u64 dims[kMaxDims];
  const u32 ndim = s.form >> 16;
  if (ndim > kMaxDims) return e.fail(Status::shape_mismatch), false;
  for (u32 i = 0; i < ndim; ++i) dims[i] = static_cast<u64>(s.shape[i]);
  rows.bytes = static_cast<const u8*>(data) + static_cast<u64>(first);
  rows.rows = static_cast<u64>(count);
  rows.row_bytes = static_cast<u64>(s.length);
  rows.stride_bytes = static_cast<std::int64_t>(stride);
  const f64 scope = (s.bits & kBitScope) == 0 ? 0 : s.scope;
  rows.header = ArrayHeader(static_cast<u8>(s.form >> 8), std::span(dims, ndim),
                            static_cast<u64>(static_cast<std::int64_t>(scope)));
  rows.digests = (s.form & 0xff) == kFormDigest;
  return !rows.digests || rows.row_bytes == kDigestBytes || (e.fail(Status::shape_mismatch), false);
}

/// A typed array that may be left out: null then. False when it has fewer than `wanted` bytes.
template <class T>
bool read_optional(Environment& e, napi_value value, u64 wanted, T*& out) noexcept {
  napi_valuetype type = napi_undefined;
  napi_typeof(e.env, value, &type);
  out = nullptr;
  if (type == napi_undefined) return true;
  void* data = nullptr;
  std::size_t length = 0;
  if (napi_get_buffer_info(e.env, value, &data, &length) != napi_ok || length < wanted)
    return e.fail(Status::out_too_small), false;
  out = static_cast<T*>(data);
  return true;
}

/// The grid that rows are rounded to: a step for each element of a row of floats or doubles (src/key/dtype.ts).
bool read_grid(Environment& e, napi_value steps, KeyRows& rows) noexcept {
  constexpr u32 kFloat = 11, kDouble = 12;
  const u32 dtype = (e.staging->form >> 8) & 0xff;
  const u64 elements = rows.row_bytes / (dtype == kFloat ? sizeof(float) : sizeof(f64));
  if (!read_optional(e, steps, elements * sizeof(f64), rows.grid.steps)) return false;
  if (rows.grid.steps == nullptr) return true;
  if (rows.digests || (dtype != kFloat && dtype != kDouble)) return e.fail(Status::dtype_mismatch), false;
  e.value_bytes.resize(rows.row_bytes);
  rows.grid.row = e.value_bytes.data();
  rows.grid.elements = elements;
  rows.grid.wide = dtype == kDouble;
  return true;
}

void report(Environment& e, const RowResult& result) noexcept {
  Staging& s = *e.staging;
  s.status = static_cast<u32>(result.status);
  s.extra[0] = static_cast<f64>(result.hits);
  s.extra[1] = static_cast<f64>(result.at);
  s.value_tag = result.value_tag;
  s.length = result.length;
}

/// getRows(matrix, out, found, digests, steps): extra[1] bytes a value, value_tag its type. The digests of the rows go to `digests`, if
/// given; with `steps` rows are rounded before they are hashed.
napi_value GetRows(napi_env env, napi_callback_info info) {
  Call<5> call(env, info);
  Environment& e = *call.environment;
  Staging& s = *e.staging;
  Handle* h = e.current();
  if (h == nullptr) return nullptr;
  KeyRows rows;
  u8 *flags = nullptr, *digests = nullptr;
  void* out = nullptr;
  std::size_t room = 0;
  if (!read_rows(e, call.args[0], rows) || !read_optional(e, call.args[2], rows.rows, flags) ||
      !read_optional(e, call.args[3], rows.rows * kDigestBytes, digests) || !read_grid(e, call.args[4], rows))
    return nullptr;
  if (flags == nullptr && rows.rows != 0) return e.fail(Status::out_too_small), nullptr;
  if (napi_get_buffer_info(env, call.args[1], &out, &room) != napi_ok ||
      static_cast<f64>(rows.rows) * s.extra[1] > static_cast<f64>(room))
    return e.fail(Status::out_too_small), nullptr;
  report(e, get_rows(h->cache, rows, static_cast<u8>(s.value_tag), static_cast<u8*>(out), static_cast<u32>(s.extra[1]),
                     flags, h->now(s), digests));
  return nullptr;
}

/// setRows(matrix, values, found, ttls): stores where found is 0; found undefined: all. Row i lives for ttls[i] ms, if given.
napi_value SetRows(napi_env env, napi_callback_info info) {
  Call<4> call(env, info);
  Environment& e = *call.environment;
  Staging& s = *e.staging;
  Handle* h = e.current();
  if (h == nullptr) return nullptr;
  KeyRows rows;
  u8* flags = nullptr;
  void* values = nullptr;
  std::size_t room = 0;
  const f64* ttls = nullptr;
  if (!read_rows(e, call.args[0], rows) || !read_optional(e, call.args[2], rows.rows, flags) ||
      !read_optional(e, call.args[3], rows.rows * sizeof(f64), ttls))
    return nullptr;
  if (napi_get_buffer_info(env, call.args[1], &values, &room) != napi_ok ||
      static_cast<f64>(rows.rows) * s.extra[1] > static_cast<f64>(room))
    return e.fail(Status::out_too_small), nullptr;
  const f64 now = h->now(s);
  const f64 ttl = s.ttl != s.ttl ? h->cache.config().default_ttl : s.ttl;
  report(e, set_rows(h->cache, rows, static_cast<u8>(s.value_tag), static_cast<const u8*>(values),
                     static_cast<u32>(s.extra[1]), flags, {now + ttl, ttls}, now));
  return nullptr;
}

}  // namespace

void add_batches(napi_env env, napi_value exports, Environment& e) noexcept {
  const napi_property_descriptor list[] = {HITPATH_FUNCTION("findMany", FindMany), HITPATH_FUNCTION("getRows", GetRows),
                                           HITPATH_FUNCTION("setRows", SetRows)};
  napi_define_properties(env, exports, sizeof list / sizeof *list, list);
}

}  // namespace hitpath
