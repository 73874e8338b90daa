// galley step: a debugger for the forward pass. The commands are in tools/step/.
#include <deque>
#include <fstream>

#include "tensor/error.h"
#include "tools/commands/chat_input.h"
#include "tools/commands/chat_prompt.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/commands/step_page.h"
#include "tools/commands/step_replay.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/step/debugger.h"

namespace galley::tools {
namespace {

constexpr const char* kPrompt = "(galley) ";

struct StepOptions {
  ModelOptions model;
  PromptOptions prompt;
  std::optional<std::string> chat;
  ContextOptions context;
  SamplingOptions sampling;
  std::int64_t n_predict = 32;
  bool all_logits = false;
  std::vector<std::string> commands;
  std::optional<std::string> script;
  bool echo = false;
  bool json = false;
  bool web = false;
  std::int64_t port = 0;
  std::optional<std::string> replay;
};

std::vector<TokenId> read_prompt(const StepOptions& options, const Model& model) {
  if (options.chat) return ChatPrompt(model, {}).ids({{"user", *options.chat}});
  // stdin is where the commands come from.
  const bool is_given = options.prompt.text || options.prompt.file || options.prompt.ids;
  if (!is_given)
    throw Error(ErrorKind::kUsage,
                "no prompt; give one with -p TEXT, --chat TEXT, -f FILE or --ids 1,2,3");
  if (options.prompt.file == "-")
    throw Error(ErrorKind::kUsage, "-f -: stdin is where the debugger's commands come from");
  return options.prompt.read(model).ids;
}

void show(const StepOptions& options, const std::string& line, const step::Reply& reply) {
  if (options.json) {
    if (!reply.text.empty() || !reply.data.is_null())
      write_json({{"command", line}, {"text", reply.text}, {"data", reply.data}});
    return;
  }
  write_out(reply.text);
  flush_out();
}

// Runs the lines of a script. The first one that is wrong ends it: what follows would not mean
// what its writer thinks.
class Script {
 public:
  Script(const StepOptions& options, step::Debugger& debugger)
      : options_(options), debugger_(debugger) {}

  // Returns false if the script wants to leave. `place` is for messages: "-x 2".
  bool run(const std::string& line, const std::string& place) {
    if (options_.echo && !options_.json) write_out("> " + line + "\n");
    try {
      const step::Reply reply = debugger_.execute(line);
      show(options_, line, reply);
      return !reply.is_over;
    } catch (const Error& e) {
      throw Error(e.kind(), place + ": " + e.what());
    }
  }

  // The lines of `text`; `name` is that of the file.
  bool run_lines(const std::string& text, const std::string& name) {
    int number = 0;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      if (!run(text.substr(begin, end - begin), name + ":" + std::to_string(++number)))
        return false;
      begin = end + 1;
    }
    return true;
  }

  void run_input(ChatInput& input) {
    int number = 0;
    while (const std::optional<std::string> line = input.line(""))
      if (!run(*line, "stdin:" + std::to_string(++number))) return;
  }

 private:
  const StepOptions& options_;
  step::Debugger& debugger_;
};

// On a terminal a wrong command is told and forgotten, Ctrl-C stops the run where it is, and an
// empty line repeats a command that moves, as in other debuggers.
void talk(const StepOptions& options, step::Debugger& debugger, ChatInput& input) {
  std::string last;
  while (true) {
    std::optional<std::string> line;
    try {
      line = input.line(kPrompt);
    } catch (const Cancelled&) {
      interrupt_flag() = false;
      continue;
    }
    if (!line) return;
    if (line->empty()) line = last;
    try {
      const step::Reply reply = debugger.execute(*line);
      show(options, *line, reply);
      if (reply.is_over) return;
      const bool moves = reply.data.is_object() && reply.data.contains("position");
      last = moves ? *line : "";
    } catch (const Error& e) {
      note(std::string("galley: ") + e.what());
    } catch (const Cancelled&) {
      interrupt_flag() = false;
      note("galley: interrupted");
      write_out(debugger.position());
      flush_out();
    }
  }
}

void run_step(const StepOptions& options) {
  if (options.replay) return replay_trace(*options.replay, options.commands, options.script);
  if (options.n_predict < 1)
    throw Error(ErrorKind::kUsage, "--n-predict is " + std::to_string(options.n_predict) +
                                       ", expected a number of tokens from 1");
  step::DebuggerOptions debugger_options;
  debugger_options.run.session = options.context.session_options();
  debugger_options.run.sampler = options.sampling.sampler_options();
  debugger_options.run.all_logits = options.all_logits;
  debugger_options.n_predict = options.n_predict;
  debugger_options.color = !stdout_style().bold.empty();
  const std::string script = options.script ? read_file(*options.script) : "";
  const std::shared_ptr<const Model> model = options.model.need_model();
  if (options.web)
    return serve_page(model, options.prompt.text.value_or(""), read_prompt(options, *model),
                      debugger_options, options.port);
  step::Debugger debugger(model, read_prompt(options, *model), debugger_options);

  Script runner(options, debugger);
  for (std::size_t i = 0; i < options.commands.size(); ++i)
    if (!runner.run(options.commands[i], "-x " + std::to_string(i + 1))) return;
  if (options.script) runner.run_lines(script, *options.script);
  if (options.script || !options.commands.empty()) return;

  const auto input =
      open_chat_input([&debugger](std::string_view line) { return debugger.completions(line); });
  if (!input->is_terminal()) return runner.run_input(*input);
  note("help lists the commands, help COMMAND tells more, Ctrl-D leaves");
  write_out(debugger.position());
  flush_out();
  talk(options, debugger, *input);
}

}  // namespace

Action set_up_step(CommandLine& line) {
  auto o = std::make_shared<StepOptions>();
  o->sampling.seed = 0;  // the same text every time, so that a script's output can be compared
  o->model.add_to(line);
  o->prompt.add_to(line);
  line.text("--chat", o->chat, "TEXT", "the prompt is a chat with this message of the user");
  line.only_one_of({"--prompt", "--file", "--ids", "--chat"});
  line.texts("-x", o->commands, "COMMAND",
             "run this command of the debugger; may be given several times");
  line.text("--script", o->script, "FILE", "run the commands of a file, after those of -x");
  line.flag("--echo", o->echo, "print each command before its output");
  line.integer("-n,--n-predict", o->n_predict, "tokens that 'continue' makes at most");
  line.flag("--all-logits", o->all_logits,
            "logits of every token of the prompt, not only of the last");
  line.flag("--json", o->json, "print one JSON object for each command");
  line.flag("--web", o->web, "serve the page with the debugger to browsers on this machine");
  line.text("--replay", o->replay, "FILE",
            "look at a trace that galley trace -o FILE.json has written; no model is run");
  line.integer("--port", o->port, "of --web; 0: any that is free");
  o->sampling.add_to(line);
  o->context.add_to(line);
  line.examples({"step -p \"sort: d a c b =\"",
                 "step -p \"sort: d a c b =\" -x \"run-until blk.2.attn\" -x \"attention 2\""});
  return [o] { run_step(*o); };
}

}  // namespace galley::tools
