// The graph's part of a trace: what each op is, apart from any run.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "tools/trace/trace.h"

namespace galley::trace {

// One object per op, in order: name, kind, formula, inputs, shape, weight, purpose, kept columns.
nlohmann::ordered_json ops_json(const Trace& trace);
// One object per layer of the cache: layer, heads, head sizes, window.
nlohmann::ordered_json cache_layers_json(const Trace& trace);

}  // namespace galley::trace
