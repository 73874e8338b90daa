// Runs the program `galley` as a user does, and tells what came out.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace galley::test {

struct Invocation {
  std::vector<std::string> arguments;
  std::string input;  // on stdin
  std::vector<std::pair<std::string, std::string>> environment;
  bool close_stdout = false;
  std::int64_t max_file_bytes = 0;      // what a file may grow to, as on a full disk; 0: no limit
  std::int64_t max_address_bytes = 0;   // of memory; 0: no limit
  double interrupt_after_s = 0;         // sends Ctrl-C
  std::int64_t stop_reading_after = 0;  // bytes of stdout, then closes the pipe; 0: reads all
};

struct Outcome {
  int exit_code = 0;  // or -signal
  std::string out;
  std::string err;
  double seconds = 0;
  std::int64_t peak_bytes = 0;  // of memory

  // The one JSON value on stdout.
  nlohmann::json json() const { return nlohmann::json::parse(out); }
  // Lines on stderr.
  std::size_t n_error_lines() const;
};

// Runs it and waits, at most a minute. stdin is a pipe, never a terminal. The environment has no
// GALLEY_ variables but those given.
Outcome run_galley(const Invocation& invocation);
Outcome run_galley(std::vector<std::string> arguments, std::string input = "");

}  // namespace galley::test
