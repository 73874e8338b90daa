#include "tools/trace/numbers.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tensor/error.h"

namespace galley::trace {
namespace {

static_assert(std::endian::native == std::endian::little, "floats are copied as they are");

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// The value of each digit, or 255.
constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(255);
  for (std::size_t i = 0; i < kDigits.size(); ++i)
    values[static_cast<unsigned char>(kDigits[i])] = static_cast<std::uint8_t>(i);
  return values;
}
constexpr std::array<std::uint8_t, 256> kValues = make_values();

}  // namespace

std::string base64(std::span<const float> values) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(values.data());
  const std::size_t n = values.size_bytes();
  std::string text;
  text.reserve((n + 2) / 3 * 4);
  for (std::size_t i = 0; i < n; i += 3) {
    std::uint32_t group = std::uint32_t{bytes[i]} << 16;
    if (i + 1 < n) group |= std::uint32_t{bytes[i + 1]} << 8;
    if (i + 2 < n) group |= bytes[i + 2];
    text += kDigits[group >> 18];
    text += kDigits[group >> 12 & 63];
    text += i + 1 < n ? kDigits[group >> 6 & 63] : '=';
    text += i + 2 < n ? kDigits[group & 63] : '=';
  }
  return text;
}

std::vector<float> floats_from_base64(std::string_view text, const std::string& what) {
  const auto fail = [&](const char* problem) -> Error {
    return Error(ErrorKind::kFailure, what + ": " + problem);
  };
  if (text.size() % 4 != 0) throw fail("base64 whose length is no multiple of 4");
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  std::vector<std::uint8_t> bytes;
  std::uint32_t group = 0;
  int n_bits = 0;
  for (const char c : text) {
    const std::uint8_t value = kValues[static_cast<unsigned char>(c)];
    if (value == 255) throw fail("a character that is not base64");
    group = (group << 6 | value) & 0xffff;
    n_bits += 6;
    if (n_bits < 8) continue;
    n_bits -= 8;
    bytes.push_back(static_cast<std::uint8_t>(group >> n_bits));
  }
  if (bytes.size() % sizeof(float) != 0) throw fail("not a whole number of float32 values");
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

double short_number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", x);
  return std::strtod(text, nullptr);
}

}  // namespace galley::trace
