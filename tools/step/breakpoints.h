// Where a run is to stop: at values, as soon as they are made, and at tokens of the text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/graph.h"

namespace galley::step {

struct Breakpoint {
  int id = 0;
  std::string pattern;                   // of value names; empty for a token
  std::optional<std::int64_t> position;  // of the token
  bool is_temporary = false;             // gone once it has stopped the run
  std::int64_t n_hits = 0;
  std::vector<bool> ops;  // by op: whether it makes a value that is meant

  // "blk.*.attn" or "token 5".
  std::string where() const;
};

class Breakpoints {
 public:
  // Stops once a value that fits `pattern` (inside `layer` the prefix "blk.N." may be left out) has
  // been made. Throws Error kUsage if there is none.
  const Breakpoint& add_values(const Graph& graph, const std::string& pattern, int layer,
                               bool is_temporary);
  // Stops before the pass that runs the token at `position`.
  const Breakpoint& add_token(std::int64_t position, bool is_temporary);
  // Throws Error kUsage if there is no such breakpoint.
  void remove(int id);
  void clear() { all_.clear(); }
  const std::vector<Breakpoint>& all() const { return all_; }

  // The first place (an op that comes next) after `op` where a value breakpoint stops, or nothing:
  // the op after the one whose value is meant.
  std::optional<int> next_stop(int op, int n_ops) const;
  // Counts a stop there, and removes temporary ones. Returns what stopped the run, or nothing.
  std::optional<Breakpoint> hit_at(int op);
  // The same at the beginning of a pass over the positions [begin, end).
  std::optional<Breakpoint> hit_pass(std::int64_t begin, std::int64_t end);

 private:
  std::optional<Breakpoint> count_hit(std::size_t i);

  std::vector<Breakpoint> all_;
  int last_id_ = 0;
};

}  // namespace galley::step
