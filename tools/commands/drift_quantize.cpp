#include "tools/commands/drift_quantize.h"

#include <vector>

#include "tensor/dequantize.h"
#include "tensor/error.h"
#include "tensor/gguf_writer.h"
#include "tensor/message.h"
#include "tensor/quantize.h"
#include "tools/commands/quantize_mix.h"
#include "tools/interrupt.h"

namespace galley::tools {
namespace {

Mix need_mix(const std::string& name) {
  if (const auto mix = find_mix(name)) return *mix;
  std::vector<std::string> names;
  for (const Mix& mix : all_mixes()) names.emplace_back(mix.name);
  throw Error(ErrorKind::kUsage,
              "--types: there is no type or mix " + in_quotes(name) + suggestion(name, names));
}

void convert(const Tensor& tensor, DType type, std::span<std::byte> out) {
  const std::int64_t n_bytes = row_bytes(type, tensor.cols());
  std::vector<float> row(static_cast<std::size_t>(tensor.cols()));
  for (std::int64_t r = 0; r < tensor.rows(); ++r) {
    check_interrupt();
    dequantize_row(tensor.type, tensor.row(r), row);
    quantize_row(type, row, out.data() + r * n_bytes);
  }
}

// A model and the bytes that it uses in place.
struct Owned {
  std::vector<std::byte> bytes;
  std::shared_ptr<const Model> model;
};

}  // namespace

std::shared_ptr<const Model> quantized_model(const GgufFile& file, const std::string& type) {
  const Mix mix = need_mix(type);
  const ModelShape shape = model_shape(file);
  GgufWriter writer;
  for (const std::string& key : file.keys()) writer.copy_value(file, key);
  for (const Tensor& tensor : file.tensors()) {
    const DType to =
        is_quantizable(tensor) ? fitting_type(mix_type(mix, shape, tensor), tensor) : tensor.type;
    if (to == tensor.type)
      writer.add_tensor(tensor.name, tensor.type, tensor.shape,
                        std::span(tensor.data, static_cast<std::size_t>(tensor.n_bytes)));
    else
      writer.add_tensor(tensor.name, to, tensor.shape,
                        [&tensor, to](std::span<std::byte> out) { convert(tensor, to, out); });
  }
  auto owned = std::make_shared<Owned>();
  owned->bytes = writer.to_bytes();
  owned->model = Model::from_file(GgufFile::from_memory(owned->bytes, file.path() + " as " + type));
  return {owned, owned->model.get()};
}

}  // namespace galley::tools
