// What goes wrong inside a template, on its way to becoming a galley::Error.
//
// Operations on values (operators.h, filters.h, ...) know what is wrong but not where in the
// template they were called; the evaluator and the parser add the place, ChatTemplate the name.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace galley::chat {

// A place in the template source. Both count from 1, columns in code points; line 0 stands for
// "not known yet".
struct Position {
  int line = 0;
  int column = 0;
};

// An error in the template or in what it does with its inputs. The wording follows Python's
// and Jinja's own messages, so that searching for one finds help.
class Fault : public std::runtime_error {
 public:
  explicit Fault(const std::string& message, Position at = {})
      : std::runtime_error(message), at_(at) {}

  Position at() const { return at_; }
  // Keeps the innermost place: the first one that is given.
  void set_position_if_unknown(Position at) {
    if (at_.line == 0) at_ = at;
  }

 private:
  Position at_;
};

// The template called raise_exception(message).
class Refusal : public Fault {
 public:
  using Fault::Fault;
};

}  // namespace galley::chat
