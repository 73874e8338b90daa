#include "tools/output.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "tensor/error.h"

namespace galley::tools {
namespace {

[[noreturn]] void output_failed() {
  const int error = errno;
  std::clearerr(stdout);
  if (error == EPIPE) throw ReaderGone{};
  throw Error(ErrorKind::kFailure, std::string("cannot write to stdout: ") + std::strerror(error));
}

}  // namespace

void write_out(std::string_view text) {
  if (text.empty()) return;  // its data() may be null
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) output_failed();
}

void flush_out() {
  if (std::fflush(stdout) != 0) output_failed();
}

void write_json(const nlohmann::ordered_json& value) {
  write_out(value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  write_out("\n");
  flush_out();
}

void note(const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); }

void warn(const std::string& line) { note("galley: warning: " + line); }

bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }
bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }
bool stdin_is_terminal() { return isatty(STDIN_FILENO) == 1; }

Style stdout_style() {
  const char* no_color = std::getenv("NO_COLOR");
  if (!stdout_is_terminal() || (no_color && *no_color)) return {};
  return {"\033[1m", "\033[2m", "\033[32m", "\033[0m"};
}

std::string human_bytes(std::int64_t n_bytes) {
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(n_bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) value /= 1024, ++unit;
  return unit == 0 ? format("%.0f B", value) : format("%.1f %s", value, units[unit]);
}

std::string human_count(std::int64_t n) {
  const char* const units[] = {"", " K", " M", " B", " T"};
  double value = static_cast<double>(n);
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(units)) value /= 1000, ++unit;
  return unit == 0 ? format("%.0f", value) : format("%.2f%s", value, units[unit]);
}

std::string format(const char* pattern, ...) {
  va_list args, again;
  va_start(args, pattern);
  va_copy(again, args);
  const int n = std::vsnprintf(nullptr, 0, pattern, args);
  va_end(args);
  std::string text(n > 0 ? static_cast<std::size_t>(n) : 0, '\0');
  std::vsnprintf(text.data(), text.size() + 1, pattern, again);
  va_end(again);
  return text;
}

std::int64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace galley::tools
