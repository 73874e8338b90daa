#include "tools/progress.h"

#include <algorithm>
#include <cstdio>

#include "tools/output.h"

namespace galley::tools {
namespace {

constexpr auto kDelay = std::chrono::seconds(2);
constexpr auto kInterval = std::chrono::milliseconds(100);
constexpr int kWidth = 30;

}  // namespace

Progress::Progress(std::string what, std::int64_t total)
    : what_(std::move(what)),
      total_(std::max<std::int64_t>(1, total)),
      start_(std::chrono::steady_clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (is_shown_) std::fputs("\r\033[K", stderr);
}

void Progress::update(std::int64_t done) {
  const auto now = std::chrono::steady_clock::now();
  if (now - start_ < kDelay || now - last_ < kInterval || !stderr_is_terminal()) return;
  last_ = now;
  is_shown_ = true;
  done = std::clamp<std::int64_t>(done, 0, total_);
  const int filled = static_cast<int>(done * kWidth / total_);
  const std::string bar(static_cast<std::size_t>(filled), '=');
  const std::string rest(static_cast<std::size_t>(kWidth - filled), ' ');
  std::fprintf(stderr, "\r%s [%s%s] %3d%%", what_.c_str(), bar.c_str(), rest.c_str(),
               static_cast<int>(done * 100 / total_));
}

}  // namespace galley::tools
