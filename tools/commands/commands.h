// The commands of `galley`, one file each.
//
// A command is a function that declares its flags on a CommandLine and returns what to do once
// they are read. To add one: write its file, declare its set-up function here, and add a line
// to the table in commands.cpp.
#pragma once

#include <functional>
#include <span>

#include "tools/command_line.h"

namespace galley::tools {

using Action = std::function<void()>;

Action set_up_run(CommandLine& line);
Action set_up_chat(CommandLine& line);
Action set_up_tokenize(CommandLine& line);
Action set_up_inspect(CommandLine& line);
Action set_up_logits(CommandLine& line);
Action set_up_perplexity(CommandLine& line);
Action set_up_quantize(CommandLine& line);
Action set_up_bench(CommandLine& line);
Action set_up_explain(CommandLine& line);
Action set_up_step(CommandLine& line);
Action set_up_drift(CommandLine& line);
Action set_up_trace(CommandLine& line);
Action set_up_models(CommandLine& line);

struct Command {
  const char* name;
  const char* summary;
  Action (*set_up)(CommandLine& line);
};

// In the order of --help.
std::span<const Command> all_commands();

}  // namespace galley::tools
