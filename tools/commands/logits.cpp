// galley logits: the numbers that the sampler sees, for comparison with other programs.
#include <bit>
#include <cstdio>

#include "tensor/atomic_file.h"
#include "tensor/error.h"
#include "tools/commands/commands.h"
#include "tools/commands/generate.h"
#include "tools/commands/options.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/progress.h"

namespace galley::tools {
namespace {

static_assert(std::endian::native == std::endian::little, "floats are written as they are");

struct LogitsOptions {
  ModelOptions model;
  PromptOptions prompt;
  ContextOptions context;
  bool all = false;
  std::string output;
};

// Rows of logits that are kept at once: 32 of a vocabulary of 128k are 16 MiB.
constexpr std::size_t kRowsAtOnce = 32;

// Writes one row for each of `ids`.
void write_all(Session& session, std::span<const TokenId> ids,
               const std::function<void(std::span<const float>)>& write) {
  Progress progress("logits", static_cast<std::int64_t>(ids.size()));
  for (std::size_t done = 0; done < ids.size();) {
    std::vector<BatchToken> batch;
    for (TokenId id : ids.subspan(done, std::min(kRowsAtOnce, ids.size() - done)))
      batch.push_back({id, 0, true});
    session.forward(batch);
    for (std::int64_t i = 0; i < session.n_outputs(); ++i) write(session.logits(i));
    done += batch.size();
    check_interrupt();
    progress.update(static_cast<std::int64_t>(done));
  }
}

void logits(const LogitsOptions& options) {
  if (options.output.empty())
    throw Error(ErrorKind::kUsage, "no output file; name one with -o FILE, or -o - for stdout");
  const SessionOptions session_options = options.context.session_options();
  const std::shared_ptr<const Model> model = options.model.need_model();
  const Prompt prompt = options.prompt.read(*model);
  Session session(model, session_options);
  check_prompt_fits(static_cast<std::int64_t>(prompt.ids.size()), session.n_context());

  const auto write_rows = [&](const std::function<void(std::string_view)>& write_bytes) {
    const auto write = [&](std::span<const float> row) {
      write_bytes({reinterpret_cast<const char*>(row.data()), row.size_bytes()});
    };
    if (options.all) return write_all(session, prompt.ids, write);
    prefill(session, prompt.ids);
    write(session.logits());
  };
  if (options.output == "-") return write_rows(write_out);
  AtomicFile file(options.output);
  write_rows([&](std::string_view bytes) { file.write(bytes); });
  file.commit();
  note(format("%s: %lld x %lld float32", options.output.c_str(),
              options.all ? static_cast<long long>(prompt.ids.size()) : 1LL,
              static_cast<long long>(model->config().n_vocab)));
}

}  // namespace

Action set_up_logits(CommandLine& line) {
  auto o = std::make_shared<LogitsOptions>();
  o->model.add_to(line);
  o->prompt.add_to(line);
  line.flag("--all", o->all, "a row for every position, not only the last");
  line.text("-o,--output", o->output, "FILE",
            "where to write them: raw little-endian float32, [positions, vocabulary]; -: stdout");
  o->context.add_to(line);
  line.examples({"logits -m model.gguf -p \"Once upon a time\" -o last.f32",
                 "logits -m model.gguf --ids 1,403,407 --all -o all.f32"});
  return [o] { logits(*o); };
}

}  // namespace galley::tools
