// Blocks of snapshots in threads of the pool: verified, and stored in a shared region.
//
// Blocks that lie side by side in one buffer are verified, and their records hashed and filed by shard, in one thread; then several
// threads store them, each one shard after the other, so that they do not wait for each other's locks. References keep all memory where it is
// until the last of them is done.
#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "job.h"
#include "large_pages.h"
#include "snapshot.h"
#include "snapshots.h"

namespace hitpath {

namespace {

/// Blocks side by side, and their records by shards once they are loaded.
struct Blocks {
  std::span<const u8> bytes;
  std::vector<FileBlock> blocks;
  u64 seed = 0;
  void* region = nullptr;  // nullptr: they are verified only
  Config config;
  Geometry geometry;
  std::span<RecordIndex::Entry> room;
  RecordIndex index;
  Restoring how;
  RestoredSlice counts;  // of what is not to be stored
  std::atomic<u32> next_shard{0};
  u32 storing = 0;
  References held;

  /// 0, or which block is not what it says: 1 + 2 * its number, and 1 more when it is its records.
  [[nodiscard]] u64 load() noexcept {
    for (std::size_t i = 0; i < blocks.size(); ++i)
      if (const BlockFault fault = verify_block(bytes, blocks[i], seed); fault != BlockFault::none)
        return 1 + 2 * i + (fault == BlockFault::records);
    if (region == nullptr) return 0;
    Cache cache;
    cache.open(region, config, geometry);
    index = RecordIndex(room, bytes.data(), config.shards);
    for (const FileBlock& block : blocks)
      (void)index.add(cache, block.at + kBlockHeadBytes, block.records, how, counts);
    index.sort();
    return 0;
  }
};

class LoadJob final : public Job {
 public:
  explicit LoadJob(std::unique_ptr<Blocks> blocks) noexcept : blocks_(std::move(blocks)) {}
  void run() noexcept override { fault_ = blocks_->load(); }
  napi_value finish(napi_env env) noexcept override {
    napi_value result = nullptr;
    const auto drop = [](napi_env env, void* data, void*) {
      const std::unique_ptr<Blocks> blocks(static_cast<Blocks*>(data));
      blocks->held.drop(env);
    };
    if (fault_ == 0 && blocks_->region != nullptr &&
        napi_create_external(env, blocks_.get(), drop, nullptr, &result) == napi_ok) {
      (void)blocks_.release();
      return result;
    }
    blocks_->held.drop(env);
    napi_create_double(env, static_cast<f64>(fault_), &result);
    return result;
  }

 private:
  std::unique_ptr<Blocks> blocks_;
  u64 fault_ = 0;
};

class StoreJob final : public Job {
 public:
  /// `external` is that of the blocks.
  StoreJob(napi_env env, Blocks& blocks, napi_value external) noexcept : blocks_(blocks) {
    held_.add(env, external);
    cache_.open(blocks.region, blocks.config, blocks.geometry);
    ++blocks.storing;
  }
  void run() noexcept override {
    const u32 shards = blocks_.config.shards;
    for (u32 shard; result_.status == Status::ok && (shard = blocks_.next_shard.fetch_add(1)) < shards;) {
      if (shard == 0) result_ = blocks_.counts;
      blocks_.index.store(cache_, shard, blocks_.how, result_);
    }
  }
  napi_value finish(napi_env env) noexcept override {
    const f64 counts[] = {static_cast<f64>(cache_.damaged() ? Status::damaged : result_.status),
                          static_cast<f64>(result_.restored),
                          static_cast<f64>(result_.kept),
                          static_cast<f64>(result_.expired),
                          static_cast<f64>(result_.rejected),
                          static_cast<f64>(result_.foreign)};
    napi_value list = nullptr;
    napi_create_array_with_length(env, std::size(counts), &list);
    for (u32 i = 0; i < std::size(counts); ++i) {
      napi_value number = nullptr;
      napi_create_double(env, counts[i], &number);
      napi_set_element(env, list, i, number);
    }
    if (--blocks_.storing == 0) blocks_.held.drop(env);
    held_.drop(env);
    return list;
  }

 private:
  Blocks& blocks_;
  Cache cache_;  // a view of its own
  RestoredSlice result_;
  References held_;
};

class PagesJob final : public Job {
 public:
  PagesJob(napi_env env, const Handle& h, napi_value region, void* base, u64 bytes) noexcept
      : base_(base), bytes_(bytes) {
    held_.add(env, region);
    cache_.open(base, h.cache.config(), h.cache.geometry());
  }
  void run() noexcept override {
    if (cache_.size() == 0) use_large_pages(cache_, base_, bytes_);
  }
  napi_value finish(napi_env env) noexcept override {
    held_.drop(env);
    napi_value none = nullptr;
    napi_get_undefined(env, &none);
    return none;
  }

 private:
  Cache cache_;
  void* base_;
  u64 bytes_;
  References held_;
};

/// The region of a cache that is open here. False, with the status set, when it is gone.
bool region_of(napi_env env, Environment& e, const Handle& h, napi_value& region, void*& base) noexcept {
  std::span<u8> bytes;
  if (napi_get_reference_value(env, h.region, &region) != napi_ok || !buffer_of(env, region, bytes))
    return e.fail(Status::closed), false;
  base = bytes.data();
  return true;
}

/// The blocks of a table of [offset of the head, bytes of the records, records] in `bytes`. False when they are not in there.
bool read_table(napi_env env, napi_value bytes, napi_value seed, napi_value table, Blocks& out, u64& records) noexcept {
  std::span<u8> body, words, rows;
  if (!buffer_of(env, bytes, body) || !buffer_of(env, seed, words) || !buffer_of(env, table, rows)) return false;
  if (words.size() < 8 || reinterpret_cast<std::uintptr_t>(body.data()) % 8 != 0) return false;
  std::memcpy(&out.seed, words.data(), 8);
  out.bytes = body;
  out.blocks.resize(rows.size() / 24);
  records = 0;
  for (std::size_t i = 0; i < out.blocks.size(); ++i) {
    f64 row[3];
    std::memcpy(row, rows.data() + 24 * i, sizeof row);
    const f64 size = static_cast<f64>(body.size());
    if (!(row[0] >= 0 && row[1] >= 0 && row[2] >= 0 && row[0] + kBlockHeadBytes + row[1] <= size)) return false;
    // Records that are more than there is room for would be found out later; here, what they are numbered with ends.
    if (row[2] * sizeof(RecordHead) > row[1]) return false;
    out.blocks[i] = {static_cast<u64>(row[0]), static_cast<u64>(row[1]), static_cast<u32>(row[2])};
    if (out.blocks[i].at % 8 != 0) return false;
    records += out.blocks[i].records;
  }
  return body.size() / 8 <= kNil;
}

/// verifyBlocks(bytes, seed, table): whether the blocks of the table, rows of three float64 (offset of the head, bytes of the records,
/// records), are what their checksums and numbers say. A promise: 0, or Blocks::load(). The bytes must stay until it settles.
napi_value VerifyBlocks(napi_env env, napi_callback_info info) {
  Call<3> call(env, info);
  Environment& e = *call.environment;
  auto blocks = std::make_unique<Blocks>();
  u64 records = 0;
  if (!read_table(env, call.args[0], call.args[1], call.args[2], *blocks, records))
    return e.fail(Status::shape_mismatch), nullptr;
  blocks->held.add(env, call.args[0]);
  return Job::start(env, e, std::make_unique<LoadJob>(std::move(blocks)));
}

/// loadBlocks(bytes, seed, table, room): verifyBlocks(), and the records made ready for storeBlocks() of the SharedCache; extra[0] is the wall
/// clock, by which deadlines are read, bits: 1 replaces live entries, form: the dtypes of typed arrays, a bit each. `room` has 32 bytes a
/// record. A promise of the loaded blocks, or of what is wrong. Bytes and room must stay until the blocks are stored.
napi_value LoadBlocks(napi_env env, napi_callback_info info) {
  Call<4> call(env, info);
  Environment& e = *call.environment;
  const Staging& s = *e.staging;
  Handle* h = e.current();
  if (h == nullptr) return nullptr;
  auto blocks = std::make_unique<Blocks>();
  u64 records = 0;
  std::span<u8> room;
  napi_value region = nullptr;
  if (h->local || !read_table(env, call.args[0], call.args[1], call.args[2], *blocks, records) ||
      !buffer_of(env, call.args[3], room))
    return e.fail(Status::shape_mismatch), nullptr;
  if (room.size() / sizeof(RecordIndex::Entry) < 2 * records) return e.fail(Status::out_too_small), nullptr;
  if (!region_of(env, e, *h, region, blocks->region)) return nullptr;
  blocks->config = h->cache.config();
  blocks->geometry = h->cache.geometry();
  blocks->room = {reinterpret_cast<RecordIndex::Entry*>(room.data()), 2 * records};
  blocks->how.now = h->now(s);
  blocks->how.shift = blocks->how.now - s.extra[0];
  blocks->how.replace = (s.bits & 1) != 0;
  blocks->how.dtypes = s.form;
  for (const napi_value value : {call.args[0], call.args[3], region}) blocks->held.add(env, value);
  return Job::start(env, e, std::make_unique<LoadJob>(std::move(blocks)));
}

/// storeBlocks(loaded): one more thread that stores what loadBlocks() made ready. A promise of what this one did: [status, restored, kept,
/// expired, rejected, foreign].
napi_value StoreBlocks(napi_env env, napi_callback_info info) {
  Call<1> call(env, info);
  Environment& e = *call.environment;
  void* blocks = nullptr;
  if (e.current() == nullptr) return nullptr;
  if (napi_get_value_external(env, call.args[0], &blocks) != napi_ok) return e.fail(Status::shape_mismatch), nullptr;
  return Job::start(env, e, std::make_unique<StoreJob>(env, *static_cast<Blocks*>(blocks), call.args[0]));
}

/// expectBytes(): staging.length bytes of records are about to come. Of a region that is empty they get their memory in large pages.
/// A promise of undefined.
napi_value ExpectBytes(napi_env env, napi_callback_info info) {
  Call<0> call(env, info);
  Environment& e = *call.environment;
  Handle* h = e.current();
  napi_value region = nullptr;
  void* base = nullptr;
  if (h == nullptr || !region_of(env, e, *h, region, base)) return nullptr;
  const u64 bytes = static_cast<u64>(std::max(e.staging->length, 0.0));
  return Job::start(env, e, std::make_unique<PagesJob>(env, *h, region, base, bytes));
}

}  // namespace

void add_snapshot_blocks(napi_env env, napi_value exports, Environment& e) noexcept {
  const napi_property_descriptor list[] = {
      HITPATH_FUNCTION("verifyBlocks", VerifyBlocks), HITPATH_FUNCTION("loadBlocks", LoadBlocks),
      HITPATH_FUNCTION("storeBlocks", StoreBlocks), HITPATH_FUNCTION("expectBytes", ExpectBytes)};
  napi_define_properties(env, exports, sizeof list / sizeof *list, list);
}

}  // namespace hitpath
