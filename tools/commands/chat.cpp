// galley chat: a conversation on the terminal or through a pipe.
#include "tools/commands/chat.h"

#include <nlohmann/json.hpp>

#include "tensor/atomic_file.h"
#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/commands/chat_session.h"
#include "tools/commands/commands.h"
#include "tools/commands/generate.h"
#include "tools/commands/line_reader.h"
#include "tools/commands/options.h"
#include "tools/interrupt.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

using Json = nlohmann::ordered_json;

struct ChatOptions {
  ModelOptions model;
  ContextOptions context;
  SamplingOptions sampling;
  GenerateOptions generate;
  std::string system;
  std::optional<std::string> template_file;
  std::string when_full = "ask";
  bool show_prompt = false;
  bool render_jsonl = false;
  bool json = false;
};

struct ChatCommand {
  const char* name;
  const char* help;
};
constexpr ChatCommand kChatCommands[] = {
    {"/help", "this list"},
    {"/reset", "forget the conversation, but not the system message"},
    {"/system", "TEXT: set the system message; without TEXT: show it"},
    {"/save", "FILE: write the conversation"},
    {"/load", "FILE: go on with a conversation that was saved"},
    {"/regen", "answer the last message again"},
    {"/undo", "take back the last message and its answer"},
    {"/stats", "speed and memory so far"},
    {"/context", "how full the context is"},
    {"/quit", "end, as Ctrl-D does"},
};

// The model's template, or the one in a file.
std::optional<ChatTemplate> find_template(const ChatOptions& options, const GgufFile* file) {
  if (options.template_file)
    return ChatTemplate::parse(read_file(*options.template_file), *options.template_file);
  if (!file) return std::nullopt;
  const auto source = file->get_string("tokenizer.chat_template");
  if (!source) return std::nullopt;
  return ChatTemplate::parse(std::string(*source), file->path());
}

class Chat {
 public:
  Chat(const ChatOptions& options, ChatSession session)
      : options_(options), session_(std::move(session)) {
    session_.set_system(options.system);
  }

  // Until the end of the input.
  void run() {
    if (reader_.is_interactive()) note("/help lists the commands; Ctrl-D ends.");
    while (std::optional<std::string> line = read_message()) {
      if (line->find_first_not_of(" \t\r") == std::string::npos) continue;
      try {
        if (line->front() == '/') {
          if (!run_command(*line)) return;
        } else {
          session_.messages().push_back({"user", *line});
          answer();
        }
      } catch (const Error& e) {
        // On a terminal a mistake is told and the conversation goes on; a script must know.
        if (!reader_.is_interactive()) throw;
        note(std::string("galley: ") + e.what());
      }
    }
  }

 private:
  // A line; one that ends in a backslash goes on in the next.
  std::optional<std::string> read_message() {
    std::optional<std::string> line = reader_.read("> ");
    while (line && line->ends_with('\\')) {
      line->back() = '\n';
      line->append(reader_.read(". ").value_or(""));
    }
    return line;
  }

  // Generates and prints the answer to the last message of the user; takes the message back if
  // that is not possible.
  void answer() {
    try {
      const ChatPrompt prompt = fitting_prompt();
      if (options_.show_prompt) show_prompt(prompt);
      const Generation g = session_.answer(prompt, options_.generate, [&](std::string_view text) {
        if (options_.json) return;
        write_out(text);
        flush_out();
      });
      finish_answer(g);
    } catch (const Error&) {
      if (!session_.messages().empty() && session_.messages().back().role == "user")
        session_.messages().pop_back();
      throw;
    }
  }

  void finish_answer(const Generation& g) {
    last_ = g;
    n_prefill_ += g.n_prefill;
    prefill_s_ += g.prefill_s;
    n_decode_ += g.n_decode;
    decode_s_ += g.decode_s;
    if (options_.json)
      write_json({{"role", "assistant"},
                  {"content", g.text},
                  {"stop_reason", stop_reason_name(g.reason)},
                  {"prefill_tokens", g.n_prefill},
                  {"tokens", g.ids}});
    if (!options_.json) write_out("\n");
    flush_out();
    if (g.reason == StopReason::kContext)
      note("galley: the context of " + std::to_string(session_.session().n_context()) +
           " positions is full: the answer ends here");
    else if (session_.session().length() * 4 > session_.session().n_context() * 3)
      context();  // it is filling up
    if (g.reason == StopReason::kInterrupted) {
      if (!reader_.is_interactive()) throw Cancelled{};
      interrupt_flag() = false;  // it ended the answer, not the conversation
    }
  }

  // An answer shorter than this is not worth beginning.
  std::int64_t least_room() const {
    return std::clamp<std::int64_t>(session_.session().n_context() / 8, 1, 64);
  }

  // The prompt, once there is room for an answer. What is dropped for that is said and, on a
  // terminal, asked before.
  ChatPrompt fitting_prompt() {
    ChatPrompt prompt = session_.prompt();
    if (session_.room_after(prompt) >= least_room()) return prompt;
    const std::string situation = "the conversation takes " + std::to_string(prompt.n_tokens()) +
                                  " of " + std::to_string(session_.session().n_context()) +
                                  " positions, too many for an answer of " +
                                  std::to_string(least_room()) + " tokens";
    if (!may_drop(situation))
      throw Error(ErrorKind::kContextExceeded,
                  situation + "; /reset starts again, --ctx-size makes it larger");
    int n_dropped = 0;
    while (session_.room_after(prompt) < least_room()) {
      if (!session_.drop_oldest_turn())
        throw Error(ErrorKind::kContextExceeded,
                    "the message alone does not fit: it takes " +
                        std::to_string(prompt.n_tokens()) + " of " +
                        std::to_string(session_.session().n_context()) + " positions");
      ++n_dropped;
      prompt = session_.prompt();
    }
    note("galley: dropped the oldest " +
         (n_dropped == 1 ? std::string("turn") : std::to_string(n_dropped) + " turns") +
         " to make room");
    return prompt;
  }

  bool may_drop(const std::string& situation) {
    if (options_.when_full != "ask") return options_.when_full == "drop";
    if (!reader_.is_interactive()) return false;
    note("galley: " + situation);
    const std::optional<std::string> choice = reader_.read("drop the oldest turns? [y/n] ");
    return choice && (choice->starts_with('y') || choice->starts_with('Y'));
  }

  // The exact prompt, token by token; what is in the cache already is marked.
  void show_prompt(const ChatPrompt& prompt) const {
    const Tokenizer& tokenizer = session_.session().model().tokenizer();
    for (std::size_t i = 0; i < prompt.ids.size(); ++i) {
      const std::string text =
          Json(tokenizer.piece(prompt.ids[i])).dump(-1, ' ', false, Json::error_handler_t::replace);
      write_out(format("%6zu %8d  %s%s\n", i, prompt.ids[i], text.c_str(),
                       static_cast<std::int64_t>(i) < prompt.n_cached ? "  (cached)" : ""));
    }
  }

  // Returns false to end the conversation.
  bool run_command(const std::string& line) {
    const std::size_t space = line.find(' ');
    const std::string name = line.substr(0, space);
    const std::string rest =
        space == std::string::npos ? "" : line.substr(line.find_first_not_of(' ', space));
    if (name == "/quit" || name == "/exit") return false;
    if (name == "/help") return help(), true;
    if (name == "/reset") return reset(), true;
    if (name == "/system") return system(rest), true;
    if (name == "/save") return save(rest), true;
    if (name == "/load") return load(rest), true;
    if (name == "/regen") return regenerate(), true;
    if (name == "/undo") return undo(), true;
    if (name == "/stats") return stats(), true;
    if (name == "/context") return context(), true;
    std::vector<std::string> known;
    for (const ChatCommand& command : kChatCommands) known.emplace_back(command.name);
    throw Error(ErrorKind::kUsage, "there is no command " + galley::quoted(name) +
                                       suggestion(name, known) + "; /help lists them");
  }

  static void help() {
    for (const ChatCommand& command : kChatCommands)
      note(format("  %-10s %s", command.name, command.help));
    note("  A line that ends in \\ goes on in the next.");
  }

  void reset() {
    std::vector<ChatMessage>& messages = session_.messages();
    const bool has_system = !messages.empty() && messages.front().role == "system";
    messages.resize(has_system ? 1 : 0);
    note("galley: the conversation is empty");
  }

  void system(const std::string& text) {
    if (!text.empty()) return session_.set_system(text);
    const std::vector<ChatMessage>& messages = session_.messages();
    const bool has_system = !messages.empty() && messages.front().role == "system";
    note(has_system ? messages.front().content : "galley: there is no system message");
  }

  void save(const std::string& path) const {
    if (path.empty()) throw Error(ErrorKind::kUsage, "/save needs the name of a file");
    const Json content = {{"messages", chat_messages(session_.messages())}};
    AtomicFile file(path);
    file.write(content.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    file.commit();
    note("galley: " + std::to_string(session_.messages().size()) + " messages are in " + path);
  }

  void load(const std::string& path) {
    if (path.empty()) throw Error(ErrorKind::kUsage, "/load needs the name of a file");
    const Json content = Json::parse(read_file(path), nullptr, false);
    const Json* list =
        content.is_object() && content.contains("messages") ? &content["messages"] : nullptr;
    std::vector<ChatMessage> messages;
    const auto is_text = [](const Json& m, const char* key) {
      return m.contains(key) && m[key].is_string();
    };
    bool is_good = list && list->is_array();
    for (std::size_t i = 0; is_good && i < list->size(); ++i) {
      const Json& m = (*list)[i];
      is_good = m.is_object() && is_text(m, "role") && is_text(m, "content");
      if (is_good)
        messages.push_back({m["role"].get<std::string>(), m["content"].get<std::string>()});
    }
    if (!is_good) throw Error(ErrorKind::kFailure, path + ": is no conversation that /save wrote");
    session_.messages() = std::move(messages);
    note("galley: " + std::to_string(session_.messages().size()) + " messages from " + path);
  }

  void regenerate() {
    std::vector<ChatMessage>& messages = session_.messages();
    if (messages.empty() || messages.back().role != "assistant")
      throw Error(ErrorKind::kUsage, "/regen: there is no answer yet");
    messages.pop_back();
    answer();
  }

  void undo() {
    std::vector<ChatMessage>& messages = session_.messages();
    if (messages.empty() || messages.back().role == "system")
      throw Error(ErrorKind::kUsage, "/undo: there is nothing to take back");
    if (messages.back().role == "assistant") messages.pop_back();
    if (!messages.empty() && messages.back().role == "user") messages.pop_back();
    note("galley: took back the last message");
  }

  void stats() const {
    const auto rate = [](std::int64_t n, double s) {
      return s > 0 ? static_cast<double>(n) / s : 0;
    };
    note(format("last answer  %lld tokens processed, %.1f tokens/s; %zu made, %.1f tokens/s",
                static_cast<long long>(last_.n_prefill), last_.prefill_rate(), last_.ids.size(),
                last_.decode_rate()));
    note(format("all answers  %lld tokens processed, %.1f tokens/s; %lld made, %.1f tokens/s",
                static_cast<long long>(n_prefill_), rate(n_prefill_, prefill_s_),
                static_cast<long long>(n_decode_), rate(n_decode_, decode_s_)));
    const SessionMemory memory = session_.session().memory();
    note("memory       " + human_bytes(session_.session().model().weight_bytes()) + " weights, " +
         human_bytes(memory.kv_cache_bytes) + " KV cache, " + human_bytes(memory.buffer_bytes) +
         " buffers; peak " + human_bytes(peak_memory_bytes()));
  }

  void context() const {
    const Session& session = session_.session();
    note(std::to_string(session.length()) + " of " + std::to_string(session.n_context()) +
         " positions are in use, by " + std::to_string(session_.messages().size()) + " messages");
  }

  const ChatOptions& options_;
  ChatSession session_;
  LineReader reader_;
  Generation last_;
  std::int64_t n_prefill_ = 0, n_decode_ = 0;
  double prefill_s_ = 0, decode_s_ = 0;
};

void chat(const ChatOptions& options) {
  if (options.render_jsonl) {
    if (options.template_file || options.model.path.empty())
      return render_lines(find_template(options, nullptr));
    const GgufFile file = options.model.need_file();
    return render_lines(find_template(options, &file));
  }
  if (options.when_full != "ask" && options.when_full != "stop" && options.when_full != "drop")
    throw Error(ErrorKind::kUsage,
                "--when-full is ask, stop or drop, not " + galley::quoted(options.when_full));
  const SessionOptions session_options = options.context.session_options();
  const SamplerOptions sampling = options.sampling.sampler_options();
  const std::shared_ptr<const Model> model = options.model.need_model();
  if (!model->tokenizer().has_vocab())
    throw Error(ErrorKind::kUsage,
                model->file().path() + ": the model has no tokenizer, so no words");
  const std::optional<ChatTemplate> chat_template = find_template(options, &model->file());
  if (!chat_template)
    throw Error(ErrorKind::kUsage,
                model->file().path() +
                    ": the model has no chat template; name a file with one with "
                    "--template, or use 'galley run'");
  Chat(options, ChatSession(Session(model, session_options), sampling, *chat_template)).run();
}

}  // namespace

Action set_up_chat(CommandLine& line) {
  auto o = std::make_shared<ChatOptions>();
  o->model.add_to(line);
  line.text("--system", o->system, "TEXT", "the system message");
  line.text("--template", o->template_file, "FILE", "a Jinja template in place of the model's");
  line.flag("--show-prompt", o->show_prompt,
            "print the exact prompt, token by token, before each answer");
  line.flag("--render-jsonl", o->render_jsonl,
            "answer each line {\"template\", \"messages\", ...} of stdin with {\"text\"}\n"
            "or {\"error\"}; no model is needed");
  line.text("--when-full", o->when_full, "CHOICE",
            "when the context is full: ask, stop or drop the oldest turns; without a\n"
            "terminal ask means stop");
  line.integer("-n,--n-predict", o->generate.n_predict, "tokens of an answer, -1: no limit");
  line.texts("--stop", o->generate.stop, "TEXT",
             "end an answer before this text; may be given several times");
  o->sampling.add_to(line);
  o->context.add_to(line);
  line.flag("--json", o->json, "print each answer as a JSON object");
  line.examples({"chat -m model.gguf --system \"You are a chef.\"",
                 "chat -m model.gguf --show-prompt < questions.txt"});
  return [o] { chat(*o); };
}

}  // namespace galley::tools
