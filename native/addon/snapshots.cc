// Records of snapshots: a slice of a region into a buffer, and a block of a file into a region, each in one crossing.
#include <algorithm>
#include <memory>

#include "keys.h"
#include "snapshot.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace hitpath {

namespace {

bool buffer_of(napi_env env, napi_value value, std::span<u8>& out) noexcept {
  void* data = nullptr;
  std::size_t length = 0;
  if (napi_get_buffer_info(env, value, &data, &length) != napi_ok) return false;
  out = {static_cast<u8*>(data), length};
  return true;
}

/// saveRecords(out): slots from staging.slot on, staging.count of them; extra[0] is the wall clock, by which deadlines are written. Then slot is the next
/// cursor or kNil, count the records, length their bytes, extra[1] the bytes that the first one needs when it does not fit.
/// Of a LocalCache, the scratch says the slot of each.
napi_value SaveRecords(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  Environment& e = *call.environment;
  Staging& s = *e.staging;
  Handle* h = e.current();
  std::span<u8> out;
  if (h == nullptr) return nullptr;
  if (!buffer_of(env, call.args[0], out)) return e.fail(Status::shape_mismatch), nullptr;
  u32* at = h->local ? reinterpret_cast<u32*>(e.scratch) : nullptr;
  if (at != nullptr && s.count > Environment::kScratchBytes / 4) return e.fail(Status::shape_mismatch), nullptr;
  const f64 now = h->now(s);
  const SavedSlice slice = save_records(h->cache, s.slot, s.count, out, s.extra[0] - now, now, at);
  s.slot = slice.cursor;
  s.count = slice.records;
  s.length = static_cast<f64>(slice.bytes);
  s.extra[1] = static_cast<f64>(slice.wanted);
  e.done(*h);
  return nullptr;
}

/// sumRecords(bytes, seed, out): XXH3-64 of the bytes, seeded with the eight bytes of `seed`, into the eight of `out`.
napi_value SumRecords(napi_env env, napi_callback_info info) {
  Call<3> call(env, info);
  Environment& e = *call.environment;
  std::span<u8> bytes, seed, out;
  if (!buffer_of(env, call.args[0], bytes) || !buffer_of(env, call.args[1], seed) ||
      !buffer_of(env, call.args[2], out) || seed.size() < 8 || out.size() < 8)
    return e.fail(Status::shape_mismatch), nullptr;
  u64 word;
  std::memcpy(&word, seed.data(), 8);
  const u64 sum = xxh3_64_long(bytes.data(), bytes.size(), word);
  std::memcpy(out.data(), &sum, 8);
  e.staging->status = static_cast<u32>(Status::ok);
  return nullptr;
}

/// checkRecords(bytes): whether they are staging.count records.
napi_value CheckRecords(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  std::span<u8> bytes;
  const bool sound = buffer_of(env, call.args[0], bytes) && check_records(bytes, call.environment->staging->count);
  napi_value result = nullptr;
  napi_get_boolean(env, sound, &result);
  return result;
}

/// restoreRecords(bytes, where), of a LocalCache: staging.count records; extra[0] is the wall clock, by which deadlines are read,
/// bits: 1 replaces live entries, form: the dtypes of typed arrays, a bit each. `where` takes four words a record, a RestoredAt. Then extra[0] is
/// how many were restored, extra[1] kept, extra[2] expired, count rejected, and length foreign.
napi_value RestoreRecords(napi_env env, napi_callback_info info) {
  Call<2> call(env, info);
  Environment& e = *call.environment;
  Staging& s = *e.staging;
  Handle* h = e.current();
  std::span<u8> bytes, where;
  if (h == nullptr) return nullptr;
  if (!buffer_of(env, call.args[0], bytes)) return e.fail(Status::shape_mismatch), nullptr;
  if (!h->local || !buffer_of(env, call.args[1], where) || where.size() / sizeof(RestoredAt) < s.count)
    return e.fail(Status::out_too_small), nullptr;
  // Whoever calls has checked them; a region is not trusted to that.
  if (!check_records(bytes, s.count)) return e.fail(Status::shape_mismatch), nullptr;
  Restoring how;
  how.now = h->now(s);
  how.shift = how.now - s.extra[0];
  how.replace = (s.bits & 1) != 0;
  how.dtypes = s.form;
  how.where = reinterpret_cast<RestoredAt*>(where.data());
  const RestoredSlice result = restore_records(h->cache, bytes, s.count, how);
  s.extra[0] = static_cast<f64>(result.restored);
  s.extra[1] = static_cast<f64>(result.kept);
  s.extra[2] = static_cast<f64>(result.expired);
  s.length = static_cast<f64>(result.foreign);
  s.count = static_cast<u32>(result.rejected);
  e.done(*h, result.status);
  report_removals(e, *h);
  return nullptr;
}

/// A block on its way into a shared region, in a thread of the pool. What it reads and writes is kept alive by references.
struct Restoration {
  Cache cache;  // a view of its own
  std::span<const u8> bytes;
  u32 records = 0;
  Restoring how;
  RestoredSlice result;
  napi_ref body = nullptr;
  napi_ref region = nullptr;
  napi_deferred deferred = nullptr;
  napi_async_work work = nullptr;
};

void end_restoration(napi_env env, napi_status, void* data) {
  const std::unique_ptr<Restoration> r(static_cast<Restoration*>(data));
  const f64 counts[] = {static_cast<f64>(r->cache.damaged() ? Status::damaged : r->result.status),
                        static_cast<f64>(r->result.restored),
                        static_cast<f64>(r->result.kept),
                        static_cast<f64>(r->result.expired),
                        static_cast<f64>(r->result.rejected),
                        static_cast<f64>(r->result.foreign)};
  napi_value list = nullptr;
  napi_create_array_with_length(env, std::size(counts), &list);
  for (u32 i = 0; i < std::size(counts); ++i) {
    napi_value number = nullptr;
    napi_create_double(env, counts[i], &number);
    napi_set_element(env, list, i, number);
  }
  napi_resolve_deferred(env, r->deferred, list);
  napi_delete_reference(env, r->body);
  napi_delete_reference(env, r->region);
  napi_delete_async_work(env, r->work);
}

/// restoreShared(bytes): as restoreRecords() of a SharedCache, elsewhere, and of one part of its shards: bits holds part << 8 and
/// parts << 16. A promise of [status, restored, kept, expired, rejected, foreign].
/// The bytes must stay as they are until it settles. Undefined, with the status set, when it cannot begin.
napi_value RestoreShared(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  Environment& e = *call.environment;
  const Staging& s = *e.staging;
  Handle* h = e.current();
  std::span<u8> bytes;
  if (h == nullptr) return nullptr;
  if (h->local || !buffer_of(env, call.args[0], bytes)) return e.fail(Status::shape_mismatch), nullptr;
  napi_value region = nullptr, name = nullptr, promise = nullptr;
  void* base = nullptr;
  std::size_t length = 0;
  if (napi_get_reference_value(env, h->region, &region) != napi_ok ||
      napi_get_buffer_info(env, region, &base, &length) != napi_ok)
    return e.fail(Status::closed), nullptr;
  auto r = std::make_unique<Restoration>();
  r->cache.open(base, h->cache.config(), h->cache.geometry());
  r->bytes = bytes;
  r->records = s.count;
  r->how.now = h->now(s);
  r->how.shift = r->how.now - s.extra[0];
  r->how.replace = (s.bits & 1) != 0;
  r->how.part = s.bits >> 8 & 0xff;
  r->how.parts = std::max(s.bits >> 16 & 0xff, 1u);
  r->how.dtypes = s.form;
  napi_create_reference(env, call.args[0], 1, &r->body);
  napi_create_reference(env, region, 1, &r->region);
  napi_create_string_utf8(env, "hitpath.restore", NAPI_AUTO_LENGTH, &name);
  const auto execute = [](napi_env, void* data) {
    Restoration& one = *static_cast<Restoration*>(data);
    // Whoever calls has checked them; a region is not trusted to that.
    if (!check_records(one.bytes, one.records))
      one.result.status = Status::shape_mismatch;
    else
      one.result = restore_records(one.cache, one.bytes, one.records, one.how);
  };
  if (napi_create_promise(env, &r->deferred, &promise) != napi_ok ||
      napi_create_async_work(env, nullptr, name, execute, end_restoration, r.get(), &r->work) != napi_ok ||
      napi_queue_async_work(env, r->work) != napi_ok) {
    napi_delete_reference(env, r->body);
    napi_delete_reference(env, r->region);
    return e.fail(Status::no_memory), nullptr;
  }
  (void)r.release();
  e.done(*h);
  return promise;
}

/// expectBytes(): staging.length bytes of records are about to come. Of an arena that was never used they take the front, in
/// large pages: half of what a restoring costs is else the kernel's, page by page.
napi_value ExpectBytes(napi_env env, napi_callback_info info) {
  Call<0> call(env, info);
  Environment& e = *call.environment;
  Handle* h = e.current();
  if (h == nullptr) return nullptr;
#if defined(__linux__)
  napi_value region = nullptr;
  void* base = nullptr;
  std::size_t length = 0;
  if (napi_get_reference_value(env, h->region, &region) == napi_ok &&
      napi_get_buffer_info(env, region, &base, &length) == napi_ok && h->cache.size() == 0) {
    constexpr u64 kLarge = u64{2} << 20;
    const Geometry& g = h->cache.geometry();
    const u32 shards = h->cache.config().shards;
    const u64 each = std::min(static_cast<u64>(e.staging->length) / shards, h->cache.config().arena_bytes);
    for (u32 i = 0; i < shards; ++i) {
      const u64 start = reinterpret_cast<std::uintptr_t>(base) + h->cache.shard_offset(i);
      const u64 from = (start + g.at_slots + kLarge - 1) / kLarge * kLarge;
      const u64 to = (start + g.at_arena + each) / kLarge * kLarge;
      if (to > from) madvise(reinterpret_cast<void*>(from), to - from, MADV_HUGEPAGE);
    }
  }
#endif
  e.done(*h);
  return nullptr;
}

}  // namespace

void add_snapshots(napi_env env, napi_value exports, Environment& e) noexcept {
  const napi_property_descriptor list[] = {
      HITPATH_FUNCTION("saveRecords", SaveRecords),     HITPATH_FUNCTION("sumRecords", SumRecords),
      HITPATH_FUNCTION("checkRecords", CheckRecords),   HITPATH_FUNCTION("restoreRecords", RestoreRecords),
      HITPATH_FUNCTION("restoreShared", RestoreShared), HITPATH_FUNCTION("expectBytes", ExpectBytes)};
  napi_define_properties(env, exports, sizeof list / sizeof *list, list);
}

}  // namespace hitpath
