// Tests of the core: TEST(name) { ... } registers one, CHECK and CHECK_EQ state its claims.
//
// One file is one executable; this header brings its main(). An argument runs only the tests whose name
// contains it. The last line of the output is "N passed, M failed". A claim that does not hold is printed and
// the test goes on; both macros are also expressions, so `if (!CHECK(x)) return;` stops. They may be used
// from several threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace check {

struct Test {
  const char* name;
  void (*body)();
};
inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}
inline std::atomic<int> failures{0};        // of the running test
inline std::atomic<std::uint64_t> seed{0};  // of the last Rng made
inline constexpr int kShown = 10;           // failures printed a test

struct Registration {
  Registration(const char* name, void (*body)()) { tests().push_back({name, body}); }
};

template <class T>
std::string show(const T& value) {
  std::ostringstream out;
  out.precision(17);
  if constexpr (std::is_enum_v<T>)
    out << static_cast<long long>(value);
  else if constexpr (std::is_integral_v<T> && sizeof(T) == 1 && !std::is_same_v<T, bool>)
    out << +value;
  else if constexpr (std::is_same_v<T, std::nullptr_t>)
    out << "nullptr";
  else if constexpr (std::is_same_v<std::decay_t<T>, const char*>)
    out << (value ? value : "nullptr");
  else
    out << std::boolalpha << value;
  return out.str();
}

inline bool fail(const char* file, int line, const std::string& what) {
  if (failures.fetch_add(1) < kShown) std::printf("  %s:%d: %s\n", file, line, what.c_str());
  return false;
}

template <class T>
inline constexpr bool is_number = std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char>;
template <class T>
inline constexpr bool is_text = std::is_convertible_v<T, const char*> && !std::is_same_v<T, std::nullptr_t>;

template <class A, class B>
bool equal(const char* file, int line, const char* text, const A& a, const B& b) {
  bool same;
  if constexpr (is_number<A> && is_number<B>) {
    same = std::cmp_equal(a, b);
  } else if constexpr (is_text<A> && is_text<B>) {
    const char *x = a, *y = b;
    same = x == y || (x != nullptr && y != nullptr && std::strcmp(x, y) == 0);
  } else {
    same = a == b;
  }
  return same || fail(file, line, std::string(text) + ": " + show(a) + " is not " + show(b));
}

/// splitmix64. HITPATH_SEED replaces the seed; the seed is printed when the test fails.
class Rng {
 public:
  explicit Rng(std::uint64_t given) : state_(given) {
    if (const char* text = std::getenv("HITPATH_SEED")) state_ = std::strtoull(text, nullptr, 0);
    seed.store(state_);
  }
  /// A generator whose seed is part of the test's data: neither replaced nor printed.
  static Rng exactly(std::uint64_t seed) { return Rng(seed, 0); }
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e37'79b9'7f4a'7c15u;
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9u;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11ebu;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
  bool chance(double share) { return static_cast<double>(next() >> 11) * 0x1p-53 < share; }

 private:
  Rng(std::uint64_t given, int) : state_(given) {}
  std::uint64_t state_;
};

inline int run(int argc, char** argv) {
  int passed = 0, failed = 0;
  for (const Test& test : tests()) {
    if (argc > 1 && std::strstr(test.name, argv[1]) == nullptr) continue;
    failures.store(0);
    seed.store(0);
    test.body();
    const int count = failures.load();
    count == 0 ? ++passed : ++failed;
    if (count == 0)
      std::printf("ok   %s\n", test.name);
    else
      std::printf("FAIL %s: %d failures, HITPATH_SEED=%llu\n", test.name, count,
                  static_cast<unsigned long long>(seed.load()));
    std::fflush(stdout);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed != 0 ? 0 : 1;
}

}  // namespace check

using check::Rng;

#define TEST(name) \
  static void test_##name(); \
  static const check::Registration registered_##name{#name, test_##name}; \
  static void test_##name()
#define CHECK(...) ((__VA_ARGS__) ? true : check::fail(__FILE__, __LINE__, #__VA_ARGS__))
#define CHECK_EQ(a, b) check::equal(__FILE__, __LINE__, #a " == " #b, a, b)

int main(int argc, char** argv) { return check::run(argc, argv); }
