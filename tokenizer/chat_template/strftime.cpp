#include "tokenizer/chat_template/strftime.h"

#include <locale.h>

#include <array>

#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/limits.h"

namespace galley::chat {
namespace {

// One conversion such as "%B" or, without leading zeros, "%-d".
std::string convert(const std::tm& time, const std::string& conversion) {
  // Only with a locale of our own are names English even after a setlocale elsewhere.
  static const locale_t c_locale = newlocale(LC_ALL_MASK, "C", nullptr);
  std::array<char, 128> buffer;
  const std::size_t n =
      strftime_l(buffer.data(), buffer.size(), conversion.c_str(), &time, c_locale);
  return std::string(buffer.data(), n);
}

}  // namespace

std::string format_time(const std::tm& time, std::string_view format) {
  constexpr std::string_view kConversions = "aAbBcCdDeFgGhHIjklmMnprRStTuUVwWxXyY%";
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    std::string conversion = "%";
    if (i + 1 < format.size() && format[i + 1] == '-') {
      conversion += '-';
      ++i;
    }
    const char c = i + 1 < format.size() ? format[++i] : '\0';
    if (c == 'f') {
      out += "000000";  // microseconds
    } else if (c == 'z' || c == 'Z') {
      // Nothing: the time is without a zone, as datetime.now() gives it.
    } else if (c != '\0' && kConversions.find(c) != std::string_view::npos) {
      out += convert(time, conversion + c);
    } else {
      throw Fault("strftime_now: the conversion '%" + std::string(c ? 1 : 0, c) +
                  "' is not supported");
    }
    check_text_size(out.size());
  }
  return out;
}

}  // namespace galley::chat
