// Glob patterns over keys, as in the KEYS and SCAN of Redis.
//
//   *        any run of units, also an empty one      [abc]  one of these      [a-z]  one of a range, in either order
//   ?        any one unit                             [^a]   any but these     \x     x itself, also inside a class
//
// The corners are those of Redis (stringmatchlen in its util.c): a class that is not closed ends with the pattern, so "[ab"
// is "[ab]", "[" matches nothing and "[^" any one unit; "]" closes a class wherever it stands, so "[]" matches nothing and
// "[^]" any one unit, except as the end of a range: in "[a-]" the range runs from "]" to "a" and the class is not closed;
// the end of a range cannot be escaped; a backslash that ends the pattern is itself; "^" is special only first.
// Three differences. A unit is a UTF-16 code unit and compares unsigned, where Redis has bytes. "*" matches the empty key,
// as KEYS does by a shortcut. Redis refuses patterns of more than 1000 stars; here they only take their time.
//
// Each element of a pattern but the star takes exactly one unit, so after a mismatch it is enough to try the last star
// with one unit more: O(pattern * key) at worst, no recursion, no memory.
//
// A pattern or a key is anything with size() and operator[] that yields an unsigned unit; a key that stands in shared
// memory is read through SharedUnits. Such a key may be torn: every index stays below size(), the answer is then
// worthless, and the caller's sequence word tells.
#pragma once

#include <type_traits>

#include "word.h"

namespace hitpath {

/// A key in shared memory: `size` units of one (Latin-1) or two (UTF-16) bytes, at any alignment.
template <class Unit>
class SharedUnits {
  static_assert(sizeof(Unit) <= 2 && std::is_unsigned_v<Unit>, "a key is Latin-1 or UTF-16");

 public:
  SharedUnits(const void* bytes, u32 size) noexcept : bytes_(static_cast<const Word<u8>*>(bytes)), size_(size) {}

  [[nodiscard]] u32 size() const noexcept { return size_; }
  [[nodiscard]] Unit operator[](std::size_t i) const noexcept {
    if constexpr (sizeof(Unit) == 1)
      return bytes_[i].get();
    else
      return static_cast<Unit>(bytes_[2 * i].get() | bytes_[2 * i + 1].get() << 8);
  }

 private:
  const Word<u8>* bytes_;
  u32 size_;
};

namespace glob {

/// What one element of a pattern says of one unit: whether it matches, and where the next element begins.
struct Step {
  bool matches;
  std::size_t next;
};

/// The class whose "[" stands before `i`.
template <class Pattern>
[[nodiscard]] Step match_class(const Pattern& pattern, std::size_t i, u32 unit) noexcept {
  const std::size_t size = pattern.size();
  const bool negated = i < size && pattern[i] == '^';
  i += negated;
  bool found = false;
  while (i < size && pattern[i] != ']') {
    u32 low = pattern[i], high = low;
    if (low == '\\' && size - i >= 2) {
      low = high = pattern[i + 1];
      i += 2;
    } else if (size - i >= 3 && pattern[i + 1] == '-') {
      high = pattern[i + 2];
      i += 3;
    } else {
      i += 1;
    }
    found |= low <= high ? low <= unit && unit <= high : high <= unit && unit <= low;
  }
  return {found != negated, i < size ? i + 1 : size};
}

/// The element at `i`, which is not a star.
template <class Pattern>
[[nodiscard]] Step match_one(const Pattern& pattern, std::size_t i, u32 unit) noexcept {
  const u32 element = pattern[i];
  if (element == '?') return {true, i + 1};
  if (element == '[') return match_class(pattern, i + 1, unit);
  if (element == '\\' && pattern.size() - i >= 2) return {pattern[i + 1] == unit, i + 2};
  return {element == unit, i + 1};
}

[[nodiscard]] constexpr bool is_special(u32 unit) noexcept {
  return unit == '*' || unit == '?' || unit == '[' || unit == '\\';
}

}  // namespace glob

template <class Pattern, class Key>
[[nodiscard]] bool glob_match(const Pattern& pattern, const Key& key) noexcept {
  static_assert(std::is_unsigned_v<std::remove_cvref_t<decltype(pattern[0])>> &&
                    std::is_unsigned_v<std::remove_cvref_t<decltype(key[0])>>,
                "signed units would not equal the same units of another width");
  const std::size_t pattern_size = pattern.size(), key_size = key.size();
  std::size_t p = 0, k = 0;
  std::size_t after_star = 0, star_end = 0;  // where the last star's successor stands, and the run it takes ends
  for (;;) {
    if (p < pattern_size && pattern[p] == '*') {
      if (++p == pattern_size) return true;
      after_star = p;
      star_end = k;
    } else if (k == key_size) {
      return p == pattern_size;  // a longer run for the star leaves still fewer units
    } else if (const glob::Step step = p < pattern_size ? glob::match_one(pattern, p, key[k]) : glob::Step{false, p};
               step.matches) {
      p = step.next;
      ++k;
    } else {
      if (after_star == 0) return false;
      p = after_star;
      k = ++star_end;
    }
  }
}

}  // namespace hitpath
