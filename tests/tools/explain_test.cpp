// galley explain: twelve stops whose numbers are those of the other commands.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "tests/model/random_model.h"
#include "tests/tensor/temp_folder.h"
#include "tests/tools/galley_process.h"

namespace galley::test {
namespace {

// Columns of a line of UTF-8 text.
std::size_t n_columns(const std::string& line) {
  return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

void expect_readable(const std::string& text) {
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    EXPECT_LE(n_columns(text.substr(begin, end - begin)), 80u) << text.substr(begin, end - begin);
}

// Every explanation anywhere in the facts ends in the bits of the run.
int count_exact(const nlohmann::json& value) {
  int n = 0;
  if (value.is_object() && value.contains("same_bits")) {
    EXPECT_EQ(value["same_bits"], true) << value["cell"];
    ++n;
  }
  if (value.is_structured())
    for (const nlohmann::json& part : value) n += count_exact(part);
  return n;
}

void expect_story(const nlohmann::json& story) {
  ASSERT_EQ(story["stops"].size(), 12u);
  for (std::size_t i = 0; i < 12; ++i) EXPECT_EQ(story["stops"][i]["stop"], i + 1);
  EXPECT_EQ(story["stops"][8]["facts"]["last_equals_logits"], true);
  EXPECT_NEAR(story["stops"][6]["facts"]["sum"].get<double>(), 1, 1e-5);
  EXPECT_GE(count_exact(story), 4);
}

TEST(Explain, TellsTheBuiltInModelsStory) {
  const Outcome text = run_galley({"explain", "-p", "Once upon a time"});
  ASSERT_EQ(text.exit_code, 0) << text.err;
  EXPECT_EQ(text.err, "");
  expect_readable(text.out);
  const Outcome json = run_galley({"explain", "-p", "Once upon a time", "--json"});
  ASSERT_EQ(json.exit_code, 0) << json.err;
  const nlohmann::json story = json.json();
  expect_story(story);
  EXPECT_EQ(count_exact(story), 5);
  for (const nlohmann::json& stop : story["stops"])
    EXPECT_NE(text.out.find(stop["title"].get<std::string>()), std::string::npos);
  // The token that `run` would say.
  const Outcome run =
      run_galley({"run", "-p", "Once upon a time", "-n", "1", "--seed", "0", "--json"});
  EXPECT_EQ(run.json()["tokens"][0], story["stops"][11]["facts"]["id"]);
  EXPECT_EQ(run.json()["prompt_ids"], story["prompt_ids"]);
  const Outcome greedy = run_galley({"explain", "-p", "Once upon a time", "--temp", "0", "--json"});
  const nlohmann::json choice = greedy.json()["stops"];
  EXPECT_EQ(choice[10]["facts"]["funnel"]["greedy"], true);
  EXPECT_EQ(choice[9]["facts"]["best"][0]["id"], choice[11]["facts"]["id"]);
}

TEST(Explain, LogitsAreThoseOfGalleyLogits) {
  const Outcome raw = run_galley({"logits", "-p", "The cat", "-o", "-"});
  const Outcome json = run_galley({"explain", "-p", "The cat", "--stop", "10", "--json"});
  ASSERT_EQ(json.exit_code, 0) << json.err;
  const nlohmann::json story = json.json();
  ASSERT_EQ(story["stops"].size(), 1u);
  for (const nlohmann::json& best : story["stops"][0]["facts"]["best"]) {
    float logit = 0;
    std::memcpy(&logit, raw.out.data() + 4 * best["id"].get<std::size_t>(), sizeof logit);
    EXPECT_EQ(best["logit"].get<float>(), logit);
  }
}

TEST(Explain, OneStop) {
  const Outcome one = run_galley({"explain", "-p", "The cat", "--stop", "7"});
  EXPECT_EQ(one.exit_code, 0);
  EXPECT_NE(one.out.find("Looking back"), std::string::npos);
  EXPECT_EQ(one.out.find("The text"), std::string::npos);
  const Outcome none = run_galley({"explain", "-p", "The cat", "--stop", "13"});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_EQ(none.n_error_lines(), 1u);
}

TEST(Explain, OneNumber) {
  const std::string cell = "blk.1.ffn_up[-1, 17]";
  const Outcome text = run_galley({"explain", "-p", "The cat", "--cell", cell});
  ASSERT_EQ(text.exit_code, 0) << text.err;
  expect_readable(text.out);
  EXPECT_NE(text.out.find("the same bits"), std::string::npos);
  const Outcome all = run_galley({"explain", "-p", "The cat", "--cell", cell, "--all"});
  EXPECT_GT(all.out.size(), text.out.size());
  // Over several batches it is the same number.
  const Outcome one = run_galley({"explain", "-p", "The cat", "--cell", cell, "--json"});
  const Outcome two = run_galley({"explain", "-p", "The cat", "--cell", cell, "-b", "2", "--json"});
  EXPECT_EQ(one.json()["same_bits"], true);
  EXPECT_EQ(one.json()["engine_bits"], two.json()["engine_bits"]);
  const Outcome wrong = run_galley({"explain", "-p", "The cat", "--cell", "blk.1.fn_up[0, 0]"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.err.find("did you mean 'blk.1.ffn_up'"), std::string::npos) << wrong.err;
  EXPECT_EQ(run_galley({"explain", "-p", "The cat", "--all"}).exit_code, 2);
}

// Models without a vocabulary, with learned positions, experts, windows or a single token.
TEST(Explain, EveryKindOfModel) {
  const TempFolder folder;
  const std::vector<std::string> names = {"gpt2",  "gemma2", "qwen3moe", "command-r",
                                          "olmo2", "falcon", "mistral3", "phi3-longrope"};
  for (const NamedModel& named : random_models()) {
    if (std::find(names.begin(), names.end(), named.name) == names.end()) continue;
    const std::string path = (folder / (named.name + ".gguf")).string();
    const std::vector<std::byte> bytes = write_random_model(named.model);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    for (const std::string ids : {"5", "1,2,3,4,5,6,7,8,9,10,11,12"}) {
      const Outcome json = run_galley({"explain", "-m", path, "--ids", ids, "--json"});
      ASSERT_EQ(json.exit_code, 0) << named.name << ": " << json.err;
      expect_story(json.json());
      const Outcome text = run_galley({"explain", "-m", path, "--ids", ids});
      ASSERT_EQ(text.exit_code, 0) << named.name << ": " << text.err;
      expect_readable(text.out);
    }
  }
}

}  // namespace
}  // namespace galley::test
