// What one JavaScript environment (the main thread, or a worker) has: its staging area and its open caches.
//
// The hot functions are made once an environment, not once a cache: V8 calls a function that it always sees at a call site
// directly, and a cache of one's own functions per instance costs 30 ns a call as soon as there are two. Which cache a call is about
// stands in the staging area, like every other number that goes over: reading a word is cheaper than an argument.
#pragma once

#include <node_api.h>

#include <unordered_map>
#include <vector>

#include "cache.h"
#include "clock.h"

namespace hitpath {

/// A cache that this environment has open.
struct Handle {
  Cache cache;
  u64 serial = 0;             // of this environment, never used twice: an address and an id are
  napi_ref region = nullptr;  // keeps the bytes where they are until the last pin is given back
  napi_ref remembered_ref = nullptr;
  u32* remembered = nullptr;  // a sequence word a slot: which version of its value JavaScript holds
  bool local = false;
  bool foreign_clock = false;
  std::vector<std::pair<u32, Reason>> removals;
  std::unordered_map<u64, u32> pins;  // shard << 32 | block: pins of this environment

  [[nodiscard]] f64 now(const Staging& staging) const noexcept { return foreign_clock ? staging.now : monotonic_ms(); }
  [[nodiscard]] bool alive(f64 deadline, const Staging& staging) const noexcept {
    if (deadline == std::numeric_limits<f64>::infinity()) return true;
    return foreign_clock ? staging.now <= deadline : alive_at_monotonic(deadline);
  }
};

/// The header of the last array key.
class HeaderMemo {
 public:
  /// False when form or shape are none.
  [[nodiscard]] bool read(const Staging& staging) noexcept;

  ArrayHeader header;
  f64 elements = 0;

 private:
  u32 form_ = 0;
  f64 scope_ = 0;
  f64 shape_[kMaxDims] = {};
};

/// Where the elements of an array lie, the header of its digest, and where its entry was when it was found last.
struct alignas(kLine) KnownArray {
  f64 number = 0;
  const u8* bytes = nullptr;
  std::size_t length = 0;
  ArrayHeader header;
  u64 serial = 0;  // of the cache; 0: never found
  Cache::Place place;
};

/// The arrays that were learnt last, by numbers that are never used twice. Nothing here keeps their memory: JavaScript gives a number only while
/// it holds the very array and finds its length as it was (src/key/known.ts), and then the memory is where it was.
class KnownArrays {
 public:
  /// Its number.
  [[nodiscard]] f64 add(const KnownArray& array) noexcept {
    if (places_.empty()) places_.resize(kKnownArrays);
    KnownArray& place = places_[++last_ % kKnownArrays];
    place = array;
    return place.number = static_cast<f64>(last_);
  }
  /// nullptr for one that is not known any longer.
  [[nodiscard]] KnownArray* find(f64 number) noexcept {
    if (!(number >= 1 && number <= static_cast<f64>(last_))) return nullptr;
    KnownArray& place = places_[static_cast<u64>(static_cast<std::int64_t>(number)) % kKnownArrays];
    return place.number == number ? &place : nullptr;
  }

 private:
  std::vector<KnownArray> places_;
  std::int64_t last_ = 0;
};

struct Environment {
  napi_env env = nullptr;
  Staging* staging = nullptr;
  u8* scratch = nullptr;
  napi_ref staging_ref = nullptr;
  std::vector<Handle*> handles{nullptr};
  std::vector<u32> free_ids;
  u64 last_serial = 0;
  HeaderMemo header;
  KnownArrays known;
  Digest tags[kMaxTags];        // of the set that goes on
  std::vector<u8> key_bytes;    // keys and tags too long for the stack
  std::vector<u8> value_bytes;  // strings as values

  static constexpr u32 kScratchBytes = kStagingBytes - kStagingScratch;

  /// The cache that the call is about; nullptr, with the status set, when it is closed.
  [[nodiscard]] Handle* current() noexcept {
    const u32 id = staging->cache;
    Handle* h = id < handles.size() ? handles[id] : nullptr;
    if (h == nullptr || (!h->local && h->cache.closed())) {
      fail(h != nullptr && h->cache.damaged() ? Status::damaged : Status::closed);
      return nullptr;
    }
    return h;
  }
  /// The status of a call that has no other to give.
  void done(const Handle& h, Status otherwise = Status::ok) noexcept {
    staging->status = static_cast<u32>(h.cache.damaged() ? Status::damaged : otherwise);
  }
  void fail(Status status) noexcept {
    staging->status = static_cast<u32>(status);
    staging->slot = kNil;
  }
};

/// The environment and the arguments of a call. Missing arguments are undefined.
template <std::size_t N>
struct Call {
  napi_value args[N == 0 ? 1 : N];
  std::size_t count = N;  // of the arguments that were given
  Environment* environment = nullptr;

  Call(napi_env env, napi_callback_info info) noexcept {
    void* data = nullptr;
    napi_get_cb_info(env, info, &count, N == 0 ? nullptr : args, nullptr, &data);
    environment = static_cast<Environment*>(data);
  }
};

/// Ends a write: tells JavaScript which entries of a LocalCache left.
inline void report_removals(Environment& e, Handle& h) noexcept {
  e.staging->removed = static_cast<u32>(h.removals.size());
  if (h.removals.empty()) return;
  e.staging->removed_slot = h.removals.front().first;
  e.staging->removed_why = static_cast<u32>(h.removals.front().second);
  if (h.removals.size() == 1) h.removals.clear();
}

void close_handle(Environment& e, u32 id) noexcept;

// The functions of the module, by file.
void add_reads(napi_env env, napi_value exports, Environment& e) noexcept;
void add_writes(napi_env env, napi_value exports, Environment& e) noexcept;
void add_arrays(napi_env env, napi_value exports, Environment& e) noexcept;
void add_batches(napi_env env, napi_value exports, Environment& e) noexcept;
void add_snapshots(napi_env env, napi_value exports, Environment& e) noexcept;
void add_whole(napi_env env, napi_value exports, Environment& e) noexcept;

#define HITPATH_FUNCTION(name, callback) \
  napi_property_descriptor { name, nullptr, callback, nullptr, nullptr, nullptr, napi_enumerable, &e }

}  // namespace hitpath
