#include "kernels/args.h"

namespace galley::kernels {
namespace scalar {
void quantize_rows(const QuantizeRowsArgs& args, Part part);
}

namespace avx512 {

void quantize_rows(const QuantizeRowsArgs& args, Part part) { scalar::quantize_rows(args, part); }

}  // namespace avx512
}  // namespace galley::kernels
