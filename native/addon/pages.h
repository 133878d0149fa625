// What is asked of the kernel about the pages of a region. All of it is advice: where the kernel knows none, nothing changes.
#pragma once

#include "region.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace hitpath {

inline constexpr u64 kLargePage = u64{2} << 20;

/// Large pages for those of [from, to) that lie in it whole.
inline void ask_for_large_pages(u8* from, u8* to) noexcept {
#if defined(__linux__)
  const u64 first = (reinterpret_cast<std::uintptr_t>(from) + kLargePage - 1) / kLargePage * kLargePage;
  const u64 end = reinterpret_cast<std::uintptr_t>(to) / kLargePage * kLargePage;
  if (end > first) madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
#else
  (void)from, (void)to;
#endif
}

/// Keys fall on the index at random: a large cache spends much of a hit on finding its pages, and a filling on having them made
/// one by one. A small one is left alone, since a few entries would take all of it.
inline void ask_for_large_index(void* base, const Geometry& g) noexcept {
  u8* const region = static_cast<u8*>(base);
  if (g.index_bytes >= kLargePage) ask_for_large_pages(region + g.index_offset(0), region + g.stores);
}

}  // namespace hitpath
