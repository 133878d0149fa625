// get, peek, has, remainingTtl, getInto, pins.
#include "keys.h"
#include "ticker.h"

namespace hitpath {

namespace {

/// Arrays up to this many bytes are copied: a view, its pin and its finalizer cost more, most of it in the collector (bench/README.md).
constexpr u32 kSmallArray = 1024;

/// Judges the deadline of an entry that was found, if one was. The staging area then says slot, or kNil.
bool judge(Environment& e, Handle& h, const Key& key, bool found, Hit& hit) noexcept {
  Staging& s = *e.staging;
  s.status = static_cast<u32>(Status::ok);
  s.removed = 0;
  const bool peek = (s.bits & kBitPeek) != 0;
  if (found && !h.alive(hit.deadline, s)) {
    found = false;
    if (h.local && !peek) {  // frees the value now rather than with the next write
      h.cache.expire(hit, h.now(s));
      report_removals(e, h);
    }
  }
  if (!peek) {
    h.cache.count(found);
    if (found) h.cache.touch(hit);
  }
  if (!found) {
    s.status = static_cast<u32>(Status::miss);
    s.slot = kNil;
    return false;
  }
  s.slot = hit.slot;
  s.seq = hit.seq;
  s.deadline = hit.deadline;
  s.form = key.kind;
  if (!h.foreign_clock && hit.deadline != std::numeric_limits<f64>::infinity()) Ticker::request();
  return true;
}

/// Finds the entry and judges its deadline.
bool find_alive(Environment& e, Handle& h, const Key& key, Hit& hit) noexcept {
  return judge(e, h, key, h.cache.find(key, hit), hit);
}

/// Hands a value of the region over: by its number, remembered, pinned, or copied into the scratch area.
void deliver(Environment& e, Handle& h, const Key& key, Hit hit) noexcept {
  Staging& s = *e.staging;
  const bool pin = (s.bits & kBitPin) != 0;
  for (;;) {
    s.slot = hit.slot;
    s.seq = hit.seq;
    s.deadline = hit.deadline;
    s.value_tag = hit.value_tag;
    s.length = hit.length;
    if (hit.value_tag <= kTagNumber) {
      f64 number = 0;
      if (hit.length == 8) std::memcpy(&number, hit.value, 8);
      s.extra[0] = number;
      s.delivery = kDelivered;
      if (h.cache.still(hit)) return;
    } else if (!pin && h.remembered != nullptr && h.remembered[hit.slot] == hit.seq) {
      s.delivery = kRemembered;
      return;
    } else {
      u64 offset = 0;
      const bool array = hit.value_tag >= kTagBuffer;
      const bool fits = hit.length <= Environment::kScratchBytes;
      if ((!array || (hit.length <= kSmallArray && !pin)) && fits) {
        s.delivery = kCopied;
        if (h.cache.copy(hit, e.scratch)) return;
      } else if (h.cache.pin(hit, offset)) {
        ++h.pins[u64{hit.shard} << 32 | hit.block];
        s.delivery = kPinned;
        s.offset = static_cast<f64>(offset);
        s.extra[1] = hit.shard;
        s.extra[2] = hit.block;
        return;
      } else if (h.cache.still(hit)) {  // the bound on pins is reached
        s.delivery = fits ? kCopied : kTooBig;
        if (!fits || h.cache.copy(hit, e.scratch)) return;
      }
    }
    // A writer came in between: what is there now?
    if (!h.cache.find(key, hit) || !h.alive(hit.deadline, s)) {
      s.status = static_cast<u32>(Status::miss);
      s.slot = kNil;
      return;
    }
  }
}

void find(Environment& e, Handle& h, const KeyReader& reader) noexcept {
  Hit hit;
  if (find_alive(e, h, reader.key, hit) && !h.local) deliver(e, h, reader.key, hit);
}

napi_value FindString(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  Environment& e = *call.environment;
  KeyReader reader;
  if (Handle* h = e.current(); h != nullptr && reader.read_string(e, *h, call.args[0])) find(e, *h, reader);
  return nullptr;
}

napi_value FindStaged(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  Environment& e = *call.environment;
  KeyReader reader;
  if (Handle* h = e.current(); h != nullptr && reader.read_staged(e, *h, call.args[0])) find(e, *h, reader);
  return nullptr;
}

/// findKnown(): as findStaged, by the number of an array that is known.
napi_value FindKnown(napi_env env, napi_callback_info) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  Environment& e = *static_cast<Environment*>(data);
  Handle* h = e.current();
  if (h == nullptr) return nullptr;
  KnownArray* known = e.known.find(e.staging->known);
  if (known == nullptr) return e.fail(Status::shape_mismatch), nullptr;
  const bool again = known->serial == h->serial;
  if (again) h->cache.prefetch_place(known->place);  // it arrives while the elements are hashed
  u8 digest[16];
  canonical(known->header.digest(known->bytes, known->length), digest);
  const Key key = make_digest_key(digest, h->cache.config().seed);
  Hit hit;
  const bool found = again ? h->cache.find_again(key, known->place, hit) : h->cache.find(key, hit);
  if (!judge(e, *h, key, found, hit)) return nullptr;
  known->serial = h->serial;
  known->place = {hit.shard, hit.index, hit.seq};
  if (!h->local) deliver(e, *h, key, hit);
  return nullptr;
}

/// remainingTtl and has: the entry without its value. staging.deadline, and the time in extra[0].
void look(Environment& e, Handle& h, const KeyReader& reader) noexcept {
  Hit hit;
  e.staging->bits |= kBitPeek;
  if (!find_alive(e, h, reader.key, hit)) return;
  e.staging->deadline = hit.deadline;
  e.staging->extra[0] = h.now(*e.staging);
}

napi_value LookString(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  Environment& e = *call.environment;
  KeyReader reader;
  if (Handle* h = e.current(); h != nullptr && reader.read_string(e, *h, call.args[0])) look(e, *h, reader);
  return nullptr;
}

napi_value LookStaged(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  Environment& e = *call.environment;
  KeyReader reader;
  if (Handle* h = e.current(); h != nullptr && reader.read_staged(e, *h, call.args[0])) look(e, *h, reader);
  return nullptr;
}

/// getInto: copies the value into an array of the caller's. staging.value_tag: what it takes (0: any), dimensions apart.
void copy_into(Environment& e, Handle& h, const KeyReader& reader, napi_value out, u32 wanted) noexcept {
  Staging& s = *e.staging;
  void* data = nullptr;
  std::size_t room = 0;
  if (napi_get_buffer_info(e.env, out, &data, &room) != napi_ok) return e.fail(Status::out_too_small);
  Hit hit;
  bool found = find_alive(e, h, reader.key, hit);
  for (; found; found = h.cache.find(reader.key, hit) && h.alive(hit.deadline, s)) {
    s.value_tag = hit.value_tag;
    s.length = hit.length;
    Status fault = Status::ok;
    u64 bytes = hit.length;
    if (wanted != 0) {
      const u32 flat = hit.value_tag >= kTagNdArray ? hit.value_tag - kTagNdArray : hit.value_tag - kTagArray;
      const u32 dtype = hit.value_tag == kTagBuffer ? wanted : flat;
      if (dtype != wanted)
        fault = Status::dtype_mismatch;
      else if (hit.value_tag >= kTagNdArray && bytes >= 4) {  // without the dimensions behind the elements
        u32 dims = 0;
        std::memcpy(&dims, hit.value + bytes - 4, 4);
        bytes = u64{4} * dims + 4 <= bytes ? bytes - 4 - u64{4} * dims : 0;
      }
    }
    if (fault == Status::ok && bytes > room) fault = Status::out_too_small;
    if (fault != Status::ok) {
      if (h.cache.still(hit)) return e.fail(fault);
      continue;
    }
    hit.length = static_cast<u32>(bytes);
    if (h.cache.copy(hit, data)) return;
  }
  e.fail(Status::miss);
}

napi_value CopyString(napi_env env, napi_callback_info info) {
  Call<2> call(env, info);
  Environment& e = *call.environment;
  KeyReader reader;
  const u32 wanted = e.staging->value_tag;
  if (Handle* h = e.current(); h != nullptr && reader.read_string(e, *h, call.args[0]))
    copy_into(e, *h, reader, call.args[1], wanted);
  return nullptr;
}

napi_value CopyStaged(napi_env env, napi_callback_info info) {
  Call<2> call(env, info);
  Environment& e = *call.environment;
  KeyReader reader;
  const u32 wanted = e.staging->value_tag;
  if (Handle* h = e.current(); h != nullptr && reader.read_staged(e, *h, call.args[0]))
    copy_into(e, *h, reader, call.args[1], wanted);
  return nullptr;
}

/// Gives back the pin of shard extra[1], block extra[2].
napi_value Unpin(napi_env env, napi_callback_info info) {
  Call<0> call(env, info);
  Environment& e = *call.environment;
  const u32 id = e.staging->cache;
  Handle* h = id < e.handles.size() ? e.handles[id] : nullptr;
  if (h == nullptr) return nullptr;
  const u32 shard = static_cast<u32>(e.staging->extra[1]), block = static_cast<u32>(e.staging->extra[2]);
  const auto at = h->pins.find(u64{shard} << 32 | block);
  if (at == h->pins.end()) return nullptr;
  if (--at->second == 0) h->pins.erase(at);
  h->cache.unpin(shard, block);
  return nullptr;
}

/// digest(array): sixteen canonical bytes at the start of the scratch area.
napi_value DigestStaged(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  Environment& e = *call.environment;
  Digest d;
  e.staging->status = static_cast<u32>(Status::ok);
  if (digest_array(e, call.args[0], d)) canonical(d, e.scratch);
  return nullptr;
}

}  // namespace

void add_reads(napi_env env, napi_value exports, Environment& e) noexcept {
  const napi_property_descriptor list[] = {
      HITPATH_FUNCTION("findString", FindString),    HITPATH_FUNCTION("findStaged", FindStaged),
      HITPATH_FUNCTION("findKnown", FindKnown),      HITPATH_FUNCTION("lookString", LookString),
      HITPATH_FUNCTION("lookStaged", LookStaged),    HITPATH_FUNCTION("copyString", CopyString),
      HITPATH_FUNCTION("copyStaged", CopyStaged),    HITPATH_FUNCTION("unpin", Unpin),
      HITPATH_FUNCTION("digestStaged", DigestStaged)};
  napi_define_properties(env, exports, sizeof list / sizeof *list, list);
}

}  // namespace hitpath
