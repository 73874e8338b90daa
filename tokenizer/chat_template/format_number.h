// Numbers as text, for the % operator, format() and |round.
#pragma once

#include <cstdint>
#include <string>

namespace galley::chat {

struct NumberFormat {
  char type = 'd';         // d x X o b, or f F e E g G
  char sign = '-';         // '+': always, ' ': a space for plus, '-': only minus
  bool alternate = false;  // 0x and the like; keep the decimal point
  bool zero_pad = false;   // fill up to `width` with zeros after the sign
  char separator = '\0';   // ',' or '_' between groups of digits
  std::int64_t width = 0;
  std::int64_t precision = -1;  // -1: the type's own
};

std::string format_integer(std::int64_t value, const NumberFormat& format);
std::string format_double(double value, const NumberFormat& format);

}  // namespace galley::chat
