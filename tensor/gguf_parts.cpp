// Models in several files: NAME-00001-of-00003.gguf has the metadata, each file some of the
// tensors. Three keys of each file tell which part of how many it is: split.no (from 0),
// split.count and, for all parts together, split.tensors.count.
#include <cstdio>
#include <filesystem>
#include <utility>

#include "tensor/error.h"
#include "tensor/gguf.h"

namespace galley {
namespace {

constexpr std::int64_t kMaxParts = 9999;

// "-00002-of-00003.gguf" for part 2 of 3.
std::string part_suffix(std::int64_t number, std::int64_t n_parts) {
  char text[40];
  std::snprintf(text, sizeof text, "-%05d-of-%05d.gguf", static_cast<int>(number),
                static_cast<int>(n_parts));
  return text;
}

std::string part_text(std::int64_t number, std::int64_t n_parts) {
  return "part " + std::to_string(number) + " of " + std::to_string(n_parts) + " of a model";
}

}  // namespace

void GgufFile::join_parts() {
  const std::int64_t n_parts = get_int("split.count").value_or(0);
  if (n_parts <= 1) return;
  if (n_parts > kMaxParts)
    throw bad_value("split.count", "is " + std::to_string(n_parts) + ", expected at most " +
                                       std::to_string(kMaxParts));
  const std::int64_t index = get_int("split.no").value_or(0);
  if (index < 0 || index >= n_parts)
    throw bad_value("split.no", "is " + std::to_string(index) + ", expected 0 to " +
                                    std::to_string(n_parts - 1));
  const std::string suffix = part_suffix(index + 1, n_parts);
  const std::string first = part_suffix(1, n_parts);
  if (!path_.ends_with(suffix))
    throw bad_model(path_, "it is " + part_text(index + 1, n_parts) +
                               ", but its name does not end in '" + suffix +
                               "', which tells where the others are; rename it");
  const std::string stem = path_.substr(0, path_.size() - suffix.size());
  if (index != 0)
    throw bad_model(path_, "it is " + part_text(index + 1, n_parts) + "; open the first part, '" +
                               stem + first + "'");
  for (std::int64_t number = 2; number <= n_parts; ++number) {
    const std::string path = stem + part_suffix(number, n_parts);
    if (!std::filesystem::exists(path))
      throw bad_model(path_, "it is " + part_text(1, n_parts) + ", and '" + path +
                                 "' is missing; download it to the same folder");
    take_part(open_one(path), number, n_parts);
  }
  const auto n_tensors = static_cast<std::int64_t>(tensors_.size());
  const std::int64_t expected = get_int("split.tensors.count").value_or(n_tensors);
  if (expected != n_tensors)
    throw bad_value("split.tensors.count", "is " + std::to_string(expected) + ", but the " +
                                               std::to_string(n_parts) + " parts have " +
                                               std::to_string(n_tensors) +
                                               " tensors; download them again");
}

void GgufFile::take_part(GgufFile part, std::int64_t number, std::int64_t n_parts) {
  if (part.get_int("split.no").value_or(-1) != number - 1 ||
      part.get_int("split.count").value_or(-1) != n_parts)
    throw bad_model(part.path_, "it is not " + part_text(number, n_parts) +
                                    " (keys split.no and split.count); download it again");
  for (Tensor& tensor : part.tensors_) {
    // The key in the index is a view of the name in the part's own bytes, which stay.
    const std::string_view name = part.tensor_index_.find(tensor.name)->first;
    if (!tensor_index_.try_emplace(name, tensors_.size()).second)
      throw bad_model(part.path_, "tensor '" + tensor.name +
                                      "' is in an earlier part already; download the parts again");
    tensors_.push_back(std::move(tensor));
  }
  part.tensors_.clear();
  other_parts_.push_back(std::move(part));
}

}  // namespace galley
