#include "model/kv_cache.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tensor/error.h"

namespace galley {
namespace {

constexpr std::int64_t kCacheLine = 64;

// A cache up to this size gets large pages. A larger one is perhaps never filled, and each head of
// each layer would take 2 MB of memory with its first token.
constexpr std::int64_t kMostInLargePages = std::int64_t{256} << 20;

std::int64_t round_up(std::int64_t n, std::int64_t unit) { return (n + unit - 1) / unit * unit; }

// Slots for one sequence of a layer: a position each, or, with a window, enough that a batch
// never overwrites what its own tokens still look at.
std::int64_t slots(const CacheLayer& layer, std::int64_t n_context, std::int64_t n_batch) {
  const std::int64_t all = round_up(n_context, kernels::kAttentionBlock);
  if (layer.window == 0 || layer.window >= n_context) return all;
  return std::min(
      all, round_up(layer.window + n_batch, kernels::kAttentionBlock) + kernels::kAttentionBlock);
}

// Shape and strides of one tensor; its data pointer is set when the memory is there.
kernels::KvTensor tensor_of(DType type, std::int64_t head_size, std::int64_t n_kv_heads,
                            std::int64_t n_slots) {
  kernels::KvTensor t;
  t.type = type;
  t.head_size = head_size;
  t.n_slots = n_slots;
  t.row_bytes = row_bytes(type, head_size);
  t.head_bytes = round_up(t.row_bytes * n_slots, kCacheLine);
  t.sequence_bytes = t.head_bytes * n_kv_heads;
  return t;
}

std::string gib(std::int64_t n_bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GiB", static_cast<double>(n_bytes) / (1 << 30));
  return text;
}

// Asks for pages of 2 MB, whose addresses are found faster. The system may refuse.
void ask_for_large_pages(std::byte* memory, std::int64_t n_bytes) {
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const std::uintptr_t skipped = (page - address % page) % page;
  const auto size = static_cast<std::size_t>(n_bytes);
  if (skipped < size) madvise(memory + skipped, size - skipped, MADV_HUGEPAGE);
}

void check_type(const Graph& graph, DType type) {
  if (type != DType::kF32 && type != DType::kF16 && type != DType::kQ8_0)
    throw Error(ErrorKind::kUsage, "the KV cache cannot be of type " +
                                       std::string(dtype_info(type).name) +
                                       "; use f32, f16 or q8_0");
  const std::int64_t block = dtype_info(type).block_elements;
  for (const CacheLayer& layer : graph.cache_layers)
    if (layer.head_size_k % block != 0 || layer.head_size_v % block != 0)
      throw Error(ErrorKind::kUsage,
                  "a q8_0 KV cache needs head sizes that are multiples of 32, this model has " +
                      std::to_string(layer.head_size_k) + "; use --kv-type f16");
}

}  // namespace

std::int64_t KvCache::bytes_needed(const Graph& graph, DType type, std::int64_t n_context,
                                   std::int64_t n_sequences, std::int64_t n_batch) {
  check_type(graph, type);
  // In double first: the sizes come from a file and a flag, and their product may not fit.
  double estimate = 0;
  for (const CacheLayer& layer : graph.cache_layers)
    estimate += static_cast<double>(layer.n_kv_heads) * static_cast<double>(n_sequences) *
                static_cast<double>(layer.head_size_k + layer.head_size_v) * 4.0 *
                static_cast<double>(slots(layer, n_context, n_batch));
  if (estimate > 1e18)
    throw Error(ErrorKind::kOutOfMemory, "a KV cache for " + std::to_string(n_context) +
                                             " positions is beyond any memory; use a smaller "
                                             "--ctx-size");
  std::int64_t total = 0;
  for (const CacheLayer& layer : graph.cache_layers)
    for (const std::int64_t head_size : {layer.head_size_k, layer.head_size_v})
      total += n_sequences *
               tensor_of(type, head_size, layer.n_kv_heads, slots(layer, n_context, n_batch))
                   .sequence_bytes;
  return total;
}

KvCache::KvCache(const Graph& graph, DType type, std::int64_t n_context, std::int64_t n_sequences,
                 std::int64_t n_batch)
    : type_(type),
      n_context_(n_context),
      n_bytes_(bytes_needed(graph, type, n_context, n_sequences, n_batch)),
      memory_(nullptr, std::free),
      lengths_(static_cast<std::size_t>(n_sequences), 0),
      high_water_(static_cast<std::size_t>(n_sequences), 0) {
  const std::int64_t physical = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
  // Zeroed pages that are taken only when they are written to.
  if (n_bytes_ <= physical)
    memory_.reset(
        static_cast<std::byte*>(std::calloc(static_cast<std::size_t>(n_bytes_ + kCacheLine), 1)));
  if (!memory_)
    throw Error(ErrorKind::kOutOfMemory, "a KV cache for " + std::to_string(n_context) +
                                             " positions needs " + gib(n_bytes_) +
                                             ", this machine has " + gib(physical) +
                                             "; use a smaller --ctx-size");
  if (n_bytes_ <= kMostInLargePages) ask_for_large_pages(memory_.get(), n_bytes_);
  const auto address = reinterpret_cast<std::uintptr_t>(memory_.get());
  std::byte* next = memory_.get() + (kCacheLine - address % kCacheLine) % kCacheLine;
  for (const CacheLayer& layer : graph.cache_layers) {
    const std::int64_t n_slots = slots(layer, n_context, n_batch);
    k_.push_back(tensor_of(type, layer.head_size_k, layer.n_kv_heads, n_slots));
    v_.push_back(tensor_of(type, layer.head_size_v, layer.n_kv_heads, n_slots));
    windows_.push_back(layer.window);
    for (kernels::KvTensor* t : {&k_.back(), &v_.back()}) {
      t->data = next;
      next += t->sequence_bytes * n_sequences;
    }
  }
}

void KvCache::will_write(std::int32_t sequence, std::int64_t n) {
  std::int64_t& high_water = high_water_[static_cast<std::size_t>(sequence)];
  high_water = std::max(high_water, n);
}

std::int64_t KvCache::truncate(std::int32_t sequence, std::int64_t n) {
  const auto s = static_cast<std::size_t>(sequence);
  n = std::clamp<std::int64_t>(n, 0, lengths_[s]);
  for (std::size_t i = 0; i < k_.size(); ++i) {
    // The next token, at position n, looks back to n - window + 1; the oldest position still in
    // its slot is high_water - n_slots.
    const bool all_kept = high_water_[s] <= k_[i].n_slots;
    if (!all_kept && n - windows_[i] + 1 < high_water_[s] - k_[i].n_slots) n = 0;
  }
  lengths_[s] = n;
  if (n == 0) high_water_[s] = 0;
  return n;
}

void KvCache::copy(std::int32_t from, std::int32_t to) {
  if (from == to) return;
  for (const auto* tensors : {&k_, &v_})
    for (const kernels::KvTensor& t : *tensors)
      for (std::int64_t head = 0; head < t.sequence_bytes / t.head_bytes; ++head) {
        const std::int64_t used =
            std::min(lengths_[static_cast<std::size_t>(from)], t.n_slots) * t.row_bytes;
        std::memcpy(t.data + to * t.sequence_bytes + head * t.head_bytes,
                    t.data + from * t.sequence_bytes + head * t.head_bytes,
                    static_cast<std::size_t>(used));
      }
  lengths_[static_cast<std::size_t>(to)] = lengths_[static_cast<std::size_t>(from)];
  high_water_[static_cast<std::size_t>(to)] = high_water_[static_cast<std::size_t>(from)];
}

}  // namespace galley
