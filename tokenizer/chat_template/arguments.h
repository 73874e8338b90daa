// Matches the arguments of a call with the parameters of a built-in function, filter, test or
// method, as Python does.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/chat_template/value.h"

namespace galley::chat {

class Parameters {
 public:
  // `names` of the parameters in order; the first `n_required` have no default. A name that
  // starts with '/' can be given by position only. Throws Fault for too many, unknown,
  // repeated or missing arguments. Keeps references to
  // `function` and `given`.
  Parameters(std::string_view function, const Arguments& given,
             std::initializer_list<const char*> names, std::size_t n_required = 0);

  // nullptr where the argument was not given.
  const Value* find(std::size_t i) const { return values_[i]; }
  // REQUIRES: i < n_required.
  const Value& required(std::size_t i) const { return *values_[i]; }
  Value value(std::size_t i, Value otherwise) const;
  // Each throws Fault if the argument is of another type.
  bool truth(std::size_t i, bool otherwise) const;
  std::int64_t integer(std::size_t i, std::int64_t otherwise) const;
  const std::string& text(std::size_t i) const;  // REQUIRES: given
  std::string text(std::size_t i, std::string otherwise) const;
  // Whether the argument was given and is not none.
  bool is_set(std::size_t i) const { return values_[i] && !values_[i]->is_none(); }

 private:
  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void fail_type(std::size_t i, const char* expected) const;

  std::string_view function_;
  std::vector<const Value*> values_;
  std::vector<std::string_view> names_;
};

// For functions without parameters. Throws Fault ("`what` takes no arguments") if any are given.
void check_no_arguments(std::string_view what, const Arguments& given);

}  // namespace galley::chat
