// Reading and writing single UTF-8 characters.
//
// Where it sits: at the bottom of the tokenizer; everything that walks over text by characters
// uses it. Text is never trusted: what is not UTF-8 is reported, not skipped.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace galley {

// The character at some place of a text. Bytes that are not UTF-8 come one at a time, with
// valid = false; so every byte of any text belongs to exactly one character.
struct Utf8Char {
  char32_t code = 0;     // the code point, or the byte if invalid
  std::size_t size = 1;  // in bytes: 1 to 4
  bool valid = true;
};

// The character that starts at byte `position`. REQUIRES: position < text.size().
// Overlong forms, surrogates and code points above U+10FFFF are invalid (RFC 3629).
Utf8Char read_utf8(std::string_view text, std::size_t position);

// How many bytes a character has that begins with `lead`: 1 to 4, or 0 if no character does.
int utf8_size(unsigned char lead);

// Appends the character `code`. REQUIRES: a code point, not a surrogate.
void append_utf8(std::string& text, char32_t code);

// "▁" (U+2581), which SentencePiece writes for a space.
inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

// `text` with every space written as the mark, and back.
std::string escape_spaces(std::string_view text);
std::string unescape_spaces(std::string_view text);

}  // namespace galley
