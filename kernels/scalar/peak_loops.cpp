#include "kernels/peak_loops.h"

#include <cstring>

namespace galley::kernels::scalar {
namespace {

std::uint64_t read(const std::byte* data, std::int64_t n_bytes) {
  std::uint64_t all[4] = {};
  for (std::int64_t i = 0; i < n_bytes; i += 32) {
    for (std::int64_t j = 0; j < 4; ++j) {
      std::uint64_t word = 0;
      std::memcpy(&word, data + i + 8 * j, 8);
      all[j] |= word;
    }
  }
  return all[0] | all[1] | all[2] | all[3];
}

}  // namespace

// Products have no loop here: std::fma without an instruction for it is a function of the C
// library, and its speed is no limit of anything.
PeakLoops peak_loops() { return {.read = read, .f32 = {}, .int8 = {}, .int4 = {}}; }

}  // namespace galley::kernels::scalar
