#include "tools/step/debugger.h"

#include <algorithm>

#include "tools/output.h"
#include "tools/step/commands.h"
#include "tools/step/show.h"

namespace galley::step {

using tools::format;

Debugger::Debugger(std::shared_ptr<const Model> model, std::vector<TokenId> prompt,
                   const DebuggerOptions& options)
    : model_(std::move(model)), options_(options), run_(model_, std::move(prompt), options.run) {}

Reply Debugger::execute(std::string_view line) {
  line = trim(line);
  Reply reply;
  if (line.empty() || line.front() == '#') return reply;
  const std::size_t end = std::min(line.find_first_of(" \t["), line.size());
  const Command& command = find_command(std::string(line.substr(0, end)));
  command.run(*this, parse_arguments(std::string(command.name), line.substr(end)), reply);
  return reply;
}

int Debugger::layer() const {
  const auto& ops = run_.graph().ops;
  if (last_op() >= 0 && ops[static_cast<std::size_t>(last_op())].layer >= 0)
    return ops[static_cast<std::size_t>(last_op())].layer;
  return run_.pass_is_over() ? -1 : ops[static_cast<std::size_t>(run_.next_op())].layer;
}

glass::LogitLens& Debugger::lens() {
  if (!lens_) lens_ = std::make_unique<glass::LogitLens>(run_.graph(), run_.session().n_threads());
  return *lens_;
}

std::string Debugger::position() {
  DebugRun& run = run_;
  std::string text;
  if (run.next_op() == 0) {
    const std::int64_t n = run.pass_end() - run.pass_begin();
    text +=
        n == 1
            ? format("token %lld: %s\n", static_cast<long long>(run.pass_begin()),
                     token_text(run.model(), run.ids()[static_cast<std::size_t>(run.pass_begin())])
                         .c_str())
            : format(
                  "tokens %lld to %lld: %s\n", static_cast<long long>(run.pass_begin()),
                  static_cast<long long>(run.pass_end() - 1),
                  text_of(run.model(), run.ids().subspan(static_cast<std::size_t>(run.pass_begin()),
                                                         static_cast<std::size_t>(n)))
                      .c_str());
  } else {
    text += "made  " + op_line(run, last_op()) + "\n";
  }
  if (!run.pass_is_over()) {
    text += "next  " + op_line(run, run.next_op()) + "\n";
  } else if (run.end() == TextEnd::kEndOfText) {
    text += "next  nothing: the model has ended the text\n";
  } else if (run.end() == TextEnd::kContextFull) {
    text += "next  nothing: the context is full (--ctx-size makes it larger)\n";
  } else if (run.waits_for_choice()) {
    text += format("next  the choice of token %lld\n", static_cast<long long>(run.pass_end()));
  } else {
    text += format("next  the rest of the prompt, from token %lld on\n",
                   static_cast<long long>(run.pass_end()));
  }
  return text;
}

Json Debugger::position_json() {
  const auto name = [this](int op) {
    return op >= 0 && op < run_.n_ops() ? Json(run_.graph().ops[static_cast<std::size_t>(op)].name)
                                        : Json();
  };
  return {{"pass", {run_.pass_begin(), run_.pass_end()}},
          {"next_op", run_.next_op()},
          {"n_ops", run_.n_ops()},
          {"made", name(last_op())},
          {"next", name(run_.next_op())},
          {"layer", layer()},
          {"n_tokens", run_.ids().size()},
          {"waits_for_choice", run_.waits_for_choice()},
          {"ended", run_.end().has_value()}};
}

}  // namespace galley::step
