// The functions that every template can call: those of Jinja (range, dict, namespace, cycler,
// joiner) and those that Transformers adds (raise_exception, strftime_now).
#pragma once

#include <ctime>

#include "tokenizer/chat_template/evaluator.h"

namespace galley::chat {

// `now` is what strftime_now formats.
Inputs global_functions(const std::tm& now);

}  // namespace galley::chat
