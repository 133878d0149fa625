// What is asked of the kernel about the pages of a region. All of it is advice: where there are no large pages, nothing changes.
#pragma once

#include "cache.h"

namespace hitpath {

/// Keys fall on the index at random: a large cache spends much of a hit on finding its pages, and a filling on having them made
/// one by one. A small one is left alone, since a few entries would take all of it.
void use_large_pages_for_index(const Geometry& g, void* base) noexcept;

/// For `bytes` of entries in the empty region at `base`: each large page that they will take half of, or more. What the kernel else hands out
/// piece by piece costs a third of a restoring.
void use_large_pages(const Cache& cache, void* base, u64 bytes) noexcept;

}  // namespace hitpath
