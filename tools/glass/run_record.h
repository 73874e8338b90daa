// A batch of a run as it was: chosen values, cached keys and values, the time of each op.
//
// Where it sits: set a Recorder as a session's observer, run, and take the records; `galley trace`
// writes them down, `explain` re-derives numbers from them. All is copied, so a record stays
// valid when the session goes on or ends; only the model must stay open.
//
// Example:
//   Recorder recorder({.patterns = {"blk.*.attn*", "logits"}});
//   session.set_observer(&recorder);
//   session.forward(ids);
//   session.set_observer(nullptr);
//   const RunRecord& run = recorder.records().back();
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/glass/run_data.h"

namespace galley::glass {

struct RecordOptions {
  // Which values to keep, by name: `*` stands for any text. Explaining a number needs the op's
  // inputs too, so "*" is the choice for that.
  std::vector<std::string> patterns = {"*"};
  // How many rows of each value, the last ones; 0: all.
  std::int64_t max_rows = 0;
  // Whether to keep the cached keys and values that the batch could see, as float32.
  bool cache = true;
};

// The rows of a value that were kept.
struct RecordedValue {
  bool is_kept = false;
  std::int64_t first_row = 0;
  std::int64_t width = 0;
  std::vector<float> data;  // [rows kept, width]

  std::int64_t n_rows() const { return width > 0 ? std::int64_t(data.size()) / width : 0; }
};

class RunRecord : public RunData {
 public:
  const Graph& graph() const override { return *graph_; }
  std::span<const std::int32_t> token_ids() const override { return token_ids_; }
  std::span<const std::int32_t> positions() const override { return positions_; }
  std::span<const std::int32_t> sequences() const override { return sequences_; }
  std::span<const std::int32_t> outputs() const override { return outputs_; }
  std::int64_t n_context() const override { return n_context_; }
  DType kv_type() const override { return kv_type_; }
  bool has_row(Value value, std::int64_t r) const override;
  std::span<const float> row(Value value, std::int64_t r) const override;
  std::vector<float> cached_k(int cache_layer, std::int32_t sequence, std::int64_t kv_head,
                              std::int64_t position) const override;
  std::vector<float> cached_v(int cache_layer, std::int32_t sequence, std::int64_t kv_head,
                              std::int64_t position) const override;

  const RecordedValue& value(Value v) const { return values_[static_cast<std::size_t>(v.id)]; }
  // Nanoseconds that each op took, by its index: between the observer's two calls, so with the
  // steps that belong to it (rounding the input of a product to int8).
  std::span<const std::int64_t> op_ns() const { return op_ns_; }
  // Bytes that the record takes.
  std::int64_t n_bytes() const;

 private:
  friend class Recorder;

  // The keys (or values) of one layer and sequence, from position `first` on:
  // [kv_heads, positions, head_size].
  struct Cached {
    int cache_layer = 0;
    std::int32_t sequence = 0;
    std::int64_t first = 0;
    std::int64_t n_positions = 0;
    std::int64_t head_size = 0;
    std::vector<float> data;
  };
  std::vector<float> cached(const std::vector<Cached>& all, int cache_layer, std::int32_t sequence,
                            std::int64_t kv_head, std::int64_t position) const;

  const Graph* graph_ = nullptr;
  std::vector<std::int32_t> token_ids_, positions_, sequences_, outputs_;
  std::int64_t n_context_ = 0;
  DType kv_type_ = DType::kF32;
  std::vector<RecordedValue> values_;  // by value id
  std::vector<Cached> keys_, cached_values_;
  std::vector<std::int64_t> op_ns_;
};

// An observer that makes a RunRecord of every batch.
class Recorder : public Observer {
 public:
  explicit Recorder(RecordOptions options = {}) : options_(std::move(options)) {}

  void before_op(RunView& run, int op_index) override;
  void after_op(RunView& run, int op_index) override;

  // One for each batch since the last clear(), in order. A batch that was broken off by an
  // exception leaves an unfinished record.
  const std::vector<RunRecord>& records() const { return records_; }
  std::vector<RunRecord> take() { return std::exchange(records_, {}); }
  void clear() { records_.clear(); }

 private:
  void begin(RunView& run);
  void keep_cache(RunView& run, const Op& op);

  RecordOptions options_;
  std::vector<bool> is_wanted_;  // by value id
  std::vector<RunRecord> records_;
  std::chrono::steady_clock::time_point began_;
};

// Whether `name` is what `pattern` says; `*` stands for any text, `?` for one character.
bool matches(std::string_view pattern, std::string_view name);

}  // namespace galley::glass
