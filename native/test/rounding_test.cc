// Rounding to a grid: what a key is made of when inputs may differ a little.
#include "rounding.h"

#include <cmath>
#include <limits>
#include <vector>

#include "check.h"

using namespace hitpath;

namespace {

template <class T>
std::vector<T> rounded(const std::vector<T>& row, const std::vector<f64>& steps) {
  std::vector<f64> room(row.size() + 1);
  Grid grid{steps.data(), reinterpret_cast<u8*>(room.data()), row.size(), sizeof(T) == sizeof(f64)};
  // From an odd address: rows of a caller's buffer need not be aligned.
  std::vector<u8> apart(row.size() * sizeof(T) + 1);
  std::memcpy(apart.data() + 1, row.data(), row.size() * sizeof(T));
  std::vector<T> out(row.size());
  std::memcpy(out.data(), grid.rounded(apart.data() + 1), row.size() * sizeof(T));
  return out;
}

template <class T>
T one(T value, f64 step) {
  return rounded<T>({value}, {step})[0];
}

template <class T>
bool same_bits(T a, T b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

}  // namespace

TEST(the_nearest_multiple_ties_to_the_even_one) {
  CHECK_EQ(one(2.4, 1), 2.0);
  CHECK_EQ(one(2.6, 1), 3.0);
  CHECK_EQ(one(0.5, 1), 0.0);
  CHECK_EQ(one(1.5, 1), 2.0);
  CHECK_EQ(one(2.5, 1), 2.0);
  CHECK_EQ(one(-1.5, 1), -2.0);
  CHECK_EQ(one(15.0f, 10), 20.0f);
  CHECK_EQ(one(25.0f, 10), 20.0f);
  CHECK_EQ(one(0.3f, 0.25), 0.25f);
}

TEST(minus_zero_is_zero) {
  CHECK(same_bits(one(-0.0, 0.5), 0.0));
  CHECK(same_bits(one(-0.0f, 0.5), 0.0f));
  CHECK(same_bits(one(-0.1, 0.5), 0.0));
  CHECK(same_bits(one(-0.1f, 0.5), 0.0f));
}

TEST(what_has_no_multiple_stays_as_it_is) {
  const f64 infinity = std::numeric_limits<f64>::infinity();
  CHECK_EQ(one(infinity, 0.1), infinity);
  CHECK_EQ(one(-infinity, 0.1), -infinity);
  f64 odd;
  const u64 bits = 0x7ff8'0000'dead'beef;
  std::memcpy(&odd, &bits, 8);
  CHECK(same_bits(one(odd, 0.1), odd));
  CHECK_EQ(one(1e300, 0.1), 1e300);
  CHECK_EQ(one(16777217.0 * 3, 1e-12), 16777217.0 * 3);
  CHECK_EQ(one(1.0000001f, 1e-9), 1.0000001f);
  CHECK_EQ(one(3.14159, 0), 3.14159);  // a step of 0: exact
  CHECK(same_bits(one(-0.0, 0), -0.0));
}

TEST(each_element_has_its_own_step) {
  const auto out = rounded<float>({1.26f, 1.26f, 1.26f, 127.f, 1.26f}, {0.1, 1, 0, 50, 0.5});
  CHECK(out == (std::vector<float>{1.3f, 1.f, 1.26f, 150.f, 1.5f}));
}

TEST(the_error_is_at_most_half_a_step_and_rounding_twice_changes_nothing) {
  Rng random(11);
  for (u32 round = 0; round < 20'000; ++round) {
    const f64 step =
        std::ldexp(1 + static_cast<f64>(random.below(1000)) / 1000, static_cast<int>(random.below(20)) - 10);
    const f64 x = (static_cast<f64>(random.below(2'000'000)) - 1e6) / 977;
    const f64 wide = one(x, step);
    CHECK(std::abs(wide - x) <= step / 2 * (1 + 1e-9));
    CHECK(same_bits(one(wide, step), wide));
    const float narrow = one(static_cast<float>(x), step);
    CHECK(std::abs(f64{narrow} - f64{static_cast<float>(x)}) <= step / 2 + std::abs(x) * 1e-7);
  }
}
