// Globs against the cases of Redis, a naive recursive matcher, and patterns made to be slow.
#include "../core/glob.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "check.h"

using namespace hitpath;
using namespace std::string_view_literals;

namespace {

/// The same answer from every kind of key that can hold these units, at odd addresses too.
bool match(std::u16string_view pattern, std::u16string_view key) {
  const bool matches = glob_match(pattern, key);
  std::string wide(1, '!'), narrow(1, '!');
  bool latin1 = true;
  for (const char16_t unit : key) {
    wide += static_cast<char>(unit & 255);
    wide += static_cast<char>(unit >> 8);
    narrow += static_cast<char>(unit);
    latin1 = latin1 && unit < 256;
  }
  const u32 size = static_cast<u32>(key.size());
  CHECK_EQ(glob_match(pattern, SharedUnits<u16>(wide.data() + 1, size)), matches);
  if (latin1) CHECK_EQ(glob_match(pattern, SharedUnits<u8>(narrow.data() + 1, size)), matches);
  return matches;
}

std::string printable(std::u16string_view text) {
  std::string out;
  for (const char16_t unit : text) out += unit < 128 ? static_cast<char>(unit) : '~';
  return out;
}

void wrong(std::u16string_view pattern, std::u16string_view key, bool expected) {
  check::fail(__FILE__, __LINE__, printable(pattern) + (expected ? " does not match " : " matches ") + printable(key));
}

/// A pattern taken apart: a star, or ranges that one unit must be in, or must not.
struct Element {
  bool star = false;
  bool negated = false;
  std::vector<std::pair<char16_t, char16_t>> ranges;
};

std::vector<Element> parse(std::u16string_view rest) {
  std::vector<Element> elements;
  const auto take = [&rest] {
    const char16_t unit = rest.front();
    rest.remove_prefix(1);
    return unit;
  };
  while (!rest.empty()) {
    Element element;
    char16_t unit = take();
    if (unit == u'*') {
      element.star = true;
    } else if (unit == u'?') {
      element.negated = true;
    } else if (unit == u'[') {
      if (rest.starts_with(u'^')) element.negated = (take(), true);
      while (!rest.empty()) {
        unit = take();
        if (unit == u']') break;
        if (unit == u'\\' && !rest.empty()) {
          unit = take();
          element.ranges.emplace_back(unit, unit);
        } else if (rest.size() >= 2 && rest.front() == u'-') {
          take();
          const char16_t end = take();
          element.ranges.emplace_back(std::min(unit, end), std::max(unit, end));
        } else {
          element.ranges.emplace_back(unit, unit);
        }
      }
    } else {
      if (unit == u'\\' && !rest.empty()) unit = take();
      element.ranges.emplace_back(unit, unit);
    }
    elements.push_back(element);
  }
  return elements;
}

bool naive(const std::vector<Element>& elements, std::size_t i, std::u16string_view key) {
  if (i == elements.size()) return key.empty();
  if (elements[i].star) return naive(elements, i + 1, key) || (!key.empty() && naive(elements, i, key.substr(1)));
  if (key.empty()) return false;
  bool in = false;
  for (const auto& [low, high] : elements[i].ranges) in = in || (low <= key[0] && key[0] <= high);
  return in != elements[i].negated && naive(elements, i + 1, key.substr(1));
}

std::u16string random_text(Rng& rng, std::u16string_view alphabet, std::size_t longest) {
  std::u16string text(rng.below(longest + 1), u' ');
  for (char16_t& unit : text) unit = alphabet[rng.below(alphabet.size())];
  return text;
}

}  // namespace

TEST(cases_of_redis) {
  struct Case {
    std::u16string_view pattern, key;
    bool matches;
  };
  const Case cases[] = {
      {u"", u"", true},
      {u"", u"a", false},
      {u"a", u"", false},
      {u"abc", u"abc", true},
      {u"abc", u"abcd", false},
      {u"abcd", u"abc", false},
      {u"abc", u"ABC", false},
      // stars
      {u"*", u"", true},
      {u"**", u"", true},
      {u"*", u"foo", true},
      {u"f*", u"f", true},
      {u"f***", u"f", true},
      {u"*o", u"foo", true},
      {u"*f", u"foo", false},
      {u"f*o", u"foo", true},
      {u"f*o*", u"fo", true},
      {u"*a*b", u"aab", true},
      {u"*?", u"", false},
      {u"*?", u"x", true},
      {u"?*?", u"x", false},
      {u"*abc", u"ababc", true},
      {u"a*b*c", u"abbc", true},
      {u"a*a", u"a", false},
      {u"features:*BTCUSDT*", u"features:spot:BTCUSDT:1m", true},
      {u"features:*BTCUSDT*", u"features:spot:ETHUSDT:1m", false},
      {u"foo*foo", u"foofo", false},
      // one unit
      {u"h?llo", u"hello", true},
      {u"h?llo", u"hllo", false},
      {u"h?llo", u"h?llo", true},
      {u"???", u"ab", false},
      // classes
      {u"h[ae]llo", u"hallo", true},
      {u"h[ae]llo", u"hillo", false},
      {u"h[^e]llo", u"hallo", true},
      {u"h[^e]llo", u"hello", false},
      {u"h[a-b]llo", u"hbllo", true},
      {u"h[a-b]llo", u"hcllo", false},
      {u"[z-a]", u"m", true},
      {u"[a-c-e]", u"-", true},
      {u"[a-c-e]", u"d", false},
      {u"[a^]", u"^", true},
      {u"[^^]", u"^", false},
      {u"[-a]", u"-", true},
      {u"[*]", u"*", true},
      {u"[*]", u"x", false},
      {u"[?[]", u"[", true},
      {u"[!a]", u"a", true},
      {u"*[0-9]", u"abc7", true},
      {u"*[0-9]", u"abc", false},
      {u"a[^b]", u"a", false},
      // escapes
      {u"h\\?llo", u"h?llo", true},
      {u"h\\?llo", u"hello", false},
      {u"\\*", u"*", true},
      {u"\\*", u"x", false},
      {u"\\\\", u"\\", true},
      {u"\\a", u"a", true},
      {u"[\\]]", u"]", true},
      {u"[\\^a]", u"^", true},
      {u"[a\\-z]", u"m", false},
      {u"[a\\-z]", u"-", true},
      {u"[\\a-c]", u"b", false},
      {u"[\\a-c]", u"-", true},
      {u"[a-\\]]", u"b]", false},
      {u"[a-\\]]", u"^]", true},
      {u"*\\*", u"a*", true},
      {u"*\\*", u"ab", false},
      // a backslash at the end
      {u"a\\", u"a\\", true},
      {u"\\", u"\\", true},
      {u"\\", u"", false},
      {u"[\\", u"\\", true},
      // classes that are not closed, or empty
      {u"[", u"[", false},
      {u"[", u"", false},
      {u"[a", u"a", true},
      {u"[ab", u"b", true},
      {u"[ab", u"[ab", false},
      {u"[a-c", u"b", true},
      {u"[a-", u"-", true},
      {u"[a-", u"b", false},
      {u"[a-]", u"_", true},
      {u"[a-]", u"b", false},
      {u"[^", u"x", true},
      {u"[^", u"", false},
      {u"[^a", u"a", false},
      {u"[]", u"]", false},
      {u"[]a]", u"]", false},
      {u"[]a]", u"aa]", false},
      {u"[^]", u"x", true},
      {u"[^]a]", u"xa]", true},
      {u"*[", u"abc", false},
      {u"]", u"]", true},
      {u"a-c", u"a-c", true},
      {u"^a", u"^a", true},
      // units beyond ASCII
      {u"caf?", u"caf\u00e9", true},
      {u"[\u00e0-\u00ff]", u"\u00e9", true},
      {u"[a-\u00ff]", u"\u00ff", true},
      {u"\u4e2d*", u"\u4e2d\u6587", true},
      {u"\u4e2d*", u"-\u6587", false},
      {u"?", u"\U0001f600", false},
      {u"??", u"\U0001f600", true},
      {u"*\u6587", u"\u4e2d\u6587", true},
      {u"\u012a", u"*", false},
      {u"\u012a", u"\u012a", true},
  };
  for (const auto& [pattern, key, matches] : cases)
    if (match(pattern, key) != matches) wrong(pattern, key, matches);
}

TEST(random_patterns_match_what_the_naive_matcher_matches) {
  Rng rng(0x6106);
  u32 matched = 0;
  constexpr u32 kRounds = 400'000;
  for (u32 round = 0; round < kRounds; ++round) {
    const std::u16string pattern = random_text(rng, rng.chance(0.5) ? u"ab*?[]^-\\"sv : u"aab*b[]c\u0142"sv, 9);
    const std::u16string key = random_text(rng, rng.chance(0.5) ? u"ab"sv : u"abc]-\\^[\u0142"sv, 7);
    const bool expected = naive(parse(pattern), 0, key);
    matched += expected;
    if (match(pattern, key) != expected) return wrong(pattern, key, expected);
  }
  CHECK(matched > kRounds / 50);
}

TEST(a_pattern_made_to_be_slow_costs_its_length_times_the_key) {
  std::u16string stars, classes, nested = u"*", key(4000, u'a');
  for (u32 i = 0; i < 2000; ++i) stars += u"a*";
  stars += u'b';
  classes = u"*" + std::u16string(500, u'?') + u"[" + std::u16string(3000, u'b') + u"]*c";
  nested += std::u16string(1999, u'a') + u"b";
  const auto begin = std::chrono::steady_clock::now();
  CHECK(!glob_match(stars, key));
  CHECK(!glob_match(classes, key));
  CHECK(!glob_match(nested, key));
  CHECK(glob_match(stars, key + u"b"));
  const auto took = std::chrono::steady_clock::now() - begin;
  std::printf("  %.1f ms\n", std::chrono::duration<double, std::milli>(took).count());
  CHECK(took < std::chrono::seconds(5));  // the naive matcher would outlive us
}
