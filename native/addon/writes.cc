// set, delete.
#include <algorithm>
#include <limits>

#include "keys.h"

namespace hitpath {

namespace {

/// The value of a set, from where the staging area says that it is.
bool read_value(Environment& e, napi_value argument, Value& value) noexcept {
  const Staging& s = *e.staging;
  value.tag = static_cast<u8>(s.value_tag);
  void* data = nullptr;
  std::size_t length = 0;
  switch (s.value_form) {
    case kValueNone: return true;
    case kValueNumber:
      value.bytes = &s.extra[1];
      value.length = 8;
      return true;
    case kValueBytes:
      if (napi_get_buffer_info(e.env, argument, &data, &length) != napi_ok)
        return e.fail(Status::shape_mismatch), false;
      break;
    case kValueScratch:
      if (!(s.offset >= 0 && s.length >= 0 && s.offset + s.length <= Environment::kScratchBytes))
        return e.fail(Status::shape_mismatch), false;
      data = e.scratch + static_cast<u32>(s.offset);
      length = static_cast<u32>(s.length);
      break;
    case kValueString: {
      if (napi_get_value_string_utf16(e.env, argument, nullptr, 0, &length) != napi_ok)
        return e.fail(Status::shape_mismatch), false;
      if (length > (u32{1} << 30)) return e.fail(Status::too_large), false;
      e.value_bytes.resize((length + 1) * 3);
      auto* units = reinterpret_cast<char16_t*>(e.value_bytes.data());
      napi_get_value_string_utf16(e.env, argument, units, length + 1, &length);
      u8* narrowed = e.value_bytes.data() + 2 * (length + 1);
      const bool latin1 = narrow(reinterpret_cast<const u16*>(units), static_cast<u32>(length), narrowed);
      value.tag = latin1 ? kTagLatin1 : kTagUtf16;
      data = latin1 ? static_cast<void*>(narrowed) : units;
      if (!latin1) length *= 2;
      break;
    }
    default: return e.fail(Status::shape_mismatch), false;
  }
  if (length > 0xffff'0000u) return e.fail(Status::too_large), false;
  value.bytes = data;
  value.length = static_cast<u32>(length);
  value.suffix = e.scratch + kScratchSuffix;
  value.suffix_length = std::min(s.suffix_length, kScratchValue - kScratchSuffix);
  return true;
}

/// An array of names, or undefined. Repetitions count once.
bool read_tags(Environment& e, napi_value list, u32& count) noexcept {
  Digest* const tags = e.tags;
  count = 0;
  bool is_array = false;
  if (napi_is_array(e.env, list, &is_array) != napi_ok || !is_array) return true;
  u32 length = 0;
  napi_get_array_length(e.env, list, &length);
  for (u32 i = 0; i < length; ++i) {
    napi_value item;
    Digest tag;
    if (napi_get_element(e.env, list, i, &item) != napi_ok || !read_tag(e, item, tag))
      return e.fail(Status::shape_mismatch), false;
    if (std::find(tags, tags + count, tag) != tags + count) continue;
    if (count == kMaxTags) return e.fail(Status::too_large), false;
    tags[count++] = tag;
  }
  return true;
}

void set(Environment& e, Handle& h, const KeyReader& reader, const Call<3>& call) noexcept {
  Staging& s = *e.staging;
  h.cache.prefetch_home(reader.key);
  const f64 now = h.now(s);
  const f64 ttl = s.ttl != s.ttl ? h.cache.config().default_ttl : s.ttl;
  Value value;
  u32 tag_count = 0;
  s.removed = 0;
  if (!read_value(e, call.args[1], value)) return;
  if (call.count > 2 && !read_tags(e, call.args[2], tag_count)) return;
  Placed placed;
  const f64 deadline = now + ttl;
  const Status status =
      h.cache.set(reader.key, value, std::span<const Digest>(e.tags, tag_count), deadline, now, placed);
  s.status = static_cast<u32>(status);
  s.slot = placed.slot;
  s.seq = placed.seq;
  s.count = placed.replaced;
  s.form = reader.key.kind;
  s.deadline = deadline;
  if (!h.removals.empty()) report_removals(e, h);
}

napi_value SetString(napi_env env, napi_callback_info info) {
  Call<3> call(env, info);
  Environment& e = *call.environment;
  KeyReader reader;
  if (Handle* h = e.current(); h != nullptr && reader.read_string(e, *h, call.args[0])) set(e, *h, reader, call);
  return nullptr;
}

napi_value SetStaged(napi_env env, napi_callback_info info) {
  Call<3> call(env, info);
  Environment& e = *call.environment;
  KeyReader reader;
  if (Handle* h = e.current(); h != nullptr && reader.read_staged(e, *h, call.args[0])) set(e, *h, reader, call);
  return nullptr;
}

void erase(Environment& e, Handle& h, const KeyReader& reader) noexcept {
  const bool erased = h.cache.erase(reader.key, h.now(*e.staging));
  e.done(h, erased ? Status::ok : Status::miss);
  report_removals(e, h);
}

napi_value EraseString(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  Environment& e = *call.environment;
  KeyReader reader;
  if (Handle* h = e.current(); h != nullptr && reader.read_string(e, *h, call.args[0])) erase(e, *h, reader);
  return nullptr;
}

napi_value EraseStaged(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  Environment& e = *call.environment;
  KeyReader reader;
  if (Handle* h = e.current(); h != nullptr && reader.read_staged(e, *h, call.args[0])) erase(e, *h, reader);
  return nullptr;
}

/// Finds a key, or puts it in without a value after the entry of slot staging.count was let go. staging.count: 1 when it was there.
void take(Environment& e, Handle& h, const KeyReader& reader) noexcept {
  Staging& s = *e.staging;
  h.cache.prefetch_home(reader.key);
  Hit hit;
  s.form = reader.key.kind;
  s.status = static_cast<u32>(Status::ok);
  if (h.cache.find(reader.key, hit)) {
    s.slot = hit.slot;
    s.seq = hit.seq;
    s.count = 1;
    return;
  }
  h.cache.erase_at(s.count);
  Placed placed;
  s.status = static_cast<u32>(h.cache.set(reader.key, Value{}, {}, std::numeric_limits<f64>::infinity(), 0, placed));
  s.slot = placed.slot;
  s.seq = placed.seq;
  s.count = 0;
  h.removals.clear();
}

napi_value TakeString(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  Environment& e = *call.environment;
  KeyReader reader;
  if (Handle* h = e.current(); h != nullptr && reader.read_string(e, *h, call.args[0])) take(e, *h, reader);
  return nullptr;
}

napi_value TakeStaged(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  Environment& e = *call.environment;
  KeyReader reader;
  if (Handle* h = e.current(); h != nullptr && reader.read_staged(e, *h, call.args[0])) take(e, *h, reader);
  return nullptr;
}

/// Lets go of the entry in slot staging.count.
napi_value EraseAt(napi_env env, napi_callback_info info) {
  Call<0> call(env, info);
  Environment& e = *call.environment;
  Handle* h = e.current();
  if (h == nullptr) return nullptr;
  h->cache.erase_at(e.staging->count);
  h->removals.clear();
  return nullptr;
}

}  // namespace

void add_writes(napi_env env, napi_value exports, Environment& e) noexcept {
  const napi_property_descriptor list[] = {
      HITPATH_FUNCTION("setString", SetString),     HITPATH_FUNCTION("setStaged", SetStaged),
      HITPATH_FUNCTION("eraseString", EraseString), HITPATH_FUNCTION("eraseStaged", EraseStaged),
      HITPATH_FUNCTION("takeString", TakeString),   HITPATH_FUNCTION("takeStaged", TakeStaged),
      HITPATH_FUNCTION("eraseAt", EraseAt)};
  napi_define_properties(env, exports, sizeof list / sizeof *list, list);
}

}  // namespace hitpath
