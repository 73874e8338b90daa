// A model in another precision, in memory: what `galley quantize` would write.
#pragma once

#include <memory>
#include <string>

#include "model/session.h"

namespace galley::tools {

// The model of `file` with its matrices in the type or mix `type` ("Q4_0", "Q4_K_M"), chosen as
// `galley quantize` does. The bytes live as long as the result. Throws Error kUsage for an unknown
// type.
std::shared_ptr<const Model> quantized_model(const GgufFile& file, const std::string& type);

}  // namespace galley::tools
