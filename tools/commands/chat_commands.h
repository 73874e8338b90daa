// The slash commands of `galley chat`.
#pragma once

#include <string>

#include "tools/commands/chat_talk.h"

namespace galley::tools {

// Runs "/name argument". Returns false if the chat is to end. Throws Error: kUsage for a command
// that does not exist, naming the nearest, or lacks its argument; and what the command throws.
bool run_chat_command(ChatTalk& talk, const std::string& line);

}  // namespace galley::tools
