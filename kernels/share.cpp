#include "kernels/share.h"

#include <algorithm>

namespace galley::kernels {

Range share(std::int64_t n, Part part) {
  const std::int64_t each = n / part.count;
  const std::int64_t rest = n % part.count;  // the first `rest` parts get one more
  const std::int64_t index = part.index;
  const std::int64_t begin = index * each + (index < rest ? index : rest);
  return {begin, begin + each + (index < rest ? 1 : 0)};
}

Range share_columns(std::int64_t tokens, std::int64_t width, std::int64_t token, Part part) {
  constexpr std::int64_t kPiece = 16;
  const std::int64_t per_token = (width + kPiece - 1) / kPiece;
  const Range pieces = share(tokens * per_token, part);
  const std::int64_t first = token * per_token;
  const std::int64_t begin = std::clamp<std::int64_t>(pieces.begin - first, 0, per_token);
  const std::int64_t end = std::clamp<std::int64_t>(pieces.end - first, 0, per_token);
  return {std::min(begin * kPiece, width), std::min(end * kPiece, width)};
}

}  // namespace galley::kernels
