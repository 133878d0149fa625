// Prints src/native/layout.ts from the tables of layout.h; with --check FILE, compares instead.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "layout.h"

namespace {

std::string constant_case(const char* type, const char* field) {
  std::string out;
  for (const char* word : {type, field}) {
    if (!out.empty()) out += '_';
    for (const char* c = word; *c; ++c) {
      const bool upper = *c >= 'A' && *c <= 'Z';
      if (upper && c != word) out += '_';
      out += static_cast<char>(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
    }
  }
  return out;
}

std::string layout() {
  using namespace hitpath;
  std::string out = "// Generated from native/core/layout.h by `node scripts/gen-layout.mjs`; do not edit.\n\n";
  char line[200];
  std::snprintf(line, sizeof line, "export const LAYOUT_FINGERPRINT = 0x%llxn\n\n",
                static_cast<unsigned long long>(kFingerprint));
  out += line;
#define FIELD(type, field, at) \
  std::snprintf(line, sizeof line, "export const %s = %u\n", constant_case(#type, #field).c_str(), \
                static_cast<unsigned>(at)); \
  out += line;
  HITPATH_LAYOUT_FIELDS(FIELD)
  out += '\n';
#define SIZE(name, value) \
  std::snprintf(line, sizeof line, "export const %s = %llu\n", #name, static_cast<unsigned long long>(value)); \
  out += line;
  HITPATH_LAYOUT_SIZES(SIZE)
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string text = layout();
  if (argc < 3 || std::string(argv[1]) != "--check") {
    std::fputs(text.c_str(), stdout);
    return 0;
  }
  std::ifstream file(argv[2]);
  const std::string found((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (found == text) return std::puts("1 passed, 0 failed"), 0;
  std::printf("%s is stale: run `node scripts/gen-layout.mjs`\n0 passed, 1 failed\n", argv[2]);
  return 1;
}
