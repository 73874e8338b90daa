// One batch of a run, to look at: its token ids, its values and its cache.
//
// Where it sits: everything in tools/glass/ that shows or explains a number reads it through this
// interface. LiveRun is the batch in which an observer has stopped (model/observer.h); RunRecord
// (run_record.h) is one that is over.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/observer.h"

namespace galley::glass {

class RunData {
 public:
  virtual ~RunData() = default;
  virtual const Graph& graph() const = 0;
  virtual std::span<const std::int32_t> token_ids() const = 0;  // [T]
  virtual std::span<const std::int32_t> positions() const = 0;  // [T]
  virtual std::span<const std::int32_t> sequences() const = 0;  // [T]
  // The tokens whose logits were wanted, as indices of the batch: [O].
  virtual std::span<const std::int32_t> outputs() const = 0;
  virtual std::int64_t n_context() const = 0;
  virtual DType kv_type() const = 0;

  // Whether row `r` of `value` is there. The results of store_k and store_v have no rows.
  virtual bool has_row(Value value, std::int64_t r) const = 0;
  // Row `r` of `value`: [width]. Throws Error kUsage if has_row says no.
  virtual std::span<const float> row(Value value, std::int64_t r) const = 0;

  // The cached key (or value) of a head at a position, as float32: [head_size]. Throws Error
  // kUsage if it was not recorded.
  virtual std::vector<float> cached_k(int cache_layer, std::int32_t sequence, std::int64_t kv_head,
                                      std::int64_t position) const = 0;
  virtual std::vector<float> cached_v(int cache_layer, std::int32_t sequence, std::int64_t kv_head,
                                      std::int64_t position) const = 0;

  std::int64_t n_tokens() const { return static_cast<std::int64_t>(token_ids().size()); }
  // How many rows a value has in this batch: T or O.
  std::int64_t n_rows(Value value) const;
};

// The batch that an observer is shown. Valid while the observer's call lasts.
class LiveRun : public RunData {
 public:
  explicit LiveRun(RunView& run) : run_(run) {}

  const Graph& graph() const override { return run_.graph(); }
  std::span<const std::int32_t> token_ids() const override { return run_.token_ids(); }
  std::span<const std::int32_t> positions() const override { return run_.positions(); }
  std::span<const std::int32_t> sequences() const override { return run_.sequences(); }
  std::span<const std::int32_t> outputs() const override { return run_.outputs(); }
  std::int64_t n_context() const override { return run_.n_context(); }
  DType kv_type() const override { return run_.kv_type(); }
  bool has_row(Value value, std::int64_t r) const override;
  std::span<const float> row(Value value, std::int64_t r) const override;
  std::vector<float> cached_k(int cache_layer, std::int32_t sequence, std::int64_t kv_head,
                              std::int64_t position) const override;
  std::vector<float> cached_v(int cache_layer, std::int32_t sequence, std::int64_t kv_head,
                              std::int64_t position) const override;

 private:
  RunView& run_;
};

}  // namespace galley::glass
