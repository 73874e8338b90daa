// What an observer sees of a run (observer.h), on top of the executor's buffers.
#pragma once

#include "model/executor.h"
#include "model/observer.h"

namespace galley {

class ExecutorView : public RunView {
 public:
  explicit ExecutorView(Executor& executor) : executor_(executor) {}

  const Graph& graph() const override { return executor_.graph_; }
  std::int64_t n_tokens() const override { return executor_.tokens(); }
  std::int64_t n_outputs() const override {
    return static_cast<std::int64_t>(executor_.batch_.outputs.size());
  }
  std::span<const std::int32_t> token_ids() const override { return executor_.batch_.ids; }
  std::span<const std::int32_t> positions() const override { return executor_.batch_.positions; }
  std::span<const std::int32_t> sequences() const override { return executor_.batch_.sequences; }
  std::span<const std::int32_t> outputs() const override { return executor_.batch_.outputs; }
  std::int64_t n_context() const override { return executor_.context_; }
  DType kv_type() const override { return executor_.cache_.type(); }
  std::span<float> row(Value value, std::int64_t r) override;
  std::vector<float> cached_k(int cache_layer, std::int32_t sequence, std::int64_t kv_head,
                              std::int64_t position) const override;
  std::vector<float> cached_v(int cache_layer, std::int32_t sequence, std::int64_t kv_head,
                              std::int64_t position) const override;
  std::vector<float> attention_scores(const Op& op, std::int64_t token, std::int64_t head) override;
  std::vector<float> attention_weights(const Op& op, std::int64_t token,
                                       std::int64_t head) override;

 private:
  Executor& executor_;
};

}  // namespace galley
