// Asking memory early for bytes that will be read from front to back.
//
// Where it sits: loops that read weights once, as decoding does, keep a ReadAhead and tell it what
// they read. docs/kernels.md draws it, docs/performance.md says what it is worth.
// Nothing here throws.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/args.h"
#include "kernels/unroll.h"

namespace galley::kernels {

inline constexpr std::int64_t kLineBytes = 64;    // of the caches
inline constexpr std::int64_t kPageBytes = 4096;  // larger pages are found needlessly often

// Whether lines shall come from memory to the first-level cache at once, as on AMD's CPUs: on a
// Zen 5 that was faster, on an Intel Xeon it was faster to have them come to the second-level cache
// first (docs/performance.md).
bool lines_come_at_once();

// A byte on its way to a register is waited for three times: until its page is found (address
// translation), until its cache line has come from memory to the second-level cache, and until it
// has come from there to the first. All three are asked for early, each earlier than the next, or
// the last two in one: the line of a page not found yet, for one, keeps all lines behind it
// waiting.
class ReadAhead {
 public:
  // How far ahead of reading, in bytes: of memory much more than it delivers in the time of one
  // answer, as that time varies.
  static constexpr std::int64_t kPages = 48 * 1024;  // ahead of the lines
  static constexpr std::int64_t kFromMemory = 16384;
  static constexpr std::int64_t kFromCache = 4096;
  static constexpr std::int64_t kAtOnce = 8192;

  // `bytes` will be read, in several places at once that are up to `spread` bytes apart; then, by
  // others, `next`.
  GALLEY_INLINE ReadAhead(Bytes bytes, std::int64_t spread, Bytes next)
      : line_(bytes.begin),
        due_(bytes.begin),
        page_(bytes.begin),
        end_(bytes.end),
        next_(next),
        at_once_(lines_come_at_once()) {
    read((at_once_ ? kAtOnce : kFromMemory) + spread);
  }

  // n_bytes are being read now: asks for as many farther on; behind the end, for what is next. (At
  // first it asks for 12 KB before the beginning in vain, if lines come in two steps. With a third
  // position and loop, which avoids that, reading is a tenth slower.)
  GALLEY_INLINE void read(std::int64_t n_bytes) {
    due_ = n_bytes < end_ - due_ ? due_ + n_bytes : end_;
    if (at_once_) {
      for (; line_ < due_; line_ += kLineBytes) __builtin_prefetch(line_, 0, kToFirstLevel);
    } else {
      for (; line_ < due_; line_ += kLineBytes) {
        __builtin_prefetch(line_, 0, kToSecondLevel);
        __builtin_prefetch(line_ - (kFromMemory - kFromCache), 0, kToFirstLevel);
      }
    }
    for (; page_ < end_ && page_ - due_ < kPages; page_ += kPageBytes) {
      __builtin_prefetch(page_, 0, kToSecondLevel);
    }
    if (due_ == end_) go_on();
  }

 private:
  static constexpr int kToFirstLevel = 3;
  static constexpr int kToSecondLevel = 2;

  GALLEY_INLINE void go_on() {
    line_ = due_ = page_ = next_.begin;
    end_ = next_.end;
    next_ = {};
  }

  const std::byte* line_;  // the next line to ask memory for;
  const std::byte* due_;   // those before this have been asked for
  const std::byte* page_;  // the next page to ask for
  const std::byte* end_;
  Bytes next_;
  bool at_once_;
};

}  // namespace galley::kernels
