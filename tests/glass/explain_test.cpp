// Re-derived numbers have the bits of the run, for every kind of op and every type of weight.
#include "tools/glass/explain_cell.h"

#include <gtest/gtest.h>

#include <Eigen/Core>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "kernels/kernels.h"
#include "kernels/scalar/block_products.h"
#include "model/demo/demo_models.h"
#include "model/op_table.h"
#include "model/random.h"
#include "tensor/dequantize.h"
#include "tests/conformance.h"
#include "tests/model/opened_model.h"
#include "tools/glass/attention_trace.h"
#include "tools/glass/explain_ops.h"
#include "tools/glass/run_record.h"

namespace galley::glass {
namespace {

using test::NamedModel;
using test::OpenedModel;
using test::RandomModel;

// The last of a prompt's two batches, so that attention sees positions of both.
RunRecord record(const std::shared_ptr<const Model>& model, std::int64_t n_tokens,
                 SessionOptions options = {}) {
  options.n_threads = 1;
  if (options.n_context == 0) options.n_context = 128;
  Session session(model, options);
  std::vector<BatchToken> batch;
  const std::int64_t n_vocab = model->config().n_vocab;
  for (std::int64_t i = 0; i < n_tokens; ++i)
    batch.push_back({static_cast<TokenId>((i * i * 7 + i * 13 + 1) % n_vocab), 0, i % 2 == 1});
  Recorder recorder;
  session.set_observer(&recorder);
  session.forward(std::span(batch).first(batch.size() / 3));
  session.forward(std::span(batch).subspan(batch.size() / 3));
  return recorder.take().back();
}

// A random cell of `named`.
Cell random_cell(const RunRecord& run, const NamedValue& named, Random& random) {
  Cell cell{named};
  const auto below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random.next_unit() * static_cast<double>(n));
  };
  const std::int64_t n_positions = run.positions().back() + 1;
  const std::vector<std::int64_t> sizes =
      dimensions(run.graph(), named, run.n_tokens(),
                 static_cast<std::int64_t>(run.outputs().size()), n_positions);
  if (sizes.size() == 3) cell.head = below(sizes[0]);
  cell.row = below(sizes[sizes.size() - 2]);
  cell.column = below(sizes.back());
  // What a window hides from every token of the batch is not recorded.
  const Op& op = run.graph().ops[static_cast<std::size_t>(named.op)];
  if (named.kind == ValueKind::kCache &&
      run.graph().cache_layers[static_cast<std::size_t>(op.cache_layer)].window > 0)
    cell.row = run.positions()[static_cast<std::size_t>(below(run.n_tokens()))];
  return cell;
}

void expect_exact(const Explanation& e) {
  EXPECT_TRUE(e.is_exact()) << e.cell << ": " << float_text(e.engine) << " and "
                            << float_text(e.derived);
  EXPECT_FALSE(e.summary.empty()) << e.cell;
  if (!e.steps.empty()) {
    EXPECT_EQ(static_cast<float>(e.steps.back().result), e.derived) << e.cell;
  }
  if (std::isfinite(e.engine)) {
    EXPECT_NEAR(e.precise, e.engine, 0.02 * (1 + std::abs(e.engine))) << e.cell;
  }
}

class ExplainArchitecture : public testing::TestWithParam<NamedModel> {};

TEST_P(ExplainArchitecture, EveryOpIsExact) {
  for (const DType type : {DType::kF32, DType::kQ8_0}) {
    RandomModel description = GetParam().model;
    description.matrix_type = type;
    description.n_layers = std::min<std::int64_t>(description.n_layers, 7);
    const OpenedModel opened(description);
    const RunRecord run = record(opened.model(), 24);
    Random random(7);
    for (const NamedValue& named : named_values(run.graph()))
      for (int i = 0; i < 3; ++i) expect_exact(explain_cell(run, random_cell(run, named, random)));
  }
}

INSTANTIATE_TEST_SUITE_P(Random, ExplainArchitecture, testing::ValuesIn(test::random_models()),
                         [](const auto& param) {
                           std::string name = param.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// Small matrices, whose input is rounded twice, and a large one (the logits), rounded once.
RandomModel wide_model(DType type) {
  RandomModel m;
  m.matrix_type = type;
  m.n_layers = 1;
  m.width = m.ffn_width = 256;
  m.head_size = m.n_rotated = 64;
  m.n_vocab = 1100;
  return m;
}

class ExplainType : public testing::TestWithParam<DType> {};

TEST_P(ExplainType, ProductsAreExactAndNearEigen) {
  const OpenedModel opened(wide_model(GetParam()));
  const RunRecord run = record(opened.model(), 9);
  Random random(11);
  for (const NamedValue& named : named_values(run.graph())) {
    const Op& op = run.graph().ops[static_cast<std::size_t>(named.op)];
    if (op.kind == OpKind::kEmbed) expect_exact(explain_cell(run, random_cell(run, named, random)));
    if (op.kind != OpKind::kMatmul) continue;
    // The float64 value, from all weights at once.
    const std::vector<float> weights = dequantize(*op.weight);
    const Eigen::Map<const Eigen::Matrix<float, -1, -1, Eigen::RowMajor>> w(
        weights.data(), op.weight->rows(), op.weight->cols());
    for (int i = 0; i < 20; ++i) {
      const Cell cell = random_cell(run, named, random);
      const Explanation e = explain_cell(run, cell);
      expect_exact(e);
      const std::span<const float> x = run.row(op.inputs[0], cell.row);
      const Eigen::Map<const Eigen::VectorXf> input(x.data(), static_cast<Eigen::Index>(x.size()));
      const double expected = w.row(cell.column).cast<double>().dot(input.cast<double>());
      EXPECT_NEAR(e.precise, expected, 1e-12 * (1 + std::abs(expected))) << e.cell;
      EXPECT_NE(e.precise, 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, ExplainType,
                         testing::Values(DType::kF32, DType::kF16, DType::kBF16, DType::kQ4_0,
                                         DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                                         DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K,
                                         DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS),
                         [](const auto& param) {
                           return std::string(dtype_info(param.param).name);
                         });

// Types that have no quantizer here, so no model: products with made-up blocks.
class MadeUpBlocks : public testing::TestWithParam<DType> {};

TEST_P(MadeUpBlocks, ProductsAreExact) {
  constexpr std::int64_t kCols = 512, kRows = 5;
  Tensor weight{"made up", GetParam(), {kRows, kCols}, nullptr, 0};
  std::vector<std::byte> bytes(static_cast<std::size_t>(kRows * row_bytes(weight.type, kCols)));
  Random random(3);
  // Small bytes, so that the scale is finite wherever in the block its two bytes are.
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next() % 0x3c);
  weight.data = bytes.data();
  weight.n_bytes = static_cast<std::int64_t>(bytes.size());
  std::vector<float> x;
  for (std::int64_t i = 0; i < kCols; ++i) x.push_back(std::sin(static_cast<float>(i * i)));

  // The engine's kernel on the rounded input, and on the remainder.
  std::vector<float> remainder(x.size()), y(kRows), rest(kRows);
  const std::size_t n_bytes = kernels::quantized_rows_bytes(1, kCols);
  const std::size_t n_scratch = kernels::matmul_scratch_bytes(weight.type, kRows, kCols, 1);
  std::vector<std::byte> storage(2 * n_bytes + n_scratch + 256);
  void* at = storage.data();
  std::size_t space = storage.size();
  std::align(64, 2 * n_bytes + n_scratch, at, space);
  auto* scratch = static_cast<std::byte*>(at);
  const kernels::QuantizedRows first{scratch + (n_scratch + 63) / 64 * 64, 1};
  const kernels::QuantizedRows second{first.tiles + n_bytes, 1};
  const kernels::KernelTable& table = kernels::table();
  table.quantize_rows({x.data(), kCols, 1, kCols, first, 0, remainder.data()}, {0, 1});
  table.quantize_rows({remainder.data(), kCols, 1, kCols, second, 0, nullptr}, {0, 1});
  const auto multiply = [&](const kernels::QuantizedRows& xq, float* out) {
    table.matmul({weight.type, weight.data, kRows, kCols, 1, nullptr, 0, xq, out, kRows, scratch},
                 {0, 1});
  };
  multiply(first, y.data());
  multiply(second, rest.data());
  for (std::int64_t r = 0; r < kRows; ++r) {
    Explanation e;
    explain_product(weight, r, {x, "x", 0, 0}, e);
    e.engine = y[static_cast<std::size_t>(r)] + rest[static_cast<std::size_t>(r)];
    expect_exact(e);
    EXPECT_NE(e.derived, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, MadeUpBlocks,
                         testing::Values(DType::kTQ1_0, DType::kTQ2_0, DType::kIQ1_S, DType::kIQ1_M,
                                         DType::kIQ2_XXS, DType::kIQ2_XS, DType::kIQ2_S,
                                         DType::kIQ3_XXS, DType::kIQ3_S),
                         [](const auto& param) {
                           return std::string(dtype_info(param.param).name);
                         });

// More positions than a block of attention, and each type of the cache.
TEST(Explain, AttentionAcrossBlocksAndCacheTypes) {
  RandomModel description = wide_model(DType::kF32);
  description.n_vocab = 96;
  const OpenedModel opened(description);
  for (const DType type : {DType::kF32, DType::kF16, DType::kQ8_0}) {
    const RunRecord run = record(opened.model(), 100, {.n_context = 128, .kv_type = type});
    EXPECT_EQ(run.kv_type(), type);
    Random random(5);
    for (const char* name : {"blk.0.attn", "blk.0.attn_scores", "blk.0.attn_weights",
                             "blk.0.cache_k", "blk.0.cache_v"})
      for (int i = 0; i < 20; ++i)
        expect_exact(explain_cell(run, random_cell(run, find_value(run.graph(), name), random)));
    // A weight that two later merges change, from its first block.
    const Cell early{find_value(run.graph(), "blk.0.attn_weights"), 0, run.n_tokens() - 1, 3};
    EXPECT_EQ(explain_cell(run, early).steps.size(), 4u);
  }
}

TEST(Explain, AttentionWeightsSumToOneAndGiveTheOutput) {
  const OpenedModel opened(wide_model(DType::kF32));
  const RunRecord run = record(opened.model(), 100);
  const Op& op =
      run.graph().ops[static_cast<std::size_t>(find_value(run.graph(), "blk.0.attn").op)];
  for (std::int64_t head = 0; head < op.heads; ++head) {
    const std::int64_t token = run.n_tokens() - 1 - head;
    const AttentionTrace trace = trace_attention(run, op, token, head);
    const double sum = std::accumulate(trace.weights.begin(), trace.weights.end(), 0.0);
    EXPECT_NEAR(sum, 1, 1e-5);
    double out = 0;
    for (std::int64_t p = 0; p <= trace.position; ++p)
      out += d(trace.weights[static_cast<std::size_t>(p)]) *
             d(run.cached_v(op.cache_layer, 0, trace.kv_head, p)[7]);
    EXPECT_NEAR(out, run.row(op.output, token)[static_cast<std::size_t>(head * 64 + 7)], 1e-5);
  }
}

// 100 random cells of each kind of op that a model has.
void explain_hundred_of_each_kind(const RunRecord& run) {
  std::map<OpKind, std::vector<NamedValue>> by_kind;
  for (const NamedValue& named : named_values(run.graph()))
    by_kind[run.graph().ops[static_cast<std::size_t>(named.op)].kind].push_back(named);
  Random random(1);
  for (const auto& [kind, values] : by_kind)
    for (std::size_t i = 0; i < 100; ++i)
      expect_exact(explain_cell(run, random_cell(run, values[i % values.size()], random)));
}

TEST(Explain, BuiltInModel) {
  for (const DemoModel& demo : demo_models()) {
    const auto model = Model::from_file(GgufFile::from_memory(demo.file, std::string(demo.name)));
    explain_hundred_of_each_kind(record(model, 80));
  }
}

TEST(Explain, NanoGpt) {
  GALLEY_NEED_CONFORMANCE("models");
  const auto path = test::conformance_dir() / "models" / "nano-sort-f32.gguf";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no " << path;
  explain_hundred_of_each_kind(record(Model::open(path.string()), 11, {.n_context = 11}));
}

// Changes one number after it was computed.
class Changer : public Recorder {
 public:
  void after_op(RunView& run, int op_index) override {
    const Op& op = run.graph().ops[static_cast<std::size_t>(op_index)];
    if (op.name == "blk.0.ffn_up") run.row(op.output, 0)[5] += 1;
    Recorder::after_op(run, op_index);
  }
};

// Changes an input between two products that share it.
class InputChanger : public Recorder {
 public:
  void before_op(RunView& run, int op_index) override {
    const Op& op = run.graph().ops[static_cast<std::size_t>(op_index)];
    if (op.name == "blk.0.k") run.row(op.inputs[0], 0)[3] += 1;
    Recorder::before_op(run, op_index);
  }
};

TEST(Explain, AChangedInputIsWhatTheNextProductReads) {
  RandomModel description;
  description.matrix_type = DType::kQ8_0;
  const OpenedModel opened(description);
  Session session(opened.model(), {.n_threads = 1});
  Recorder plain;
  session.set_observer(&plain);
  session.forward(std::vector<TokenId>{3});
  session.truncate(0);
  InputChanger changer;
  session.set_observer(&changer);
  session.forward(std::vector<TokenId>{3});
  const Graph& graph = opened.model()->graph();
  const auto row = [&](const Recorder& recorder, const char* name) {
    const std::span<const float> r = recorder.records()[0].row(find_value(graph, name).value, 0);
    return std::vector<float>(r.begin(), r.end());
  };
  EXPECT_EQ(row(plain, "blk.0.q"), row(changer, "blk.0.q"));
  EXPECT_NE(row(plain, "blk.0.k"), row(changer, "blk.0.k"));
  EXPECT_NE(row(plain, "blk.0.v"), row(changer, "blk.0.v"));
}

TEST(Explain, NoticesAChangedNumber) {
  const OpenedModel opened({});
  Session session(opened.model(), {.n_threads = 1});
  Changer changer;
  session.set_observer(&changer);
  session.forward(std::vector<TokenId>{3, 1});
  const RunRecord& run = changer.records()[0];
  EXPECT_FALSE(explain_cell(run, "blk.0.ffn_up[0, 5]").is_exact());
  EXPECT_TRUE(explain_cell(run, "blk.0.ffn_up[0, 6]").is_exact());
  EXPECT_TRUE(explain_cell(run, "blk.0.ffn_act[0, 5]").is_exact());
  EXPECT_NE(to_text(explain_cell(run, "ffn_up[0, 5]", 0)).find("was changed"), std::string::npos);
}

TEST(Explain, TextFitsTheTerminalAndJsonHasTheSameFacts) {
  const OpenedModel opened(wide_model(DType::kQ4_K));
  const RunRecord run = record(opened.model(), 9);
  Random random(2);
  for (const NamedValue& named : named_values(run.graph())) {
    const Explanation e = explain_cell(run, random_cell(run, named, random));
    const std::string text = to_text(e), all = to_text(e, {.all = true});
    EXPECT_NE(text.find("the same bits"), std::string::npos) << text;
    EXPECT_LE(text.size(), all.size());
    std::size_t begin = 0;
    for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
      EXPECT_LE(end - begin, 80u) << text.substr(begin, end - begin);
    const nlohmann::json json = nlohmann::json::parse(to_json(e).dump());
    EXPECT_EQ(json["cell"], e.cell);
    EXPECT_EQ(json["same_bits"], true);
    EXPECT_EQ(json["steps"].size(), e.steps.size());
    EXPECT_EQ(json["engine"], nlohmann::json(json_number(d(e.engine))));
  }
}

TEST(Explain, ErrorsNameWhatIsMissing) {
  const OpenedModel opened({});
  Session session(opened.model(), {.n_threads = 1});
  Recorder recorder({.patterns = {"blk.0.ffn_up"}});
  session.set_observer(&recorder);
  session.forward(std::vector<TokenId>{3, 1});
  const RunRecord& run = recorder.records()[0];
  EXPECT_THROW(explain_cell(run, "blk.0.ffn_up[0, 5]"), Error);   // its input is not there
  EXPECT_THROW(explain_cell(run, "blk.0.ffn_up[2, 5]"), Error);   // no such row
  EXPECT_THROW(explain_cell(run, "blk.0.ffn_up[0, 96]"), Error);  // no such column
  EXPECT_THROW(explain_cell(run, "blk.0.nothing[0, 0]"), Error);
}

}  // namespace
}  // namespace galley::glass
