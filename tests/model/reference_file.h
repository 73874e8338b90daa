// What the reference forward pass asks of a model file.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

#include "tensor/dequantize.h"
#include "tensor/gguf.h"

namespace galley::test {

class ReferenceFile {
 public:
  explicit ReferenceFile(const GgufFile& file)
      : file_(file), arch_(file.get_string("general.architecture").value()) {}

  // The value of ARCHITECTURE.key; of an array the first one.
  double number(const std::string& key, double fallback) const {
    const GgufValue* value = file_.find(arch_ + "." + key);
    if (value && std::holds_alternative<GgufArray>(value->value))
      return std::get<GgufArray>(value->value).as_double(0);
    return file_.get_float(arch_ + "." + key).value_or(fallback);
  }
  std::int64_t integer(const std::string& key, std::int64_t fallback) const {
    return static_cast<std::int64_t>(number(key, static_cast<double>(fallback)));
  }
  bool flag(const std::string& key, bool fallback) const {
    return file_.get_bool(arch_ + "." + key).value_or(fallback);
  }
  bool has(const std::string& tensor) const { return file_.find_tensor(tensor) != nullptr; }
  // Whether the architecture is one of `names`.
  bool is(std::initializer_list<const char*> names) const {
    return std::find(names.begin(), names.end(), arch_) != names.end();
  }
  std::vector<float> values(const std::string& tensor) const {
    const Tensor* found = file_.find_tensor(tensor);
    if (!found) throw std::runtime_error("the file has no " + tensor);
    return dequantize(*found);
  }

 protected:
  const GgufFile& file_;
  std::string arch_;
};

}  // namespace galley::test
