// tokens and merges: the text.
#include "tensor/error.h"
#include "tools/output.h"
#include "tools/step/command_functions.h"
#include "tools/step/show.h"
#include "tools/token_text.h"

namespace galley::step {

using tools::format;

void tokens(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(0, 0, "tokens");
  const DebugRun& run = d.run();
  const Tokenizer& tokenizer = run.model().tokenizer();
  reply.data = Json::array();
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(run.ids().size()); ++i) {
    const TokenId id = run.ids()[static_cast<std::size_t>(i)];
    const bool is_now = i >= run.pass_begin() && i < run.pass_end();
    const std::string_view piece = tokenizer.piece(id);
    std::string origin = "prompt";
    if (i >= run.n_prompt()) {
      const Choice& choice = run.choices()[static_cast<std::size_t>(i - run.n_prompt())];
      origin = (choice.is_picked ? "picked, p " : "chosen, p ") + percent_text(choice.p);
    }
    reply.text += format("%s %4lld %7d  %s  %s  %s\n", is_now ? "=>" : "  ", as_ll(i), id,
                         left(token_text(run.model(), id), 14).c_str(),
                         left(tools::hex(piece, " "), 20).c_str(), origin.c_str());
    reply.data.push_back({{"position", i},
                          {"id", id},
                          {"text", tokenizer.has_vocab() ? std::string(piece) : std::to_string(id)},
                          {"origin", origin},
                          {"in_pass", is_now}});
  }
}

void merges(Debugger& d, const Arguments& a, Reply& reply) {
  const Tokenizer& tokenizer = d.run().model().tokenizer();
  if (!tokenizer.has_vocab()) throw Error(ErrorKind::kUsage, "the model has no tokenizer");
  if (a.empty()) throw Error(ErrorKind::kUsage, "merges needs a text");
  const std::string& text = a.size() == 1 && a.is_quoted[0] ? a[0] : a.rest;
  const EncodeOptions how{.add_special = false, .parse_special = true};
  reply.text = tools::merges_text(tokenizer, text, how);
  reply.data = tools::merges_json(tokenizer, text, how);
}

}  // namespace galley::step
