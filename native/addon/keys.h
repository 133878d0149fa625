// From JavaScript keys to the core's: strings, and what the staging area describes.
#pragma once

#include "environment.h"

namespace hitpath {

/// A key and the bytes it stands on.
class KeyReader {
 public:
  /// False, with the status set, when it is no key.
  [[nodiscard]] bool read_string(Environment& e, const Handle& h, napi_value value) noexcept;
  /// A number, an array or a digest, as staging.form says; `value` is the array.
  [[nodiscard]] bool read_staged(Environment& e, const Handle& h, napi_value value) noexcept;

  Key key;
  u8 digest[16];

 private:
  [[nodiscard]] bool from_units(Environment& e, const Handle& h, const u16* units, u32 count, u8* narrowed) noexcept;

  static constexpr u32 kStack = 256;
  u16 units_[kStack];
  u8 bytes_[kStack];
};

/// The digest of the array that the staging area describes, strided or not. False, with the status set, when it leaves its
/// buffer or is no array.
[[nodiscard]] bool digest_array(Environment& e, napi_value value, Digest& out) noexcept;

/// The digest of a tag's name.
[[nodiscard]] bool read_tag(Environment& e, napi_value value, Digest& out) noexcept;

}  // namespace hitpath
