// The built-in models: found by name, usable in place, and able to do what they are for.
#include "model/demo/demo_models.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>

#include "model/session.h"

namespace galley {
namespace {

// What the model says, always the likeliest token, until it ends.
std::string greedy(const DemoModel& demo, const std::string& prompt) {
  const auto model = Model::from_file(GgufFile::from_memory(demo.file, std::string(demo.name)));
  SessionOptions options;
  options.n_threads = 1;
  Session session(model, options);
  std::vector<TokenId> next = model->tokenizer().encode(prompt), made;
  while (made.size() < 64) {
    session.forward(next);
    const auto logits = session.logits();
    const auto id = static_cast<TokenId>(std::ranges::max_element(logits) - logits.begin());
    if (model->tokenizer().is_end_of_generation(id)) break;
    made.push_back(id);
    next = {id};
  }
  return model->tokenizer().decode(made);
}

TEST(DemoModels, TheFirstIsTheMainOne) {
  ASSERT_FALSE(demo_models().empty());
  EXPECT_EQ(demo_models()[0].name, "demo");
}

TEST(DemoModels, AreFoundByNameOnly) {
  for (const DemoModel& demo : demo_models()) {
    const auto found = find_demo_model(demo.name);
    ASSERT_TRUE(found) << demo.name;
    EXPECT_EQ(found->file.data(), demo.file.data());
    EXPECT_TRUE(is_demo_name(demo.name));
  }
  EXPECT_FALSE(find_demo_model("demo:"));
  EXPECT_FALSE(find_demo_model("demo:nothing"));
  EXPECT_FALSE(find_demo_model(""));
  EXPECT_FALSE(is_demo_name("demo.gguf"));
}

TEST(DemoModels, AreAlignedCompleteAndDescribed) {
  for (const DemoModel& demo : demo_models()) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(demo.file.data()) % 64, 0U) << demo.name;
    const auto model = Model::from_file(GgufFile::from_memory(demo.file, std::string(demo.name)));
    EXPECT_TRUE(model->warnings().empty()) << model->warnings()[0];
    EXPECT_EQ(model->config().n_layers > 0, true);
    EXPECT_TRUE(demo.card.starts_with("# galley-")) << demo.name;
    EXPECT_NE(demo.card.find("## Limits"), std::string_view::npos) << demo.name;
    EXPECT_FALSE(greedy(demo, std::string(demo.example)).empty()) << demo.name;
  }
}

TEST(DemoModels, SpecialistsDoWhatTheyAreFor) {
  const auto answer = [](std::string_view name, const std::string& prompt) {
    return greedy(find_demo_model(name).value(), prompt);
  };
  EXPECT_EQ(answer("demo:sort", "sort: d a c b ="), " a b c d");
  EXPECT_EQ(answer("demo:lookup", "lookup: a k, b m, c z; b ="), " m");
  EXPECT_TRUE(answer("demo:arithmetic", "add: 47 + 85 =").ends_with("; 132"));
  EXPECT_NE(answer("demo:stories", "Once upon a time").find(". "), std::string::npos);
}

TEST(DemoModels, TheMainOneDoesWhatItIsFor) {
  const DemoModel& demo = demo_models()[0];
  EXPECT_EQ(greedy(demo, "sort: d a c b ="), " a b c d");
  EXPECT_NE(greedy(demo, "<|im_start|>user\nWhat is a KV cache?<|im_end|>\n<|im_start|>assistant\n")
                .find("keys and values"),
            std::string::npos);
}

}  // namespace
}  // namespace galley
