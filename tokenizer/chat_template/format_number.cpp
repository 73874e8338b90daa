#include "tokenizer/chat_template/format_number.h"

#include <cmath>
#include <cstdio>
#include <string_view>
#include <vector>

namespace galley::chat {
namespace {

std::string digits_of(std::uint64_t value, unsigned base, bool upper) {
  const char* const kDigits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string digits;
  do {
    digits.insert(digits.begin(), kDigits[value % base]);
    value /= base;
  } while (value != 0);
  return digits;
}

// A separator before every `group` digits, counted from the end of the whole part.
std::string group_digits(const std::string& digits, char separator, std::size_t group) {
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % group == 0) out += separator;
    out += digits[i];
  }
  return out;
}

// prefix (sign, 0x) + whole part, grouped and filled with zeros to the width + the rest.
std::string assemble(const std::string& prefix, std::string whole, const std::string& rest,
                     const NumberFormat& format, std::size_t group) {
  const auto grouped = [&] {
    return format.separator ? group_digits(whole, format.separator, group) : whole;
  };
  if (format.zero_pad) {
    const auto width = static_cast<std::size_t>(format.width);
    while (prefix.size() + grouped().size() + rest.size() < width) whole.insert(0, 1, '0');
  }
  return prefix + grouped() + rest;
}

std::string sign_text(bool is_negative, char sign) {
  if (is_negative) return "-";
  return sign == '-' ? "" : std::string(1, sign);
}

}  // namespace

std::string format_integer(std::int64_t value, const NumberFormat& format) {
  const auto bits = static_cast<std::uint64_t>(value);
  const std::uint64_t magnitude = value < 0 ? 0 - bits : bits;
  const bool upper = format.type == 'X';
  unsigned base = 10;
  std::string prefix = sign_text(value < 0, format.sign);
  if (format.type == 'x' || upper) base = 16;
  if (format.type == 'o') base = 8;
  if (format.type == 'b') base = 2;
  if (format.alternate && base != 10) {
    prefix += '0';
    prefix += format.type;
  }
  std::string digits = digits_of(magnitude, base, upper);
  const auto precision = static_cast<std::size_t>(std::max<std::int64_t>(format.precision, 0));
  if (digits.size() < precision) digits.insert(0, precision - digits.size(), '0');
  return assemble(prefix, digits, "", format, base == 10 ? 3 : 4);
}

std::string format_double(double value, const NumberFormat& format) {
  const std::string prefix = sign_text(std::signbit(value) && !std::isnan(value), format.sign);
  const bool upper = format.type == 'F' || format.type == 'E' || format.type == 'G';
  if (!std::isfinite(value)) {
    const std::string name = std::isnan(value) ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf");
    return assemble(prefix, name, "", format, name.size());
  }
  const int precision = format.precision < 0 ? 6 : static_cast<int>(format.precision);
  const std::string pattern = std::string("%") + (format.alternate ? "#" : "") + ".*" + format.type;
  const int n = std::snprintf(nullptr, 0, pattern.c_str(), precision, std::abs(value));
  std::vector<char> buffer(static_cast<std::size_t>(n) + 1);
  std::snprintf(buffer.data(), buffer.size(), pattern.c_str(), precision, std::abs(value));
  const std::string text(buffer.data());
  const std::size_t whole = std::min(text.find_first_not_of("0123456789"), text.size());
  return assemble(prefix, text.substr(0, whole), text.substr(whole), format, 3);
}

}  // namespace galley::chat
