// Runs a body without libFuzzer: over each file of its corpus, then over inputs made from a seed.
//
//   fuzz_<body> [corpus folder | file] [number of made inputs]
//
// Half of the made inputs are noise, half are files of the corpus, changed. They end after kSeconds, since sanitizers are
// slow; the files all run, but for ThreadSanitizer. HITPATH_SEED replaces the seed. The input at which a body dies is left in `crash-<program>`.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz.h"

extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr int kSeconds = 4;
constexpr unsigned kHang = 60;  // seconds that one input may take
constexpr std::size_t kLongest = 2048;
constexpr std::size_t kEach = HITPATH_TSAN ? 4 : 1;  // one thread has nothing to show ThreadSanitizer

Bytes running;
std::string crash_file;

void keep_input() {
  if (std::FILE* file = std::fopen(crash_file.c_str(), "wb")) {
    std::fwrite(running.data(), 1, running.size(), file);
    std::fclose(file);
    std::fprintf(stderr, "the input is in %s\n", crash_file.c_str());
  }
}
void on_signal(int signal) {
  keep_input();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void run(Bytes input) {
  running = std::move(input);
  alarm(kHang);
  // A copy of exactly its size: the sanitizer sees a body that reads beyond.
  const Bytes exact(running.begin(), running.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

/// splitmix64
std::uint64_t next(std::uint64_t& state) {
  std::uint64_t z = state += 0x9e37'79b9'7f4a'7c15u;
  z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9u;
  z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11ebu;
  return z ^ (z >> 31);
}

Bytes noise(std::uint64_t& state) {
  Bytes out(next(state) % (next(state) % 4 == 0 ? kLongest : 128));
  // Few different bytes now and then: the scripts then repeat themselves.
  const std::uint64_t mask = next(state) % 3 == 0 ? 0x0f : 0xff;
  for (auto& b : out) b = static_cast<std::uint8_t>(next(state) & mask);
  return out;
}

Bytes changed(const std::vector<Bytes>& corpus, std::uint64_t& state) {
  Bytes out = corpus[next(state) % corpus.size()];
  for (std::uint64_t n = 1 + next(state) % 6; n != 0 && !out.empty(); --n) {
    const std::size_t at = next(state) % out.size();
    switch (next(state) % 6) {
      case 0: out[at] ^= static_cast<std::uint8_t>(1u << next(state) % 8); break;
      case 1: out[at] = static_cast<std::uint8_t>(next(state)); break;
      case 2: out.erase(out.begin() + static_cast<std::ptrdiff_t>(at)); break;
      case 3: out.insert(out.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::uint8_t>(next(state))); break;
      case 4: out.resize(at); break;
      default: {  // another file from here on
        const Bytes& other = corpus[next(state) % corpus.size()];
        const std::size_t from = other.empty() ? 0 : next(state) % other.size();
        out.resize(at);
        out.insert(out.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
      }
    }
  }
  out.resize(std::min(out.size(), kLongest));
  return out;
}

std::vector<Bytes> read_corpus(const std::filesystem::path& from) {
  std::vector<std::filesystem::path> paths;
  if (std::filesystem::is_directory(from))
    for (const auto& entry : std::filesystem::directory_iterator(from)) paths.push_back(entry.path());
  else
    paths.push_back(from);
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    if (!file) std::fprintf(stderr, "cannot read %s\n", path.c_str()), std::exit(1);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

}  // namespace

int main(int argc, char** argv) {
  crash_file = "crash-" + std::filesystem::path(argv[0]).filename().string();
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(keep_input);
  for (const int signal : {SIGABRT, SIGALRM, SIGFPE, SIGILL}) std::signal(signal, on_signal);
  if (__sanitizer_set_death_callback == nullptr)
    for (const int signal : {SIGSEGV, SIGBUS}) std::signal(signal, on_signal);

  const std::vector<Bytes> corpus = argc > 1 ? read_corpus(argv[1]) : std::vector<Bytes>{};
  for (std::size_t i = 0; i < corpus.size(); i += kEach) run(corpus[i]);

  const std::uint64_t wanted = argc > 2 ? std::strtoull(argv[2], nullptr, 0) : 0;
  const char* text = std::getenv("HITPATH_SEED");
  std::uint64_t seed = text == nullptr ? 1 : std::strtoull(text, nullptr, 0), made = 0;
  const std::uint64_t first = seed;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(kSeconds);
  for (; made < wanted && std::chrono::steady_clock::now() < end; ++made)
    run(corpus.empty() || made % 2 == 0 ? noise(seed) : changed(corpus, seed));
  std::printf("%zu files, %llu made inputs of %llu, HITPATH_SEED=%llu\n", corpus.size(),
              static_cast<unsigned long long>(made), static_cast<unsigned long long>(wanted),
              static_cast<unsigned long long>(first));
}
