// glob_match against a table: which elements of the pattern match which start of the key.
#include <string>
#include <vector>

#include "fuzz.h"
#include "glob.h"

using namespace fuzz;

namespace {

constexpr std::size_t kLongest = 96;

/// A pattern taken apart: a star, or what one unit must be in, or must not.
struct Element {
  bool star = false;
  bool negated = false;
  std::vector<std::pair<u16, u16>> ranges;

  [[nodiscard]] bool takes(u16 unit) const {
    bool in = false;
    for (const auto& [low, high] : ranges) in = in || (low <= unit && unit <= high);
    return in != negated;
  }
};

std::vector<Element> parse(const std::vector<u16>& pattern) {
  std::vector<Element> elements;
  std::size_t i = 0;
  const auto left = [&] { return pattern.size() - i; };
  while (left() != 0) {
    Element element;
    u16 unit = pattern[i++];
    if (unit == '*') {
      element.star = true;
    } else if (unit == '?') {
      element.negated = true;
    } else if (unit == '[') {
      if (left() != 0 && pattern[i] == '^') element.negated = true, ++i;
      while (left() != 0) {
        unit = pattern[i++];
        if (unit == ']') break;
        u16 end = unit;
        if (unit == '\\' && left() != 0)
          unit = end = pattern[i++];
        else if (left() >= 2 && pattern[i] == '-')
          end = pattern[i + 1], i += 2;
        element.ranges.emplace_back(std::min(unit, end), std::max(unit, end));
      }
    } else {
      if (unit == '\\' && left() != 0) unit = pattern[i++];
      element.ranges.emplace_back(unit, unit);
    }
    elements.push_back(element);
  }
  return elements;
}

/// Row by row: whether the elements so far match the first k units.
bool slow_match(const std::vector<Element>& elements, const std::vector<u16>& key) {
  std::vector<bool> row(key.size() + 1, false);
  row[0] = true;
  for (const Element& e : elements) {
    std::vector<bool> below(row.size(), false);
    below[0] = e.star && row[0];
    for (std::size_t k = 1; k < row.size(); ++k)
      below[k] = e.star ? row[k] || below[k - 1] : row[k - 1] && e.takes(key[k - 1]);
    row = below;
  }
  return row.back();
}

/// Counts what is read, and sees a read beyond the end.
struct Counted {
  const std::vector<u16>& units;
  u64& reads;
  [[nodiscard]] std::size_t size() const { return units.size(); }
  [[nodiscard]] u16 operator[](std::size_t i) const {
    ++reads;
    REQUIRE(i < units.size());
    return units[i];
  }
};

/// Any units, or those that mean something in a pattern.
std::vector<u16> units(Input& in, std::size_t count, u8 alphabet) {
  constexpr u16 kFew[] = {'a', 'b', '*', '?', '[', ']', '^', '-', '\\', 'c', 0, 0xff, 0x100, 0x142, 0xffff, 'a'};
  std::vector<u16> out;
  for (; count != 0 && !in.empty(); --count)
    out.push_back(alphabet == 0 ? in.raw<u16>() : alphabet == 1 ? in.byte() : kFew[in.byte() & 15]);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const u8* data, std::size_t size) {
  Input in(data, size);
  const u8 alphabet = static_cast<u8>(in.below(4));
  const std::size_t pattern_size = in.below(kLongest);
  const std::vector<u16> pattern = units(in, pattern_size, alphabet), key = units(in, kLongest, alphabet);

  u64 reads = 0;
  const bool matches = glob_match(Counted{pattern, reads}, Counted{key, reads});
  REQUIRE(matches == slow_match(parse(pattern), key));
  // Every unit of the pattern is read a few times at most for each place in the key.
  REQUIRE(reads <= 8 * (pattern.size() + 1) * (key.size() + 2));

  // The same from shared memory, at an odd address.
  std::vector<u8> wide(1), narrow(1);
  bool latin1 = true;
  for (const u16 unit : key) {
    wide.push_back(static_cast<u8>(unit));
    wide.push_back(static_cast<u8>(unit >> 8));
    narrow.push_back(static_cast<u8>(unit));
    latin1 = latin1 && unit < 256;
  }
  const u32 count = static_cast<u32>(key.size());
  REQUIRE(glob_match(pattern, SharedUnits<u16>(wide.data() + 1, count)) == matches);
  if (latin1) REQUIRE(glob_match(pattern, SharedUnits<u8>(narrow.data() + 1, count)) == matches);
  return 0;
}
