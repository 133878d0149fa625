// What the two halves of the functions on snapshots share.
#pragma once

#include "environment.h"

namespace hitpath {

/// The bytes of a Buffer or another view. False when the value is none.
[[nodiscard]] inline bool buffer_of(napi_env env, napi_value value, std::span<u8>& out) noexcept {
  void* data = nullptr;
  std::size_t length = 0;
  if (napi_get_buffer_info(env, value, &data, &length) != napi_ok) return false;
  out = {static_cast<u8*>(data), length};
  return true;
}

/// The functions on blocks, which threads of the pool carry out.
void add_snapshot_blocks(napi_env env, napi_value exports, Environment& e) noexcept;

}  // namespace hitpath
