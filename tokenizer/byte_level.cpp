#include "tokenizer/byte_level.h"

#include <array>
#include <cstdint>

#include "tokenizer/utf8.h"

namespace galley {
namespace {

constexpr char32_t kFirstStandIn = 0x100;
constexpr char32_t kEnd = 0x144;  // 68 bytes are not printable: 0x100 .. 0x143

constexpr bool is_printable(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
}

struct Alphabet {
  std::array<char32_t, 256> to_char{};
  std::array<std::int16_t, kEnd> to_byte{};  // -1: not in the alphabet

  constexpr Alphabet() {
    for (auto& byte : to_byte) byte = -1;
    char32_t next = kFirstStandIn;
    for (int byte = 0; byte < 256; ++byte) {
      const char32_t c = is_printable(byte) ? static_cast<char32_t>(byte) : next++;
      to_char[static_cast<std::size_t>(byte)] = c;
      to_byte[c] = static_cast<std::int16_t>(byte);
    }
  }
};
constexpr Alphabet kAlphabet;
static_assert(kAlphabet.to_char[' '] == 0x120 && kAlphabet.to_char['\n'] == 0x10A);
static_assert(kAlphabet.to_char[0xAD] == kEnd - 1);

}  // namespace

char32_t byte_to_char(unsigned char byte) { return kAlphabet.to_char[byte]; }

std::string spell_bytes(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) append_utf8(text, byte_to_char(static_cast<unsigned char>(byte)));
  return text;
}

bool unspell_bytes(std::string_view text, std::string& bytes) {
  const std::size_t old_size = bytes.size();
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Char c = read_utf8(text, i);
    if (!c.valid || c.code >= kEnd || kAlphabet.to_byte[c.code] < 0) {
      bytes.resize(old_size);
      return false;
    }
    bytes.push_back(static_cast<char>(kAlphabet.to_byte[c.code]));
    i += c.size;
  }
  return true;
}

}  // namespace galley
