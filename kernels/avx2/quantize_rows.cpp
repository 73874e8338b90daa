#include "kernels/args.h"

namespace galley::kernels {
namespace scalar {
void quantize_rows(const QuantizeRowsArgs& args, Part part);
}

namespace avx2 {

void quantize_rows(const QuantizeRowsArgs& args, Part part) { scalar::quantize_rows(args, part); }

}  // namespace avx2
}  // namespace galley::kernels
