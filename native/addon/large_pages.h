// Large pages for what an empty region is about to be filled with.
#pragma once

#include "cache.h"

namespace hitpath {

/// For `bytes` of entries in the region at `base`: each large page that they will take half of, or more. What else the kernel hands out
/// piece by piece costs a third of a restoring. Does nothing where there are no large pages.
void use_large_pages(const Cache& cache, void* base, u64 bytes) noexcept;

}  // namespace hitpath
