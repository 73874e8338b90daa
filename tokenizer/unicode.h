// What kind of character a code point is, as Unicode 15.1 says.
//
// Where it sits: WordPiece cleans and cuts text by these questions; the pre-tokenizers' regular
// expressions ask PCRE2 the same ones and get help from `stand_in` (see there).
#pragma once

namespace galley {

// One letter of the general category is enough here.
enum class CharClass : char {
  kLetter,
  kMark,
  kNumber,
  kPunctuation,
  kSymbol,
  kSeparator,
  kControl,  // control, format, private use
  kUnassigned,
};

// The class of a code point.
CharClass char_class(char32_t code);
// White_Space: what \s means in the pre-tokenizers.
bool is_white_space(char32_t code);
// The simple (one to one) lower case.
char32_t to_lower(char32_t code);
// The first code point of the canonical decomposition: the letter without its accents.
char32_t base_char(char32_t code);

// PCRE2 and utf8proc, as Debian ships them, know older versions of Unicode than the tokenizers
// that models were trained with. For a code point that PCRE2 would put into another class: one
// of the same class and the same UTF-8 size that it knows; else `code` itself. Putting it into
// the text before matching makes \p{L}, \p{N}, \p{M}, \p{P}, \p{S} and \s mean what they should.
char32_t stand_in(char32_t code);

}  // namespace galley
