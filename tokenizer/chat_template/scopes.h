// Gives every name in a template its place, once, before it is ever run.
//
// Jinja's rules of scope, which differ from Python's:
//   - a loop body, a macro, a captured block ({% set %}...{% endset %}, {% call %}, {% filter %},
//     {% with %}) is a frame: what is assigned inside does not reach outside, and each pass of a
//     loop starts afresh with the outer values;
//   - {% if %} is not a frame;
//   - a name that a frame assigns to is that frame's own from its first line on: read before
//     the assignment it has the value of the frame around it, if that one knows the name at
//     all; else it is undefined, or the template's input if it was read or assigned in a branch
//     before.
#pragma once

#include "tokenizer/chat_template/ast.h"

namespace galley::chat {

// Fills in all Places and Frames of `program`. Throws Fault for an assignment to `loop`.
void resolve_names(Program& program);

}  // namespace galley::chat
