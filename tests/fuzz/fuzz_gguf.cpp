// Any bytes as a GGUF file: refused with an Error, or everything in it can be looked at, and a
// copy written from it is read back. Seeds: tests/data/fuzz_gguf.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tensor/gguf_writer.h"
#include "tests/tensor/walk_gguf.h"

namespace {

using galley::GgufFile;

void check_copy(const GgufFile& file) {
  galley::GgufWriter writer;
  for (const std::string& key : file.keys()) writer.copy_value(file, key);
  for (const galley::Tensor& tensor : file.tensors()) {
    writer.add_tensor(tensor.name, tensor.type, tensor.shape,
                      {tensor.data, static_cast<std::size_t>(tensor.n_bytes)});
  }
  const std::vector<std::byte> bytes = writer.to_bytes();
  const GgufFile copy = GgufFile::from_memory(bytes, "copy");
  if (galley::test::walk(copy) != galley::test::walk(file)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of its own: aligned as the reader asks, and ending where the data ends.
  const auto input = std::as_bytes(std::span(data, size));
  const std::vector<std::byte> bytes(input.begin(), input.end());
  try {
    const GgufFile file = GgufFile::from_memory(bytes, "fuzz.gguf");
    // A huge alignment would make the copy huge.
    if (file.alignment() <= 4096) check_copy(file);
  } catch (const galley::Error& error) {
    if (std::strchr(error.what(), '\n') != nullptr) std::abort();
  }
  return 0;
}
