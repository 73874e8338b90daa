#include "tools/step/commands.h"

#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/output.h"
#include "tools/step/command_functions.h"
#include "tools/step/show.h"

namespace galley::step {
namespace {

using tools::format;

void help(Debugger&, const Arguments& arguments, Reply& reply) {
  arguments.need(0, 1, "help [COMMAND]");
  if (!arguments.empty()) {
    const Command& command = find_command(arguments[0]);
    reply.text = cat({command.usage, "\n  ", command.summary, "\n"});
    if (!command.alias.empty()) reply.text += cat({"  short: ", command.alias, "\n"});
    if (!command.details.empty()) reply.text += cat({command.details, "\n"});
    return;
  }
  for (const CommandGroup& group : command_groups()) {
    reply.text += cat({group.title, "\n"});
    for (const Command& c : group.commands)
      reply.text +=
          format("  %-36s %s\n", std::string(c.usage).c_str(), std::string(c.summary).c_str());
  }
  reply.text += "help COMMAND tells more of one. The beginning of a name is enough.\n";
}

void quit(Debugger&, const Arguments& arguments, Reply& reply) {
  arguments.need(0, 0, "quit");
  reply.is_over = true;
}

constexpr Command kMoving[] = {
    {"step", "s", "step [N]", "run the next op, or the next N",
     "  After the last op of a pass a step chooses the next token.", Completes::kNothing, step},
    {"next", "n", "next", "to the first op of the next layer", "", Completes::kNothing, next},
    {"token", "t", "token [N]", "to the first op of the next token",
     "  The prompt is one pass of several tokens, in pieces of --batch-size; then every token is\n"
     "  a pass of its own.",
     Completes::kNothing, token},
    {"continue", "c", "continue", "until a breakpoint, the end, or -n tokens", "",
     Completes::kNothing, go_on},
    {"run-until", "u", "run-until VALUE | token N", "until the value has been made",
     "  run-until blk.2.attn_weights\n"
     "  run-until logits\n"
     "  run-until token 12       before the op that is first to see the token at position 12",
     Completes::kValues, run_until},
    {"break", "b", "break [VALUE | token N]", "stop whenever the value has been made",
     "  break blk.*.ffn_act      * stands for any text\n"
     "  break token 5            stop before the token at position 5 is run\n"
     "  break                    list them",
     Completes::kValues, break_at},
    {"tbreak", "", "tbreak VALUE | token N", "the same, once", "", Completes::kValues, tbreak},
    {"delete", "d", "delete [N...]", "remove breakpoints, or all", "", Completes::kNothing,
     delete_breakpoint},
    {"back", "", "back [N | VALUE]", "back N ops, or to where the value was made",
     "  To any earlier op of this pass: it is run again from the cache, with the same bits.",
     Completes::kValues, back},
    {"restart", "", "restart", "to the first op of the first token",
     "  Breakpoints and changes stay; changes then hold from the first token on.",
     Completes::kNothing, restart},
};

constexpr Command kLooking[] = {
    {"list", "l", "list [VALUE | layer N | all]", "the ops around the next one, or others",
     "  The arrow marks the op that comes next.", Completes::kValues, list},
    {"where", "w", "where", "token, layer, op, breakpoints, changes", "", Completes::kNothing,
     where},
    {"why", "", "why [VALUE]", "what an op computes, from what, and what for",
     "  Without a value: the op that comes next.", Completes::kValues, why},
    {"shape", "", "shape [VALUE]", "a value's shape, who makes it and who reads it", "",
     Completes::kValues, shape},
    {"print", "p", "print [VALUE][PART]", "its numbers",
     "  print blk.0.q[3, :8]     row 3, the first 8 columns; rows are tokens of this pass\n"
     "  print q[3, :8]           inside a layer\n"
     "  print [-1, 5]            of the value made last; negative indices count from the end\n"
     "  print blk.2.attn_weights[3, -1, :]    head, token, position\n"
     "  print blk.2.cache_k[0]   position\n"
     "  Long rows are shortened unless a part is given.",
     Completes::kValues, print},
    {"stats", "", "stats [VALUE][PART]", "smallest, largest, mean, deviation", "",
     Completes::kValues, stats},
    {"heat", "", "heat [VALUE][PART]", "its numbers as shades, or colours", "", Completes::kValues,
     heat},
    {"explain", "e", "explain VALUE[ROW, COLUMN] [all]", "derives one number, to the last bit",
     "  explain blk.0.ffn_up[5, 17]\n"
     "  explain blk.2.attn_weights[3, 5, 0]   head, token, position\n"
     "  all: every step, not only the first and last ones.",
     Completes::kValues, explain},
};

constexpr Command kModel[] = {
    {"weights", "", "weights TENSOR [row R] [block B]", "a weight tensor, or one block of it",
     "  weights blk.0.attn_q.weight\n"
     "  weights blk.0.attn_q.weight row 3 block 1    its bytes, field by field",
     Completes::kTensors, weights},
    {"attention", "", "attention LAYER [head H] [token T]", "where the tokens look",
     "  attention 2              every head of the last token\n"
     "  attention 2 head 3       that head, of every token\n"
     "  attention 2 token 0      every head of another token (row of this pass)",
     Completes::kWords, attention},
    {"lens", "", "lens [token T] [top K] | lens grid", "what it would say if it stopped here",
     "  The logit lens: the final norm and the output matrix, after every layer so far.\n"
     "  lens grid: the likeliest token for every layer and token.",
     Completes::kWords, lens},
    {"logits", "", "logits [K] [row R]", "the K likeliest next tokens", "", Completes::kWords,
     logits},
    {"kv", "", "kv", "the cache: layers, positions, bytes", "", Completes::kNothing, kv},
    {"cost", "", "cost [all | VALUE] [limit]", "products, bytes and time of this pass",
     "  cost                     the layers together; cost all: every op\n"
     "  cost blk.0.ffn_up limit  measures the machine for a second, and gives the share of its\n"
     "                           limits (reading memory, multiplying) that each op reaches",
     Completes::kValues, cost},
};

constexpr Command kText[] = {
    {"tokens", "", "tokens", "the text so far: ids, bytes, pieces", "", Completes::kNothing,
     tokens},
    {"merges", "", "merges TEXT", "how the tokenizer puts a text together", "", Completes::kNothing,
     merges},
    {"sampler", "", "sampler [K]", "how the next token is chosen, stage by stage",
     "  K: candidates to show after each stage.", Completes::kNothing, sampler},
};

constexpr Command kChanging[] = {
    {"set", "", "set VALUE[PART] X | set head L.H off", "overwrite numbers once they are made",
     "  set blk.2.attn_out[4, :] 0    row 4, that is one token\n"
     "  set blk.2.attn_out 0          all tokens from this pass on\n"
     "  set head 2.3 off              head 3 of layer 2 adds nothing: its part of the attention\n"
     "                                output is zero before the output product\n"
     "  What has been run of this pass is run again. undo takes it back.",
     Completes::kValues, set},
    {"scale", "", "scale VALUE[PART] X", "multiply numbers once they are made", "",
     Completes::kValues, scale},
    {"run2", "", "run2 TEXT | run2 as NAME TEXT", "run another prompt and keep its values",
     "  run2 The cat sat          under the name run2\n"
     "  run2 as cat The cat sat   under the name cat",
     Completes::kNothing, run2},
    {"patch", "", "patch VALUE[PART] from NAME[ROW]", "take numbers from another prompt's run",
     "  patch blk.2.ffn_residual from run2            all tokens; the prompts have equal lengths\n"
     "  patch blk.2.ffn_residual[4, :] from run2      the same row there\n"
     "  patch blk.2.ffn_residual[4, :] from run2[6]   another row there",
     Completes::kValues, patch},
    {"pick", "", "pick TOKEN | off", "choose the next token yourself",
     "  pick 318        an id\n"
     "  pick \" cat\"     a text that is one token",
     Completes::kNothing, pick},
    {"changes", "", "changes", "what is changed", "", Completes::kNothing, changes},
    {"undo", "", "undo", "take the last change back", "", Completes::kNothing, undo},
    {"diff", "", "diff [all | VALUE]", "this pass beside the same pass without the changes",
     "  Every value that differs, the first op that does, and the next-token distribution.",
     Completes::kValues, diff},
};

constexpr Command kGeneral[] = {
    {"help", "h", "help [COMMAND]", "this list, or more of one command", "", Completes::kCommands,
     help},
    {"quit", "q", "quit", "leave, as the end of input (Ctrl-D) does", "", Completes::kNothing,
     quit},
};

constexpr CommandGroup kGroups[] = {
    {"Moving", kMoving},
    {"Looking at values", kLooking},
    {"Looking at the model", kModel},
    {"Looking at the text", kText},
    {"Changing", kChanging},
    {"General", kGeneral},
};

}  // namespace

std::span<const CommandGroup> command_groups() { return kGroups; }

const Command& find_command(const std::string& word) {
  std::vector<std::string> names;
  std::vector<const Command*> beginning;
  for (const CommandGroup& group : kGroups)
    for (const Command& c : group.commands) {
      if (c.name == word || (!c.alias.empty() && c.alias == word)) return c;
      names.emplace_back(c.name);
      if (c.name.starts_with(word)) beginning.push_back(&c);
    }
  if (beginning.size() == 1) return *beginning[0];
  if (beginning.size() > 1) {
    std::string several;
    for (const Command* c : beginning) several += cat({several.empty() ? "" : ", ", c->name});
    throw Error(ErrorKind::kUsage, in_quotes(word) + " could be " + several + "; write more of it");
  }
  throw Error(ErrorKind::kUsage, "there is no command " + in_quotes(word) +
                                     suggestion(word, names) + "; help lists them");
}

}  // namespace galley::step
