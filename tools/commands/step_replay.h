// galley step --replay: the debugger's looking commands on a trace that was written before.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace galley::tools {

// Runs `commands` and the lines of the file `script` on the trace at `path`; where there are none,
// what is typed or piped. Throws Error kFailure if the trace cannot be read; kUsage for a wrong
// command, except on a terminal, where it is told and forgotten.
void replay_trace(const std::string& path, const std::vector<std::string>& commands,
                  const std::optional<std::string>& script);

}  // namespace galley::tools
