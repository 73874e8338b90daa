#include "kernels/read_ahead.h"

#include "kernels/cpu.h"

namespace galley::kernels {

bool lines_come_at_once() {
  static const bool at_once = is_amd_cpu();
  return at_once;
}

}  // namespace galley::kernels
