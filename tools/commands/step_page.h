// galley step --web: the page with the debugger behind it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tools/step/debugger.h"

namespace galley::tools {

// Serves it until Ctrl-C, then throws Cancelled. The address to open is the one line on stdout.
// Throws Error kUsage or kFailure if the port cannot be had, and what a Debugger throws.
void serve_page(const std::shared_ptr<const Model>& model, const std::string& prompt,
                std::vector<TokenId> ids, const step::DebuggerOptions& options, std::int64_t port);

}  // namespace galley::tools
