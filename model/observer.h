// Looking into (and changing) a forward pass: one call before and one after every op.
//
// Where it sits: Session::set_observer. Without an observer the executor makes no such call.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/graph.h"

namespace galley {

// The values of the batch being run, as the ops leave them. Valid during a call of Observer.
class RunView {
 public:
  virtual ~RunView() = default;
  virtual const Graph& graph() const = 0;
  virtual std::int64_t n_tokens() const = 0;
  virtual std::int64_t n_outputs() const = 0;
  virtual std::span<const std::int32_t> token_ids() const = 0;
  virtual std::span<const std::int32_t> positions() const = 0;
  virtual std::span<const std::int32_t> sequences() const = 0;
  // The tokens (indices into the batch) whose logits are wanted: [n_outputs].
  virtual std::span<const std::int32_t> outputs() const = 0;
  // Positions a sequence of this session may have: long-rope chooses its angles by it.
  virtual std::int64_t n_context() const = 0;
  // What keys and values are rounded to when they are stored.
  virtual DType kv_type() const = 0;
  // Row `r` of a value: `width` floats, which an observer may change in place. Not for the
  // results of store_k and store_v: see cached().
  virtual std::span<float> row(Value value, std::int64_t r) = 0;
  // The cached key (or value) vector of a head at a position, as float32: [head_size].
  virtual std::vector<float> cached_k(int cache_layer, std::int32_t sequence, std::int64_t kv_head,
                                      std::int64_t position) const = 0;
  virtual std::vector<float> cached_v(int cache_layer, std::int32_t sequence, std::int64_t kv_head,
                                      std::int64_t position) const = 0;
  // For a kAttention op: the scaled (and soft-capped) scores of one token's head over positions
  // 0 .. position of the token, -inf where the window hides one; and their softmax.
  virtual std::vector<float> attention_scores(const Op& op, std::int64_t token,
                                              std::int64_t head) = 0;
  virtual std::vector<float> attention_weights(const Op& op, std::int64_t token,
                                               std::int64_t head) = 0;
};

class Observer {
 public:
  virtual ~Observer() = default;
  // Called on one thread while the others wait. Exceptions end the forward pass and come out of
  // Session::forward.
  virtual void before_op(RunView& run, int op_index) = 0;
  virtual void after_op(RunView& run, int op_index) = 0;
};

}  // namespace galley
