// Looking: the numbers that the debugger shows, beside an independent computation in float64.
#include <algorithm>
#include <cmath>
#include <set>

#include "kernels/kernels.h"
#include "model/op_table.h"
#include "tensor/dequantize.h"
#include "tests/step/session.h"

namespace galley {
namespace {

using test::eigen_llama;
using test::LlamaValues;
using test::Matrix;
using test::relative_error;
using test::Script;

constexpr double kFloatError = 2e-5;      // float32 weights
constexpr double kQuantizedError = 0.05;  // int8 activations: the largest error of any number

const char* const kPrompt = "sort: d a c b =";

std::vector<TokenId> ids_of(Script& s) { return {s.run().ids().begin(), s.run().ids().end()}; }

// Compares every value of this pass with the rows [pass_begin, pass_end) of the reference.
void compare_all(Script& s, const LlamaValues& reference, double bound) {
  const std::int64_t begin = s.run().pass_begin(), n = s.run().pass_end() - begin;
  int n_compared = 0;
  for (const auto& [name, value] : reference.values) {
    const bool is_output = name == "logits" || name == "output_norm";
    const Matrix rows =
        is_output ? Matrix(value.bottomRows(1)) : Matrix(value.middleRows(begin, n));
    EXPECT_LT(relative_error(s.rows(name), rows), bound) << name;
    ++n_compared;
  }
  EXPECT_GE(n_compared, 14 * s.run().model().config().n_layers);
}

TEST(StepLooking, PrintShowsWhatAnIndependentForwardPassComputes) {
  Script s(test::random_llama(), {5, 17, 3, 88, 41, 17});
  s("run-until logits");
  compare_all(s, eigen_llama(*test::random_llama(), ids_of(s)), kFloatError);
  s("token");  // and from the cache
  s("run-until logits");
  compare_all(s, eigen_llama(*test::random_llama(), ids_of(s)), kFloatError);
}

TEST(StepLooking, TheBuiltInModelToo) {
  Script s(kPrompt);
  s("run-until logits");
  compare_all(s, eigen_llama(*test::demo(), ids_of(s)), kQuantizedError);
}

TEST(StepLooking, AttentionRowsSumToOneAndAreTheReferences) {
  for (const auto& model : {test::random_llama(), test::demo()}) {
    Script s(model, {5, 17, 3, 88, 41, 17});
    s("run-until logits");
    const LlamaValues reference = eigen_llama(*model, ids_of(s));
    const Config& c = model->config();
    for (std::int64_t layer = 0; layer < c.n_layers; ++layer)
      for (std::int64_t head = 0; head < c.n_heads; ++head) {
        const std::string l = std::to_string(layer), h = std::to_string(head);
        const step::Json heads = s.json("print blk." + l + ".attn_weights[" + h + ", :, :]");
        const step::Json shown = s.json("attention " + l + " head " + h);
        for (std::size_t t = 0; t < 6; ++t) {
          const auto row = heads["values"][0][t].get<std::vector<double>>();
          double sum = 0;
          for (std::size_t p = 0; p < row.size(); ++p) {
            sum += row[p];
            EXPECT_NEAR(
                row[p],
                reference
                    .attention[static_cast<std::size_t>(layer)][static_cast<std::size_t>(head)](
                        static_cast<Eigen::Index>(t), static_cast<Eigen::Index>(p)),
                model == test::demo() ? 0.02 : 1e-5);
            if (p <= t) {
              EXPECT_EQ(shown["rows"][t]["weights"][p], row[p]);
            }
          }
          EXPECT_NEAR(sum, 1, 1e-5) << l << "." << h;
        }
      }
  }
}

TEST(StepLooking, PartsOfValues) {
  Script s(test::random_llama(), {5, 17, 3, 88});
  s("run-until blk.0.q");
  const auto all = s.rows("blk.0.q");
  EXPECT_EQ(s.rows("q[2, 3:9]")[0], std::vector<double>(all[2].begin() + 3, all[2].begin() + 9));
  EXPECT_EQ(s.rows("[-1, :4]")[0], std::vector<double>(all[3].begin(), all[3].begin() + 4));
  EXPECT_EQ(s.json("print q[1, 5]")["values"], all[1][5]);
  EXPECT_EQ(s.json("print q [1, 5]")["values"], all[1][5]);
  EXPECT_NE(s.error("print q[4, 0]").find("there are 4"), std::string::npos);
  EXPECT_NE(s.error("print q[0, 0, 0]").find("2 dimensions"), std::string::npos);
  EXPECT_NE(s.error("print blk.0.k").find("run-until blk.0.k"), std::string::npos);
  EXPECT_NE(s.error("print q[").find("not closed"), std::string::npos);
}

TEST(StepLooking, StatsAndHeat) {
  Script s(test::random_llama(), {5, 17, 3, 88});
  s("run-until blk.1.ffn_act");
  const auto rows = s.rows("blk.1.ffn_act");
  double low = INFINITY, high = -INFINITY, sum = 0, squares = 0, n = 0;
  for (const auto& row : rows)
    for (double x : row)
      low = std::min(low, x), high = std::max(high, x), sum += x, squares += x * x, ++n;
  const step::Json stats = s.json("stats");
  EXPECT_EQ(stats["n"], n);
  EXPECT_EQ(stats["min"], low);
  EXPECT_EQ(stats["max"], high);
  EXPECT_NEAR(stats["mean"].get<double>(), sum / n, 1e-9);
  EXPECT_NEAR(stats["rms"].get<double>(), std::sqrt(squares / n), 1e-9);
  const step::Json heat = s.json("heat");
  EXPECT_EQ(heat["largest"], std::max(high, -low));
  EXPECT_EQ(heat["cells"].size(), rows.size());
  EXPECT_EQ(s("heat").find("\033"), std::string::npos);
  step::DebuggerOptions color;
  color.color = true;
  Script colored(test::random_llama(), {5, 17}, color);
  colored("step 3");
  EXPECT_NE(colored("heat").find("\033[48;5;"), std::string::npos);
}

TEST(StepLooking, CachedKeysAreThoseAfterRope) {
  Script s(test::random_llama(), {5, 17, 3, 88});
  s("run-until blk.1.attn");
  EXPECT_EQ(s.rows("blk.1.cache_k"), s.rows("blk.1.k_rope"));
  EXPECT_EQ(s.rows("blk.1.cache_v[2]")[0], s.rows("blk.1.v[2]")[0]);
}

TEST(StepLooking, TheLensAtTheLastLayerIsTheLogits) {
  Script s(kPrompt);
  s("run-until logits");
  const step::Json lens = s.json("lens top 5");
  const step::Json logits = s.json("logits 5");
  EXPECT_EQ(lens.size(), static_cast<std::size_t>(test::demo()->config().n_layers) + 1);
  EXPECT_EQ(lens.back()["guesses"], logits);
  // Of an earlier layer: the reference's norm and output matrix on the debugger's own row.
  const auto row = s.rows("blk.1.ffn_residual[-1, :]")[0];
  const auto norm = dequantize(*test::demo()->file().find_tensor("output_norm.weight"));
  const Tensor* out = test::demo()->file().find_tensor("output.weight");
  if (!out) out = test::demo()->file().find_tensor("token_embd.weight");
  double squares = 0;
  for (double x : row) squares += x * x;
  const double scale = 1 / std::sqrt(squares / static_cast<double>(row.size()) +
                                     static_cast<double>(test::demo()->config().norm_eps));
  std::vector<float> w(row.size());
  for (const auto& guess : lens.at(2)["guesses"]) {
    dequantize_row(out->type, out->row(guess["id"].get<std::int64_t>()), w);
    double logit = 0, bound = 1e-4;  // each input is rounded to a 127th of its block's largest
    for (std::size_t begin = 0; begin < row.size(); begin += 32) {
      double largest = 0, weights = 0;
      for (std::size_t i = begin; i < begin + 32; ++i) {
        const double x = row[i] * scale * static_cast<double>(norm[i]);
        const auto weight = static_cast<double>(w[i]);
        logit += x * weight;
        largest = std::max(largest, std::abs(x)), weights += std::abs(weight);
      }
      bound += largest / 127 / 2 * weights;
    }
    EXPECT_NEAR(guess["logit"].get<double>(), logit, bound);
  }
  EXPECT_EQ(s.json("lens grid").back()["guesses"].back()["id"], logits[0]["id"]);
}

TEST(StepLooking, LogitsAreSortedAndTheirProbabilitiesSumToOne) {
  Script s(kPrompt);
  EXPECT_NE(s.error("logits").find("run-until logits"), std::string::npos);
  s("run-until logits");
  const auto values = s.rows("logits")[0];
  const step::Json best = s.json("logits 1000");
  double sum = 0, total = 0;
  for (double x : values) total += std::exp(x - values[best[0]["id"].get<std::size_t>()]);
  for (std::size_t i = 0; i < best.size(); ++i) {
    EXPECT_EQ(best[i]["logit"].get<double>(), values[best[i]["id"].get<std::size_t>()]);
    if (i > 0) {
      EXPECT_GE(best[i - 1]["logit"].get<double>(), best[i]["logit"].get<double>());
    }
    sum += best[i]["p"].get<double>();
  }
  EXPECT_NEAR(best[0]["p"].get<double>(), 1 / total, 1e-6);
  EXPECT_LE(sum, 1 + 1e-5);
}

TEST(StepLooking, ABlockOfWeightsIsWhatItsBytesSay) {
  Script s(kPrompt);
  const Tensor& tensor = *test::demo()->file().find_tensor("blk.0.attn_q.weight");
  const step::Json block = s.json("weights blk.0.attn_q.weight row 3 block 2");
  std::vector<float> row(static_cast<std::size_t>(tensor.cols()));
  dequantize_row(tensor.type, tensor.row(3), row);
  const auto n = static_cast<std::size_t>(dtype_info(tensor.type).block_elements);
  ASSERT_EQ(block["weights"].size(), n);
  for (std::size_t i = 0; i < n; ++i)
    EXPECT_EQ(block["weights"][i].get<double>(), static_cast<double>(row[2 * n + i]));
  s("next");
  s("next");
  EXPECT_NE(s("weights attn_q").find(tensor.shape_string()), std::string::npos);
  EXPECT_NE(s.error("weights blk.0.attn_qq.weight").find("attn_q"), std::string::npos);
  EXPECT_NE(s.error("weights blk.0.attn_q.weight block 99999").find("expected"), std::string::npos);
}

TEST(StepLooking, ExplainEndsInTheNumberShown) {
  Script s(kPrompt);
  s("run-until logits");
  for (const char* cell : {"blk.0.q[2, 5]", "blk.1.ffn_out[-1, 7]", "blk.2.attn_norm[0, 3]",
                           "blk.0.q_rope[3, 9]", "blk.1.attn_weights[3, 4, 2]", "blk.1.attn[4, 11]",
                           "blk.0.ffn_act[1, 1]", "logits[0, 9]"}) {
    const step::Json explained = s.json(std::string("explain ") + cell);
    EXPECT_EQ(explained["engine"], s.json(std::string("print ") + cell)["values"]) << cell;
    EXPECT_EQ(explained["derived"], explained["engine"]) << cell;
  }
  EXPECT_NE(s.error("explain blk.0.q[2]").find("index"), std::string::npos);
}

TEST(StepLooking, TheCacheMapCountsBytes) {
  Script s(kPrompt);
  const Config& c = test::demo()->config();
  const auto n = s.run().pass_end();
  const std::int64_t per_layer = c.n_kv_heads * (c.head_size_k + c.head_size_v) * 4;  // float32
  s("run-until blk.1.cache_k");
  step::Json kv = s.json("kv");
  EXPECT_EQ(kv["layers"][0]["map"], std::string(static_cast<std::size_t>(n), '+'));
  EXPECT_EQ(kv["layers"][1]["map"], std::string(static_cast<std::size_t>(n), 'k'));
  EXPECT_EQ(kv["layers"][2]["map"], std::string(static_cast<std::size_t>(n), '.'));
  EXPECT_EQ(kv["bytes"], n * per_layer);
  EXPECT_EQ(kv["bytes_per_position"], per_layer * c.n_layers);
  s("token");
  kv = s.json("kv");
  EXPECT_EQ(kv["layers"][1]["map"], std::string(static_cast<std::size_t>(n), '#') + '.');
  EXPECT_EQ(kv["decode_bytes"], (n + 2) * per_layer * c.n_layers);  // with the token itself
}

TEST(StepLooking, CostsAddUpToTheWeights) {
  Script s(kPrompt);
  s("token");
  s("run-until logits");
  const step::Json total = s.json("cost")["total"];
  std::int64_t weights = 0, macs = 0;
  for (const Op& op : test::demo()->graph().ops)
    if (op.kind == OpKind::kMatmul) weights += op.weight->n_bytes, macs += op.weight->n_elements();
  EXPECT_GE(total["weight_bytes"].get<std::int64_t>(), weights);
  EXPECT_LT(total["weight_bytes"].get<double>(), static_cast<double>(weights) * 1.01);
  EXPECT_GE(total["macs"].get<std::int64_t>(), macs);
  EXPECT_GT(total["ns"].get<std::int64_t>(), 0);
  EXPECT_EQ(s.json("cost blk.0.q")["lines"].size(), 1u);
  EXPECT_NE(s.error("cost blk.0.q limits"), "");
}

TEST(StepLooking, TheSamplersStagesAreThoseOfTheChoice) {
  Script s("Once upon a time");
  s("run-until logits");
  const step::Json shown = s.json("sampler");
  const auto logits = s.rows("logits")[0];
  double highest = -INFINITY, total = 0, mass = 0;
  for (double x : logits) highest = std::max(highest, x);
  for (double x : logits) total += std::exp(x - highest);
  const step::Json& last = shown["stages"].back();
  for (const auto& c : last["candidates"])
    mass += std::exp(logits[c["id"].get<std::size_t>()] - highest) / total;
  EXPECT_NEAR(last["mass"].get<double>(), mass, 1e-4);
  EXPECT_GE(shown["draw"].get<double>(), 0);
  s("step");
  EXPECT_EQ(s.run().choices().back().id, shown["chosen"].get<TokenId>());
}

TEST(StepLooking, TokensAndMerges) {
  Script s(kPrompt);
  s("token");
  const step::Json tokens = s.json("tokens");
  ASSERT_EQ(tokens.size(), s.run().ids().size());
  std::string text;
  for (const auto& t : tokens) text += t["text"].get<std::string>();
  EXPECT_EQ(text, test::demo()->tokenizer().decode(s.run().ids()));
  EXPECT_EQ(tokens.back()["in_pass"], true);
  const step::Json words = s.json("merges kitchen");
  const auto ids = test::demo()->tokenizer().encode("kitchen", {.add_special = false});
  EXPECT_EQ(words[0]["ids"].get<std::vector<TokenId>>(), ids);
}

TEST(StepLooking, WhyAndShapeTellTheGraph) {
  Script s(kPrompt);
  for (const OpKindInfo& info : all_op_kinds()) EXPECT_FALSE(info.purpose.empty());
  s("run-until blk.1.attn_norm");
  const std::string why = s("why");  // of the op that comes next
  EXPECT_NE(why.find("blk.1.q: matmul"), std::string::npos);
  EXPECT_NE(why.find("blk.1.attn_q.weight"), std::string::npos);
  EXPECT_NE(why.find("docs/kernels.md"), std::string::npos);
  EXPECT_NE(s("shape attn_norm").find("read by blk.1.q, blk.1.k, blk.1.v"), std::string::npos);
  EXPECT_NE(s("list").find("=> "), std::string::npos);
  EXPECT_EQ(s.json("list all").size(), test::demo()->graph().ops.size());
}

}  // namespace
}  // namespace galley
