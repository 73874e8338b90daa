// The second half of the parser: tensor records and where the tensors lie.
#include <algorithm>
#include <limits>

#include "tensor/gguf_parser.h"
#include "tensor/message.h"

namespace galley {
namespace {

// Limits of the format's specification.
constexpr int kMaxDims = 4;
constexpr std::uint64_t kMaxTensorNameBytes = 64;

}  // namespace

void GgufParser::read_tensor(std::uint64_t index) {
  context_kind_ = {};
  const std::uint64_t at = pos_;
  const std::string_view name = read_string("the name of a tensor");
  if (name.empty() || name.size() > kMaxTensorNameBytes) {
    throw bad(at, "the name of tensor " + std::to_string(index) + " has " +
                      with_commas(name.size()) + " bytes, allowed are 1 to " +
                      std::to_string(kMaxTensorNameBytes) + "; the file is damaged");
  }
  context_kind_ = "tensor";
  context_name_ = name;
  if (!file_.tensor_index_.try_emplace(name, index).second) {
    throw bad(at, "the tensor occurs a second time; convert the model again");
  }
  Tensor tensor;
  tensor.name = name;
  const std::uint64_t shape_at = pos_;
  tensor.shape = read_shape();
  tensor.type = read_dtype();
  tensor.n_bytes = tensor_bytes(tensor, shape_at);
  const std::uint64_t offset_at = pos_;
  const auto offset = read<std::uint64_t>("the offset");
  if (offset % file_.alignment_ != 0) {
    throw bad(offset_at, "the offset is " + with_commas(offset) +
                             ", not a multiple of the file's " + "alignment, " +
                             with_commas(file_.alignment_) + "; convert the model again");
  }
  offsets_.push_back(offset);
  file_.tensors_.push_back(std::move(tensor));
}

std::vector<std::int64_t> GgufParser::read_shape() {
  const std::uint64_t at = pos_;
  const auto n_dims = read<std::uint32_t>("the number of dimensions");
  if (n_dims < 1 || n_dims > kMaxDims) {
    throw bad(at, "it has " + std::to_string(n_dims) + " dimensions, allowed are 1 to " +
                      std::to_string(kMaxDims) + "; the file is damaged");
  }
  std::vector<std::int64_t> shape(n_dims);
  for (auto dim = shape.rbegin(); dim != shape.rend(); ++dim) {  // the file has the fastest first
    const std::uint64_t dim_at = pos_;
    const auto size = read<std::uint64_t>("a dimension");
    if (size == 0 || size > std::numeric_limits<std::int64_t>::max()) {
      throw bad(dim_at, "a dimension is " + with_commas(size) +
                            ", expected 1 or more and less than 2^63; the file is damaged");
    }
    *dim = static_cast<std::int64_t>(size);
  }
  return shape;
}

DType GgufParser::read_dtype() {
  const std::uint64_t at = pos_;
  const auto number = read<std::uint32_t>("the type");
  const std::optional<DType> type = dtype_from_number(number);
  if (!type) {
    throw bad(at, "the type number is " + std::to_string(number) +
                      ", which no known type has; get the model in another type, such as Q4_K");
  }
  return *type;
}

std::int64_t GgufParser::tensor_bytes(const Tensor& tensor, std::uint64_t at) const {
  const DTypeInfo& info = dtype_info(tensor.type);
  if (tensor.cols() % info.block_elements != 0) {
    throw bad(at, "rows have " + with_commas(static_cast<std::uint64_t>(tensor.cols())) +
                      " elements, not a multiple of the " + std::to_string(info.block_elements) +
                      " in a block of " + std::string(info.name) + "; the file is damaged");
  }
  // In blocks and bytes at once, so that neither product can overflow.
  std::int64_t n_bytes = info.block_bytes;
  std::int64_t n_elements = info.block_elements;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    const bool is_row = i + 1 == tensor.shape.size();
    const std::int64_t units = is_row ? tensor.shape[i] / info.block_elements : tensor.shape[i];
    if (__builtin_mul_overflow(n_bytes, units, &n_bytes) ||
        __builtin_mul_overflow(n_elements, units, &n_elements)) {
      throw bad(at, "the shape " + tensor.shape_string() +
                        " is larger than any file; the file is damaged");
    }
  }
  return n_bytes;
}

void GgufParser::place_tensors() {
  const std::uint64_t mask = file_.alignment_ - 1;
  const std::uint64_t data_offset = (pos_ + mask) & ~mask;
  file_.data_offset_ = static_cast<std::int64_t>(data_offset);
  const std::uint64_t file_bytes = file_.bytes_.size();
  const std::uint64_t data_bytes = file_bytes > data_offset ? file_bytes - data_offset : 0;
  for (std::size_t i = 0; i < offsets_.size(); ++i) {
    Tensor& tensor = file_.tensors_[i];
    const auto n_bytes = static_cast<std::uint64_t>(tensor.n_bytes);
    if (offsets_[i] > data_bytes || n_bytes > data_bytes - offsets_[i]) {
      throw bad_model(file_.path_, "tensor " + in_quotes(tensor.name) + " needs " +
                                       with_commas(n_bytes) + " bytes at offset " +
                                       with_commas(offsets_[i]) +
                                       " of the tensor data, which has " + with_commas(data_bytes) +
                                       " (the file ends at byte " + with_commas(file_bytes) +
                                       "): it is truncated or damaged; download it again");
    }
    tensor.data = file_.bytes_.data() + data_offset + offsets_[i];
  }
  check_overlaps();
}

void GgufParser::check_overlaps() const {
  std::vector<const Tensor*> by_place;
  by_place.reserve(file_.tensors_.size());
  for (const Tensor& tensor : file_.tensors_) by_place.push_back(&tensor);
  std::sort(by_place.begin(), by_place.end(),
            [](const Tensor* a, const Tensor* b) { return a->data < b->data; });
  for (std::size_t i = 1; i < by_place.size(); ++i) {
    const Tensor& before = *by_place[i - 1];
    const Tensor& after = *by_place[i];
    if (before.data + before.n_bytes > after.data) {
      const auto at = static_cast<std::uint64_t>(after.data - file_.bytes_.data());
      throw bad(at, "tensors " + in_quotes(before.name) + " and " + in_quotes(after.name) +
                        " share bytes; the file is damaged");
    }
  }
}

}  // namespace galley
