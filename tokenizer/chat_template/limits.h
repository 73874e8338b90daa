// Limits that keep a hostile template from exhausting the stack, the memory or the user's
// patience. All are far above what the largest real templates and conversations need.
//
// Every container of values holds a Charge, so that the bytes alive during a render are known
// at any time; work is counted in steps. Both are kept by the Meter of the render that is
// running on this thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace galley::chat {

inline constexpr std::size_t kMaxSourceBytes = std::size_t{1} << 20;
inline constexpr int kMaxParseDepth = 100;          // brackets, blocks and operators in one another
inline constexpr int kMaxExpressionHeight = 500;    // terms of one a + b + c, links of one a.b.c
inline constexpr int kMaxRunDepth = 1000;           // statements and operations under way
inline constexpr int kMaxValueDepth = 128;          // lists in lists, filters on filters
inline constexpr std::int64_t kMaxRange = 100'000;  // as in Jinja's sandbox
inline constexpr std::size_t kMaxLiveBytes = std::size_t{256} << 20;
inline constexpr std::size_t kMaxTextBytes = std::size_t{64} << 20;  // of any one text
inline constexpr std::uint64_t kMaxSteps = 25'000'000;
inline constexpr std::size_t kBytesPerStep = 64;  // copying or searching this much is one step

// Something that may come to hold a reference to itself (a namespace, the variables of a macro)
// and therefore lives until the end of the render.
class Kept {
 public:
  virtual ~Kept() = default;
  // Drops everything it holds.
  virtual void clear() = 0;
};

// What one render has used. Constructing one makes it the meter of this thread until it is
// destroyed; renders on other threads do not see it.
class Meter {
 public:
  Meter();
  ~Meter();
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;

  // The meter of the render running on this thread, or nullptr (while parsing).
  static Meter* current();

  // Counts work. Throws Fault beyond kMaxSteps.
  void step(std::uint64_t n_steps = 1) {
    n_steps_ += n_steps;
    if (n_steps_ > kMaxSteps) fail_steps();
  }
  // Counts memory. allocate throws Fault beyond kMaxLiveBytes, having counted nothing.
  void allocate(std::size_t n_bytes);
  void release(std::size_t n_bytes) { n_live_bytes_ -= n_bytes; }
  // Keeps `object` until the end of the render, where it is cleared. Objects that refer to one
  // another in circles are freed in that way, and long chains of them without deep recursion.
  void keep(std::shared_ptr<Kept> object) { kept_.push_back(std::move(object)); }

 private:
  [[noreturn]] static void fail_steps();

  Meter* outer_;
  std::uint64_t n_steps_ = 0;
  std::size_t n_live_bytes_ = 0;
  std::vector<std::shared_ptr<Kept>> kept_;
};

// Counts the work of going over `n_bytes` of text or over the memory of that many values.
void spend_bytes(std::size_t n_bytes);
// Throws Fault when a text of this size may not be made.
void check_text_size(std::size_t n_bytes);
// Counts `n_steps` of work.
void spend_steps(std::uint64_t n_steps);

// Bytes held by one object, given back when it goes.
class Charge {
 public:
  Charge() = default;
  explicit Charge(std::size_t n_bytes) { grow(n_bytes); }
  ~Charge() {
    if (meter_) meter_->release(n_bytes_);
  }
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;

  void grow(std::size_t n_bytes);

 private:
  Meter* meter_ = nullptr;
  std::size_t n_bytes_ = 0;
};

}  // namespace galley::chat
