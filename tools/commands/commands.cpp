#include "tools/commands/commands.h"

namespace galley::tools {
namespace {

constexpr Command kCommands[] = {
    {"run", "generate text from a prompt", set_up_run},
    {"chat", "talk with a model", set_up_chat},
    {"tokenize", "text to token ids, and back", set_up_tokenize},
    {"inspect", "what is in a GGUF file", set_up_inspect},
    {"logits", "the model's raw output for a prompt", set_up_logits},
    {"perplexity", "how well a model predicts a text", set_up_perplexity},
    {"quantize", "make a model file smaller", set_up_quantize},
    {"bench", "measure prefill and decode speed", set_up_bench},
    {"explain", "the story of one token, with the numbers of this run", set_up_explain},
    {"step", "a debugger: stop at any op, look, change, go on", set_up_step},
    {"drift", "where two precisions of a model part ways", set_up_drift},
    {"trace", "every step of a run, as a page or as JSON", set_up_trace},
    {"models", "the models built into this program", set_up_models},
};

}  // namespace

std::span<const Command> all_commands() { return kCommands; }

}  // namespace galley::tools
