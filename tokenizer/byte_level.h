// The alphabet in which byte-level BPE vocabularies spell bytes.
//
// Where it sits: between the token texts of a "gpt2" vocabulary and the bytes they stand for.
// GPT-2 wanted token texts to be printable: each of the 256 bytes got a character. Printable
// bytes stand for themselves; the others, in order, became U+0100, U+0101, ... So a space (byte
// 0x20, the 33rd unprintable one) is written 'Ġ' (U+0120) and a newline 'Ċ' (U+010A).
#pragma once

#include <string>
#include <string_view>

namespace galley {

// The character that stands for `byte`.
char32_t byte_to_char(unsigned char byte);

// `bytes` spelled in the alphabet: "a b" gives "aĠb".
std::string spell_bytes(std::string_view bytes);

// The bytes that `text` spells, appended to `bytes`. If a character is outside the alphabet
// nothing is appended and the answer is false.
bool unspell_bytes(std::string_view text, std::string& bytes);

}  // namespace galley
