// A bar on stderr for work that takes more than two seconds, on a terminal only.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace galley::tools {

class Progress {
 public:
  // `total` steps of `what` ("prefill").
  Progress(std::string what, std::int64_t total);
  // Removes the bar.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` of the total are done.
  void update(std::int64_t done);

 private:
  std::string what_;
  std::int64_t total_;
  std::chrono::steady_clock::time_point start_, last_;
  bool is_shown_ = false;
};

// Seconds since it was made.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace galley::tools
