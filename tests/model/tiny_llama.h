// A llama model of random weights in memory, for tests of the engine around it. With a window it
// is a phi3 model, which fuses some matrices and has windows in all layers.
#pragma once

#include <algorithm>
#include <cmath>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "model/session.h"
#include "tensor/gguf_writer.h"
#include "tensor/quantize.h"

namespace galley::test {

struct TinyLlama {
  DType type = DType::kF32;  // of the matrices
  int n_layers = 2;
  std::int64_t width = 256;
  std::int64_t n_heads = 8;
  std::int64_t n_kv_heads = 2;
  std::int64_t ffn_width = 512;
  std::int64_t n_vocab = 96;
  std::int64_t n_context = 512;
  std::int64_t window = 0;
  unsigned seed = 1;
};

// The bytes of the file, aligned as a mapped file's would be.
class TinyFile {
 public:
  explicit TinyFile(const TinyLlama& shape) : random_(shape.seed) {
    const std::int64_t kv_width = shape.width / shape.n_heads * shape.n_kv_heads;
    const std::string architecture = shape.window > 0 ? "phi3" : "llama";
    writer_.set_string("general.architecture", architecture);
    const auto number = [&](const char* key, std::int64_t value) {
      writer_.set_uint32(architecture + "." + key, static_cast<std::uint32_t>(value));
    };
    number("block_count", shape.n_layers);
    number("embedding_length", shape.width);
    number("context_length", shape.n_context);
    number("feed_forward_length", shape.ffn_width);
    number("attention.head_count", shape.n_heads);
    number("attention.head_count_kv", shape.n_kv_heads);
    if (shape.window > 0) number("attention.sliding_window", shape.window);
    writer_.set_float32(architecture + ".attention.layer_norm_rms_epsilon", 1e-5f);
    writer_.set_string("tokenizer.ggml.model", "no_vocab");
    matrix("token_embd.weight", shape.type, shape.n_vocab, shape.width);
    vector("output_norm.weight", shape.width);
    for (int i = 0; i < shape.n_layers; ++i) {
      const std::string blk = "blk." + std::to_string(i) + ".";
      vector(blk + "attn_norm.weight", shape.width);
      if (shape.window > 0) {
        matrix(blk + "attn_qkv.weight", shape.type, shape.width + 2 * kv_width, shape.width);
      } else {
        matrix(blk + "attn_q.weight", shape.type, shape.width, shape.width);
        matrix(blk + "attn_k.weight", shape.type, kv_width, shape.width);
        matrix(blk + "attn_v.weight", shape.type, kv_width, shape.width);
      }
      matrix(blk + "attn_output.weight", shape.type, shape.width, shape.width);
      vector(blk + "ffn_norm.weight", shape.width);
      if (shape.window > 0) {
        matrix(blk + "ffn_up.weight", shape.type, 2 * shape.ffn_width, shape.width);
      } else {
        matrix(blk + "ffn_gate.weight", shape.type, shape.ffn_width, shape.width);
        matrix(blk + "ffn_up.weight", shape.type, shape.ffn_width, shape.width);
      }
      matrix(blk + "ffn_down.weight", shape.type, shape.width, shape.ffn_width);
    }
    bytes_ = writer_.to_bytes();
  }

  std::shared_ptr<const Model> open() const {
    return Model::from_file(GgufFile::from_memory(bytes_, "tiny"));
  }

 private:
  void matrix(const std::string& name, DType type, std::int64_t rows, std::int64_t cols) {
    std::normal_distribution<float> normal(0, 1.5f / std::sqrt(static_cast<float>(cols)));
    std::vector<float> row(static_cast<std::size_t>(cols));
    const std::int64_t n_row_bytes = row_bytes(type, cols);
    auto& data = data_.emplace_back(static_cast<std::size_t>(rows * n_row_bytes));
    for (std::int64_t r = 0; r < rows; ++r) {
      for (float& x : row) x = normal(random_);
      std::byte* out = data.data() + r * n_row_bytes;
      if (type == DType::kF32)
        std::copy_n(reinterpret_cast<const std::byte*>(row.data()), n_row_bytes, out);
      else
        quantize_row(type, row, out);
    }
    writer_.add_tensor(name, type, std::vector<std::int64_t>{rows, cols}, data);
  }

  void vector(const std::string& name, std::int64_t n) {
    std::uniform_real_distribution<float> uniform(0.5f, 1.5f);
    auto& data = data_.emplace_back(static_cast<std::size_t>(n) * sizeof(float));
    for (std::int64_t i = 0; i < n; ++i)
      reinterpret_cast<float*>(data.data())[i] = uniform(random_);
    writer_.add_tensor(name, DType::kF32, std::vector<std::int64_t>{n}, data);
  }

  std::mt19937 random_;
  GgufWriter writer_;
  std::deque<std::vector<std::byte>> data_;
  std::vector<std::byte> bytes_;
};

}  // namespace galley::test
