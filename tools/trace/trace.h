// What one run left behind: its tokens, and for every op the values, times and costs.
//
// Where it sits: make_trace (make_trace.h) runs a prompt with a TraceRecorder watching and fills
// this in; trace_json.h writes it as docs/trace-format.md says, and the page (tools/web/) shows it.
// A run of thousands of tokens has more numbers than a page can hold, so values are sampled:
// which rows and columns are kept is decided before the run (TraceSampling) and written down.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/limits.h"
#include "model/op_table.h"
#include "model/sampler.h"
#include "model/session.h"
#include "tools/glass/explanation.h"
#include "tools/glass/logit_lens.h"

namespace galley::trace {

// Which values a trace keeps. Statistics are always over all of them.
struct TraceSampling {
  // Positions of a prompt: all if there are no more than max_rows; otherwise the first
  // kFirstRows and the last ones. Positions of generated tokens are all kept.
  std::int64_t max_rows = 64;
  // Columns of a value: all if there are no more than max_columns; otherwise runs of kRun
  // neighbours, evenly spread.
  std::int64_t max_columns = 256;
  // Where the file may not grow beyond this, max_columns and then max_rows are halved.
  std::int64_t max_bytes = 16 << 20;

  static constexpr std::int64_t kFirstRows = 8;
  static constexpr std::int64_t kRun = 32;
};

// Explanations that are longer than this are left out, and all together take at most this part
// (one in kExplanationShare bytes) of max_bytes; those of the first ops go first.
constexpr std::int64_t kMostPerExplanation = 64 << 10;
constexpr std::int64_t kExplanationShare = 4;

// [begin, end)
using Range = std::pair<std::int64_t, std::int64_t>;

// The columns that are kept of a value of this width, ascending and disjoint.
std::vector<Range> kept_columns(const TraceSampling& sampling, std::int64_t width);
// The positions that are kept of a prompt of this length.
std::vector<Range> kept_positions(const TraceSampling& sampling, std::int64_t n_prompt);
// How many numbers the ranges name, and whether `i` is one of them.
std::int64_t count(const std::vector<Range>& ranges);
bool contains(const std::vector<Range>& ranges, std::int64_t i);

// Of all elements of a value in one pass.
struct ValueStats {
  float min = 0, max = 0;
  double mean = 0, rms = 0;
  std::int64_t n_not_finite = 0;
};

// One op in one pass.
struct OpRun {
  std::int64_t elapsed_ns = 0;
  OpCost cost;
  ValueStats stats;
  std::vector<float> values;  // [rows kept, columns kept]; empty for store_k and store_v
};

// The attention weights of one layer in one pass.
struct AttentionRun {
  int op = -1;
  std::vector<std::int64_t> keys;  // positions that are kept of the earlier ones
  std::vector<float> weights;      // [rows kept, heads, keys]; 0 for later positions
  std::vector<float> rest;         // [rows kept, heads]: the sum over the positions not kept
};

// One batch through the graph: a piece of the prompt, or one generated token.
struct Pass {
  std::int64_t first_position = 0;
  std::vector<TokenId> ids;        // [T]
  std::vector<std::int64_t> rows;  // the rows of the batch that are kept
  bool has_output = false;         // logits of the last token were wanted
  std::vector<OpRun> ops;          // by op index
  std::vector<AttentionRun> attention;
  // What the model would say after each layer (Trace::lens_points), the likeliest first:
  // [points][rows kept][guesses].
  std::vector<std::vector<std::vector<glass::Guess>>> lens;
  double elapsed_s = 0;
  // How the next token was chosen, if it was.
  bool has_choice = false;
  bool is_forced = false;  // TraceRequest::forced chose it, whatever the sampler would have said
  SampleSteps choice;
};

// Where one number of a run comes from.
struct ExplainedCell {
  std::size_t pass = 0;
  int op = -1;
  std::int64_t position = 0;
  std::int64_t column = 0;
  glass::Explanation explanation;
};

struct Trace {
  std::shared_ptr<const Model> model;
  std::string prompt;        // as given; empty for --ids
  std::vector<TokenId> ids;  // the prompt's, then the generated ones
  std::int64_t n_prompt = 0;
  std::string stop_reason;                        // "length", "eos", "context", "interrupted"
  TraceSampling sampling;                         // as used
  std::vector<Range> prompt_positions;            // kept ones
  std::vector<glass::ResidualPoint> lens_points;  // the residual stream after each layer
  std::vector<Pass> passes;
  bool explains = true;  // whether to explain a number of each op
  // For each op the largest kept number of the last prompt token.
  std::vector<ExplainedCell> explained;
  DType kv_type = DType::kF32;
  std::int64_t n_context = 0;
  int n_threads = 0;
  std::string sampler;  // as Sampler::describe says
  SamplerOptions sampler_options;
  std::optional<kernels::Limits> limits;  // of this machine, if they were measured
};

}  // namespace galley::trace
