// Serves the live page to browsers on this machine.
//
// Where it sits: `galley step --web`. HTTP is cpp-httplib's. Only 127.0.0.1 is listened to, and
// only who knows the address that is printed at the start gets an answer: it has a random token in
// it. Requests under another host's name (DNS rebinding) or from another site's page are refused.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tools/live/live_page.h"

namespace galley::live {

struct ServerOptions {
  std::int64_t port = 0;  // 0: any that is free
  // Called once with the address to open, when it can be opened.
  std::function<void(const std::string& url)> on_ready;
};

// Serves until the flag of tools/interrupt.h is set; then throws Cancelled. Throws Error kUsage for
// a port that is none, kFailure for one that is taken.
void serve(LivePage& page, const ServerOptions& options);

}  // namespace galley::live
