// What a session promises: the same bits however the work is cut, sequences that do not see one
// another, a cache that can be cut back, and errors before anything is run.
#include "model/session.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "kernels/kernels.h"
#include "model/observer.h"
#include "tests/model/tiny_llama.h"
#include "tests/model/ways.h"

namespace galley {
namespace {

using test::TinyFile;
using test::TinyLlama;

std::vector<TokenId> some_tokens(int n, int seed = 0) {
  std::vector<TokenId> ids;
  for (int i = 0; i < n; ++i) ids.push_back((i * i * 7 + i * 13 + seed * 31) % 96);
  return ids;
}

// Logits of every position, fed in calls of `chunk` tokens.
std::vector<float> all_logits(Session& session, const std::vector<TokenId>& ids,
                              std::size_t chunk) {
  std::vector<float> logits;
  for (std::size_t begin = 0; begin < ids.size(); begin += chunk) {
    std::vector<BatchToken> batch;
    for (std::size_t i = begin; i < std::min(ids.size(), begin + chunk); ++i)
      batch.push_back({ids[i], 0, true});
    session.forward(batch);
    for (std::int64_t o = 0; o < session.n_outputs(); ++o)
      logits.insert(logits.end(), session.logits(o).begin(), session.logits(o).end());
  }
  return logits;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

void expect_same_bits_everywhere(const TinyLlama& shape) {
  const TinyFile file(shape);
  const auto model = file.open();
  // Enough that products of all kinds with many tokens are among them.
  const std::vector<TokenId> ids = some_tokens(40);
  std::vector<float> expected;
  for (const kernels::Isa isa : kernels::available_isas()) {
    kernels::select_isa(isa);
    for (const test::Way way : test::kWays) {
      Session session(model, {.n_batch = way.n_batch, .n_threads = way.n_threads});
      const std::vector<float> logits = all_logits(session, ids, ids.size());
      if (expected.empty()) expected = logits;
      EXPECT_TRUE(same_bits(logits, expected))
          << kernels::isa_name(isa) << ", " << way.n_threads << " threads, batch " << way.n_batch;
    }
  }
  for (float x : expected) ASSERT_TRUE(std::isfinite(x));
  kernels::select_isa(kernels::available_isas().front());
}

class EveryType : public testing::TestWithParam<DType> {};

TEST_P(EveryType, SameBitsAtAnyThreadsBatchAndInstructionSet) {
  expect_same_bits_everywhere({.type = GetParam()});
}

// Large enough that their input is rounded to BF16, too.
TEST(Session, LargeBf16MatricesGiveTheSameBitsEverywhere) {
  expect_same_bits_everywhere({.type = DType::kBF16, .n_layers = 1, .ffn_width = 1280});
}

INSTANTIATE_TEST_SUITE_P(Types, EveryType,
                         testing::Values(DType::kF32, DType::kF16, DType::kBF16, DType::kQ4_0,
                                         DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0,
                                         DType::kQ2_K, DType::kQ3_K, DType::kQ4_K, DType::kQ5_K,
                                         DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS),
                         [](const auto& param) {
                           return std::string(dtype_info(param.param).name);
                         });

TEST(Session, MutantIsNoticed) {
  const TinyFile file({}), other({.seed = 2});
  Session a(file.open(), {}), b(other.open(), {});
  EXPECT_FALSE(same_bits(all_logits(a, some_tokens(5), 5), all_logits(b, some_tokens(5), 5)));
}

TEST(Session, SequencesInOneBatchDoNotSeeOneAnother) {
  const TinyFile file({.type = DType::kQ8_0});
  const auto model = file.open();
  const auto first = some_tokens(20, 1), second = some_tokens(20, 2);
  Session alone_a(model, {}), alone_b(model, {});
  const auto a = all_logits(alone_a, first, 20), b = all_logits(alone_b, second, 20);
  Session both(model, {.n_sequences = 2});
  std::vector<BatchToken> batch;
  for (std::size_t i = 0; i < 20; ++i) {
    batch.push_back({first[i], 0, true});
    batch.push_back({second[i], 1, true});
  }
  both.forward(batch);
  std::vector<float> got_a, got_b;
  for (std::int64_t o = 0; o < both.n_outputs(); ++o) {
    auto& got = o % 2 == 0 ? got_a : got_b;
    got.insert(got.end(), both.logits(o).begin(), both.logits(o).end());
  }
  EXPECT_TRUE(same_bits(got_a, a));
  EXPECT_TRUE(same_bits(got_b, b));
  EXPECT_EQ(both.length(0), 20);
  EXPECT_EQ(both.length(1), 20);
}

TEST(Session, CopiedSequenceGoesOnAlike) {
  const TinyFile file({});
  Session session(file.open(), {.n_sequences = 2});
  session.forward(some_tokens(9));
  session.copy_sequence(0, 1);
  session.forward(std::vector<TokenId>{5}, 0);
  const std::vector<float> a(session.logits().begin(), session.logits().end());
  session.forward(std::vector<TokenId>{5}, 1);
  EXPECT_TRUE(same_bits(a, {session.logits().begin(), session.logits().end()}));
}

TEST(Session, TruncateForgets) {
  for (const DType kv : {DType::kF32, DType::kF16, DType::kQ8_0}) {
    const TinyFile file({});
    Session session(file.open(), {.kv_type = kv});
    const auto ids = some_tokens(30);
    const auto once = all_logits(session, ids, 30);
    session.forward(some_tokens(10, 5));
    EXPECT_EQ(session.truncate(12), 12);
    const std::vector<TokenId> rest(ids.begin() + 12, ids.end());
    const auto again = all_logits(session, rest, 30);
    EXPECT_TRUE(same_bits(again, {once.begin() + 12 * 96, once.end()}));
    EXPECT_EQ(session.truncate(0), 0);
    EXPECT_TRUE(same_bits(all_logits(session, ids, 30), once));
  }
}

TEST(Session, SlidingWindowKeepsOnlyItsWindow) {
  const TinyFile file({.n_context = 2048, .window = 40});
  const auto model = file.open();
  Session small(model, {.n_batch = 16}), large(model, {.n_batch = 1024});
  EXPECT_LT(small.memory().kv_cache_bytes, large.memory().kv_cache_bytes);
  const auto ids = some_tokens(260);
  EXPECT_TRUE(same_bits(all_logits(small, ids, 260), all_logits(large, ids, 13)));
  EXPECT_EQ(small.truncate(255), 255);
  small.forward(std::vector<TokenId>(ids.begin() + 255, ids.end()));
  EXPECT_TRUE(same_bits({small.logits().begin(), small.logits().end()},
                        {large.logits().begin(), large.logits().end()}));
  EXPECT_EQ(small.truncate(100), 0) << "the positions that 100 looks back to are gone";
}

TEST(Session, TooManyTokensIsAnErrorBeforeAnythingRuns) {
  const TinyFile file({});
  Session session(file.open(), {.n_context = 8});
  session.forward(some_tokens(6));
  try {
    session.forward(some_tokens(3));
    FAIL() << "nine tokens in a context of eight";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kContextExceeded);
  }
  EXPECT_EQ(session.length(), 6);
  session.forward(some_tokens(2));
  EXPECT_EQ(session.length(), 8);
}

TEST(Session, SenselessRequestsAreUsageErrors) {
  const TinyFile file({});
  const auto model = file.open();
  const auto kind = [&](auto&& f) {
    try {
      f();
    } catch (const Error& e) {
      return e.exit_code();
    }
    return 0;
  };
  Session session(model, {});
  EXPECT_EQ(kind([&] { session.forward(std::vector<TokenId>{96}); }), 2);
  EXPECT_EQ(kind([&] { session.forward(std::vector<TokenId>{-1}); }), 2);
  EXPECT_EQ(kind([&] { session.forward(std::vector<TokenId>{1}, 1); }), 2);
  EXPECT_EQ(kind([&] { Session(model, {.n_context = -1}); }), 2);
  EXPECT_EQ(kind([&] { Session(model, {.n_batch = 0}); }), 2);
  EXPECT_EQ(kind([&] { Session(model, {.kv_type = DType::kQ4_0}); }), 2);
  EXPECT_EQ(kind([&] { Session(model, {.n_context = 2000000000, .n_sequences = 60000}); }), 4);
}

TEST(Session, CanBeCancelled) {
  const TinyFile file({.n_layers = 8});
  std::atomic<bool> cancel = false;
  Session session(file.open(), {.n_threads = 2, .cancel = &cancel});
  session.forward(some_tokens(4));
  cancel = true;
  EXPECT_THROW(session.forward(some_tokens(400)), Cancelled);
  EXPECT_EQ(session.length(), 4);
  cancel = false;
  session.forward(some_tokens(4));
  EXPECT_EQ(session.length(), 8);
}

// Counts ops; can zero one value.
class Watcher : public Observer {
 public:
  std::string zeroed;
  int n_before = 0, n_after = 0;
  void before_op(RunView&, int) override { ++n_before; }
  void after_op(RunView& run, int index) override {
    ++n_after;
    const Op& op = run.graph().ops[static_cast<std::size_t>(index)];
    if (op.name != zeroed) return;
    for (std::int64_t t = 0; t < run.n_tokens(); ++t)
      for (float& x : run.row(op.output, t)) x = 0;
  }
};

TEST(Session, ObserverSeesEveryOpAndChangesNothing) {
  const TinyFile file({.type = DType::kQ4_K});
  const auto model = file.open();
  Session plain(model, {}), watched(model, {.n_threads = 2});
  Watcher watcher;
  watched.set_observer(&watcher);
  const auto ids = some_tokens(12);
  EXPECT_TRUE(same_bits(all_logits(plain, ids, 12), all_logits(watched, ids, 12)));
  EXPECT_EQ(watcher.n_before, static_cast<int>(model->graph().ops.size()));
  EXPECT_EQ(watcher.n_after, watcher.n_before);
  watched.set_observer(nullptr);
  plain.truncate(0), watched.truncate(0);
  EXPECT_TRUE(same_bits(all_logits(plain, ids, 1), all_logits(watched, ids, 1)));
}

TEST(Session, ObserverCanChangeValues) {
  const TinyFile file({});
  const auto model = file.open();
  Session plain(model, {}), changed(model, {});
  Watcher watcher;
  watcher.zeroed = "blk.1.attn";
  changed.set_observer(&watcher);
  EXPECT_FALSE(
      same_bits(all_logits(plain, some_tokens(5), 5), all_logits(changed, some_tokens(5), 5)));
}

TEST(Session, ObserverErrorsComeOut) {
  struct Thrower : Observer {
    void before_op(RunView&, int) override { throw Error(ErrorKind::kFailure, "stop"); }
    void after_op(RunView&, int) override {}
  } thrower;
  const TinyFile file({});
  Session session(file.open(), {.n_threads = 2});
  session.set_observer(&thrower);
  EXPECT_THROW(session.forward(some_tokens(40)), Error);
}

// Runs `ids` from op to op, starting over once in the middle.
std::vector<float> logits_in_parts(Session& session, std::span<const TokenId> ids, int stride) {
  std::vector<BatchToken> batch;
  for (TokenId id : ids) batch.push_back({id, 0, true});
  const int n_ops = static_cast<int>(session.model().graph().ops.size());
  const std::int64_t length = session.length();
  session.begin(batch);
  session.run_ops(n_ops / 2);
  session.begin(batch);
  for (int op = 0; op < n_ops; op += stride) {
    EXPECT_EQ(session.next_op(), op);
    EXPECT_EQ(session.length(), length);
    session.run_ops(std::min(op + stride, n_ops));
  }
  EXPECT_EQ(session.length(), length + static_cast<std::int64_t>(ids.size()));
  return {session.logits(0).begin(), session.logits(session.n_outputs() - 1).end()};
}

TEST(Session, StoppingBetweenOpsChangesNothing) {
  const TinyFile file({.type = DType::kQ8_0});
  const auto model = file.open();
  Session plain(model, {}), stopped(model, {.n_threads = 2});
  Watcher watcher;
  stopped.set_observer(&watcher);
  const auto ids = some_tokens(20);
  const auto expected = all_logits(plain, ids, 20);
  for (int stride : {1, 3, 1000}) {
    stopped.truncate(0);
    auto got = logits_in_parts(stopped, std::span(ids).first(15), stride);
    const auto rest = logits_in_parts(stopped, std::span(ids).subspan(15), stride);
    got.insert(got.end(), rest.begin(), rest.end());
    EXPECT_TRUE(same_bits(expected, got)) << "every " << stride << " ops";
  }
}

TEST(Session, AnOpThatWasInterruptedRunsAgain) {
  struct Thrower : Observer {
    int at = 7;
    void before_op(RunView&, int) override {}
    void after_op(RunView&, int op) override {
      if (std::exchange(at, op == at ? -1 : at) == op) throw Error(ErrorKind::kFailure, "stop");
    }
  } thrower;
  const TinyFile file({});
  const auto model = file.open();
  Session plain(model, {}), session(model, {});
  session.set_observer(&thrower);
  const auto ids = some_tokens(5);
  std::vector<BatchToken> batch;
  for (TokenId id : ids) batch.push_back({id, 0, true});
  const int n_ops = static_cast<int>(model->graph().ops.size());
  session.begin(batch);
  EXPECT_THROW(session.run_ops(n_ops), Error);
  EXPECT_EQ(session.next_op(), 7);
  EXPECT_EQ(session.length(), 0);
  session.run_ops(n_ops);
  const std::vector<float> got(session.logits(0).begin(), session.logits(4).end());
  EXPECT_TRUE(same_bits(all_logits(plain, ids, 5), got));
}

}  // namespace
}  // namespace galley
