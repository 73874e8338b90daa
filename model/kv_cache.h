// The KV cache: the keys and values of earlier positions, so that a new token need not
// recompute them.
//
// Where it sits: a Session owns one; the ops store_k and store_v write it, attention reads it.
// Layout: one tensor of keys and one of values per layer, [sequences, kv_heads, slots,
// head_size], so that the positions of one head lie next to one another, which is the order in
// which attention reads them. Layers with a sliding window keep only their window.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/graph.h"

namespace galley {

class KvCache {
 public:
  // A cache for `graph` with room for n_context positions of each of n_sequences, where up to
  // n_batch positions are written at once. `type` is F32, F16 or Q8_0.
  // Throws Error kUsage if `type` does not fit the head sizes, kOutOfMemory with the bytes needed.
  KvCache(const Graph& graph, DType type, std::int64_t n_context, std::int64_t n_sequences,
          std::int64_t n_batch);

  // Bytes that such a cache takes when full.
  static std::int64_t bytes_needed(const Graph& graph, DType type, std::int64_t n_context,
                                   std::int64_t n_sequences, std::int64_t n_batch);

  const kernels::KvTensor& k(int cache_layer) const {
    return k_[static_cast<std::size_t>(cache_layer)];
  }
  const kernels::KvTensor& v(int cache_layer) const {
    return v_[static_cast<std::size_t>(cache_layer)];
  }
  DType type() const { return type_; }
  std::int64_t n_bytes() const { return n_bytes_; }
  std::int64_t n_context() const { return n_context_; }
  std::int64_t n_sequences() const { return static_cast<std::int64_t>(lengths_.size()); }

  // Number of positions of a sequence. REQUIRES: sequence in [0, n_sequences).
  std::int64_t length(std::int32_t sequence) const {
    return lengths_[static_cast<std::size_t>(sequence)];
  }
  // Notes that positions up to n are about to be written: in a layer with a window they take the
  // slots of old ones.
  void will_write(std::int32_t sequence, std::int64_t n);
  // Notes that positions up to n have been written.
  void grow(std::int32_t sequence, std::int64_t n) {
    lengths_[static_cast<std::size_t>(sequence)] = n;
  }
  // Forgets positions n and later; returns the new length: n, or 0 where a sliding-window layer
  // has overwritten positions that it would need again.
  std::int64_t truncate(std::int32_t sequence, std::int64_t n);
  void copy(std::int32_t from, std::int32_t to);

 private:
  DType type_;
  std::int64_t n_context_;
  std::int64_t n_bytes_ = 0;
  std::unique_ptr<std::byte, void (*)(void*)> memory_;
  std::vector<kernels::KvTensor> k_, v_;
  std::vector<std::int64_t> windows_;     // per cache layer, 0: full
  std::vector<std::int64_t> lengths_;     // per sequence
  std::vector<std::int64_t> high_water_;  // per sequence: longest since it was last empty
};

}  // namespace galley
