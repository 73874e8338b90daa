#include "tokenizer/normalizer.h"

#include <cstring>

#include "tensor/error.h"

namespace galley {
namespace {

constexpr std::uint32_t kValueBit = std::uint32_t{1} << 31;

bool ends_string(std::uint32_t unit) { return (unit >> 8 & 1) != 0; }
// The byte that leads to the unit; never a byte where the unit is a value.
std::uint32_t label(std::uint32_t unit) { return unit & (kValueBit | 0xFF); }
std::uint32_t offset(std::uint32_t unit) { return unit >> 10 << ((unit >> 9 & 1) * 8); }

}  // namespace

Normalizer Normalizer::from_gguf(const GgufFile& file) {
  constexpr std::string_view kKey = "tokenizer.ggml.precompiled_charsmap";
  Normalizer normalizer;
  const GgufArray* array = file.get_array(kKey);
  if (array == nullptr || array->count == 0) return normalizer;
  if (array->element_type != GgufType::kUint8 && array->element_type != GgufType::kInt8) {
    throw bad_model(file.path(), std::string(kKey) + " holds " +
                                     std::string(gguf_type_name(array->element_type)) +
                                     ", expected bytes; convert the model again");
  }
  const std::span<const std::byte> bytes = array->bytes;
  std::uint32_t n = 0;
  if (bytes.size() >= sizeof n) std::memcpy(&n, bytes.data(), sizeof n);
  if (bytes.size() < sizeof n || n % sizeof(std::uint32_t) != 0 || n > bytes.size() - sizeof n) {
    throw bad_model(file.path(), std::string(kKey) + " has " + std::to_string(bytes.size()) +
                                     " bytes, but its array should have " + std::to_string(n) +
                                     "; the file is damaged, convert the model again");
  }
  normalizer.units_.resize(n / sizeof(std::uint32_t));
  if (n > 0) std::memcpy(normalizer.units_.data(), bytes.data() + sizeof n, n);
  const auto rest = bytes.subspan(sizeof n + n);
  normalizer.replacements_.assign(reinterpret_cast<const char*>(rest.data()), rest.size());
  return normalizer;
}

std::optional<Normalizer::Replacement> Normalizer::match(std::string_view text) const {
  if (units_.empty()) return std::nullopt;
  std::optional<Replacement> longest;
  std::uint32_t at = offset(units_[0]);
  for (std::size_t i = 0; i < text.size() && text[i] != '\0'; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    at ^= byte;
    if (at >= units_.size() || label(units_[at]) != byte) break;
    const bool ends = ends_string(units_[at]);
    at ^= offset(units_[at]);
    if (!ends) continue;
    if (at >= units_.size()) break;
    const std::size_t begin = units_[at] & ~kValueBit;
    const std::size_t end = replacements_.find('\0', begin);
    if (end == std::string::npos) break;
    longest = {std::string_view(replacements_).substr(begin, end - begin), i + 1};
  }
  return longest;
}

}  // namespace galley
