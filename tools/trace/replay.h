// Walks through a trace that was written before: commands in, text out, no model needed.
//
// Where it sits: behind `galley step --replay trace.json`. It reads the format of
// docs/trace-format.md and knows the debugger's commands that only look and move; what was not kept
// in the file cannot be shown.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace galley::trace {

class Replay {
 public:
  using Json = nlohmann::ordered_json;

  // From the text of a trace; `name` is what messages call it. Stands after the first op. Throws
  // Error kFailure, naming the key, if it is no trace, or of a version that is not known.
  Replay(std::string_view text, std::string name);

  struct Reply {
    std::string text;      // lines, each with its newline
    bool is_over = false;  // the user wants to leave
  };
  // Runs one command line; an empty one does nothing. Throws Error kUsage for a command that is
  // wrong, kFailure if the file is damaged where it was read.
  Reply execute(std::string_view line);
  // Where it stands: one line.
  std::string position() const;

 private:
  using Words = std::vector<std::string>;

  std::string run(const std::string& command, const Words& words, bool& is_over);
  void move(std::int64_t n_ops);
  void next_layer();
  void next_token();
  void go_to(const std::string& name);
  std::string list() const;
  std::string tokens() const;
  std::string why() const;
  std::string print(const std::string& reference) const;
  std::string stats(const std::string& name) const;
  std::string attention(const Words& words) const;
  std::string lens() const;
  std::string sampler() const;
  std::string explain() const;

  const Json& op(std::size_t i) const { return trace_.at("ops").at(i); }
  const Json& pass() const { return trace_.at("passes").at(pass_); }
  const Json& op_run(std::size_t i) const { return pass().at("ops").at(i); }
  // The op of that name; inside a layer "blk.N." may be left out. Throws Error kUsage.
  std::size_t find_op(const std::string& name) const;
  std::string token_text(const Json& id) const;
  [[noreturn]] void damaged(const std::string& what) const;

  std::string name_;
  Json trace_;
  std::size_t pass_ = 0;
  std::size_t op_ = 0;
};

}  // namespace galley::trace
