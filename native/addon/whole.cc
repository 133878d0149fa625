// open, close, and the operations on the whole cache: cold calls, through node-addon-api.
//
// Arguments are read by As<>, not ToNumber() or ToString(): in a worker that is being terminated a coercion fails and leaves a value
// without an environment, whose next use aborts the process.
#include <napi.h>

#include <algorithm>
#include <cmath>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "glob.h"
#include "keys.h"
#include "ticker.h"

namespace hitpath {

namespace {

Environment& environment(const Napi::CallbackInfo& info) { return *static_cast<Environment*>(info.Data()); }

Napi::Value undefined(const Napi::CallbackInfo& info) { return info.Env().Undefined(); }

void give_back_pins(Handle& h) noexcept {
  for (const auto& [at, count] : h.pins)
    for (u32 i = 0; i < count; ++i) h.cache.unpin(static_cast<u32>(at >> 32), static_cast<u32>(at));
  h.pins.clear();
}

void removed_from_local(void* context, u32 slot, Reason reason) noexcept {
  static_cast<Handle*>(context)->removals.emplace_back(slot, reason);
}

/// staging.offset: bytes of the region. plan(shards, entries, arena bytes, default ttl, flags, max pinned).
Config read_config(const Napi::CallbackInfo& info, std::size_t from) {
  Config c;
  const auto number = [&](std::size_t i) { return info[from + i].As<Napi::Number>().DoubleValue(); };
  c.shards = static_cast<u32>(number(0));
  c.max_entries = static_cast<u32>(number(1));
  c.arena_bytes = static_cast<u64>(number(2));
  c.default_ttl = number(3);
  c.flags = static_cast<u32>(number(4));
  c.max_pinned = static_cast<u32>(number(5));
  return c;
}

/// How many bytes a region with these options takes; NaN when they are out of range.
Napi::Value RegionBytes(const Napi::CallbackInfo& info) {
  Geometry g;
  if (!plan(read_config(info, 0), g)) return Napi::Number::New(info.Env(), std::numeric_limits<f64>::quiet_NaN());
  return Napi::Number::New(info.Env(), static_cast<f64>(g.region_bytes));
}

/// Keys fall on groups and slots at random, so a large cache spends much of a hit on finding its pages.
void ask_for_large_pages(void* base, const Geometry& g) noexcept {
#if defined(__linux__)
  constexpr u64 kLarge = u64{2} << 20;
  for (u64 at = sizeof(Header); at < g.region_bytes; at += g.shard_bytes) {
    const u64 start = reinterpret_cast<std::uintptr_t>(base) + at + g.at_slots;
    const u64 from = (start + kLarge - 1) / kLarge * kLarge;
    const u64 to = (start + g.at_wheel - g.at_slots) / kLarge * kLarge;
    if (to > from) madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
  }
#else
  (void)base, (void)g;
#endif
}

/// create(region: Uint8Array, seed: Uint8Array(16), ...options): formats zeroed bytes. staging.now when the clock is foreign.
Napi::Value Create(const Napi::CallbackInfo& info) {
  Environment& e = environment(info);
  void *data = nullptr, *random = nullptr;
  std::size_t length = 0, random_length = 0;
  e.fail(Status::shape_mismatch);
  if (napi_get_buffer_info(info.Env(), info[0], &data, &length) != napi_ok) return undefined(info);
  if (napi_get_buffer_info(info.Env(), info[1], &random, &random_length) != napi_ok || random_length < 16)
    return undefined(info);
  Config c = read_config(info, 2);
  std::memcpy(&c.seed, random, 8);
  std::memcpy(&c.id, static_cast<u8*>(random) + 8, 8);
  Geometry g;
  if (!plan(c, g) || g.region_bytes > length) return undefined(info);
  ask_for_large_pages(data, g);
  const auto cache = std::make_unique<Cache>();
  cache->create(data, c, g, (c.flags & kFlagForeignClock) != 0 ? e.staging->now : monotonic_ms());
  e.staging->status = static_cast<u32>(Status::ok);
  return undefined(info);
}

/// open(region, remembered): an object whose life is the cache's, or the number of a RegionFault. staging.cache: its id.
Napi::Value Open(const Napi::CallbackInfo& info) {
  Environment& e = environment(info);
  Napi::Env env = info.Env();
  void* data = nullptr;
  std::size_t length = 0;
  const auto fault = [&](RegionFault f) { return Napi::Number::New(env, static_cast<u32>(f)); };
  if (napi_get_buffer_info(env, info[0], &data, &length) != napi_ok) return fault(RegionFault::not_a_region);
  if (reinterpret_cast<std::uintptr_t>(data) % 8 != 0) return fault(RegionFault::not_a_region);
  Config config;
  Geometry geometry;
  const RegionFault found = read_header(data, length, config, geometry);
  if (found != RegionFault::none) return fault(found);

  auto* h = new Handle;
  h->serial = ++e.last_serial;
  h->cache.open(data, config, geometry);
  h->local = (config.flags & kFlagShared) == 0;
  h->foreign_clock = (config.flags & kFlagForeignClock) != 0;
  if (h->local) h->cache.set_sink({removed_from_local, h});
  napi_create_reference(env, info[0], 1, &h->region);
  u32 id = static_cast<u32>(e.handles.size());
  if (e.free_ids.empty())
    e.handles.push_back(h);
  else {
    id = e.free_ids.back();
    e.free_ids.pop_back();
    e.handles[id] = h;
  }
  e.staging->cache = id;
  Napi::Object token = Napi::Object::New(env);
  token["id"] = id;
  token["slots"] = geometry.slots;
  token["slotsAt"] = static_cast<f64>(sizeof(Header) + geometry.at_slots);
  token["shardBytes"] = static_cast<f64>(geometry.shard_bytes);
  token["shards"] = config.shards;
  token["maxEntries"] = config.max_entries;
  token["arenaBytes"] = static_cast<f64>(config.arena_bytes);
  token["maxPayload"] = static_cast<f64>(h->cache.max_payload());
  token["defaultTtl"] = config.default_ttl;
  token["flags"] = config.flags;
  // When JavaScript lets go of the token without close(), the handle goes with it.
  token.AddFinalizer(
      [id, serial = h->serial](Napi::Env, Environment* owner) {
        // Closed long ago, its id and its memory may be another cache's.
        const Handle* there = id < owner->handles.size() ? owner->handles[id] : nullptr;
        if (there != nullptr && there->serial == serial) close_handle(*owner, id);
      },
      &e);
  return token;
}

/// remember(words: Uint32Array, one a slot).
Napi::Value Remember(const Napi::CallbackInfo& info) {
  Environment& e = environment(info);
  Handle* h = e.current();
  void* data = nullptr;
  std::size_t length = 0;
  if (h == nullptr || napi_get_buffer_info(info.Env(), info[0], &data, &length) != napi_ok) return undefined(info);
  if (length < u64{4} * h->cache.geometry().slots * h->cache.config().shards) return undefined(info);
  napi_create_reference(info.Env(), info[0], 1, &h->remembered_ref);
  h->remembered = static_cast<u32*>(data);
  return undefined(info);
}

Napi::Value Close(const Napi::CallbackInfo& info) {
  Environment& e = environment(info);
  if (e.current() != nullptr) close_handle(e, e.staging->cache);
  return undefined(info);
}

/// Closes the region for every thread.
Napi::Value CloseRegion(const Napi::CallbackInfo& info) {
  Environment& e = environment(info);
  if (Handle* h = e.current()) h->cache.close_region();
  return undefined(info);
}

/// advance(budget): steps left. staging.deadline: when there is work again.
Napi::Value Advance(const Napi::CallbackInfo& info) {
  Environment& e = environment(info);
  Handle* h = e.current();
  if (h == nullptr) return Napi::Number::New(info.Env(), 0);
  const u32 left = h->cache.advance(h->now(*e.staging), info[0].As<Napi::Number>().Uint32Value());
  h->cache.flush_counts();
  e.staging->deadline = h->cache.next_due();
  e.staging->extra[0] = h->now(*e.staging);
  e.done(*h);
  report_removals(e, *h);
  return Napi::Number::New(info.Env(), left);
}

Napi::Value Size(const Napi::CallbackInfo& info) {
  Environment& e = environment(info);
  Handle* h = e.current();
  return Napi::Number::New(info.Env(), h == nullptr ? 0 : h->cache.size());
}

/// Takes up to the scratch area's fill of removals, [slot, reason] each; staging.count: how many.
Napi::Value DrainRemovals(const Napi::CallbackInfo& info) {
  Environment& e = environment(info);
  Handle* h = e.current();
  if (h == nullptr) return undefined(info);
  const std::size_t count = std::min<std::size_t>(h->removals.size(), Environment::kScratchBytes / 8);
  u32* out = reinterpret_cast<u32*>(e.scratch);
  for (std::size_t i = 0; i < count; ++i) {
    out[2 * i] = h->removals[i].first;
    out[2 * i + 1] = static_cast<u32>(h->removals[i].second);
  }
  if (count == h->removals.size()) {
    h->removals.clear();
    if (h->removals.capacity() > 4096) h->removals.shrink_to_fit();
  } else {
    h->removals.erase(h->removals.begin(), h->removals.begin() + static_cast<std::ptrdiff_t>(count));
  }
  e.staging->count = static_cast<u32>(count);
  return undefined(info);
}

/// victim(): staging.slot, kNil without one.
Napi::Value Victim(const Napi::CallbackInfo& info) {
  Environment& e = environment(info);
  Handle* h = e.current();
  if (h == nullptr) return undefined(info);
  e.staging->slot = h->cache.next_victim(h->now(*e.staging));
  return undefined(info);
}

constexpr u32 kHold = 256;  // entries removed, or slots swept, under one lock

Napi::Value EraseTag(const Napi::CallbackInfo& info) {
  Environment& e = environment(info);
  Handle* h = e.current();
  Digest tag;
  u64 removed = 0;
  if (h == nullptr) return undefined(info);
  if (!read_tag(e, info[0], tag)) return e.fail(Status::shape_mismatch), undefined(info);
  const f64 now = h->now(*e.staging);
  for (u32 i = 0; i < h->cache.config().shards; ++i)
    while (h->cache.erase_tag(tag, i, kHold, now, removed)) {}
  e.done(*h);
  report_removals(e, *h);
  return Napi::Number::New(info.Env(), static_cast<f64>(removed));
}

/// erasePattern(glob, slots): string keys that match. JavaScript holds the long ones, and says in which slots those that
/// match stand, in ascending order.
Napi::Value ErasePattern(const Napi::CallbackInfo& info) {
  Environment& e = environment(info);
  Handle* h = e.current();
  if (h == nullptr) return undefined(info);
  const std::u16string text = info[0].As<Napi::String>().Utf16Value();
  const std::span<const u16> pattern(reinterpret_cast<const u16*>(text.data()), text.size());
  void* data = nullptr;
  std::size_t bytes = 0;
  if (info[1].IsTypedArray() && napi_get_buffer_info(info.Env(), info[1], &data, &bytes) != napi_ok) bytes = 0;
  const std::span<const u32> slots(static_cast<const u32*>(data), bytes / sizeof(u32));
  const f64 now = h->now(*e.staging);
  u64 removed = 0;
  const auto matches = [&](const Hit& hit, const Cache::StoredKey& key) noexcept {
    bool same = false;
    if (key.kind == kKeyLatin1) same = glob_match(pattern, SharedUnits<u8>(key.bytes, key.length));
    if (key.kind == kKeyUtf16) same = glob_match(pattern, SharedUnits<u16>(key.bytes, key.length / 2));
    if (key.kind == kKeyLong) same = std::binary_search(slots.begin(), slots.end(), hit.slot);
    removed += same;
    return same;
  };
  for (u32 cursor = 0; cursor != kNil;) cursor = h->cache.sweep(cursor, kHold, now, Reason::invalidated, matches);
  e.done(*h);
  report_removals(e, *h);
  return Napi::Number::New(info.Env(), static_cast<f64>(removed));
}

/// Whether a key matches a glob, for the keys that JavaScript holds.
Napi::Value Matches(const Napi::CallbackInfo& info) {
  const std::u16string pattern = info[0].As<Napi::String>().Utf16Value(), key = info[1].As<Napi::String>().Utf16Value();
  return Napi::Boolean::New(info.Env(), glob_match(pattern, key));
}

/// What long keys are hashed with on this processor.
Napi::Value Instructions(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), vector_instructions());
}

Napi::Value Clear(const Napi::CallbackInfo& info) {
  Environment& e = environment(info);
  Handle* h = e.current();
  if (h == nullptr) return undefined(info);
  for (u32 cursor = 0; cursor != kNil;) cursor = h->cache.clear(cursor, kHold);
  e.done(*h);
  report_removals(e, *h);
  return undefined(info);
}

/// scan(cursor): [slot, seq, kind, key, ...] of some live entries; staging.slot: the next cursor, or kNil.
Napi::Value Scan(const Napi::CallbackInfo& info) {
  Environment& e = environment(info);
  Napi::Env env = info.Env();
  Handle* h = e.current();
  if (h == nullptr) return undefined(info);
  struct Found {
    u32 slot, seq;
    u8 kind;
    std::size_t at, length;
  };
  std::vector<Found> found;
  std::vector<u8> bytes;
  const auto collect = [&](const Hit& hit, const Cache::StoredKey& key) noexcept {
    const std::size_t at = (bytes.size() + 7) & ~std::size_t{7};
    bytes.resize(at + key.length);
    copy_out(bytes.data() + at, key.bytes, key.length);
    found.push_back({hit.slot, hit.seq, key.kind, at, key.length});
    return false;
  };
  e.staging->slot =
      h->cache.sweep(info[0].As<Napi::Number>().Uint32Value(), 4 * kHold, h->now(*e.staging), Reason::deleted, collect);
  e.done(*h);
  Napi::Array out = Napi::Array::New(env, found.size() * 4);
  u32 i = 0;
  for (const Found& f : found) {
    const u8* key = bytes.data() + f.at;
    out[i++] = Napi::Number::New(env, f.slot);
    out[i++] = Napi::Number::New(env, f.seq);
    out[i++] = Napi::Number::New(env, f.kind);
    napi_value text = nullptr;
    f64 number = 0;
    switch (f.kind) {
      case kKeyLatin1: napi_create_string_latin1(env, reinterpret_cast<const char*>(key), f.length, &text); break;
      case kKeyUtf16: napi_create_string_utf16(env, reinterpret_cast<const char16_t*>(key), f.length / 2, &text); break;
      case kKeyNumber:
        std::memcpy(&number, key, 8);
        text = Napi::Number::New(env, number);
        break;
      default: text = Napi::Buffer<u8>::Copy(env, key, f.length);
    }
    out[i++] = Napi::Value(env, text);
  }
  return out;
}

Napi::Value GetStats(const Napi::CallbackInfo& info) {
  Environment& e = environment(info);
  Handle* h = e.current();
  if (h == nullptr) return undefined(info);
  h->cache.count(static_cast<u64>(e.staging->extra[1]), 0);  // hits that JavaScript judged
  const Stats s = h->cache.stats();
  Napi::Object out = Napi::Object::New(info.Env());
  const auto put = [&](const char* name, auto value) {
    out[name] = Napi::Number::New(info.Env(), static_cast<f64>(value));
  };
  put("entries", s.entries);
  put("hits", s.hits);
  put("misses", s.misses);
  put("inserts", s.inserts);
  put("updates", s.updates);
  put("deletes", s.deletes);
  put("evictions", s.evictions);
  put("expirations", s.expirations);
  put("invalidations", s.invalidations);
  put("rejections", s.rejections);
  put("tags", s.tags);
  put("arenaBytes", s.arena_bytes);
  put("freeBytes", s.free_bytes);
  put("pinnedBytes", s.pinned_bytes);
  put("largestFreeBytes", s.largest_free);
  put("regionBytes", s.region_bytes);
  put("shards", s.shards);
  put("slots", s.slots);
  put("smallShare", s.small_share);
  put("longestHand", s.hand_steps);
  e.done(*h);
  return out;
}

Napi::Value ProbeLengths(const Napi::CallbackInfo& info) {
  Environment& e = environment(info);
  Handle* h = e.current();
  if (h == nullptr) return undefined(info);
  f64 mean = 0;
  u32 longest = 0;
  h->cache.probe_lengths(mean, longest);
  Napi::Object out = Napi::Object::New(info.Env());
  out["mean"] = mean;
  out["longest"] = longest;
  return out;
}

Napi::Value Validate(const Napi::CallbackInfo& info) {
  Environment& e = environment(info);
  Handle* h = e.current();
  if (h == nullptr) return undefined(info);
  const char* fault = h->cache.validate();
  return fault == nullptr ? info.Env().Null() : Napi::Value(Napi::String::New(info.Env(), fault));
}

void end_environment(void* data) {
  auto& e = *static_cast<Environment*>(data);
  Ticker::remove(reinterpret_cast<Word<f64>*>(&e.staging->tick));
  // A worker that is terminated gives its pins back here; the regions live on in the other threads.
  for (Handle* h : e.handles)
    if (h != nullptr) give_back_pins(*h);
}

}  // namespace

void close_handle(Environment& e, u32 id) noexcept {
  Handle* h = e.handles[id];
  give_back_pins(*h);
  h->cache.flush_counts();
  if (h->remembered_ref != nullptr) napi_delete_reference(e.env, h->remembered_ref);
  napi_delete_reference(e.env, h->region);
  e.handles[id] = nullptr;
  e.free_ids.push_back(id);
  delete h;
}

void add_whole(napi_env raw, napi_value target, Environment& e) noexcept {
  Napi::Env env(raw);
  Napi::Object exports(raw, target);
  const auto add = [&](const char* name, Napi::Value (*callback)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, callback, name, &e));
  };
  add("regionBytes", RegionBytes);
  add("create", Create);
  add("open", Open);
  add("remember", Remember);
  add("close", Close);
  add("closeRegion", CloseRegion);
  add("advance", Advance);
  add("size", Size);
  add("drainRemovals", DrainRemovals);
  add("victim", Victim);
  add("eraseTag", EraseTag);
  add("erasePattern", ErasePattern);
  add("matches", Matches);
  add("instructions", Instructions);
  add("clear", Clear);
  add("scan", Scan);
  add("stats", GetStats);
  add("probeLengths", ProbeLengths);
  add("validate", Validate);
}

/// start(staging): the binding of this environment. Called once by the loader.
Napi::Value Start(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  void* data = nullptr;
  std::size_t length = 0;
  if (napi_get_buffer_info(env, info[0], &data, &length) != napi_ok || length < kStagingBytes ||
      reinterpret_cast<std::uintptr_t>(data) % 8 != 0) {
    Napi::TypeError::New(env, "start() expects a Uint8Array of the staging area's size").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  auto* e = new Environment;
  e->env = env;
  e->staging = static_cast<Staging*>(data);
  e->scratch = static_cast<u8*>(data) + kStagingScratch;
  napi_create_reference(env, info[0], 1, &e->staging_ref);
  Ticker::add(reinterpret_cast<Word<f64>*>(&e->staging->tick));
  napi_add_env_cleanup_hook(env, end_environment, e);
  // Finalized after every token, since it is older than all of them.
  napi_set_instance_data(
      env, e, [](napi_env, void* owner, void*) { delete static_cast<Environment*>(owner); }, nullptr);
  Napi::Object binding = Napi::Object::New(env);
  add_reads(env, binding, *e);
  add_writes(env, binding, *e);
  add_batches(env, binding, *e);
  add_snapshots(env, binding, *e);
  add_whole(env, binding, *e);
  return binding;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports.Set("fingerprint", Napi::BigInt::New(env, kFingerprint));
  exports.Set("start", Napi::Function::New(env, Start, "start"));
  return exports;
}

NODE_API_MODULE(hitpath, Init)

}  // namespace hitpath
