#include "tools/commands/step_replay.h"

#include <sstream>

#include "tensor/error.h"
#include "tools/commands/chat_input.h"
#include "tools/commands/options.h"
#include "tools/output.h"
#include "tools/trace/replay.h"

namespace galley::tools {
namespace {

// Returns false if the line wants to leave. `place` is for messages: "-x 2".
bool run_line(trace::Replay& replay, const std::string& line, const std::string& place) {
  try {
    const trace::Replay::Reply reply = replay.execute(line);
    write_out(reply.text);
    flush_out();
    return !reply.is_over;
  } catch (const Error& e) {
    throw Error(e.kind(), place + ": " + e.what());
  }
}

void talk(trace::Replay& replay) {
  const auto input = open_chat_input([](std::string_view) { return std::vector<std::string>(); });
  if (input->is_terminal()) {
    note("help lists the commands, Ctrl-D leaves");
    write_out(replay.position());
    flush_out();
  }
  int number = 0;
  while (const std::optional<std::string> line =
             input->line(input->is_terminal() ? "(replay) " : "")) {
    try {
      if (!run_line(replay, *line, "stdin:" + std::to_string(++number))) return;
    } catch (const Error& e) {
      if (!input->is_terminal()) throw;
      note(std::string("galley: ") + e.what());
    }
  }
}

}  // namespace

void replay_trace(const std::string& path, const std::vector<std::string>& commands,
                  const std::optional<std::string>& script) {
  trace::Replay replay(read_file(path), path);
  for (std::size_t i = 0; i < commands.size(); ++i)
    if (!run_line(replay, commands[i], "-x " + std::to_string(i + 1))) return;
  if (script) {
    std::istringstream lines(read_file(*script));
    int number = 0;
    for (std::string line; std::getline(lines, line);)
      if (!run_line(replay, line, *script + ":" + std::to_string(++number))) return;
  }
  if (commands.empty() && !script) talk(replay);
}

}  // namespace galley::tools
