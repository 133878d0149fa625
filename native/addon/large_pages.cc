#include "large_pages.h"

#include <algorithm>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace hitpath {

#if defined(__linux__)

namespace {

constexpr u64 kLarge = u64{2} << 20;
constexpr int kCollapse = 25;  // MADV_COLLAPSE of Linux 6.1

}  // namespace

void use_large_pages_for_index(const Geometry& g, void* base) noexcept {
  if (g.index_bytes < kLarge) return;
  const u64 region = reinterpret_cast<std::uintptr_t>(base);
  const u64 first = (region + g.index_offset(0) + kLarge - 1) / kLarge * kLarge,
            end = (region + g.stores) / kLarge * kLarge;
  if (end > first) madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
}

void use_large_pages(const Cache& cache, void* base, u64 bytes) noexcept {
  const Geometry& g = cache.geometry();
  const u32 shards = cache.config().shards;
  const u64 each = std::min(bytes / shards, cache.config().arena_bytes);
  const u64 begin = reinterpret_cast<std::uintptr_t>(base), end = begin + g.region_bytes;
  const u64 first = begin / kLarge;
  std::vector<u32> used(end / kLarge - first + 1);
  for (u32 i = 0; i < shards; ++i) {
    const u64 index = begin + g.index_offset(i), arena = begin + g.store_offset(i) + g.at_arena;
    const u64 parts[][2] = {{index, index + g.at_wheel}, {arena, arena + each}};
    for (const auto& [from, to] : parts)
      for (u64 at = from; at < to;) {
        const u64 next = std::min((at / kLarge + 1) * kLarge, to);
        used[at / kLarge - first] += static_cast<u32>(next - at);
        at = next;
      }
  }
  for (u64 page = first + (begin % kLarge != 0); (page + 1) * kLarge <= end; ++page) {
    if (used[page - first] < kLarge / 2) continue;
    void* at = reinterpret_cast<void*>(page * kLarge);
    // Where somebody wrote already, as whoever made the region did, its small pages are in the way of a large one. A page at a time: a call ends
    // at the first where nobody did.
    if (madvise(at, kLarge, MADV_HUGEPAGE) == 0) (void)madvise(at, kLarge, kCollapse);
  }
}

#else

void use_large_pages_for_index(const Geometry&, void*) noexcept {}
void use_large_pages(const Cache&, void*, u64) noexcept {}

#endif

}  // namespace hitpath
