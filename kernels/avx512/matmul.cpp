#include "kernels/args.h"

namespace galley::kernels {
namespace scalar {
void matmul(const MatmulArgs& args, Part part);
}

namespace avx512 {

void matmul(const MatmulArgs& args, Part part) { scalar::matmul(args, part); }

}  // namespace avx512
}  // namespace galley::kernels
