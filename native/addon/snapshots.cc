// Records of snapshots: a slice of a region into a buffer, and a block of a file into the region of a LocalCache, each in one crossing.
#include "snapshots.h"

#include "keys.h"
#include "snapshot.h"

namespace hitpath {

namespace {

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

}  // namespace

void add_snapshots(napi_env env, napi_value exports, Environment& e) noexcept {
  const napi_property_descriptor list[] = {HITPATH_FUNCTION("saveRecords", SaveRecords),
                                           HITPATH_FUNCTION("sumRecords", SumRecords),
                                           HITPATH_FUNCTION("restoreRecords", RestoreRecords)};
  napi_define_properties(env, exports, sizeof list / sizeof *list, list);
  add_snapshot_blocks(env, exports, e);
}

}  // namespace hitpath
