// Files of known architectures that cannot be right: each is refused with one line that names the
// key or tensor.
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "model/session.h"
#include "tests/model/opened_model.h"

namespace galley {
namespace {

const test::RandomModel& named(const std::string& name) {
  for (const test::NamedModel& one : test::random_models())
    if (one.name == name) return one.model;
  throw std::runtime_error("no random model " + name);
}

// Expects the file to be refused with a line that has all of `words`.
void expect_refused(const test::RandomModel& description, const std::vector<std::string>& words) {
  try {
    test::OpenedModel opened(description);
    ADD_FAILURE() << "accepted; expected an error with '" << words[0] << "'";
  } catch (const Error& error) {
    const std::string line = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::kBadModel) << line;
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    EXPECT_NE(line.find("random.gguf"), std::string::npos) << line;
    for (const std::string& word : words) EXPECT_NE(line.find(word), std::string::npos) << line;
  }
}

// Adds one more setting to a description.
test::RandomModel with(test::RandomModel model,
                       const std::function<void(GgufWriter&, const std::string&)>& change) {
  const auto before = model.metadata;
  model.metadata = [before, change](GgufWriter& w, const std::string& p) {
    if (before) before(w, p);
    change(w, p);
  };
  return model;
}

TEST(ArchitectureErrors, EveryMissingTensorIsNamed) {
  for (const test::NamedModel& one : test::random_models()) {
    if (one.model.n_layers > 10) continue;
    const test::OpenedModel whole(one.model);
    const Tensor* norm = whole.model()->file().find_tensor("blk.1.attn_norm.weight");
    for (const Tensor& tensor : whole.model()->file().tensors()) {
      // What a file may leave out: biases, and tensors whose absence means another variant.
      const std::string& name = tensor.name;
      const bool optional = name == "output.weight" || name.starts_with("rope_") ||
                            (name.ends_with(".bias") && !norm) ||
                            (name.ends_with(".bias") && !one.model.linear_biases &&
                             name.find("norm") == std::string::npos) ||
                            (name.ends_with(".bias") && one.model.architecture == "llama") ||
                            name.find("attn_norm_2.weight") != std::string::npos ||
                            (name.find("ffn_norm.weight") != std::string::npos &&
                             one.model.architecture == "stablelm") ||
                            (name.find("_norm.weight") != std::string::npos &&
                             one.model.qk_norm == test::RandomModel::QkNorm::kEachHead);
      if (optional) continue;
      test::RandomModel damaged = one.model;
      damaged.missing = {name};
      SCOPED_TRACE(one.name + " without " + name);
      expect_refused(damaged, {name, "missing"});
    }
  }
}

TEST(ArchitectureErrors, EveryTensorOfAnotherShapeIsNamed) {
  for (const test::NamedModel& one : test::random_models()) {
    if (one.model.n_layers > 10) continue;
    const test::OpenedModel whole(one.model);
    for (const Tensor& tensor : whole.model()->file().tensors()) {
      test::RandomModel damaged = one.model;
      damaged.misshapen = {tensor.name};
      SCOPED_TRACE(one.name + " with another shape of " + tensor.name);
      // A longer embedding table is a larger vocabulary: then the output matrix does not fit.
      if (tensor.name != "token_embd.weight")
        expect_refused(damaged, {tensor.name, "shape"});
      else if (!one.model.tied)
        expect_refused(damaged, {"output.", "shape"});
    }
  }
}

TEST(ArchitectureErrors, ExpertCountsThatDoNotFit) {
  const auto set = [](const char* key, std::uint32_t value) {
    return [key, value](GgufWriter& w, const std::string& p) { w.set_uint32(p + key, value); };
  };
  for (const char* name : {"llama-experts", "qwen2moe", "qwen3moe", "granitemoe"}) {
    SCOPED_TRACE(name);
    const test::RandomModel& good = named(name);
    expect_refused(with(good, set("expert_used_count", 7)), {"expert_used_count", "7 of 6"});
    expect_refused(with(good, set("expert_used_count", 0)), {"expert_used_count"});
    expect_refused(with(good, set("expert_count", 5)), {"ffn_gate_inp.weight", "[5, 64]"});
  }
  for (const char* name : {"qwen2moe", "qwen3moe"})
    expect_refused(with(named(name), set("expert_feed_forward_length", 48)),
                   {"ffn_gate_exps.weight", "[6, 48, 64]"});
  expect_refused(with(named("llama-experts"), set("feed_forward_length", 48)),
                 {"ffn_gate_exps.weight", "[6, 48, 64]"});
  expect_refused(with(named("qwen3moe"), set("expert_count", 0)), {"expert_"});
  expect_refused(with(named("qwen2moe"), set("expert_shared_feed_forward_length", 32)),
                 {"ffn_gate_shexp.weight", "[32, 64]"});
}

TEST(ArchitectureErrors, ExpertsStoredOneByOne) {
  test::RandomModel old = named("llama-experts");
  old.experts_one_by_one = true;
  old.missing = {"blk.1.ffn_up.4.weight"};
  expect_refused(old, {"blk.1.ffn_up.4.weight", "missing"});
  const std::vector<std::byte> other_type(96 * 64 * 2);
  const auto add = [&](GgufWriter& w, const std::string&) {
    constexpr std::int64_t kShape[] = {96, 64};
    w.add_tensor("blk.1.ffn_up.4.weight", DType::kF16, kShape, other_type);
  };
  expect_refused(with(old, add), {"blk.1.ffn_up.4.weight", "F16", "expert 0 is F32"});
}

TEST(ArchitectureErrors, TensorsThatNobodyUsesAreToldOf) {
  test::RandomModel model = named("llama-linear");
  model.extra = {"blk.1.attn_sinks.weight"};
  const test::OpenedModel opened(model);
  ASSERT_EQ(opened.model()->warnings().size(), 1u);
  EXPECT_NE(opened.model()->warnings()[0].find("blk.1.attn_sinks.weight"), std::string::npos);
}

TEST(ArchitectureErrors, SenselessRope) {
  const test::RandomModel& good = named("llama-yarn");
  const auto real = [&](const char* key, float value) {
    return with(good, [=](GgufWriter& w, const std::string& p) { w.set_float32(p + key, value); });
  };
  const auto integer = [&](const char* key, std::uint32_t value) {
    return with(good, [=](GgufWriter& w, const std::string& p) { w.set_uint32(p + key, value); });
  };
  expect_refused(real("rope.freq_base", 0), {"rope.freq_base"});
  expect_refused(real("rope.freq_base", -1), {"rope.freq_base"});
  expect_refused(real("rope.freq_base", std::numeric_limits<float>::infinity()),
                 {"rope.freq_base"});
  expect_refused(real("rope.scaling.factor", -2), {"rope.scaling.factor"});
  expect_refused(real("rope.scaling.attn_factor", 0), {"rope.scaling.attn_factor"});
  expect_refused(integer("rope.dimension_count", 7), {"rope.dimension_count", "even"});
  expect_refused(integer("rope.dimension_count", 18), {"rope.dimension_count", "18"});
  expect_refused(integer("rope.dimension_count", 0), {"rope.dimension_count"});
  expect_refused(integer("rope.scaling.original_context_length", 0), {"original_context_length"});
  expect_refused(
      with(good, [](GgufWriter& w,
                    const std::string& p) { w.set_string(p + "rope.scaling.type", "spiral"); }),
      {"rope.scaling.type", "spiral", "yarn"});
  test::RandomModel half = named("phi3-longrope");
  half.rope_factors = {"rope_factors_long.weight"};
  expect_refused(half, {"rope_factors_short.weight"});
}

TEST(ArchitectureErrors, SenselessConstantsAndWindows) {
  const auto real = [](const char* name, const char* key, float value) {
    return with(named(name),
                [=](GgufWriter& w, const std::string& p) { w.set_float32(p + key, value); });
  };
  expect_refused(real("granite", "logit_scale", 0), {"logit_scale"});
  expect_refused(with(named("gemma3-pattern"),
                      [](GgufWriter& w, const std::string& p) {
                        const std::vector<std::int32_t> short_by_one = {1, 1};
                        w.set_int32_array(p + "attention.sliding_window_pattern", short_by_one);
                      }),
                 {"sliding_window_pattern", "3 layers"});
  test::RandomModel unscaled = named("command-r");
  unscaled.metadata = nullptr;
  expect_refused(unscaled, {"logit_scale", "missing"});
  test::RandomModel no_window = named("cohere2");
  no_window.metadata = [](GgufWriter& w, const std::string& p) {
    w.set_float32(p + "logit_scale", 1);
  };
  expect_refused(no_window, {"attention.sliding_window", "missing"});
}

TEST(ArchitectureErrors, UnknownArchitecture) {
  test::RandomModel model = named("llama-linear");
  model.architecture = "perceptron";
  expect_refused(model, {"general.architecture", "perceptron", "llama"});
}

}  // namespace
}  // namespace galley
