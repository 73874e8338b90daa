#include "tools/commands/options.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <random>

#include "kernels/kernels.h"
#include "model/demo/demo_models.h"
#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/interrupt.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (kernels::Isa isa : kernels::available_isas()) names.emplace_back(kernels::isa_name(isa));
  return names;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

[[noreturn]] void unknown_value(const std::string& flag, const std::string& value,
                                const std::vector<std::string>& known) {
  throw Error(ErrorKind::kUsage, flag + ": there is no " + in_quotes(value) +
                                     suggestion(value, known) + "; choose from " + joined(known));
}

// The stage that `name` means: "top-k", "top_k" and "typ_p" are known elsewhere too.
std::string stage_name(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  if (name == "temp") return "temperature";
  if (name == "typ_p" || name == "typical_p") return "typical";
  return name;
}

std::vector<std::string> split_stages(const std::string& text) {
  std::vector<std::string> known(sampler_stage_names().begin(), sampler_stage_names().end());
  std::vector<std::string> stages;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find_first_of(",; ", begin), text.size());
    if (end > begin) {
      const std::string word = text.substr(begin, end - begin);
      const std::string name = stage_name(word);
      if (std::find(known.begin(), known.end(), name) == known.end())
        unknown_value("--samplers", word, known);
      stages.push_back(name);
    }
    begin = end + 1;
  }
  return stages;
}

std::vector<TokenId> parse_ids(const std::string& text) {
  std::vector<TokenId> ids;
  for (std::int64_t id : parse_integers(text, "--ids")) {
    if (id < 0 || id > std::numeric_limits<TokenId>::max())
      throw Error(ErrorKind::kUsage, "--ids: " + std::to_string(id) + " is no token id");
    ids.push_back(static_cast<TokenId>(id));
  }
  return ids;
}

}  // namespace

void ModelOptions::add_to(CommandLine& line) {
  line.text("-m,--model", path, "FILE",
            "the model: a GGUF file or a built-in one (default:\ndemo; see galley models)");
}

GgufFile open_model_file(const std::string& path) {
  if (!is_demo_name(path)) return GgufFile::open(path);
  if (const auto demo = find_demo_model(path)) return GgufFile::from_memory(demo->file, path);
  std::vector<std::string> names;
  for (const DemoModel& demo : demo_models()) names.emplace_back(demo.name);
  if (names.empty())
    throw Error(ErrorKind::kUsage, "no model is built into this program; name a GGUF file");
  throw Error(ErrorKind::kUsage, "there is no built-in model " + in_quotes(path) +
                                     suggestion(path, names) + "; 'galley models' lists them");
}

GgufFile ModelOptions::need_file() const { return open_model_file(path.empty() ? "demo" : path); }

std::shared_ptr<const Model> ModelOptions::need_model() const {
  std::shared_ptr<const Model> model = Model::from_file(need_file());
  for (const std::string& line : model->warnings()) warn(line);
  return model;
}

void ContextOptions::add_to(CommandLine& line, const std::string& context_help) {
  line.integer("-c,--ctx-size", n_context, context_help);
  line.integer("-b,--batch-size", n_batch, "prompt tokens that go through the model at once");
  line.integer("-t,--threads", n_threads, "threads, 0: the CPUs this process may use");
  line.text("--kv-type", kv_type, "TYPE",
            "how keys and values are kept: f32, f16, q8_0;\nf32 for small models and f16 for "
            "others if not given");
  line.text("--isa", isa, "ISA", "scalar, avx2, avxvnni, avx512, avx512bf16; else the best one");
}

SessionOptions ContextOptions::session_options() const {
  SessionOptions options;
  options.n_context = n_context.value_or(0);
  options.n_batch = n_batch;
  if (n_threads < 0 || n_threads > 1024)
    throw Error(ErrorKind::kUsage,
                "--threads is " + std::to_string(n_threads) + ", expected from 0 (all) to 1024");
  if (options.n_context < 0)
    throw Error(ErrorKind::kUsage, "--ctx-size is " + std::to_string(options.n_context) +
                                       ", expected 0 (the model's) or more");
  options.n_threads = static_cast<int>(n_threads);
  if (!kv_type.empty()) {
    const std::vector<std::string> known = {"f32", "f16", "q8_0"};
    options.kv_type = dtype_from_name(kv_type);
    if (options.kv_type != DType::kF32 && options.kv_type != DType::kF16 &&
        options.kv_type != DType::kQ8_0)
      unknown_value("--kv-type", kv_type, known);
  }
  options.cancel = &interrupt_flag();
  if (!isa.empty()) {
    const auto chosen = kernels::isa_from_name(isa);
    if (!chosen) unknown_value("--isa", isa, isa_names());
    kernels::select_isa(*chosen);
  }
  return options;
}

void SamplingOptions::add_to(CommandLine& line) {
  line.integer("-s,--seed", seed, "seed of the random numbers, -1: a new one each time");
  line.number("--temp", values.temperature, "temperature, 0: always the likeliest token");
  line.integer("--top-k", values.top_k, "keep the K likeliest tokens, 0: all");
  line.number("--top-p", values.top_p, "keep the likeliest that sum to P, 1: all");
  line.number("--min-p", values.min_p, "keep those at least P times as likely as the best, 0: all");
  line.number("--typical", values.typical_p, "keep the most typical that sum to P, 1: all");
  line.number("--repeat-penalty", values.repeat_penalty, "make recent tokens less likely, 1: off");
  line.integer("--repeat-last-n", values.repeat_last_n,
               "tokens that count as recent, 0: none, -1: all");
  line.number("--presence-penalty", values.presence_penalty,
              "subtracted from the logits of recent tokens");
  line.number("--frequency-penalty", values.frequency_penalty,
              "the same for each time a token occurs");
  line.text("--samplers", stages, "LIST", "the stages, in their order");
}

SamplerOptions SamplingOptions::sampler_options() const {
  SamplerOptions options = values;
  options.order = split_stages(stages);
  if (seed < -1)
    throw Error(ErrorKind::kUsage,
                "--seed is " + std::to_string(seed) + ", expected -1 (random) or a number from 0");
  options.seed = seed == -1 ? std::random_device()() : static_cast<std::uint64_t>(seed);
  return options;
}

void PromptOptions::add_to(CommandLine& line) {
  line.text("-p,--prompt", text, "TEXT", "the prompt");
  line.text("-f,--file", file, "FILE", "a file with the prompt, -: stdin");
  line.text("--ids", ids, "1,2,3", "the prompt as token ids");
  line.only_one_of({"--prompt", "--file", "--ids"});
}

std::string PromptOptions::read_text() const {
  if (text) return *text;
  if (!file && stdin_is_terminal())
    throw Error(ErrorKind::kUsage, "no prompt; give one with -p TEXT, -f FILE or --ids 1,2,3");
  return read_file(file.value_or("-"));
}

Prompt PromptOptions::read(const Model& model, bool keep_last_newline) const {
  if (ids) {
    Prompt prompt{"", parse_ids(*ids)};
    if (prompt.ids.empty()) throw Error(ErrorKind::kUsage, "--ids is empty");
    return prompt;
  }
  const Tokenizer& tokenizer = model.tokenizer();
  if (!tokenizer.has_vocab())
    throw Error(
        ErrorKind::kUsage,
        model.file().path() + ": the model has no tokenizer; give token ids with --ids 1,2,3");
  Prompt prompt{read_text(), {}};
  if (!text && !keep_last_newline && prompt.text.ends_with('\n')) prompt.text.pop_back();
  prompt.ids = tokenizer.encode(prompt.text);
  if (prompt.ids.empty()) {
    if (!tokenizer.bos())
      throw Error(ErrorKind::kUsage,
                  "the prompt is empty, and the model has no token to begin with");
    prompt.ids.push_back(*tokenizer.bos());
  }
  return prompt;
}

std::string read_file(const std::string& path) {
  const bool is_stdin = path == "-";
  const std::string name = is_stdin ? "stdin" : path;
  const auto fail = [&]() -> Error {
    return Error(ErrorKind::kFailure, name + ": cannot be read: " + std::strerror(errno));
  };
  std::FILE* in = is_stdin ? stdin : std::fopen(path.c_str(), "rb");
  if (!in) throw fail();
  std::string content;
  char buffer[1 << 16];
  std::size_t n = 0;
  while ((n = std::fread(buffer, 1, sizeof buffer, in)) > 0) content.append(buffer, n);
  const bool failed = std::ferror(in) != 0;
  const Error error = fail();
  if (!is_stdin) std::fclose(in);
  check_interrupt();
  if (failed) throw error;
  return content;
}

void check_prompt_fits(std::int64_t n_tokens, std::int64_t n_context) {
  if (n_tokens <= n_context) return;
  throw Error(ErrorKind::kContextExceeded, "the prompt has " +
                                               with_commas(static_cast<std::uint64_t>(n_tokens)) +
                                               " tokens, the context holds " +
                                               with_commas(static_cast<std::uint64_t>(n_context)) +
                                               "; shorten it or use a larger --ctx-size");
}

}  // namespace galley::tools
