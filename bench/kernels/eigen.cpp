// The only file of bench_kernels that uses Eigen: it is compiled with -mavx2 -mfma, and nothing
// else may share inline functions with it.
#include <Eigen/Core>

#include <cstdint>

namespace galley::bench {

void eigen_matmul(const float* w, const float* x, float* y, std::int64_t rows, std::int64_t cols,
                  std::int64_t tokens) {
  using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const RowMajor> weights(w, rows, cols);
  if (tokens == 1) {
    const Eigen::Map<const Eigen::VectorXf> input(x, cols);
    Eigen::Map<Eigen::VectorXf>(y, rows).noalias() = weights * input;
    return;
  }
  const Eigen::Map<const RowMajor> input(x, tokens, cols);
  Eigen::Map<RowMajor>(y, tokens, rows).noalias() = input * weights.transpose();
}

}  // namespace galley::bench
