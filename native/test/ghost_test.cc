// The ghosts against a list: what they remember, in which order they forget, and that they count right for ever.
#include "ghost.h"

#include <algorithm>
#include <list>
#include <vector>

#include "check.h"

using namespace hitpath;

namespace {

/// Ghosts in memory of exactly their size.
class Memory {
 public:
  explicit Memory(u32 capacity) : words_(Ghosts::bytes_for(capacity) / 8), ghosts(states_, words_.data(), capacity) {}

 private:
  GhostState states_[2] = {};
  std::vector<u64> words_;

 public:
  Ghosts ghosts;
};

/// Exact: two lists of hashes, youngest first.
struct Lists {
  std::list<u32> of[2];
  u32 capacity;

  void put(QueueId queue, u32 hash) {
    auto& list = of[queue == kQueueMain];
    list.push_front(hash);
    if (list.size() > std::max(1u, capacity / 2)) list.pop_back();
  }
  QueueId take(u32 hash) {
    for (u32 i = 0; i < 2; ++i) {
      const auto at = std::find(of[i].begin(), of[i].end(), hash);
      if (at == of[i].end()) continue;
      of[i].erase(at);
      return i == 0 ? kQueueSmall : kQueueMain;
    }
    return kQueueNone;
  }
};

}  // namespace

TEST(a_ghost_remembers_the_last_half_of_the_capacity_and_which_queue_it_left) {
  Memory m(8);
  for (u32 i = 0; i < 100; ++i) m.ghosts.put(kQueueSmall, i);
  for (u32 i = 200; i < 203; ++i) m.ghosts.put(kQueueMain, i);
  CHECK_EQ(m.ghosts.count(kQueueSmall), 4u);
  CHECK_EQ(m.ghosts.count(kQueueMain), 3u);
  for (u32 i = 0; i < 96; ++i) CHECK_EQ(m.ghosts.take(i), kQueueNone);
  for (u32 i = 96; i < 100; ++i) CHECK_EQ(m.ghosts.take(i), kQueueSmall);
  for (u32 i = 200; i < 203; ++i) CHECK_EQ(m.ghosts.take(i), kQueueMain);
  CHECK_EQ(m.ghosts.take(99), kQueueNone);
  CHECK_EQ(m.ghosts.count(kQueueSmall) + m.ghosts.count(kQueueMain), 0u);
}

TEST(what_is_taken_leaves_room_for_older_ones) {
  Memory m(8);
  for (u32 i = 0; i < 4; ++i) m.ghosts.put(kQueueSmall, i);
  CHECK_EQ(m.ghosts.take(2), kQueueSmall);
  m.ghosts.put(kQueueSmall, 4);
  CHECK_EQ(m.ghosts.take(0), kQueueSmall);
}

TEST(ghosts_agree_with_lists_but_for_full_buckets) {
  for (const u32 capacity : {1u, 2u, 9u, 40u, 373u, 5000u}) {
    Rng random(capacity);
    Memory m(capacity);
    Lists exact{{}, capacity};
    // Long enough for the ticks to come round where the capacity is small; one key in ten comes back.
    const u32 steps = capacity < 100 ? 200'000 : 20'000;
    u32 apart = 0, found = 0;
    for (u32 i = 0; i < steps; ++i) {
      const u32 hash =
          random.below(10) == 0 && i != 0 ? i - 1 - static_cast<u32>(random.below(std::min(i, capacity))) : i;
      const QueueId expected = exact.take(hash), is = m.ghosts.take(hash);
      apart += expected != is;
      found += expected != kQueueNone;
      const QueueId queue = random.below(4) == 0 ? kQueueMain : kQueueSmall;
      exact.put(queue, hash);
      m.ghosts.put(queue, hash);
      if (i % 997 == 0) CHECK_EQ(m.ghosts.validate(), nullptr);
    }
    std::printf("    %5u entries: %u of %u otherwise than lists\n", capacity, apart, found);
    CHECK_EQ(m.ghosts.validate(), nullptr);
    CHECK(apart * 10 <= found);
    if (capacity <= 2) CHECK_EQ(apart, 0u);
  }
}

// Buckets and turns that keep step: without a sweep, forgotten places are met again when the ticks come round.
TEST(what_is_forgotten_stays_forgotten_when_the_ticks_come_round) {
  for (const u32 capacity : {8u, 16u, 32u, 64u, 200u}) {
    Memory m(capacity);
    Lists exact{{}, capacity};
    u32 false_hits = 0;
    for (u32 i = 0; i < 200'000; ++i) {
      // A loop, and another one for more ticks than are told apart, and so on.
      const u32 hash = i / 40'000 * 1'000'000 + i % (10 * capacity);
      const QueueId expected = exact.take(hash), is = m.ghosts.take(hash);
      false_hits += expected == kQueueNone && is != kQueueNone;
      exact.put(kQueueSmall, hash);
      m.ghosts.put(kQueueSmall, hash);
      if (i % 7 == 0) CHECK_EQ(m.ghosts.validate(), nullptr);
    }
    CHECK_EQ(false_hits, 0u);
    CHECK_EQ(m.ghosts.validate(), nullptr);
  }
}
