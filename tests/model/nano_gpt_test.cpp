// Every intermediate value published with llm-viz's nano-GPT, seen by an observer.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "model/observer.h"
#include "model/session.h"
#include "tests/conformance.h"

namespace galley {
namespace {

constexpr std::int64_t kLength = 11;  // tokens of a sequence
constexpr std::int64_t kHeads = 3;
constexpr std::int64_t kHeadSize = 16;

// Compares each value it sees of one sequence with the published one.
class Comparer : public Observer {
 public:
  Comparer(std::filesystem::path dir, std::int64_t sequence)
      : dir_(std::move(dir)), sequence_(sequence) {}

  void before_op(RunView&, int) override {}

  void after_op(RunView& run, int index) override {
    // Our names, and theirs: rows [sequence][position][width].
    static const std::map<std::string, std::string> kRows = {{"embd", "tok_emb"},
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
    const Op& op = run.graph().ops[static_cast<std::size_t>(index)];
    if (const auto found = kRows.find(op.name); found != kRows.end())
      compare_rows(run, op, found->second);
    if (op.name == "blk.0.q" || op.name == "blk.0.k" || op.name == "blk.0.v")
      compare_heads(run, op);
    if (op.name == "blk.0.attn") compare_attention(run, op);
  }

  double worst() const { return worst_; }
  int n_compared() const { return n_compared_; }

 private:
  void compare(const std::string& name, float ours, float theirs) {
    const double error = std::abs(static_cast<double>(ours) - static_cast<double>(theirs));
    EXPECT_LT(error, 1e-4) << name;
    worst_ = std::max(worst_, error);
  }

  void compare_rows(RunView& run, const Op& op, const std::string& file) {
    const auto golden = test::read_f32(dir_ / (file + ".f32"));
    const std::int64_t width = run.graph().info(op.output).width;
    for (std::int64_t t = 0; t < kLength; ++t)
      for (std::int64_t i = 0; i < width; ++i)
        compare(file, run.row(op.output, t)[static_cast<std::size_t>(i)],
                golden[static_cast<std::size_t>((sequence_ * kLength + t) * width + i)]);
    ++n_compared_;
  }

  void compare_heads(RunView& run, const Op& op) {
    const std::string file = op.name.substr(op.name.rfind('.') + 1);
    const auto golden = test::read_f32(dir_ / (file + ".f32"));
    for (std::int64_t h = 0; h < kHeads; ++h)
      for (std::int64_t t = 0; t < kLength; ++t)
        for (std::int64_t i = 0; i < kHeadSize; ++i)
          compare(file, run.row(op.output, t)[static_cast<std::size_t>(h * kHeadSize + i)],
                  golden[static_cast<std::size_t>(
                      ((sequence_ * kHeads + h) * kLength + t) * kHeadSize + i)]);
    ++n_compared_;
  }

  void compare_attention(RunView& run, const Op& op) {
    const auto scores = test::read_f32(dir_ / "att.f32");
    const auto weights = test::read_f32(dir_ / "attSm.f32");
    for (std::int64_t h = 0; h < kHeads; ++h)
      for (std::int64_t t = 0; t < kLength; ++t)
        for (std::int64_t p = 0; p <= t; ++p) {
          const auto i =
              static_cast<std::size_t>(((sequence_ * kHeads + h) * kLength + t) * kLength + p);
          compare("att", run.attention_scores(op, t, h)[static_cast<std::size_t>(p)], scores[i]);
          compare("attSm", run.attention_weights(op, t, h)[static_cast<std::size_t>(p)],
                  weights[i]);
        }
    n_compared_ += 2;
  }

  std::filesystem::path dir_;
  std::int64_t sequence_;
  double worst_ = 0;
  int n_compared_ = 0;
};

TEST(NanoGpt, EveryPublishedIntermediateValueIsReproduced) {
  GALLEY_NEED_CONFORMANCE("models");
  const auto models = test::conformance_dir() / "models";
  const auto dir = models / "nano-sort-partials";
  const auto ids = test::read_f32(dir / "idx.f32");
  for (std::int64_t sequence = 0; sequence < 3; ++sequence) {
    Session session = Session::open((models / "nano-sort-f32.gguf").string());
    Comparer comparer(dir, sequence);
    session.set_observer(&comparer);
    std::vector<BatchToken> batch;
    for (std::int64_t t = 0; t < kLength; ++t)
      batch.push_back(
          {static_cast<TokenId>(ids[static_cast<std::size_t>(sequence * kLength + t)]), 0, true});
    session.forward(batch);
    EXPECT_EQ(comparer.n_compared(), 21);
    std::cout << "sequence " << sequence << ": largest difference " << comparer.worst() << '\n';
  }
}

}  // namespace
}  // namespace galley
