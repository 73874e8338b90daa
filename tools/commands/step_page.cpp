#include "tools/commands/step_page.h"

#include "tools/live/server.h"
#include "tools/output.h"

namespace galley::tools {

void serve_page(const std::shared_ptr<const Model>& model, const std::string& prompt,
                std::vector<TokenId> ids, const step::DebuggerOptions& options, std::int64_t port) {
  live::LiveOptions live_options;
  live_options.debugger = options;
  live_options.debugger.color = false;
  live_options.n_predict = options.n_predict;
  live::LivePage page(model, prompt, std::move(ids), live_options);
  live::serve(page, {port, [](const std::string& url) {
                       write_out(url + "\n");
                       flush_out();
                       note("open this address in a browser on this machine; Ctrl-C ends it");
                     }});
}

}  // namespace galley::tools
