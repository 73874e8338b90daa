// kv: the cache as a map of layers and positions.
#include <algorithm>

#include "model/op_table.h"
#include "tensor/message.h"
#include "tools/output.h"
#include "tools/step/command_functions.h"
#include "tools/step/show.h"

namespace galley::step {
namespace {

using tools::format;

constexpr std::int64_t kMapPositions = 64;  // columns, the last positions

std::string bytes_text(std::int64_t n) { return with_commas(static_cast<std::uint64_t>(n)); }

// Which ops store the keys and values of a cache layer.
struct Stores {
  int k = -1;
  int v = -1;
};

Stores stores_of(const Graph& graph, int cache_layer) {
  Stores stores;
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    if (graph.ops[i].cache_layer != cache_layer) continue;
    if (graph.ops[i].kind == OpKind::kStoreK) stores.k = static_cast<int>(i);
    if (graph.ops[i].kind == OpKind::kStoreV) stores.v = static_cast<int>(i);
  }
  return stores;
}

std::int64_t bytes_per_position(const CacheLayer& layer, DType type) {
  return layer.n_kv_heads *
         (row_bytes(type, layer.head_size_k) + row_bytes(type, layer.head_size_v));
}

// One character for what a layer holds of a position.
char mark(const DebugRun& run, const CacheLayer& layer, const Stores& stores,
          std::int64_t position) {
  if (layer.window > 0 && position + layer.window <= run.pass_begin()) return '-';
  if (position < run.pass_begin()) return '#';
  if (position >= run.pass_end()) return '.';
  const bool has_k = stores.k < run.next_op(), has_v = stores.v < run.next_op();
  if (has_k && has_v) return '+';
  return has_k ? 'k' : has_v ? 'v' : '.';
}

std::int64_t cache_bytes(DebugRun& run, const Op& op, std::int64_t n_tokens,
                         std::int64_t n_cached) {
  return op_cost(run.graph(), op, n_tokens, 0, n_cached, run.view().kv_type()).cache_bytes;
}

// What the op that ran last did to the cache, or the next one will do.
std::string effect(DebugRun& run, int index, bool has_run) {
  if (index < 0 || index >= run.n_ops()) return "";
  const Op& op = run.graph().ops[static_cast<std::size_t>(index)];
  const std::int64_t n = cache_bytes(run, op, run.pass_end() - run.pass_begin(), run.pass_begin());
  if (n == 0) return "";
  const bool writes = op.kind != OpKind::kAttention;
  return format("  %s %s %s %s bytes\n", has_run ? "just now" : "next", op.name.c_str(),
                writes ? (has_run ? "wrote" : "writes") : (has_run ? "read" : "reads"),
                bytes_text(n).c_str());
}

}  // namespace

void kv(Debugger& d, const Arguments& a, Reply& reply) {
  a.need(0, 0, "kv");
  DebugRun& run = d.run();
  const Graph& graph = run.graph();
  const DType type = run.view().kv_type();
  const std::int64_t end = run.pass_end();
  const std::int64_t n_context = run.session().n_context();
  const std::int64_t first = std::max<std::int64_t>(0, end - kMapPositions);
  std::int64_t per_position = 0, decode_bytes = 0;
  for (const CacheLayer& layer : graph.cache_layers)
    per_position += bytes_per_position(layer, type);
  for (const Op& op : graph.ops)
    if (op.kind == OpKind::kAttention) decode_bytes += cache_bytes(run, op, 1, end);
  reply.text = format("%s, %s bytes per position, room for %s positions\n",
                      std::string(dtype_info(type).name).c_str(), bytes_text(per_position).c_str(),
                      bytes_text(n_context).c_str());
  reply.text += format("layer  positions %lld to %lld\n", as_ll(first), as_ll(end - 1));
  reply.data = {{"type", dtype_info(type).name},
                {"bytes_per_position", per_position},
                {"decode_bytes", decode_bytes},
                {"layers", Json::array()}};
  std::int64_t n_bytes = 0;
  for (std::size_t i = 0; i < graph.cache_layers.size(); ++i) {
    const CacheLayer& layer = graph.cache_layers[i];
    const Stores stores = stores_of(graph, static_cast<int>(i));
    std::string map;
    for (std::int64_t p = first; p < end; ++p) map += mark(run, layer, stores, p);
    std::int64_t n_held = 0;
    for (std::int64_t p = 0; p < end; ++p) {
      const char c = mark(run, layer, stores, p);
      n_held += c == '#' || c == '+' ? 1 : 0;
    }
    n_bytes += n_held * bytes_per_position(layer, type);
    reply.text += format("%5d  %s  %s bytes", layer.layer, map.c_str(),
                         bytes_text(n_held * bytes_per_position(layer, type)).c_str());
    reply.text += layer.window > 0 ? format(", window of %lld\n", as_ll(layer.window)) : "\n";
    reply.data["layers"].push_back({{"layer", layer.layer}, {"map", map}, {"held", n_held}});
  }
  reply.text +=
      "  # earlier passes  + this pass  k only keys so far  . empty  - out of the window\n";
  reply.text += format("  in all %s bytes; the next token will read %s of them\n",
                       bytes_text(n_bytes).c_str(), bytes_text(decode_bytes).c_str());
  reply.text += effect(run, d.last_op(), true) + effect(run, run.next_op(), false);
  reply.data["bytes"] = n_bytes;
}

}  // namespace galley::step
