// galley chat: a conversation. docs/chat.md tells what a turn costs and why.
#include <functional>
#include <memory>

#include "kernels/kernels.h"
#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/commands/chat_commands.h"
#include "tools/commands/chat_input.h"
#include "tools/commands/chat_prompt.h"
#include "tools/commands/chat_talk.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/interrupt.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

struct ChatOptions {
  ModelOptions model;
  TemplateChoice chat_template;
  std::optional<std::string> system;
  std::optional<std::string> first_message;
  std::optional<std::string> load;
  std::string on_full;
  bool render_jsonl = false;
  TalkOptions talk;
  ContextOptions context;
  SamplingOptions sampling;
};

OnFull read_on_full(const std::string& word, bool is_terminal) {
  if (word.empty()) return is_terminal ? OnFull::kAsk : OnFull::kStop;
  if (word == "stop") return OnFull::kStop;
  if (word == "drop") return OnFull::kDrop;
  throw Error(ErrorKind::kUsage, "--on-full: there is no " + in_quotes(word) +
                                     suggestion(word, {"stop", "drop"}) +
                                     "; choose from stop, drop");
}

void check_generate(const GenerateOptions& options) {
  if (options.n_predict < -1)
    throw Error(ErrorKind::kUsage, "--n-predict is " + std::to_string(options.n_predict) +
                                       ", expected -1 (no limit) or a number of tokens");
  if (options.draft_ngram < 0 || options.draft_ngram > 64)
    throw Error(ErrorKind::kUsage, "--draft-ngram is " + std::to_string(options.draft_ngram) +
                                       ", expected from 0 to 64 tokens");
}

void send(ChatTalk& talk, const ChatOptions& options, const std::string& message) {
  if (options.talk.show_prompt && options.talk.generate.n_predict == 0)
    return talk.show_prompt_of(message);
  talk.say(message);
}

// One line of input. Returns false if the chat is to end.
bool take_line(ChatTalk& talk, const ChatOptions& options, const std::string& line) {
  if (line.find_first_not_of(" \t\n") == std::string::npos) return true;
  if (line.starts_with("//")) {
    send(talk, options, line.substr(1));
    return true;
  }
  if (line.front() == '/') return run_chat_command(talk, line);
  send(talk, options, line);
  return true;
}

// Runs `action`. On a terminal an error is shown and the chat goes on; otherwise it ends the
// program.
bool run_or_complain(bool is_terminal, const std::function<bool()>& action) {
  if (!is_terminal) return action();
  try {
    return action();
  } catch (const Error& e) {
    note("galley: " + std::string(e.what()));
    return true;
  }
}

void chat(const ChatOptions& options) {
  if (options.render_jsonl) return render_jsonl();
  check_generate(options.talk.generate);
  const std::unique_ptr<ChatInput> input = open_chat_input();
  const bool is_terminal = input->is_terminal();
  TalkOptions talk_options = options.talk;
  talk_options.on_full = read_on_full(options.on_full, is_terminal);
  const SessionOptions session_options = options.context.session_options();
  const SamplerOptions sampling = options.sampling.sampler_options();

  const std::shared_ptr<const Model> model = options.model.need_model();
  const ChatPrompt prompt(*model, options.chat_template);
  Session session(model, session_options);
  ChatTalk talk(session, prompt, sampling, talk_options, *input);
  if (options.load) talk.conversation().load(*options.load);
  if (options.system) talk.conversation().set_system(*options.system);

  if (is_terminal) note("/help lists the commands; Ctrl-C stops an answer, Ctrl-D ends the chat");
  bool goes_on = true;
  if (options.first_message) {
    run_or_complain(is_terminal, [&] {
      send(talk, options, *options.first_message);
      return true;
    });
    goes_on = is_terminal;
  }
  while (goes_on) {
    const std::optional<std::string> line = input->line("> ");
    if (!line) break;
    goes_on = run_or_complain(is_terminal, [&] { return take_line(talk, options, *line); });
  }
  if (options.talk.verbose) talk.print_stats();
  if (options.talk.verbose && sampling.temperature > 0)
    note("seed       " + std::to_string(sampling.seed));
}

}  // namespace

Action set_up_chat(CommandLine& line) {
  auto o = std::make_shared<ChatOptions>();
  o->model.add_to(line);
  line.text("-p,--prompt", o->first_message, "TEXT",
            "the first message; without a terminal also the only one");
  line.text("--system", o->system, "TEXT", "the system message");
  line.text("--load", o->load, "FILE", "go on with a conversation that /save wrote");
  line.text("--template", o->chat_template.file, "FILE", "a chat template in place of the model's");
  line.flag("--chatml", o->chat_template.chatml, "use ChatML in place of the model's template");
  line.only_one_of({"--template", "--chatml"});
  line.flag("--show-prompt", o->talk.show_prompt,
            "show each prompt token by token, on stderr;\nwith -n 0 on stdout, and do not answer");
  line.text("--on-full", o->on_full, "WHAT",
            "when the context is full: stop, or drop the oldest turns;\na terminal asks if not "
            "given, otherwise it is stop");
  line.integer("-n,--n-predict", o->talk.generate.n_predict,
               "tokens of an answer, -1: until the model ends it");
  line.texts("--stop", o->talk.generate.stop, "TEXT",
             "end an answer before this text; may be given several times");
  line.integer("--draft-ngram", o->talk.generate.draft_ngram,
               "guess up to this many tokens from the text so far and check them at once; 0: off");
  o->sampling.add_to(line);
  o->context.add_to(line);
  line.flag("--json", o->talk.json, "print one JSON object for each answer");
  line.flag("-v,--verbose", o->talk.verbose, "say what each turn costs");
  line.flag("--render-jsonl", o->render_jsonl,
            "render the chat templates on stdin; needs no model");
  line.examples({"chat -m model.gguf --system \"Answer in rhymes.\"",
                 "chat -m model.gguf -p \"What is a token?\" --show-prompt -n 0"});
  return [o] { chat(*o); };
}

}  // namespace galley::tools
