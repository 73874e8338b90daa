// matmul: each weight type, in shapes of tinyllama-1.1b (2048, 5632) and of 7B and 8B models (4096,
// 14336), decode (one token) and prefill (512).
#include <unistd.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "bench/kernels/bench.h"
#include "tensor/quantize.h"

namespace galley::bench {
namespace {

struct Shape {
  std::int64_t rows, cols;

  std::string name() const { return std::to_string(rows) + "x" + std::to_string(cols); }
};
constexpr Shape kShapes[] = {{2048, 2048}, {5632, 2048}, {2048, 5632}, {4096, 4096}, {14336, 4096}};

// Decode again with weights that stay in the cache (cached/ instead of decode/): what the kernel
// could do if memory were no limit.
constexpr Shape kCachedShape = {256, 2048};

constexpr std::int64_t kPrefillTokens = 512;

// Matrices that take turns, so that decode reads them from memory as a model does: together twice
// the last-level cache, and half a GiB at least. Of kCachedShape there is one.
class WeightCopies {
 public:
  WeightCopies(DType type, const Shape& shape)
      : type_(type),
        shape_(shape),
        matrix_bytes_(shape.rows * row_bytes(type, shape.cols)),
        n_copies_(shape.rows == kCachedShape.rows
                      ? 1
                      : (wanted_bytes() + matrix_bytes_ - 1) / matrix_bytes_),
        data_(make_buffer(static_cast<std::size_t>(n_copies_ * matrix_bytes_))) {
    // Eight different rows, again and again: the kernels cannot tell, and quantizing is slow.
    constexpr std::int64_t kRows = 8;
    const std::int64_t n = row_bytes(type, shape.cols);
    for (std::int64_t r = 0; r < kRows; ++r) make_row(data_.get() + r * n);
    for (std::int64_t at = kRows * n; at < n_copies_ * matrix_bytes_; at += kRows * n) {
      const std::int64_t rest = std::min(kRows * n, n_copies_ * matrix_bytes_ - at);
      std::memcpy(data_.get() + at, data_.get(), static_cast<std::size_t>(rest));
    }
  }

  bool is(DType type, const Shape& shape) const {
    return type_ == type && shape_.rows == shape.rows && shape_.cols == shape.cols;
  }
  std::int64_t matrix_bytes() const { return matrix_bytes_; }
  const std::byte* copy(std::int64_t i) const {
    return data_.get() + i % n_copies_ * matrix_bytes_;
  }

 private:
  void make_row(std::byte* out) const {
    if (can_quantize(type_)) return quantize_row(type_, random_floats(shape_.cols), out);
    // Types that nothing here makes: bytes that are ordinary numbers where they are scales,
    // wherever in a block those may be (as F16, 0x2020 is 0.008 and 0x3b3b 0.9).
    static std::mt19937 engine(1);
    const std::int64_t n_bytes = row_bytes(type_, shape_.cols);
    for (std::int64_t i = 0; i < n_bytes; ++i)
      out[i] = static_cast<std::byte>(0x20 + engine() % 28);
  }

  static std::int64_t wanted_bytes() {
    return std::max<std::int64_t>(2 * sysconf(_SC_LEVEL3_CACHE_SIZE), std::int64_t{1} << 29);
  }

  DType type_;
  Shape shape_;
  std::int64_t matrix_bytes_;
  std::int64_t n_copies_;
  Buffer data_;
};

// Those of the benchmark that runs. Only one set exists at a time.
const WeightCopies& weight_copies(DType type, const Shape& shape) {
  static std::unique_ptr<WeightCopies> current;
  if (current == nullptr || !current->is(type, shape)) {
    current.reset();
    current = std::make_unique<WeightCopies>(type, shape);
  }
  return *current;
}

// A product, with all memory it needs.
struct Problem {
  const WeightCopies& weights;
  std::vector<float> x, y;
  Buffer quantized;
  std::vector<Buffer> scratch;
  kernels::MatmulArgs args;

  Problem(DType type, const Shape& shape, std::int64_t tokens, int n_threads)
      : weights(weight_copies(type, shape)),
        x(random_floats(tokens * shape.cols)),
        y(static_cast<std::size_t>(tokens * shape.rows)) {
    for (int i = 0; i < n_threads; ++i) {
      scratch.push_back(
          make_buffer(kernels::matmul_scratch_bytes(type, shape.rows, shape.cols, tokens)));
    }
    args.type = type;
    args.weights = weights.copy(0);
    args.rows = shape.rows;
    args.cols = shape.cols;
    args.tokens = tokens;
    args.y = y.data();
    args.y_stride = shape.rows;
    if (kernels::uses_quantized_rows(type)) {
      quantized = make_buffer(kernels::quantized_rows_bytes(tokens, shape.cols));
      args.xq = {quantized.get(), tokens};
      kernels::table().quantize_rows({x.data(), shape.cols, tokens, shape.cols, args.xq}, Part{});
    } else {
      args.x = x.data();
      args.x_stride = shape.cols;
      args.rounds_to_bf16 = type == DType::kBF16;  // as the executor does for matrices of this size
    }
  }

  // Whether `isa` gives the bits of the scalar kernel, for the first rows (all would take long).
  bool equals_scalar(Isa isa) {
    kernels::MatmulArgs few = args;
    few.rows = std::min<std::int64_t>(args.rows, 40);
    run_parts(kernels::table(Isa::kScalar).matmul, few, 1, scratch);
    const std::vector<float> expected = y;
    std::fill(y.begin(), y.end(), -1.0f);
    run_parts(kernels::table(isa).matmul, few, 1, scratch);
    for (std::int64_t t = 0; t < args.tokens; ++t) {
      const std::int64_t at = t * args.y_stride;
      if (std::memcmp(&y[static_cast<std::size_t>(at)], &expected[static_cast<std::size_t>(at)],
                      static_cast<std::size_t>(few.rows) * sizeof(float)) != 0)
        return false;
    }
    return true;
  }
};

Work work_of(const Problem& problem, Isa isa) {
  const kernels::MatmulArgs& args = problem.args;
  return {.macs = static_cast<double>(args.rows * args.cols * args.tokens),
          .bytes = static_cast<double>(problem.weights.matrix_bytes()),
          .arithmetic = kernels::arithmetic_of(args.type, isa)};
}

void matmul(benchmark::State& state, DType type, const Shape& shape, Isa isa, std::int64_t tokens,
            int n_threads) {
  Problem problem(type, shape, tokens, n_threads);
  static std::set<std::tuple<DType, std::int64_t, Isa, std::int64_t>> checked;
  if (checked.emplace(type, shape.cols, isa, tokens).second && !problem.equals_scalar(isa))
    return state.SkipWithError("differs from its scalar twin");
  std::int64_t i = 0;
  const kernels::LoadMeter meter;
  for (auto _ : state) {
    problem.args.weights = problem.weights.copy(i++);
    run_parts(kernels::table(isa).matmul, problem.args, n_threads, problem.scratch);
  }
  set_rates(state, isa, n_threads, work_of(problem, isa), meter);
}

void eigen(benchmark::State& state, const Shape& shape, std::int64_t tokens) {
  Problem problem(DType::kF32, shape, tokens, 1);
  std::int64_t i = 0;
  const kernels::LoadMeter meter;
  for (auto _ : state) {
    const auto* w = reinterpret_cast<const float*>(problem.weights.copy(i++));
    eigen_matmul(w, problem.x.data(), problem.y.data(), shape.rows, shape.cols, tokens);
  }
  set_rates(state, Isa::kAvx2, 1, work_of(problem, Isa::kAvx2), meter);
}

void add_shape(DType type, const Shape& shape, std::int64_t tokens) {
  const std::string type_name(dtype_info(type).name);
  const auto isas = kernels::available_isas();
  const auto name = [&](const std::string& isa, int n_threads) {
    const std::string text = case_name("matmul", tokens, type_name, isa, shape.name(), n_threads);
    if (shape.rows != kCachedShape.rows) return text;
    return "matmul/cached" + text.substr(text.find('/', text.find('/') + 1));
  };
  for (const Isa isa : isas) {
    if (isa == Isa::kScalar && shape.rows * shape.cols > 2048 * 2048) continue;  // minutes
    for (const int n_threads : thread_counts()) {
      add(name(std::string(isa_name(isa)), n_threads),
          [=](benchmark::State& state) { matmul(state, type, shape, isa, tokens, n_threads); });
    }
  }
  if (type == DType::kF32 && std::find(isas.begin(), isas.end(), Isa::kAvx2) != isas.end()) {
    add(name("eigen", 1), [=](benchmark::State& state) { eigen(state, shape, tokens); });
  }
}

}  // namespace

void add_matmuls() {
  for (const DTypeInfo& info : all_dtypes()) {
    if (!info.is_supported) continue;
    for (const Shape& shape : kShapes) {
      add_shape(info.type, shape, 1);
      add_shape(info.type, shape, kPrefillTokens);
    }
    add_shape(info.type, kCachedShape, 1);
  }
}

}  // namespace galley::bench
