#include "kernels/share.h"

namespace galley::kernels {

Range share(std::int64_t n, Part part) {
  const std::int64_t each = n / part.count;
  const std::int64_t rest = n % part.count;  // the first `rest` parts get one more
  const std::int64_t index = part.index;
  const std::int64_t begin = index * each + (index < rest ? index : rest);
  return {begin, begin + each + (index < rest ? 1 : 0)};
}

}  // namespace galley::kernels
