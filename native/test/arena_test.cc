// The arena: examples at its edges, a model beside it, and hostile bytes. What shifting sizes do to it is in arena_churn_test.cc.
#include <sys/mman.h>

#include <map>
#include <memory>
#include <vector>

#include "ground.h"

namespace {

void fill(Arena& arena, u32 block, u64 bytes, u64 id) {
  std::vector<u8> content(bytes);
  Rng pattern = Rng::exactly(id);
  for (auto& byte : content) byte = static_cast<u8>(pattern.next());
  copy_in(arena.data(block), content.data(), bytes);
}

bool holds(const Arena& arena, u32 block, u64 bytes, u64 id) {
  std::vector<u8> content(bytes);
  Rng pattern = Rng::exactly(id);
  for (auto& byte : content) byte = static_cast<u8>(pattern.next());
  return bytes == 0 || equal_shared(arena.data(block), content.data(), bytes);
}

std::vector<u32> fill_up(Arena& arena, u64 payload_bytes) {
  std::vector<u32> blocks;
  for (u32 block; (block = arena.allocate(payload_bytes)) != kNil;) blocks.push_back(block);
  return blocks;
}

}  // namespace

TEST(a_strip_is_handed_out_in_pieces_and_the_rest_of_it_comes_back) {
  for (u64 payload = 4; payload <= 400; payload += 9) {
    Ground arena(20'000);
    const u64 before = arena->free_bytes();
    const u32 other = arena->allocate(100);
    Arena::Strip strip = arena->take_strip(4000);
    std::vector<u32> blocks;
    for (u32 block; (block = arena->carve(strip, payload)) != kNil;) {
      CHECK(arena->capacity(block) >= payload);
      CHECK(arena->owner(block) == kNil && arena->pins(block) == 0 && !arena->is_free(block));
      fill(*arena, block, payload, blocks.size());
      blocks.push_back(block);
      // Whatever is left: a strip that is taken to its end, or given back early.
      if (payload % 2 == 0 && blocks.size() == 5) break;
    }
    CHECK(blocks.size() >= 5);
    arena->give_back(strip);
    arena->give_back(strip);  // of nothing
    CHECK_EQ(arena->validate(), nullptr);
    for (u32 i = 0; i < blocks.size(); ++i) CHECK(holds(*arena, blocks[i], payload, i));
    for (const u32 block : blocks) arena->release(block);
    arena->release(other);
    CHECK_EQ(arena->validate(), nullptr);
    CHECK_EQ(arena->free_bytes(), before);
  }
  Ground small(200);
  CHECK_EQ(small->take_strip(1000).left, 0u);
}

TEST(arenas_too_small_for_a_block_are_full) {
  for (const u64 bytes : {8u, 16u}) {
    Ground ground(bytes);
    CHECK_EQ(ground->first(), kNil);
    CHECK_EQ(ground->allocate(0), kNil);
    CHECK_EQ(ground->max_payload(), 0u);
    CHECK_EQ(ground->largest_free(), 0u);
    CHECK(!ground->find_run(0, 0));
    CHECK_EQ(ground->validate(), nullptr);
  }
}

TEST(the_smallest_arena_holds_one_block_of_four_bytes) {
  Ground ground(Arena::kMinArena);
  CHECK_EQ(ground->largest_free(), 4u);
  CHECK_EQ(ground->allocate(5), kNil);
  const u32 block = ground->allocate(4);
  CHECK_EQ(block, 0u);
  CHECK_EQ(ground->capacity(block), 4u);
  CHECK_EQ(ground->free_bytes(), 0u);
  CHECK_EQ(ground->allocate(0), kNil);
  ground->release(block);
  CHECK_EQ(ground->free_bytes(), 16u);
  CHECK_EQ(ground->validate(), nullptr);
}

TEST(an_empty_arena_takes_one_value_of_all_its_bytes_but_header_and_fence) {
  Ground ground(1 << 20);
  const u64 all = (1 << 20) - 8 - kBlockHeader;
  CHECK_EQ(ground->max_payload(), all);
  CHECK_EQ(ground->largest_free(), all);
  CHECK_EQ(ground->allocate(all + 1), kNil);
  const u32 block = ground->allocate(all);
  CHECK_EQ(block, 0u);
  CHECK_EQ(ground->capacity(block), all);
  CHECK_EQ(ground->free_bytes(), 0u);
  CHECK_EQ(ground->validate(), nullptr);
  ground->release(block);
  CHECK_EQ(ground->largest_free(), all);
}

TEST(sizes_near_the_end_of_u64_do_not_wrap) {
  Ground ground(4096);
  for (u64 less = 0; less < 64; ++less) CHECK_EQ(ground->allocate(~u64{0} - less), kNil);
  CHECK_EQ(ground->allocate(u64{1} << 32), kNil);
  CHECK(!ground->find_run(~u64{0}, 0));
  CHECK(!ground->resize_in_place(ground->allocate(8), ~u64{0}));
}

TEST(data_is_aligned_and_a_new_block_has_no_owner_pins_or_tags) {
  Ground ground(1 << 16);
  for (u64 payload = 0; payload < 200; ++payload) {
    const u32 block = ground->allocate(payload);
    CHECK_EQ(reinterpret_cast<std::uintptr_t>(ground->data(block)) % 8, 0u);
    CHECK_EQ(static_cast<u8*>(ground->data(block)) - ground.base(),
             static_cast<std::ptrdiff_t>(Arena::data_offset(block)));
    CHECK(ground->capacity(block) >= payload);
    CHECK_EQ(ground->capacity(block) + kBlockHeader, Arena::block_bytes(payload));
    CHECK_EQ(ground->owner(block), kNil);
    CHECK_EQ(ground->pins(block), 0u);
    CHECK(!ground->tagged(block));
  }
  CHECK_EQ(ground->validate(), nullptr);
}

TEST(a_block_as_large_as_the_only_hole_fits_though_its_class_is_wider) {
  // 100 blocks of the class of 1000 .. 1055 bytes, none of them free; then one hole among them.
  Ground ground(100 * Arena::block_bytes(1000) + 8);
  const auto blocks = fill_up(*ground, 1000);
  CHECK_EQ(blocks.size(), 100u);
  CHECK_EQ(ground->free_bytes(), 0u);
  ground->release(blocks[50]);
  CHECK_EQ(ground->largest_free(), ground->capacity(blocks[50]));
  CHECK_EQ(ground->allocate(1001 + 8), kNil);
  CHECK_EQ(ground->allocate(1000), blocks[50]);
}

TEST(release_merges_on_both_sides_in_any_order) {
  std::vector<int> order{0, 1, 2, 3};
  do {
    Ground ground(4 * Arena::block_bytes(100) + 8);
    const auto blocks = fill_up(*ground, 100);
    CHECK_EQ(blocks.size(), 4u);
    for (const int i : order) {
      ground->release(blocks[static_cast<std::size_t>(i)]);
      CHECK_EQ(ground->validate(), nullptr);
    }
    CHECK_EQ(ground->largest_free(), ground->max_payload());
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(release_leaves_free_and_pinned_blocks_alone) {
  Ground ground(4096);
  const u32 block = ground->allocate(100);
  ground->add_pin(block);
  ground->add_pin(block);
  CHECK_EQ(ground->pinned_bytes(), Arena::block_bytes(100));
  ground->release(block);
  CHECK(!ground->resize_in_place(block, 50));
  CHECK(!ground->is_free(block));
  CHECK_EQ(ground->drop_pin(block), 1u);
  CHECK_EQ(ground->drop_pin(block), 0u);
  CHECK_EQ(ground->drop_pin(block), 0u);
  CHECK_EQ(ground->pinned_bytes(), 0u);
  ground->release(block);
  ground->release(block);
  CHECK(ground->is_free(block));
  CHECK_EQ(ground->free_bytes(), 4096u - 8);
  ground->release(kNil);
  ground->release(511);
  CHECK_EQ(ground->validate(), nullptr);
}

TEST(resize_returns_the_tail_and_grows_into_a_free_neighbour) {
  Ground ground(4096);
  const u32 block = ground->allocate(1000);
  const u32 wall = ground->allocate(100);
  ground->set_tagged(block, true);
  ground->set_owner(block, 7);
  fill(*ground, block, 500, 1);
  CHECK(ground->resize_in_place(block, 500));
  CHECK_EQ(ground->capacity(block), Arena::block_bytes(500) - kBlockHeader);
  CHECK_EQ(ground->prev_if_free(wall), block + Arena::block_bytes(500) / kGranule);
  CHECK_EQ(ground->validate(), nullptr);
  CHECK(!ground->resize_in_place(block, 1010));
  CHECK(ground->resize_in_place(block, 1000));
  CHECK_EQ(ground->prev_if_free(wall), kNil);
  CHECK(ground->tagged(block) && ground->owner(block) == 7 && holds(*ground, block, 500, 1));
  CHECK_EQ(ground->validate(), nullptr);
}

TEST(walking_visits_every_block_once) {
  Ground ground(1 << 14);
  const auto blocks = fill_up(*ground, 90);
  for (std::size_t i = 0; i < blocks.size(); i += 3) ground->release(blocks[i]);
  u64 bytes = 8;
  for (u32 block = ground->first(); block != kNil; block = ground->next(block))
    bytes += ground->capacity(block) + kBlockHeader;
  CHECK_EQ(bytes, ground.bytes());
  u32 used = 0;
  CHECK_EQ(ground->validate([&used](u32) -> const char* { return ++used, nullptr; }), nullptr);
  CHECK_EQ(used, blocks.size() - (blocks.size() + 2) / 3);
}

TEST(validate_finds_each_kind_of_damage) {
  const auto flip = [](Ground& ground, u64 at, u8 bits) { ground.base()[at] ^= bits; };
  const auto damaged = [](auto damage) {
    Ground ground(1 << 14);
    const auto blocks = fill_up(*ground, 100);
    for (std::size_t i = 0; i < blocks.size(); i += 2) ground->release(blocks[i]);
    CHECK_EQ(ground->validate(), nullptr);
    damage(ground, blocks);
    return ground->validate() != nullptr;
  };
  for (const std::size_t i : {0u, 1u}) {  // a free block, then a used one
    CHECK(damaged([i, flip](Ground& g, const std::vector<u32>& b) { flip(g, b[i] * 8, 1); }));  // kFree
    CHECK(damaged([i, flip](Ground& g, const std::vector<u32>& b) { flip(g, b[i] * 8, 2); }));  // kPrevFree
    CHECK(damaged([i, flip](Ground& g, const std::vector<u32>& b) { flip(g, b[i] * 8, 8); }));  // size
    CHECK(damaged([i, flip](Ground& g, const std::vector<u32>& b) { flip(g, b[i] * 8 + 3, 0x80); }));
  }
  CHECK(damaged([flip](Ground& g, const std::vector<u32>& b) { flip(g, b[2] * 8, 4); }));      // tagged
  CHECK(damaged([flip](Ground& g, const std::vector<u32>& b) { flip(g, b[2] * 8 + 4, 1); }));  // next
  CHECK(damaged([flip](Ground& g, const std::vector<u32>& b) { flip(g, b[2] * 8 + 8, 1); }));  // prev
  CHECK(damaged([flip](Ground& g, const std::vector<u32>& b) { flip(g, b[3] * 8 - 4, 1); }));  // footer
  CHECK(damaged([flip](Ground& g, const std::vector<u32>& b) { flip(g, b[1] * 8 + 8, 1); }));  // pins
  CHECK(damaged([flip](Ground& g, const std::vector<u32>&) { flip(g, g.bytes() - 8, 2); }));   // the fence
  CHECK(damaged([](Ground& g, const std::vector<u32>&) { g.state().bytes.add(8); }));
  CHECK(damaged([](Ground& g, const std::vector<u32>&) { g.state().free_bytes.add(8); }));
  CHECK(damaged([](Ground& g, const std::vector<u32>&) { g.state().pinned_bytes.add(8); }));
  CHECK(damaged([](Ground& g, const std::vector<u32>&) { g.state().first_level.put(0); }));
  CHECK(damaged(
      [](Ground& g, const std::vector<u32>&) { g.state().second_level[0].put(g.state().second_level[0].get() ^ 1); }));
  CHECK(damaged([](Ground& g, const std::vector<u32>&) { g.state().second_level[9].put(1u << 16); }));
  CHECK(damaged([](Ground& g, const std::vector<u32>&) { g.state().heads[300].put(0); }));
}

TEST(a_run_is_the_cheapest_near_and_next_used_yields_what_to_release) {
  Ground ground(40 * Arena::block_bytes(100) + 8);
  const auto blocks = fill_up(*ground, 100);
  CHECK_EQ(blocks.size(), 40u);
  for (const u32 block : blocks) ground->set_owner(block, block);
  // Free holes, one block apart, at 20 .. 26: the cheapest room for three blocks is a block between two
  // holes.
  for (std::size_t i = 20; i <= 26; i += 2) ground->release(blocks[i]);
  const u64 three = 3 * Arena::block_bytes(100) - kBlockHeader;
  CHECK_EQ(ground->allocate(three), kNil);
  auto run = ground->find_run(three, blocks[10]);
  CHECK_EQ(run.first, blocks[20]);
  CHECK_EQ(run.end, blocks[23]);
  CHECK_EQ(run.used_bytes, Arena::block_bytes(100));
  CHECK_EQ(ground->next_used(run), blocks[21]);
  ground->release(blocks[21]);
  CHECK_EQ(ground->next_used(run), kNil);
  CHECK_EQ(ground->allocate(three), blocks[20]);
  CHECK_EQ(ground->validate(), nullptr);
}

TEST(a_run_avoids_pins_and_wraps_once) {
  Ground ground(40 * Arena::block_bytes(100) + 8);
  const auto blocks = fill_up(*ground, 100);
  for (std::size_t i = 5; i < 40; i += 2) ground->add_pin(blocks[i]);
  const u64 three = 3 * Arena::block_bytes(100) - kBlockHeader;
  auto run = ground->find_run(three, blocks[11]);
  CHECK_EQ(run.first, blocks[0]);
  CHECK_EQ(run.end, blocks[3]);
  CHECK(!ground->find_run(6 * Arena::block_bytes(100), blocks[11]));
  CHECK(ground->find_run(5 * Arena::block_bytes(100) - kBlockHeader, blocks[11]));
  ground->add_pin(blocks[2]);
  CHECK(!ground->find_run(three, blocks[11]));
  CHECK(!ground->find_run(ground->max_payload(), 0));
}

// Free blocks of one class, none of which suffices but the one freed first: the last of its list.
TEST(a_block_deep_in_its_list_is_found_by_allocate_or_brought_to_the_front_by_find_run) {
  const u64 small = Arena::block_bytes(8000 - kBlockHeader), large = Arena::block_bytes(8160 - kBlockHeader);
  for (const u64 others : {20u, 1000u}) {
    Ground ground(large + others * (small + 16) + 16 + 8);
    std::vector<u32> holes{ground->allocate(large - kBlockHeader)};
    for (u64 i = 0; i < others; ++i) {
      CHECK(ground->allocate(0) != kNil);
      holes.push_back(ground->allocate(small - kBlockHeader));
    }
    CHECK(ground->allocate(0) != kNil);
    for (const u32 hole : holes) ground->release(hole);
    u32 block = ground->allocate(large - kBlockHeader);
    CHECK_EQ(block == kNil, others > Arena::kPatientTries);
    if (block == kNil) {
      auto run = ground->find_run(large - kBlockHeader, ground->first());
      CHECK_EQ(run.used_bytes, 0u);
      CHECK_EQ(ground->next_used(run), kNil);
      block = ground->allocate(large - kBlockHeader);
    }
    CHECK_EQ(block, holes[0]);
    CHECK_EQ(ground->validate(), nullptr);
  }
}

TEST(an_arena_beyond_four_gigabytes_has_sections) {
  const u64 bytes = u64{16} << 30;
  void* memory =
      ::mmap(nullptr, bytes + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (!CHECK(memory != MAP_FAILED)) return;
  auto state = std::make_unique<ArenaState>();
  Arena arena(*state, static_cast<u8*>(memory) + 4, bytes);
  arena.format();
  CHECK_EQ(arena.validate(), nullptr);
  CHECK_EQ(arena.max_payload(), (u64{4} << 30) - 8 - kBlockHeader);
  std::vector<u32> blocks;
  for (u32 block; (block = arena.allocate(u64{1} << 30)) != kNil;) blocks.push_back(block);
  CHECK_EQ(blocks.size(), 12u);
  CHECK_EQ(arena.validate(), nullptr);
  u32 count = 0;
  for (u32 block = arena.first(); block != kNil; block = arena.next(block)) ++count;
  CHECK_EQ(count, 4u * (3 + 1));
  auto run = arena.find_run(u64{2} << 30, blocks.back());
  CHECK(bool(run));
  for (u32 block; (block = arena.next_used(run)) != kNil;) arena.release(block);
  CHECK(arena.allocate(u64{2} << 30) != kNil);
  CHECK_EQ(arena.validate(), nullptr);
  ::munmap(memory, bytes + 4096);
  // One and two granules left over behind a fence.
  for (const u64 over : {1u, 2u, 3u}) {
    const u64 odd = (u64{Arena::kMaxGranules} + 1 + over) * 8;
    memory = ::mmap(nullptr, odd + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!CHECK(memory != MAP_FAILED)) return;
    Arena edge(*state, static_cast<u8*>(memory) + 4, odd);
    edge.format();
    CHECK_EQ(edge.validate(), nullptr);
    CHECK_EQ(edge.next(edge.first()), over == 3 ? Arena::kMaxGranules + 1 : kNil);
    ::munmap(memory, odd + 4096);
  }
}

// The model: used intervals in order. Everything else is gaps.
namespace {
struct Entry {
  u64 granules;
  u64 payload;
  u64 id;
  u32 pins;
};
struct Model {
  std::map<u32, Entry> used;
  u32 end;  // of the blocks
  [[nodiscard]] u64 gap_after(std::map<u32, Entry>::const_iterator it) const {
    const auto next = std::next(it);
    return (next == used.end() ? end : next->first) - (it->first + it->second.granules);
  }
  [[nodiscard]] u64 largest_gap() const {
    u64 largest = used.empty() ? end : used.begin()->first;
    for (auto it = used.begin(); it != used.end(); ++it) largest = std::max(largest, gap_after(it));
    return largest;
  }
  [[nodiscard]] u64 free_granules() const {
    u64 total = end;
    for (const auto& [block, entry] : used) total -= entry.granules;
    return total;
  }
};

void play(Rng& rng, u64 bytes, u64 largest, int operations) {
  Ground ground(bytes);
  Arena& arena = *ground;
  Model model{{}, static_cast<u32>(bytes / 8 - 1)};
  u64 ids = 0;
  const auto size = [&] {
    const u64 bits = rng.below(static_cast<u64>(std::bit_width(largest)) + 1);
    return std::min(largest, rng.below(u64{1} << bits));
  };
  const auto place = [&](u32 block, u64 payload) {
    const u64 granules = (arena.capacity(block) + kBlockHeader) / 8;
    CHECK(arena.capacity(block) >= payload && granules * 8 <= Arena::block_bytes(payload) + 8);
    const auto [it, fresh] = model.used.insert({block, {granules, payload, ++ids, 0}});
    CHECK(fresh && block + granules <= model.end);
    CHECK(it == model.used.begin() || std::prev(it)->first + std::prev(it)->second.granules <= block);
    CHECK(std::next(it) == model.used.end() || block + granules <= std::next(it)->first);
    arena.set_owner(block, static_cast<u32>(ids));
    fill(arena, block, payload, ids);
  };
  const auto remove = [&](std::map<u32, Entry>::iterator it) {
    CHECK(holds(arena, it->first, it->second.payload, it->second.id));
    CHECK_EQ(arena.owner(it->first), static_cast<u32>(it->second.id));
    arena.release(it->first);
    model.used.erase(it);
  };
  const auto any = [&] {
    return std::next(model.used.begin(), static_cast<std::ptrdiff_t>(rng.below(model.used.size())));
  };
  for (int i = 0; i < operations && check::failures.load() == 0; ++i) {
    const u64 what = rng.below(100);
    if (what < 45 || model.used.empty()) {
      const u64 payload = size();
      const u64 gap = model.largest_gap();
      const bool room = gap * 8 >= Arena::block_bytes(payload);
      CHECK_EQ(arena.largest_free(), gap < 2 ? 0 : gap * 8 - kBlockHeader);
      u32 block = arena.allocate(payload);
      CHECK_EQ(block != kNil, room);
      if (!room && payload <= arena.max_payload() && rng.chance(0.5)) {
        const u32 around = model.used.empty() ? 0 : any()->first;
        if (auto run = arena.find_run(payload, around)) {
          for (u32 next; (next = arena.next_used(run)) != kNil;) {
            const auto it = model.used.find(next);
            if (!CHECK(it != model.used.end()) || !CHECK_EQ(it->second.pins, 0u)) return;
            remove(it);
          }
          block = arena.allocate(payload);
          CHECK(block != kNil);
        } else {
          CHECK(arena.pinned_bytes() != 0);
        }
      }
      if (block != kNil) place(block, payload);
    } else if (what < 75) {
      const auto it = any();
      if (it->second.pins == 0) remove(it);
    } else if (what < 90) {
      const auto it = any();
      const u64 payload = rng.chance(0.3) ? it->second.payload + rng.below(32) : size();
      const u64 need = Arena::block_bytes(payload) / 8;
      const bool can = it->second.pins == 0 && need <= it->second.granules + model.gap_after(it);
      CHECK_EQ(arena.resize_in_place(it->first, payload), can);
      if (can) {
        const u64 kept = std::min(payload, it->second.payload);
        if (kept == it->second.payload) CHECK(holds(arena, it->first, kept, it->second.id));
        it->second.granules = (arena.capacity(it->first) + kBlockHeader) / 8;
        CHECK(it->second.granules >= need && it->second.granules <= need + 1);
        it->second.payload = payload;
        fill(arena, it->first, payload, it->second.id);
      }
    } else {
      const auto it = any();
      if (it->second.pins == 0 || (it->second.pins < 3 && rng.chance(0.3))) {
        arena.add_pin(it->first);
        ++it->second.pins;
      } else {
        CHECK_EQ(arena.drop_pin(it->first), --it->second.pins);
      }
    }
    CHECK_EQ(arena.free_bytes(), model.free_granules() * 8);
    u64 seen = 0;
    const auto known = [&](u32 block) -> const char* {
      ++seen;
      return model.used.contains(block) ? nullptr : "a block that the model does not know";
    };
    CHECK_EQ(arena.validate(known), nullptr);
    CHECK_EQ(seen, model.used.size());
  }
  for (auto& [block, entry] : model.used)
    for (; entry.pins != 0; --entry.pins) arena.drop_pin(block);
  while (!model.used.empty()) remove(any());
  CHECK_EQ(arena.largest_free(), arena.max_payload());
  CHECK_EQ(arena.validate(), nullptr);
}
}  // namespace

TEST(it_agrees_with_a_list_of_intervals) {
  Rng rng(0xa7e4a);
  for (const u64 bytes : {24u, 32u, 40u, 64u, 120u, 256u}) play(rng, bytes, bytes, 2000);
  for (int round = 0; round < 6; ++round) {
    play(rng, 4096, 300, 3000);
    play(rng, 16384, 5000, 3000);
    play(rng, 65536, 65536, 2000);
    play(rng, rng.between(3, 4000) * 8 + rng.below(8) / 8, rng.between(1, 9000), 2000);
  }
}

TEST(hostile_bytes_stay_inside) {
  Rng rng(0x405);
  for (int round = 0; round < 300; ++round) {
    const u64 bytes = rng.between(1, 600) * 8;
    Ground ground(bytes);
    // Either noise everywhere, or a living arena with a few words broken.
    const bool noise = rng.chance(0.5);
    auto* words = reinterpret_cast<Word<u32>*>(ground.base());
    auto* state = reinterpret_cast<Word<u32>*>(&ground.state());
    const auto word = [&] {
      const u64 kind = rng.below(4);
      return static_cast<u32>(kind == 0   ? rng.next()
                              : kind == 1 ? rng.below(bytes / 4)
                              : kind == 2 ? kNil
                                          : rng.below(bytes) << 3 | rng.below(8));
    };
    const auto break_one = [&] {
      if (rng.chance(0.7))
        words[rng.below(bytes / 4)].put(word());
      else
        state[rng.below(sizeof(ArenaState) / 4)].put(word());
    };
    if (noise)
      for (u64 i = 0; i < bytes; ++i) break_one();
    for (int i = 0; i < 300; ++i) {
      if (rng.chance(0.1)) break_one();
      const u32 block = rng.chance(0.8) ? static_cast<u32>(rng.below(bytes / 8 + 3)) : word();
      const u64 payload = rng.chance(0.9) ? rng.below(bytes) : rng.next();
      switch (rng.below(9)) {
        case 0:
        case 1: {
          const u32 got = ground->allocate(payload);
          if (got != kNil) CHECK(Arena::data_offset(got) + payload <= bytes);
          break;
        }
        case 2: ground->release(block); break;
        case 3: (void)ground->resize_in_place(block, payload); break;
        case 4:
          ground->set_owner(block, 1);
          ground->set_tagged(block, rng.chance(0.5));
          ground->add_pin(block);
          ground->drop_pin(block);
          break;
        case 5: {
          auto run = ground->find_run(payload, block);
          u32 last = 0;
          for (u32 next; (next = ground->next_used(run)) != kNil; last = next + 1) {
            if (!CHECK(next >= last)) break;
            ground->release(next);
          }
          break;
        }
        case 6: {
          u32 last = 0;
          for (u32 at = ground->first(); at != kNil; at = ground->next(at), ++last) CHECK(at >= last);
          break;
        }
        case 7:
          (void)ground->validate();
          (void)ground->largest_free();
          (void)ground->prev_if_free(block);
          break;
        default:
          if (const u64 room = ground->capacity(block); room != 0) {
            CHECK(Arena::data_offset(block) + room <= bytes);
            std::memset(ground->data(block), 0x5a, room);
          }
      }
    }
  }
}
