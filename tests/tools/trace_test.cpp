// galley trace: its numbers are those of a session, whatever is sampled; its page is safe.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "model/demo/demo_models.h"
#include "model/observer.h"
#include "model/session.h"
#include "tests/conformance.h"
#include "tests/tensor/temp_folder.h"
#include "tests/tools/galley_process.h"

namespace galley::test {
namespace {

using Json = nlohmann::json;

Json traced(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "trace");
  for (const char* word : {"-o", "-", "--no-limits"}) arguments.emplace_back(word);
  const Outcome outcome = run_galley(arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return outcome.json();
}

// A second reader of base64, so that the writer is not checked by itself.
std::vector<float> floats(const Json& json) {
  const std::string text = json.get<std::string>();
  std::vector<unsigned char> bytes;
  unsigned group = 0;
  int n = 0;
  for (const char c : text) {
    if (c == '=') break;
    const int digit = c >= 'A' && c <= 'Z'   ? c - 'A'
                      : c >= 'a' && c <= 'z' ? c - 'a' + 26
                      : c >= '0' && c <= '9' ? c - '0' + 52
                      : c == '+'             ? 62
                                             : 63;
    group = group * 64 + static_cast<unsigned>(digit);
    if (++n % 4 != 0) continue;
    for (int shift : {16, 8, 0}) bytes.push_back(static_cast<unsigned char>(group >> shift));
    group = 0;
  }
  if (n % 4 == 2) bytes.push_back(static_cast<unsigned char>(group >> 4));
  if (n % 4 == 3)
    for (int shift : {10, 2}) bytes.push_back(static_cast<unsigned char>(group >> shift));
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

std::vector<std::int64_t> numbers(const Json& ranges) {
  std::vector<std::int64_t> all;
  for (const Json& range : ranges)
    for (std::int64_t i = range[0]; i < range[1]; ++i) all.push_back(i);
  return all;
}

const Json& op_named(const Json& trace, const Json& pass, const std::string& name) {
  for (std::size_t i = 0; i < trace["ops"].size(); ++i)
    if (trace["ops"][i]["name"] == name) return pass["ops"][i];
  throw std::runtime_error("no op " + name);
}

// Everything of a run, by pass, name and row.
class Keeper : public Observer {
 public:
  struct Pass {
    std::map<std::string, std::vector<std::vector<float>>> rows;
    std::map<std::string, std::vector<std::vector<float>>> attention;  // [token * heads + head]
  };
  std::vector<Pass> passes;

  void before_op(RunView&, int op) override {
    if (op == 0) passes.emplace_back();
  }
  void after_op(RunView& run, int index) override {
    const Op& op = run.graph().ops[static_cast<std::size_t>(index)];
    const ValueInfo& info = run.graph().info(op.output);
    if (info.cache_layer >= 0) return;
    auto& rows = passes.back().rows[op.name];
    const std::int64_t n = info.rows == Rows::kTokens ? run.n_tokens() : run.n_outputs();
    for (std::int64_t r = 0; r < n; ++r) {
      const auto row = run.row(op.output, r);
      rows.emplace_back(row.begin(), row.end());
    }
    if (op.kind != OpKind::kAttention) return;
    for (std::int64_t t = 0; t < run.n_tokens(); ++t)
      for (std::int64_t h = 0; h < op.heads; ++h)
        passes.back().attention[op.name].push_back(run.attention_weights(op, t, h));
  }
};

// Runs the tokens of a trace as it says it did.
Keeper run_again(const std::shared_ptr<const Model>& model, const Json& trace) {
  SessionOptions options;
  options.n_threads = 1;
  Session session(model, options);
  Keeper keeper;
  session.set_observer(&keeper);
  std::vector<TokenId> ids;
  for (const Json& token : trace["tokens"]) ids.push_back(token["id"]);
  const auto n_prompt = trace["n_prompt"].get<std::size_t>();
  session.forward(std::span(ids).first(n_prompt));
  for (std::size_t i = n_prompt; i + 1 < ids.size(); ++i) session.forward(std::span(&ids[i], 1));
  return keeper;
}

// Every value that the trace keeps has the bits of the session's. Returns how many there are.
std::int64_t compare_values(const Json& trace, const Keeper& keeper) {
  std::int64_t n = 0;
  EXPECT_EQ(trace["passes"].size(), keeper.passes.size());
  for (std::size_t p = 0; p < keeper.passes.size(); ++p) {
    const Json& pass = trace["passes"][p];
    for (std::size_t i = 0; i < trace["ops"].size(); ++i) {
      const Json& op = trace["ops"][i];
      if (!pass["ops"][i].contains("values")) continue;
      const auto& rows = keeper.passes[p].rows.at(op["name"]);
      std::vector<std::int64_t> kept = pass["rows"];
      if (op["rows"] == "O") kept.assign(rows.empty() ? 0 : 1, 0);
      std::vector<float> expected;
      for (const std::int64_t r : kept)
        for (const std::int64_t c : numbers(op["columns"]))
          expected.push_back(rows[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)]);
      EXPECT_EQ(floats(pass["ops"][i]["values"]), expected) << p << " " << op["name"];
      n += static_cast<std::int64_t>(expected.size());
    }
  }
  return n;
}

void compare_attention(const Json& trace, const Keeper& keeper) {
  for (std::size_t p = 0; p < keeper.passes.size(); ++p)
    for (const Json& kept : trace["passes"][p]["attention"]) {
      const Json& op = trace["ops"][kept["op"].get<std::size_t>()];
      const auto heads = op["parameters"]["heads"].get<std::size_t>();
      const auto& rows = keeper.passes[p].attention.at(op["name"]);
      const std::vector<float> weights = floats(kept["weights"]), rest = floats(kept["rest"]);
      std::size_t at = 0, row = 0;
      for (const std::size_t r : trace["passes"][p]["rows"].get<std::vector<std::size_t>>())
        for (std::size_t h = 0; h < heads; ++h, ++row) {
          const std::vector<float>& expected = rows[r * heads + h];
          double sum = static_cast<double>(rest[row]);
          for (const std::size_t key : kept["keys"].get<std::vector<std::size_t>>()) {
            sum += static_cast<double>(weights[at]);
            EXPECT_EQ(weights[at++], key < expected.size() ? expected[key] : 0);
          }
          EXPECT_NEAR(sum, 1, 1e-5) << op["name"] << " row " << r << " head " << h;
        }
      EXPECT_EQ(at, weights.size());
    }
}

std::shared_ptr<const Model> demo() {
  const DemoModel& model = demo_models()[0];
  return Model::from_file(GgufFile::from_memory(model.file, std::string(model.name)));
}

TEST(Trace, NumbersAreThoseOfTheSession) {
  const Json trace = traced({"-p", "Once upon a time", "-n", "4", "--temp", "0"});
  EXPECT_EQ(trace["format"], "galley-trace");
  EXPECT_EQ(trace["version"], 1);
  const Keeper keeper = run_again(demo(), trace);
  EXPECT_GT(compare_values(trace, keeper), 10000);
  compare_attention(trace, keeper);
}

TEST(Trace, ALongPromptIsSampledAsDocumented) {
  std::string prompt;
  for (int i = 0; i < 12; ++i) prompt += "The cook stirred the soup and tasted it. ";
  const Json trace = traced(
      {"-p", prompt, "-n", "2", "--temp", "0", "--rows", "20", "--columns", "64", "-b", "48"});
  const auto n_prompt = trace["n_prompt"].get<std::int64_t>();
  ASSERT_GT(n_prompt, 60);
  EXPECT_EQ(trace["sampling"]["prompt_positions"], Json({{0, 8}, {n_prompt - 12, n_prompt}}));
  std::vector<std::int64_t> kept;
  for (const Json& pass : trace["passes"])
    for (const std::int64_t r : pass["rows"].get<std::vector<std::int64_t>>())
      kept.push_back(pass["first_position"].get<std::int64_t>() + r);
  std::vector<std::int64_t> expected;
  for (std::int64_t p = 0; p <= n_prompt; ++p)
    if (p < 8 || p >= n_prompt - 12) expected.push_back(p);
  EXPECT_EQ(kept, expected);
  for (const Json& op : trace["ops"]) {
    if (!op.contains("columns")) continue;
    const auto width = op["width"].get<std::int64_t>();
    EXPECT_EQ(numbers(op["columns"]).size(),
              std::min<std::size_t>(64, static_cast<std::size_t>(width)));
    for (const Json& range : op["columns"]) {
      EXPECT_EQ(range[0].get<std::int64_t>() % 32, 0);
      EXPECT_LE(range[1].get<std::int64_t>(), width);
    }
  }
  // The batches of the prompt are the trace's passes; the engine's numbers do not depend on them.
  const auto model = demo();
  SessionOptions options;
  options.n_batch = 48;
  options.n_threads = 1;
  Session session(model, options);
  Keeper keeper;
  session.set_observer(&keeper);
  std::vector<TokenId> ids;
  for (const Json& token : trace["tokens"]) ids.push_back(token["id"]);
  session.forward(std::span(ids).first(static_cast<std::size_t>(n_prompt)));
  session.forward(std::span(ids).subspan(static_cast<std::size_t>(n_prompt), 1));
  EXPECT_GT(compare_values(trace, keeper), 10000);
  compare_attention(trace, keeper);
}

TEST(Trace, StatisticsAreOfAllElements) {
  const Json trace =
      traced({"-p", "The cook stirred the soup.", "-n", "1", "--rows", "4", "--columns", "32"});
  const Keeper keeper = run_again(demo(), trace);
  for (const char* name : {"embd", "blk.1.ffn_up", "blk.4.ffn_residual", "logits"}) {
    double sum = 0, squares = 0, n = 0, low = 1e30, high = -1e30;
    for (const auto& row : keeper.passes[0].rows.at(name))
      for (const float x : row) {
        const auto value = static_cast<double>(x);
        sum += value, squares += value * value, ++n;
        low = std::min(low, value), high = std::max(high, value);
      }
    const Json& stats = op_named(trace, trace["passes"][0], name)["stats"];
    // Six digits.
    const double tolerance = 5.1e-6 * std::max(std::abs(low), std::abs(high));
    EXPECT_NEAR(stats["mean"].get<double>(), sum / n, tolerance) << name;
    EXPECT_NEAR(stats["rms"].get<double>(), std::sqrt(squares / n), tolerance) << name;
    EXPECT_NEAR(stats["min"].get<double>(), low, tolerance) << name;
    EXPECT_NEAR(stats["max"].get<double>(), high, tolerance) << name;
  }
}

TEST(Trace, TokensAndChoicesAreThoseOfRun) {
  const std::vector<std::string> same = {"-p", "One day, she", "-n", "6", "--seed",
                                         "5",  "--ignore-eos"};
  std::vector<std::string> run = {"run", "--json"};
  run.insert(run.end(), same.begin(), same.end());
  const Json made = run_galley(run).json();
  const Json trace = traced(same);
  std::vector<TokenId> ids;
  for (const Json& token : trace["tokens"])
    if (token["from"] == "model") ids.push_back(token["id"]);
  EXPECT_EQ(Json(ids), made["tokens"]);
  ASSERT_EQ(trace["passes"].size(), ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Json& choice = trace["passes"][i]["sampler"];
    EXPECT_EQ(choice["chosen"], ids[i]);
    double mass = 1.00001;
    for (const Json& stage : choice["stages"]) {
      EXPECT_LE(stage["mass"].get<double>(), mass);
      mass = stage["mass"].get<double>() + 1e-6;
      for (const Json& candidate : stage["candidates"])
        EXPECT_TRUE(trace["vocabulary"].contains(candidate["id"].dump()));
    }
  }
}

TEST(Trace, NanoGptsPublishedValuesAppearUnderOurNames) {
  GALLEY_NEED_CONFORMANCE("models");
  const auto models = conformance_dir() / "models";
  const auto dir = models / "nano-sort-partials";
  const std::vector<float> ids = read_f32(dir / "idx.f32");
  std::string list;
  for (std::size_t t = 0; t < 11; ++t) list += std::to_string(static_cast<int>(ids[t])) + ",";
  list.pop_back();
  const Json trace = traced(
      {"-m", (models / "nano-sort-f32.gguf").string(), "--ids", list, "-n", "1", "--temp", "0"});
  const Json& pass = trace["passes"][0];
  const std::map<std::string, std::string> names = {{"embd", "tok_emb"},
                                                    {"embd_positions", "x"},
                                                    {"blk.0.attn_norm", "ln1"},
                                                    {"blk.0.qkv", "qkv"},
                                                    {"blk.0.attn", "y"},
                                                    {"blk.0.attn_out", "yProj"},
                                                    {"blk.0.ffn_norm", "ln2"},
                                                    {"blk.0.ffn_up", "fc"},
                                                    {"blk.0.ffn_act", "gelu"},
                                                    {"blk.0.ffn_out", "mlp"},
                                                    {"blk.0.ffn_residual", "mlpResid"},
                                                    {"blk.1.ffn_residual", "block1"},
                                                    {"blk.2.ffn_residual", "block2"}};
  for (const auto& [ours, theirs] : names) {
    const std::vector<float> values = floats(op_named(trace, pass, ours)["values"]);
    const std::vector<float> golden = read_f32(dir / (theirs + ".f32"));
    ASSERT_LE(values.size(), golden.size());
    ASSERT_GE(values.size(), 11U * 48U) << ours;
    for (std::size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], golden[i], 1e-4) << ours;
  }
  // Attention weights: theirs are [head][position][position].
  const std::vector<float> weights = floats(pass["attention"][0]["weights"]);
  const std::vector<float> golden = read_f32(dir / "attSm.f32");
  for (std::size_t t = 0; t < 11; ++t)
    for (std::size_t h = 0; h < 3; ++h)
      for (std::size_t p = 0; p < 11; ++p)
        ASSERT_NEAR(weights[(t * 3 + h) * 11 + p], golden[(h * 11 + t) * 11 + p], 1e-4);
  const std::vector<float> logits = floats(op_named(trace, pass, "logits")["values"]);
  const std::vector<float> lm_head = read_f32(dir / "lm_head.f32");
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(logits[i], lm_head[10 * 3 + i], 1e-4);
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::size_t occurrences(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(Trace, APromptCannotBreakOutOfThePage) {
  const TempFolder folder;
  const std::string page = (folder.path() / "trace.html").string();
  const std::string prompt = "</script><script>alert(1)</script><!-- <b>&quot;";
  const Outcome outcome = run_galley({"trace", "-p", prompt, "-n", "1", "-o", page, "--no-limits"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const std::string html = read_text(page);
  EXPECT_EQ(occurrences(html, "</script"), 2U);  // those of the page itself
  EXPECT_EQ(html.find("alert(1)<"), std::string::npos);
  EXPECT_EQ(html.find("http://"), html.find("http://www.w3.org"));
  EXPECT_EQ(occurrences(html, "https://"), 0U);  // nothing is loaded from anywhere
  const std::string open = "<script type=\"application/json\" id=\"trace\">";
  const std::size_t begin = html.find(open) + open.size();
  const Json trace = Json::parse(html.substr(begin, html.find("</script", begin) - begin));
  EXPECT_EQ(trace["prompt"], prompt);
  EXPECT_LT(html.size() - trace.dump().size(), 200U << 10);
}

TEST(Trace, StaysBelowTheSizeLimit) {
  const TempFolder folder;
  const std::string path = (folder.path() / "trace.json").string();
  const Outcome outcome =
      run_galley({"trace", "-p", "Once upon a time there was a cook who", "-n", "10",
                  "--ignore-eos", "-o", path, "--max-size", "1", "--no-limits"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_LE(std::filesystem::file_size(path), 1U << 20);
  EXPECT_NE(outcome.err.find("--max-size"), std::string::npos) << outcome.err;
  EXPECT_LT(Json::parse(read_text(path))["sampling"]["max_columns"], 256);
}

TEST(Trace, WrongRequestsAreRefusedInOneLine) {
  const TempFolder folder;
  const auto expect = [&](std::vector<std::string> arguments, int code, const std::string& word) {
    arguments.insert(arguments.begin(), {"trace", "-p", "a cook"});
    const Outcome outcome = run_galley(arguments);
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    EXPECT_EQ(outcome.n_error_lines(), 1U) << outcome.err;
    EXPECT_NE(outcome.err.find(word), std::string::npos) << outcome.err;
  };
  expect({}, 2, "-o trace.html");
  expect({"-o", "trace.png"}, 2, ".html");
  expect({"-o", "-", "-n", "0"}, 2, "number of tokens");
  expect({"-o", "-", "--rows", "1"}, 2, "rows");
  expect({"-o", "-", "--columns", "0"}, 2, "columns");
  expect({"-o", "-", "--max-size", "0"}, 2, "--max-size");
  expect({"-o", "-", "-n", "400", "--max-size", "1"}, 1, "--max-size");
  expect({"-o", "-", "-c", "1"}, 5, "context");
  expect({"-o", (folder.path() / "no" / "x.json").string(), "-n", "1"}, 1, "x.json");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Trace, IsReadBackByReplay) {
  const TempFolder folder;
  const std::string path = (folder.path() / "trace.json").string();
  ASSERT_EQ(run_galley({"trace", "-p", "Once upon a time", "-n", "3", "--temp", "0", "--columns",
                        "64", "-o", path, "--no-limits"})
                .exit_code,
            0);
  const Json trace = Json::parse(read_text(path));
  const auto replay = [&](std::vector<std::string> commands) {
    std::vector<std::string> arguments = {"step", "--replay", path};
    for (std::string& command : commands) {
      arguments.emplace_back("-x");
      arguments.push_back(std::move(command));
    }
    return run_galley(arguments);
  };
  // The very number, in the pass of the second generated token.
  const Outcome printed = replay({"token", "token", "go blk.2.ffn_up", "print ffn_up[0, 1:3]"});
  ASSERT_EQ(printed.exit_code, 0) << printed.err;
  const std::vector<float> values =
      floats(op_named(trace, trace["passes"][2], "blk.2.ffn_up")["values"]);
  const std::string last = printed.out.substr(printed.out.rfind("[0] ") + 4);
  char* end = nullptr;
  EXPECT_EQ(std::strtof(last.c_str(), &end), values[1]);
  EXPECT_EQ(std::strtof(end, nullptr), values[2]);
  EXPECT_NE(replay({"print logits[0, 40:50]"}).out.find("not kept"), std::string::npos);
  EXPECT_NE(replay({"go blk.1.q", "explain"}).out.find("bit for bit"), std::string::npos);
  for (const char* command : {"where", "list", "tokens", "next", "step 3", "back", "why", "stats",
                              "attention 2", "lens", "sampler", "help"}) {
    const Outcome outcome = replay({"go blk.3.attn_out", command});
    EXPECT_EQ(outcome.exit_code, 0) << command << ": " << outcome.err;
    EXPECT_GT(outcome.out.size(), 60U) << command;
  }
  EXPECT_EQ(replay({"fly"}).exit_code, 2);
  EXPECT_EQ(replay({"print q[0, 9999]"}).exit_code, 2);

  // Damaged files: one line, whatever is missing.
  for (const char* key : {"format", "version", "tokens", "ops", "passes", "vocabulary"}) {
    Json broken = trace;
    broken.erase(key);
    std::ofstream(path) << broken;
    const Outcome outcome = replay({"where"});
    EXPECT_EQ(outcome.exit_code, 1) << key;
    EXPECT_EQ(outcome.n_error_lines(), 1U) << outcome.err;
  }
  std::ofstream(path) << trace.dump().substr(0, 5000);
  EXPECT_EQ(replay({"where"}).exit_code, 1);
}

// Collects every key of a JSON value, except those that are token ids.
void collect_keys(const Json& json, std::map<std::string, int>& keys) {
  if (json.is_array())
    for (const Json& item : json) collect_keys(item, keys);
  if (!json.is_object()) return;
  for (const auto& [key, value] : json.items()) {
    ++keys[key];
    if (key != "vocabulary" && key != "explanation") collect_keys(value, keys);
  }
}

TEST(Trace, EveryKeyIsDocumented) {
  const std::string doc =
      read_text(std::filesystem::path(GALLEY_SOURCE_DIR) / "docs" / "trace-format.md");
  std::map<std::string, int> keys;
  collect_keys(traced({"-p", "a cook", "-n", "2"}), keys);
  EXPECT_GT(keys.size(), 60U);
  for (const auto& [key, n] : keys)
    EXPECT_TRUE(doc.find("`" + key + "`") != std::string::npos ||
                doc.find("\"" + key + "\"") != std::string::npos)
        << key << " is not in docs/trace-format.md";
}

}  // namespace
}  // namespace galley::test
