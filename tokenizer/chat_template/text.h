// Text as Python sees it: a sequence of code points, with Python's idea of white space, letters
// and upper and lower case. Strings stay UTF-8; functions here decode where code points count.
//
// A byte that is not part of well-formed UTF-8 counts as one code point, kBrokenByte + byte
// (as Python's "surrogateescape" does), and is written back as that byte.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace galley::chat {

inline constexpr char32_t kBrokenByte = 0xDC00;

struct CodePoint {
  char32_t value;
  std::size_t n_bytes;
};

// The code point that starts at text[at]. REQUIRES: at < text.size().
CodePoint decode_at(std::string_view text, std::size_t at);
std::u32string decode(std::string_view text);
void append_code_point(std::string& text, char32_t code_point);
std::string encode(std::u32string_view code_points);
bool is_valid_utf8(std::string_view text);

// Length in code points.
std::size_t count_code_points(std::string_view text);
// One string per code point.
std::vector<std::string> split_characters(std::string_view text);
// text[start : start + count] in code points.
std::string_view code_point_range(std::string_view text, std::size_t start, std::size_t count);

bool is_space(char32_t c);
bool is_alphabetic(char32_t c);  // str.isalpha: categories L*
bool is_decimal(char32_t c);     // str.isdecimal: category Nd
int decimal_value(char32_t c);   // REQUIRES: is_decimal(c)
bool is_digit(char32_t c);       // str.isdigit: also superscripts and the like
bool is_numeric(char32_t c);     // str.isnumeric: also fractions and number letters
bool is_upper(char32_t c);
bool is_lower(char32_t c);
bool is_title(char32_t c);      // category Lt
bool is_word(char32_t c);       // what \w matches
bool is_printable(char32_t c);  // what repr() does not escape
bool starts_identifier(char32_t c);
bool continues_identifier(char32_t c);

// Python's full case mappings: one character may become several.
std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_title(std::string_view text);  // str.title
std::string to_capitalized(std::string_view text);
std::string swap_case(std::string_view text);

enum class Side { kLeft, kRight, kBoth };
// Without the characters of `characters` (white space if nullptr) at its ends.
std::string_view strip(std::string_view text, Side side, const std::string_view* characters);

// At \n, \r\n, \r, \v, \f, \x1c..\x1e, \x85, U+2028 and U+2029.
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

}  // namespace galley::chat
