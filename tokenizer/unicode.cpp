#include "tokenizer/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <iterator>

namespace galley {
namespace {

struct NewRange {
  char32_t first;
  char32_t last;
  CharClass kind;
};

// What Unicode 15.0 and 15.1 added to 14.0 (DerivedAge.txt and UnicodeData.txt of the Unicode
// Character Database), by class. tests/tokenizer/unicode_test.cpp checks it against PCRE2.
constexpr CharClass L = CharClass::kLetter;
constexpr CharClass M = CharClass::kMark;
constexpr CharClass N = CharClass::kNumber;
constexpr CharClass P = CharClass::kPunctuation;
constexpr CharClass S = CharClass::kSymbol;
constexpr NewRange kNewRanges[] = {
    {0x00CF3, 0x00CF3, M}, {0x00ECE, 0x00ECE, M}, {0x02FFC, 0x02FFF, S}, {0x031EF, 0x031EF, S},
    {0x10EFD, 0x10EFF, M}, {0x1123F, 0x11240, L}, {0x11241, 0x11241, M}, {0x11B00, 0x11B09, P},
    {0x11F00, 0x11F01, M}, {0x11F02, 0x11F02, L}, {0x11F03, 0x11F03, M}, {0x11F04, 0x11F10, L},
    {0x11F12, 0x11F33, L}, {0x11F34, 0x11F3A, M}, {0x11F3E, 0x11F42, M}, {0x11F43, 0x11F4F, P},
    {0x11F50, 0x11F59, N}, {0x1342F, 0x1342F, L}, {0x13440, 0x13440, M}, {0x13441, 0x13446, L},
    {0x13447, 0x13455, M}, {0x1B132, 0x1B132, L}, {0x1B155, 0x1B155, L}, {0x1D2C0, 0x1D2D3, N},
    {0x1DF25, 0x1DF2A, L}, {0x1E030, 0x1E06D, L}, {0x1E08F, 0x1E08F, M}, {0x1E4D0, 0x1E4EB, L},
    {0x1E4EC, 0x1E4EF, M}, {0x1E4F0, 0x1E4F9, N}, {0x1F6DC, 0x1F6DC, S}, {0x1F774, 0x1F776, S},
    {0x1F77B, 0x1F77F, S}, {0x1F7D9, 0x1F7D9, S}, {0x1FA75, 0x1FA77, S}, {0x1FA87, 0x1FA88, S},
    {0x1FAAD, 0x1FAAF, S}, {0x1FABB, 0x1FABD, S}, {0x1FABF, 0x1FABF, S}, {0x1FACE, 0x1FACF, S},
    {0x1FADA, 0x1FADB, S}, {0x1FAE8, 0x1FAE8, S}, {0x1FAF7, 0x1FAF8, S}, {0x2B739, 0x2B739, L},
    {0x2EBF0, 0x2EE5D, L}, {0x31350, 0x323AF, L},
};

// The range that holds `code`, or nullptr.
const NewRange* find_new(char32_t code) {
  const NewRange* range =
      std::lower_bound(std::begin(kNewRanges), std::end(kNewRanges), code,
                       [](const NewRange& r, char32_t value) { return r.last < value; });
  return range != std::end(kNewRanges) && range->first <= code ? range : nullptr;
}

}  // namespace

CharClass char_class(char32_t code) {
  if (const NewRange* range = find_new(code)) return range->kind;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return CharClass::kLetter;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return CharClass::kMark;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return CharClass::kNumber;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
      return CharClass::kPunctuation;
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_SO:
      return CharClass::kSymbol;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return CharClass::kSeparator;
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
      return CharClass::kControl;
    default:
      return CharClass::kUnassigned;
  }
}

bool is_white_space(char32_t code) {
  if (code < 0x80) return code == ' ' || (code >= '\t' && code <= '\r');
  return code == 0x85 || char_class(code) == CharClass::kSeparator;
}

char32_t to_lower(char32_t code) {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code)));
}

char32_t base_char(char32_t code) {
  utf8proc_int32_t decomposed[32];  // the longest canonical decomposition has 4
  int boundary_state = 0;
  const utf8proc_ssize_t n =
      utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code), decomposed,
                              std::ssize(decomposed), UTF8PROC_DECOMPOSE, &boundary_state);
  return n > 0 ? static_cast<char32_t>(decomposed[0]) : code;
}

char32_t stand_in(char32_t code) {
  // PCRE2 counts U+180E as \s, as Unicode did before version 6.3; U+200B is a format character
  // as well, and no space.
  if (code == 0x180E) return 0x200B;
  const NewRange* range = find_new(code);
  if (range == nullptr) return code;
  const bool three_bytes = code < 0x10000;
  switch (range->kind) {
    case CharClass::kLetter:
      return 0x20000;  // CJK extension B; all new letters have 4 bytes
    case CharClass::kNumber:
      return 0x1D7CE;  // mathematical digit zero; 4 bytes
    case CharClass::kPunctuation:
      return 0x10100;  // Aegean word separator; 4 bytes
    case CharClass::kMark:
      return three_bytes ? 0x0903 : 0x1D165;  // Devanagari visarga, musical stem
    default:
      return three_bytes ? 0x2190 : 0x10190;  // arrow, Roman sextans sign
  }
}

}  // namespace galley
