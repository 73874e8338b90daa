// What the program writes: data to stdout, everything else to stderr.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace galley::tools {

// Thrown by write_out when the reader of our stdout has gone (galley ... | head): nobody is left
// to be told anything.
struct ReaderGone {};

// Writes to stdout, buffered; flush_out() makes it visible. Throws ReaderGone, or Error kFailure
// with the system's reason (stdout closed, disk full).
void write_out(std::string_view text);
void flush_out();

// `value` on one line of stdout. Text that is not UTF-8 gets U+FFFD where it is broken.
void write_json(const nlohmann::ordered_json& value);

// One line on stderr.
void note(const std::string& line);
void warn(const std::string& line);

// Whether stderr (stdout, stdin) is a terminal.
bool stderr_is_terminal();
bool stdout_is_terminal();
bool stdin_is_terminal();

// Codes for colours on stdout, empty unless it is a terminal and NO_COLOR is not set.
struct Style {
  std::string_view bold, dim, green, reset;
};
Style stdout_style();

// 1536 as "1.5 KiB".
std::string human_bytes(std::int64_t n_bytes);
// 1100048384 as "1.1 B", as parameters are counted.
std::string human_count(std::int64_t n);
// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

// The most memory this process has had in use so far.
std::int64_t peak_memory_bytes();

}  // namespace galley::tools
