// Reading the numbers that a reference such as `blk.2.attn_weights[3, -1, :]` names.
//
// Where it sits: print, stats, heat and explain read with it. References are parsed by
// tools/glass/value_ref.h; here they meet the run: what exists yet, and how large it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tools/glass/attention_trace.h"
#include "tools/glass/value_ref.h"
#include "tools/step/debugger.h"

namespace galley::step {

// A part of a value: a range of each of its two or three dimensions.
class Selection {
 public:
  // Reads `text`; an empty one means the value that was made last. Throws Error kUsage if there is
  // no such value or index, or if it has not been made yet.
  Selection(Debugger& debugger, std::string_view text);

  const glass::NamedValue& named() const { return named_; }
  const std::string& name() const { return named_.name; }
  // Sizes of the whole value, and the chosen range in each dimension.
  const std::vector<std::int64_t>& sizes() const { return sizes_; }
  const std::vector<glass::IndexRange>& ranges() const { return ranges_; }
  // Whether the user gave an index or range for this dimension.
  bool is_given(std::size_t dimension) const { return dimension < n_given_; }
  std::size_t n_dimensions() const { return sizes_.size(); }
  bool is_one_number() const;
  std::int64_t n_numbers() const;
  // The attention op's head, for the values that have one; [head, ...].
  bool has_heads() const { return sizes_.size() == 3; }

  // The chosen columns of a row: [ranges().back().size()].
  std::vector<float> row(std::int64_t r) const { return row(0, r); }
  std::vector<float> row(std::int64_t head, std::int64_t r) const;

  // "[3, 0:8]": the chosen part as Python writes it.
  std::string part_text() const;

 private:
  void need_made() const;
  std::vector<float> whole_row(std::int64_t head, std::int64_t r) const;

  DebugRun& run_;
  glass::NamedValue named_;
  std::vector<std::int64_t> sizes_;
  std::vector<glass::IndexRange> ranges_;
  std::size_t n_given_ = 0;
};

}  // namespace galley::step
