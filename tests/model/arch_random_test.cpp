// Every architecture as a tiny random model: the engine against its float64 twin, and the same
// bits however the prompt is cut into batches.
#include <gtest/gtest.h>

#include "model/architecture.h"
#include "tests/model/arch_test.h"
#include "tests/model/opened_model.h"
#include "tests/model/reference.h"

namespace galley {
namespace {

std::vector<TokenId> random_ids(std::size_t n, std::int64_t n_vocab) {
  std::vector<TokenId> ids;
  std::uint64_t state = 12345;
  for (std::size_t i = 0; i < n; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    ids.push_back(static_cast<TokenId>((state >> 33) % static_cast<std::uint64_t>(n_vocab)));
  }
  return ids;
}

std::vector<double> flat(const std::vector<std::vector<double>>& rows) {
  std::vector<double> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return all;
}

// A random model and a session that runs it.
struct Opened {
  explicit Opened(const test::RandomModel& description, std::int64_t n_batch = 512)
      : file(description),
        session(file.model(), {.n_context = description.n_context,
                               .n_batch = n_batch,
                               .n_threads = 2,
                               .kv_type = DType::kF32}) {}

  test::OpenedModel file;
  Session session;
};

class RandomArchitecture : public testing::TestWithParam<std::size_t> {
 protected:
  const test::NamedModel& named() const { return test::random_models()[GetParam()]; }
};

TEST_P(RandomArchitecture, AgreesWithTheTwinInFloat32) {
  Opened opened(named().model);
  const auto ids = random_ids(40, named().model.n_vocab);
  const auto exact = flat(test::reference_logits(opened.file.model()->file(), ids));
  const auto ours = test::all_logits(opened.session, ids, {ids.size()});
  const double error = test::relative_error(ours, exact);
  EXPECT_LT(error, 5e-6);
  EXPECT_EQ(opened.file.model()->warnings().size(), 0u) << opened.file.model()->warnings()[0];
  test::report_architecture(named().model.architecture, named().features, "float64 twin", error);
}

// The models of 46 and more layers are there for one constant alone.
class ShallowArchitecture : public RandomArchitecture {};

TEST_P(ShallowArchitecture, HasTheSameBitsInAnySplit) {
  for (DType type : {DType::kF32, DType::kQ8_0}) {
    test::RandomModel description = named().model;
    description.matrix_type = type;
    Opened opened(description);
    const auto ids = random_ids(24, description.n_vocab);
    const auto whole = test::all_logits(opened.session, ids, {ids.size()});
    for (const std::vector<std::size_t>& pieces :
         {std::vector<std::size_t>{1}, {7, 1, 1, 5}, {23, 1}}) {
      std::size_t where = 0;
      EXPECT_TRUE(test::same_bits(whole, test::all_logits(opened.session, ids, pieces), where))
          << dtype_info(type).name << ", first piece of " << pieces[0] << ": logit " << where;
    }
  }
}

TEST_P(ShallowArchitecture, StaysCloseToTheTwinInQ8) {
  test::RandomModel description = named().model;
  description.matrix_type = DType::kQ8_0;
  Opened opened(description);
  const auto ids = random_ids(24, description.n_vocab);
  const auto exact = flat(test::reference_logits(opened.file.model()->file(), ids));
  // With experts, a rounded activation can choose another expert.
  const double bound = description.n_experts > 0 ? 0.3 : 0.05;
  EXPECT_LT(test::relative_error(test::all_logits(opened.session, ids, {ids.size()}), exact),
            bound);
}

// Long enough for the slots of a sliding window to be used again.
TEST_P(ShallowArchitecture, AgreesWithTheTwinBeyondItsWindow) {
  Opened opened(named().model, 32);
  const auto ids = random_ids(200, named().model.n_vocab);
  const auto exact = flat(test::reference_logits(opened.file.model()->file(), ids));
  EXPECT_LT(test::relative_error(test::all_logits(opened.session, ids, {30, 1, 64}), exact), 5e-6);
}

TEST(Experts, StoredOneByOneGiveTheSameBits) {
  test::RandomModel together;
  for (const test::NamedModel& one : test::random_models())
    if (one.name == "llama-experts") together = one.model;
  ASSERT_GT(together.n_experts, 0);
  test::RandomModel apart = together;
  apart.experts_one_by_one = true;
  for (DType type : {DType::kF32, DType::kQ8_0}) {
    together.matrix_type = apart.matrix_type = type;
    Opened new_file(together), old_file(apart);
    EXPECT_EQ(old_file.file.model()->warnings().size(), 0u);
    const auto ids = random_ids(24, together.n_vocab);
    std::size_t where = 0;
    EXPECT_TRUE(test::same_bits(test::all_logits(new_file.session, ids, {ids.size()}),
                                test::all_logits(old_file.session, ids, {ids.size()}), where))
        << dtype_info(type).name << ": logit " << where;
  }
}

// The indices of all random models, or of those with few layers.
std::vector<std::size_t> indices(std::int64_t most_layers) {
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < test::random_models().size(); ++i)
    if (test::random_models()[i].model.n_layers <= most_layers) chosen.push_back(i);
  return chosen;
}

std::string model_name(const testing::TestParamInfo<std::size_t>& info) {
  std::string name = test::random_models()[info.param].name;
  for (char& c : name)
    if (c == '-') c = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, RandomArchitecture, testing::ValuesIn(indices(1000)), model_name);
INSTANTIATE_TEST_SUITE_P(All, ShallowArchitecture, testing::ValuesIn(indices(10)), model_name);

TEST(RandomArchitectures, AreAllThere) {
  for (const Architecture& architecture : architectures()) {
    bool found = false;
    for (const test::NamedModel& named : test::random_models())
      found |= named.model.architecture == architecture.name;
    EXPECT_TRUE(found) << architecture.name << " has no random model";
  }
}

// The measures themselves must see what they are there for.
TEST(ArchitectureMeasures, SeeMutants) {
  const std::vector<float> right = {1, -2, 3};
  EXPECT_EQ(test::relative_error(right, right), 0);
  EXPECT_GT(test::relative_error(std::vector<float>{1, 2, 3}, right), 0.5);
  EXPECT_EQ(test::relative_error(std::vector<float>{1, -2}, right), INFINITY);
  EXPECT_EQ(test::relative_error(std::vector<float>{1, NAN, 3}, right), INFINITY);
  std::size_t where = 0;
  EXPECT_TRUE(test::same_bits(right, right, where));
  EXPECT_FALSE(test::same_bits(right, {1, std::nextafter(-2.0f, 0.0f), 3}, where));
  EXPECT_EQ(where, 1u);
  EXPECT_FALSE(test::same_bits(right, {1, -2}, where));
}

}  // namespace
}  // namespace galley
