// The flags that several commands share, and what they turn into.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/sampler.h"
#include "model/session.h"
#include "tools/command_line.h"

namespace galley::tools {

// -m/--model: a file, or the name of a built-in model; the main one if nothing was named.
// `need_model` opens it, showing the model's warnings on stderr; it throws Error kUsage for a
// built-in model that does not exist.
struct ModelOptions {
  std::string path;

  void add_to(CommandLine& line);
  std::shared_ptr<const Model> need_model() const;
  // The GGUF file alone, for commands that need no weights.
  GgufFile need_file() const;
};

// The file at `path`, or the built-in model of that name ("demo:sort"). Throws as GgufFile::open.
GgufFile open_model_file(const std::string& path);

// -c, -b, -t, --kv-type, --isa.
struct ContextOptions {
  std::optional<std::int64_t> n_context;
  std::int64_t n_batch = 512;
  std::int64_t n_threads = 0;
  std::string kv_type;
  std::string isa;

  void add_to(CommandLine& line,
              const std::string& context_help =
                  "positions of context, 0: what the model was trained for (default 0)");
  // Also selects the instruction set. Ctrl-C cancels sessions made with the result. Throws
  // Error kUsage.
  SessionOptions session_options() const;
};

// -s, --temp, --top-k, ... as people know them.
struct SamplingOptions {
  SamplerOptions values;
  std::int64_t seed = -1;
  std::string stages = "penalties,top_k,typical,top_p,min_p,temperature";

  void add_to(CommandLine& line);
  // With a random seed where -1 was given. Throws Error kUsage.
  SamplerOptions sampler_options() const;
};

// What to start from.
struct Prompt {
  std::string text;          // as given; empty for --ids
  std::vector<TokenId> ids;  // with BOS, if the model adds one
};

// -p, -f, --ids.
struct PromptOptions {
  std::optional<std::string> text;
  std::optional<std::string> file;
  std::optional<std::string> ids;

  void add_to(CommandLine& line);
  // The text of the file or of stdin ("-", or when nothing else is given and stdin is no
  // terminal).
  // Throws Error kUsage when there is no prompt, kFailure when the file cannot be read.
  std::string read_text() const;
  // The prompt as token ids. An empty one becomes BOS, where the vocabulary has it. A last newline
  // of a file, which every editor adds, is not part of a prompt, unless it is asked for.
  Prompt read(const Model& model, bool keep_last_newline = false) const;
};

// All bytes of the file at `path` ("-": stdin). Throws Error kFailure.
std::string read_file(const std::string& path);

// Throws Error kContextExceeded unless `n_tokens` fit into the session's context.
void check_prompt_fits(std::int64_t n_tokens, std::int64_t n_context);

}  // namespace galley::tools
