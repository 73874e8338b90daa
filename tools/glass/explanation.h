// Where one number of a run comes from: data, made by explain_cell.h, shown as text or JSON.
//
// An explanation names the cell and what it is made of, then re-derives the number in steps, in
// the engine's own order of summation. The last step's result has the very bits of the run
// (docs/exactness.md says why that is possible). Beside it stands the same number in float64 with
// nothing rounded to int8, so that the cost of every shortcut can be seen.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace galley::glass {

// A named number, or list of numbers, that a step uses. Floats are held exactly.
struct Operand {
  std::string name;            // "d_w", "q_x"
  std::vector<double> values;  // one, or a list
  bool is_integer = false;
  bool is_list = false;
  std::string from;  // where it can be looked up: "blk.0.attn_norm[5, 96:128]"; may be empty
};

// One step of the derivation.
struct Step {
  std::string label;    // "block 3: columns 96 to 127"
  std::string formula;  // "p3 = fma(isum, d_w * d_x, p3)"
  std::vector<Operand> operands;
  double result = 0;        // exact
  std::string result_name;  // "p3"
  // One of many alike (a block, a position): a short text shows the first and last of them.
  bool is_repeated = false;
};

struct Explanation {
  std::string cell;     // "blk.0.ffn_up[5, 17]"
  std::string op;       // "matmul": the name in the op table
  std::string formula;  // of the op
  std::string summary;  // plain words: what is computed from what, with shapes and types
  std::vector<std::string> inputs;  // cells or ranges to look at next: "blk.0.ffn_norm[5, :]"
  std::vector<Step> steps;

  float engine = 0;             // the number in the run
  float derived = 0;            // the result of the steps
  double precise = 0;           // in float64, from unrounded inputs
  std::string precise_meaning;  // what `precise` does differently
  // For numbers that the engine never stores by themselves (attention weights): why.
  std::string note;

  // Whether the steps end in the bits of the run. If not, the number was changed after the op.
  bool is_exact() const;
};

struct TextOptions {
  bool all = false;        // every step and every number of a list
  std::size_t width = 80;  // columns
};

// The explanation as lines of text, ending in a newline.
std::string to_text(const Explanation& explanation, const TextOptions& options = {});
// The same facts as JSON: numbers as they are, not-a-number and infinities as strings.
nlohmann::ordered_json to_json(const Explanation& explanation);

// `x` with as many digits as a float32 needs to be told from all others.
std::string float_text(float x);
// Shorter, for reading: six digits.
std::string short_text(double x);
// `text` cut at spaces into lines of `width` columns (a longer word has its own), each after
// `indent` spaces.
std::string wrapped(const std::string& text, std::size_t indent, std::size_t width);
// `x` as JSON: a number, or "nan", "inf", "-inf".
nlohmann::ordered_json json_number(double x);

}  // namespace galley::glass
