// strftime_now(format): the date in a prompt.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

namespace galley::chat {

// `time` by a format of strftime, in English whatever the locale. Throws Fault for a conversion
// that is not of C or POSIX.
std::string format_time(const std::tm& time, std::string_view format);

}  // namespace galley::chat
