// What the C++ library does when something fails that nothing here can catch: the process ends.
//
// The library's own functions throw first, which ends the process as surely, for the addon is compiled without exceptions. But
// they bring in the unwinder, and by it a glibc newer than the oldest that Node runs on, and two thirds of the binary. Weak: where a
// C++ library needs its own, those win.
#include <cstdlib>
#include <new>

#if defined(__GLIBCXX__)

#define HITPATH_WEAK __attribute__((weak))

namespace {

void* allocate(std::size_t bytes) noexcept {
  // malloc may answer 0 bytes with a null pointer
  void* const p = std::malloc(bytes == 0 ? 1 : bytes);
  if (p == nullptr) std::abort();
  return p;
}

void* allocate(std::size_t bytes, std::align_val_t alignment) noexcept {
  void* p = nullptr;
  if (posix_memalign(&p, static_cast<std::size_t>(alignment), bytes == 0 ? 1 : bytes) != 0) std::abort();
  return p;
}

}  // namespace

HITPATH_WEAK void* operator new(std::size_t bytes, std::align_val_t alignment) { return allocate(bytes, alignment); }
HITPATH_WEAK void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
HITPATH_WEAK void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
HITPATH_WEAK void* operator new(std::size_t bytes) { return allocate(bytes); }
HITPATH_WEAK void* operator new[](std::size_t bytes) { return allocate(bytes); }
HITPATH_WEAK void operator delete(void* p) noexcept { std::free(p); }
HITPATH_WEAK void operator delete[](void* p) noexcept { std::free(p); }
HITPATH_WEAK void operator delete(void* p, std::size_t) noexcept { std::free(p); }
HITPATH_WEAK void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

namespace std {

HITPATH_WEAK void __throw_bad_alloc() { abort(); }
HITPATH_WEAK void __throw_bad_array_new_length() { abort(); }
HITPATH_WEAK void __throw_length_error(const char*) { abort(); }
HITPATH_WEAK void __throw_logic_error(const char*) { abort(); }
HITPATH_WEAK void __throw_system_error(int) { abort(); }

}  // namespace std

#endif
