// The nano-GPT's published intermediate values, as the debugger prints them under our names.
#include "tests/conformance.h"
#include "tests/step/session.h"

namespace galley {
namespace {

using test::Script;

constexpr std::int64_t kLength = 11;
constexpr std::int64_t kHeads = 3, kHeadSize = 16;
constexpr double kBound = 1e-4;

TEST(StepNanoGpt, PublishedValuesAppearUnderOurNames) {
  GALLEY_NEED_CONFORMANCE("models");
  const auto models = test::conformance_dir() / "models";
  const auto dir = models / "nano-sort-partials";
  const auto all_ids = test::read_f32(dir / "idx.f32");
  const std::vector<TokenId> ids(all_ids.begin(), all_ids.begin() + kLength);
  step::DebuggerOptions options;
  options.run.all_logits = true;
  Script s(Model::open((models / "nano-sort-f32.gguf").string()), ids, options);
  s("run-until logits");
  const std::vector<std::pair<std::string, std::string>> names = {
      {"embd", "tok_emb"},
      {"embd_positions", "x"},
      {"blk.0.attn_norm", "ln1"},
      {"blk.0.qkv", "qkv"},
      {"blk.0.attn", "y"},
      {"blk.0.attn_out", "yProj"},
      {"blk.0.attn_residual", "attnResid"},
      {"blk.0.ffn_norm", "ln2"},
      {"blk.0.ffn_up", "fc"},
      {"blk.0.ffn_act", "gelu"},
      {"blk.0.ffn_out", "mlp"},
      {"blk.0.ffn_residual", "mlpResid"},
      {"blk.1.ffn_residual", "block1"},
      {"blk.2.ffn_residual", "block2"},
      {"output_norm", "ln_f"},
      {"logits", "lm_head"}};
  for (const auto& [ours, theirs] : names) {
    const auto golden = test::read_f32(dir / (theirs + ".f32"));
    const auto rows = s.rows(ours);
    ASSERT_EQ(rows.size(), static_cast<std::size_t>(kLength)) << ours;
    for (std::size_t t = 0; t < rows.size(); ++t)
      for (std::size_t i = 0; i < rows[t].size(); ++i)
        ASSERT_NEAR(rows[t][i], static_cast<double>(golden[t * rows[t].size() + i]), kBound)
            << ours << " " << t << " " << i;
  }
  // Queries and keys are [head][position][16] there, attention weights [head][token][position].
  for (const std::string name : {"q", "k", "v"}) {
    const auto golden = test::read_f32(dir / (name + ".f32"));
    const auto rows = s.rows("blk.0." + name);
    for (std::int64_t h = 0; h < kHeads; ++h)
      for (std::int64_t t = 0; t < kLength; ++t)
        for (std::int64_t i = 0; i < kHeadSize; ++i)
          ASSERT_NEAR(
              rows[static_cast<std::size_t>(t)][static_cast<std::size_t>(h * kHeadSize + i)],
              static_cast<double>(
                  golden[static_cast<std::size_t>((h * kLength + t) * kHeadSize + i)]),
              kBound);
  }
  const auto golden = test::read_f32(dir / "attSm.f32");
  const step::Json weights = s.json("print blk.0.attn_weights")["values"];
  for (std::size_t h = 0; h < kHeads; ++h)
    for (std::size_t t = 0; t < kLength; ++t)
      for (std::size_t p = 0; p < kLength; ++p)
        ASSERT_NEAR(weights[h][t][p].get<double>(),
                    static_cast<double>(golden[(h * kLength + t) * kLength + p]), kBound);
}

}  // namespace
}  // namespace galley
