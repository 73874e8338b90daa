// The functions behind the debugger's commands, one for each line of the table in commands.cpp.
// Each fills in `reply`, and throws Error kUsage for words it cannot use.
#pragma once

#include "tools/step/arguments.h"
#include "tools/step/debugger.h"

namespace galley::step {

// moving.cpp
void step(Debugger& d, const Arguments& a, Reply& reply);
void next(Debugger& d, const Arguments& a, Reply& reply);
void token(Debugger& d, const Arguments& a, Reply& reply);
void go_on(Debugger& d, const Arguments& a, Reply& reply);
void run_until(Debugger& d, const Arguments& a, Reply& reply);
void break_at(Debugger& d, const Arguments& a, Reply& reply);
void tbreak(Debugger& d, const Arguments& a, Reply& reply);
void delete_breakpoint(Debugger& d, const Arguments& a, Reply& reply);
void restart(Debugger& d, const Arguments& a, Reply& reply);
void back(Debugger& d, const Arguments& a, Reply& reply);

// look_ops.cpp
void list(Debugger& d, const Arguments& a, Reply& reply);
void where(Debugger& d, const Arguments& a, Reply& reply);
void why(Debugger& d, const Arguments& a, Reply& reply);
void shape(Debugger& d, const Arguments& a, Reply& reply);
void explain(Debugger& d, const Arguments& a, Reply& reply);

// look_values.cpp
void print(Debugger& d, const Arguments& a, Reply& reply);
void stats(Debugger& d, const Arguments& a, Reply& reply);
void heat(Debugger& d, const Arguments& a, Reply& reply);

// look_weights.cpp
void weights(Debugger& d, const Arguments& a, Reply& reply);

// look_attention.cpp
void attention(Debugger& d, const Arguments& a, Reply& reply);

// look_guesses.cpp
void lens(Debugger& d, const Arguments& a, Reply& reply);
void logits(Debugger& d, const Arguments& a, Reply& reply);
void sampler(Debugger& d, const Arguments& a, Reply& reply);

// look_cache.cpp, look_cost.cpp
void kv(Debugger& d, const Arguments& a, Reply& reply);
void cost(Debugger& d, const Arguments& a, Reply& reply);

// look_text.cpp
void tokens(Debugger& d, const Arguments& a, Reply& reply);
void merges(Debugger& d, const Arguments& a, Reply& reply);

// changing.cpp
void set(Debugger& d, const Arguments& a, Reply& reply);
void scale(Debugger& d, const Arguments& a, Reply& reply);
void changes(Debugger& d, const Arguments& a, Reply& reply);
void pick(Debugger& d, const Arguments& a, Reply& reply);
void undo(Debugger& d, const Arguments& a, Reply& reply);

// comparing.cpp
void run2(Debugger& d, const Arguments& a, Reply& reply);
void patch(Debugger& d, const Arguments& a, Reply& reply);
void diff(Debugger& d, const Arguments& a, Reply& reply);

}  // namespace galley::step
