#include "tools/commands/chat_commands.h"

#include <vector>

#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

void help(ChatTalk& talk, const std::string& argument);

void reset(ChatTalk& talk, const std::string&) {
  talk.conversation().reset();
  note("galley: a new conversation");
}

void system(ChatTalk& talk, const std::string& argument) {
  if (!argument.empty()) return talk.conversation().set_system(argument);
  note(talk.conversation().system().value_or("galley: there is no system message"));
}

void save(ChatTalk& talk, const std::string& path) {
  talk.conversation().save(path);
  note("galley: saved to " + path);
}

void load(ChatTalk& talk, const std::string& path) {
  talk.conversation().load(path);
  note("galley: loaded " + std::to_string(talk.conversation().n_turns()) + " turns from " + path);
}

void regen(ChatTalk& talk, const std::string&) { talk.answer_again(); }

void undo(ChatTalk& talk, const std::string&) {
  if (!talk.conversation().undo()) throw Error(ErrorKind::kUsage, "/undo: there is no turn");
  note("galley: the last turn is undone");
}

void stats(ChatTalk& talk, const std::string&) { talk.print_stats(); }
void context(ChatTalk& talk, const std::string&) { talk.print_context(); }
void quit(ChatTalk&, const std::string&) {}

enum class Argument { kNone, kOptional, kNeeded };

struct ChatCommand {
  const char* name;
  const char* argument;
  Argument use;
  const char* help;
  void (*run)(ChatTalk& talk, const std::string& argument);
};

constexpr ChatCommand kCommands[] = {
    {"/help", "", Argument::kNone, "this list", help},
    {"/reset", "", Argument::kNone, "begin anew; the system message stays", reset},
    {"/system", "TEXT", Argument::kOptional, "set the system message, or show it", system},
    {"/save", "FILE", Argument::kNeeded, "write the conversation to a file", save},
    {"/load", "FILE", Argument::kNeeded, "go on with a saved conversation", load},
    {"/regen", "", Argument::kNone, "answer the last message again", regen},
    {"/undo", "", Argument::kNone, "take back the last message and its answer", undo},
    {"/stats", "", Argument::kNone, "what this chat has cost", stats},
    {"/context", "", Argument::kNone, "how full the context is", context},
    {"/quit", "", Argument::kNone, "end, as the end of input (Ctrl-D) does", quit},
};

void help(ChatTalk&, const std::string&) {
  for (const ChatCommand& c : kCommands) {
    const std::string usage = std::string(c.name) + " " + c.argument;
    note(format("  %-14s %s", usage.c_str(), c.help));
  }
  note("  //...          a message that begins with one slash");
}

const ChatCommand& find_command(const std::string& name) {
  std::vector<std::string> names;
  for (const ChatCommand& c : kCommands) {
    if (name == c.name) return c;
    names.emplace_back(c.name);
  }
  throw Error(ErrorKind::kUsage, "there is no command " + in_quotes(name) +
                                     suggestion(name, names) + "; /help lists them");
}

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

}  // namespace

bool run_chat_command(ChatTalk& talk, const std::string& line) {
  const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
  const std::string name = line.substr(0, end);
  const std::string argument = trimmed(line.substr(end));
  const ChatCommand& command = find_command(name);
  if (command.use == Argument::kNeeded && argument.empty())
    throw Error(ErrorKind::kUsage, name + " needs a " + command.argument);
  if (command.use == Argument::kNone && !argument.empty())
    throw Error(ErrorKind::kUsage, name + " takes nothing behind it");
  command.run(talk, argument);
  return command.run != quit;
}

}  // namespace galley::tools
