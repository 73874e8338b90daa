// A random model, opened from memory.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "model/session.h"
#include "tests/model/random_model.h"

namespace galley::test {

class OpenedModel {
 public:
  // Throws what Model::from_file throws.
  explicit OpenedModel(const RandomModel& description)
      : bytes_(write_random_model(description)),
        storage_(bytes_.size() + kAlignment),
        model_(Model::from_file(GgufFile::from_memory(aligned(), "random.gguf"))) {}

  const std::shared_ptr<const Model>& model() const { return model_; }

 private:
  static constexpr std::size_t kAlignment = 64;

  std::span<const std::byte> aligned() {
    void* at = storage_.data();
    std::size_t space = storage_.size();
    std::align(kAlignment, bytes_.size(), at, space);
    std::memcpy(at, bytes_.data(), bytes_.size());
    return {static_cast<const std::byte*>(at), bytes_.size()};
  }

  std::vector<std::byte> bytes_, storage_;
  std::shared_ptr<const Model> model_;
};

}  // namespace galley::test
