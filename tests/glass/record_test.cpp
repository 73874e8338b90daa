// Recording a run, naming its values, and the logit lens.
#include <gtest/gtest.h>

#include <cstring>

#include "tensor/error.h"
#include "tests/model/opened_model.h"
#include "tools/glass/logit_lens.h"
#include "tools/glass/run_record.h"
#include "tools/glass/value_ref.h"

namespace galley::glass {
namespace {

using test::NamedModel;
using test::OpenedModel;
using test::RandomModel;

std::vector<BatchToken> batch_of(std::vector<TokenId> ids, bool all_logits) {
  std::vector<BatchToken> batch;
  for (const TokenId id : ids) batch.push_back({id, 0, all_logits});
  batch.back().wants_logits = true;
  return batch;
}

TEST(Recorder, KeepsWhatTheObserverSaw) {
  const OpenedModel opened({});
  Session session(opened.model(), {.n_threads = 1});
  Recorder recorder;
  session.set_observer(&recorder);
  session.forward(batch_of({3, 1, 4, 1, 5}, false));
  session.forward(batch_of({9}, false));
  session.set_observer(nullptr);
  ASSERT_EQ(recorder.records().size(), 2u);
  const RunRecord& first = recorder.records()[0];
  const RunRecord& second = recorder.records()[1];
  EXPECT_EQ(first.n_tokens(), 5);
  EXPECT_EQ(second.positions()[0], 5);
  const Graph& graph = opened.model()->graph();
  for (const Op& op : graph.ops) {
    const bool is_cache = graph.info(op.output).cache_layer >= 0;
    EXPECT_EQ(first.has_row(op.output, 0), !is_cache) << op.name;
  }
  const std::span<const float> last = second.row(graph.logits, 0);
  EXPECT_EQ(std::memcmp(last.data(), session.logits().data(), last.size_bytes()), 0);
  EXPECT_GT(first.n_bytes(), 0);
  EXPECT_EQ(first.op_ns().size(), graph.ops.size());
  // What the first batch stored is what the second one sees.
  EXPECT_EQ(first.cached_k(1, 0, 1, 4), second.cached_k(1, 0, 1, 4));
  EXPECT_THROW(first.cached_k(1, 0, 1, 5), Error);
}

TEST(Recorder, KeepsOnlyWhatIsAskedFor) {
  const OpenedModel opened({});
  Session session(opened.model(), {.n_threads = 1});
  Recorder recorder({.patterns = {"blk.*.ffn_up", "logits"}, .max_rows = 2, .cache = false});
  session.set_observer(&recorder);
  session.forward(batch_of({3, 1, 4, 1, 5}, true));
  const RunRecord& run = recorder.records()[0];
  const Graph& graph = opened.model()->graph();
  const Value up = find_value(graph, "blk.1.ffn_up").value;
  EXPECT_FALSE(run.has_row(up, 2));
  EXPECT_TRUE(run.has_row(up, 3));
  EXPECT_EQ(run.value(up).n_rows(), 2);
  EXPECT_FALSE(run.has_row(find_value(graph, "blk.1.ffn_norm").value, 4));
  EXPECT_THROW(run.row(up, 0), Error);
  EXPECT_THROW(run.cached_v(0, 0, 0, 0), Error);
}

TEST(Matches, Globs) {
  EXPECT_TRUE(matches("blk.*.attn_weights", "blk.12.attn_weights"));
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("*norm*", "blk.0.attn_norm"));
  EXPECT_TRUE(matches("blk.?.q", "blk.3.q"));
  EXPECT_FALSE(matches("blk.?.q", "blk.13.q"));
  EXPECT_FALSE(matches("blk.*.q", "blk.0.q_rope"));
  EXPECT_FALSE(matches("", "q"));
}

TEST(ValueRef, ReadsSlices) {
  const ValueRef ref = parse_value_ref(" blk.0.q[3, :8] ");
  EXPECT_EQ(ref.name, "blk.0.q");
  ASSERT_EQ(ref.slices.size(), 2u);
  const IndexRange rows = resolve(ref.slices[0], 5, "row");
  EXPECT_EQ(rows.begin, 3);
  EXPECT_EQ(rows.size(), 1);
  EXPECT_EQ(resolve(ref.slices[1], 64, "column").end, 8);
  EXPECT_EQ(resolve(ref.slices[1], 4, "column").end, 4);
  EXPECT_EQ(resolve(parse_value_ref("x[-2:]").slices[0], 10, "row").begin, 8);
  EXPECT_EQ(resolve(parse_value_ref("x[-1]").slices[0], 10, "row").begin, 9);
  EXPECT_EQ(resolve(parse_value_ref("x[7:3]").slices[0], 10, "row").size(), 0);
  for (const char* bad : {"", "[3]", "q[3", "q[3]]", "q[a]", "q[1,,2]", "q[]", "q 3", "q[1:2:3]"})
    EXPECT_THROW(parse_value_ref(bad), Error) << bad;
  EXPECT_THROW(resolve(ref.slices[0], 3, "row"), Error);
}

std::string message_of(const auto& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(ValueRef, FindsValues) {
  const OpenedModel opened({});
  const Graph& graph = opened.model()->graph();
  EXPECT_EQ(find_value(graph, "q", 1).name, "blk.1.q");
  EXPECT_EQ(find_values(graph, "blk.*.attn_weights").size(), 2u);
  EXPECT_EQ(find_value(graph, "blk.1.attn_weights").kind, ValueKind::kAttentionWeights);
  EXPECT_EQ(find_value(graph, "blk.1.cache_k").kind, ValueKind::kCache);
  EXPECT_NE(message_of([&] { find_value(graph, "q"); }).find("blk.0.q"), std::string::npos);
  EXPECT_NE(message_of([&] { find_value(graph, "blk.0.fn_up"); }).find("'blk.0.ffn_up'"),
            std::string::npos);
  EXPECT_NE(message_of([&] { find_value(graph, "ffn_pu", 1); }).find("'blk.1.ffn_up'"),
            std::string::npos);
  EXPECT_NE(message_of([&] { find_value(graph, "blk.*.q"); }).find("fits 2"), std::string::npos);
}

TEST(ValueRef, ReadsCells) {
  const OpenedModel opened({});
  Session session(opened.model(), {.n_threads = 1});
  Recorder recorder;
  session.set_observer(&recorder);
  session.forward(batch_of({3, 1, 4}, false));
  const RunRecord& run = recorder.records()[0];
  EXPECT_EQ(cell_name(parse_cell(run, "ffn_up[-1, 17]", 0)), "blk.0.ffn_up[2, 17]");
  EXPECT_EQ(cell_name(parse_cell(run, "blk.1.attn_weights[3, 2, 0]")),
            "blk.1.attn_weights[3, 2, 0]");
  EXPECT_EQ(cell_name(parse_cell(run, "logits[0, 5]")), "logits[0, 5]");
  EXPECT_NE(message_of([&] { parse_cell(run, "logits[1, 5]"); }).find("there are 1"),
            std::string::npos);
  EXPECT_NE(message_of([&] { parse_cell(run, "blk.0.q[0]"); }).find("blk.0.q[0, 0]"),
            std::string::npos);
}

class EveryArchitecture : public testing::TestWithParam<NamedModel> {};

// The residual stream has a point per addition, and the lens at its end gives the logits.
TEST_P(EveryArchitecture, LensAtTheLastLayerIsTheLogits) {
  RandomModel description = GetParam().model;
  description.n_layers = std::min<std::int64_t>(description.n_layers, 7);
  for (const DType type : {DType::kQ8_0, DType::kF32}) {
    description.matrix_type = type;
    const bool fits = description.width % 32 == 0 && description.ffn_width % 32 == 0 &&
                      description.n_heads * description.head_size % 32 == 0;
    if (type == DType::kQ8_0 && !fits) continue;
    const OpenedModel opened(description);
    Session session(opened.model(), {.n_context = 64, .n_threads = 1});
    Recorder recorder({.cache = false});
    session.set_observer(&recorder);
    session.forward(batch_of({3, 1, 4, 1, 5}, true));
    const RunRecord& run = recorder.records()[0];
    const Graph& graph = opened.model()->graph();
    const std::vector<ResidualPoint> stream = residual_stream(graph);
    EXPECT_EQ(stream.size(), 1 + 2 * static_cast<std::size_t>(description.n_layers));
    EXPECT_EQ(stream.front().layer, -1);
    EXPECT_EQ(stream.back().layer, description.n_layers - 1);
    LogitLens lens(graph, 1, 3);  // five rows in two pieces
    std::vector<float> rows;
    for (std::int64_t t = 0; t < 5; ++t) {
      const std::span<const float> row = run.row(stream.back().value, t);
      rows.insert(rows.end(), row.begin(), row.end());
    }
    const std::vector<float> logits = lens.logits(rows);
    for (std::int64_t t = 0; t < 5; ++t) {
      const std::span<const float> expected = run.row(graph.logits, t);
      EXPECT_EQ(
          std::memcmp(logits.data() + t * lens.n_vocab(), expected.data(), expected.size_bytes()),
          0)
          << "row " << t;
    }
    EXPECT_THROW(lens.logits(std::span(rows).first(7)), Error);
  }
}

INSTANTIATE_TEST_SUITE_P(Random, EveryArchitecture, testing::ValuesIn(test::random_models()),
                         [](const auto& param) {
                           std::string name = param.param.name;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Guesses, BestAndRank) {
  const std::vector<float> logits = {1, 3, 2, 3};
  const std::vector<Guess> best = best_guesses(logits, 3);
  ASSERT_EQ(best.size(), 3u);
  EXPECT_EQ(best[0].id, 1);
  EXPECT_EQ(best[1].id, 3);
  EXPECT_EQ(best[2].id, 2);
  EXPECT_EQ(rank_of(logits, 3), 1);
  EXPECT_EQ(rank_of(logits, 0), 3);
  EXPECT_NEAR(best[0].p, 0.3995, 1e-3);
}

}  // namespace
}  // namespace galley::glass
