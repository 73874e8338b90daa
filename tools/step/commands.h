// The debugger's commands: one list feeds parsing, help and completion.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tools/step/arguments.h"
#include "tools/step/debugger.h"

namespace galley::step {

// What a command's words are, for completion.
enum class Completes { kNothing, kValues, kTensors, kCommands, kWords };

struct Command {
  std::string_view name;
  std::string_view alias;    // a short form, or empty
  std::string_view usage;    // "step [N]"
  std::string_view summary;  // one line
  std::string_view details;  // for help: lines, with an example; may be empty
  Completes completes;
  void (*run)(Debugger& debugger, const Arguments& arguments, Reply& reply);
};

// A heading of the help, and its commands.
struct CommandGroup {
  std::string_view title;
  std::span<const Command> commands;
};

// All of them, as help shows them.
std::span<const CommandGroup> command_groups();
// The command called `word`: its name, its alias or the beginning of one name only. Throws Error
// kUsage, with the nearest name.
const Command& find_command(const std::string& word);

}  // namespace galley::step
