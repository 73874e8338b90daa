#include "tests/step/eigen_llama.h"

#include <cmath>
#include <stdexcept>

#include "tensor/dequantize.h"

namespace galley::test {
namespace {

class Llama {
 public:
  Llama(const Model& model, std::span<const TokenId> ids, const ChangeValue& change)
      : model_(model), c_(model.config()), ids_(ids), change_(change) {
    if (c_.architecture != "llama" || c_.n_experts > 0)
      throw std::runtime_error("the reference knows plain llamas only, not " + c_.architecture);
  }

  LlamaValues run() {
    const Matrix table = weight("token_embd.weight");
    Matrix x(n(), c_.width);
    for (Eigen::Index t = 0; t < n(); ++t) x.row(t) = table.row(ids_[static_cast<std::size_t>(t)]);
    see("embd", x);
    for (std::int64_t layer = 0; layer < c_.n_layers; ++layer) {
      const std::string blk = "blk." + std::to_string(layer) + ".";
      x += attention(blk, norm(blk + "attn_norm", x));
      see(blk + "attn_residual", x);
      x += feed_forward(blk, norm(blk + "ffn_norm", x));
      see(blk + "ffn_residual", x);
    }
    x = norm("output_norm", x);
    const bool is_tied = model_.file().find_tensor("output.weight") == nullptr;
    keep("logits", x * (is_tied ? table : weight("output.weight")).transpose());
    return std::move(result_);
  }

 private:
  Eigen::Index n() const { return static_cast<Eigen::Index>(ids_.size()); }

  Matrix weight(const std::string& name) const {
    const Tensor* tensor = model_.file().find_tensor(name);
    if (!tensor) throw std::runtime_error("the file has no " + name);
    const std::vector<float> values = dequantize(*tensor);
    return Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
               values.data(), tensor->rows(), tensor->cols())
        .cast<double>();
  }

  void see(const std::string& name, Matrix& value) {
    if (change_) change_(name, value);
    result_.values[name] = value;
  }
  Matrix keep(const std::string& name, Matrix value) {
    see(name, value);
    return value;
  }

  Matrix norm(const std::string& name, const Matrix& x) {
    const Matrix w = weight(name + ".weight");
    Matrix y(x.rows(), x.cols());
    for (Eigen::Index t = 0; t < x.rows(); ++t) {
      const double mean = x.row(t).squaredNorm() / static_cast<double>(x.cols());
      y.row(t) = (x.row(t) / std::sqrt(mean + static_cast<double>(c_.norm_eps))).cwiseProduct(w);
    }
    return keep(name, std::move(y));
  }

  // Pairs (2i, 2i + 1) of each head turn by position * base^(-2i / n).
  Matrix rope(const std::string& name, const Matrix& x, std::int64_t heads) {
    const std::string prefix = c_.architecture + ".rope.";
    const std::int64_t size = x.cols() / heads;
    const std::int64_t rotated =
        model_.file().get_int(prefix + "dimension_count").value_or(c_.head_size_k);
    const double base = model_.file().get_float(prefix + "freq_base").value_or(10000);
    Matrix y = x;
    for (Eigen::Index t = 0; t < x.rows(); ++t)
      for (std::int64_t h = 0; h < heads; ++h)
        for (std::int64_t i = 0; i < rotated; i += 2) {
          const double angle =
              static_cast<double>(t) *
              std::pow(base, -static_cast<double>(i) / static_cast<double>(rotated));
          const double a = x(t, h * size + i), b = x(t, h * size + i + 1);
          y(t, h * size + i) = a * std::cos(angle) - b * std::sin(angle);
          y(t, h * size + i + 1) = a * std::sin(angle) + b * std::cos(angle);
        }
    return keep(name, std::move(y));
  }

  Matrix attention(const std::string& blk, const Matrix& x) {
    const Matrix q = rope(blk + "q_rope", product(blk + "q", blk + "attn_q", x), c_.n_heads);
    const Matrix k = rope(blk + "k_rope", product(blk + "k", blk + "attn_k", x), c_.n_kv_heads);
    const Matrix v = product(blk + "v", blk + "attn_v", x);
    const std::int64_t size = c_.head_size_k, group = c_.n_heads / c_.n_kv_heads;
    Matrix out(n(), c_.n_heads * c_.head_size_v);
    result_.attention.emplace_back();
    for (std::int64_t h = 0; h < c_.n_heads; ++h) {
      const auto keys = k.middleCols(h / group * size, size);
      Matrix w =
          q.middleCols(h * size, size) * keys.transpose() / std::sqrt(static_cast<double>(size));
      for (Eigen::Index t = 0; t < n(); ++t) {
        const double highest = w.row(t).head(t + 1).maxCoeff();
        for (Eigen::Index p = 0; p < n(); ++p) w(t, p) = p <= t ? std::exp(w(t, p) - highest) : 0;
        w.row(t) /= w.row(t).sum();
      }
      out.middleCols(h * c_.head_size_v, c_.head_size_v) =
          w * v.middleCols(h / group * c_.head_size_v, c_.head_size_v);
      result_.attention.back().push_back(w);
    }
    return product(blk + "attn_out", blk + "attn_output", keep(blk + "attn", std::move(out)));
  }

  Matrix feed_forward(const std::string& blk, const Matrix& x) {
    const Matrix gate = product(blk + "ffn_gate", blk + "ffn_gate", x);
    const Matrix up = product(blk + "ffn_up", blk + "ffn_up", x);
    Matrix hidden = gate.unaryExpr([](double g) { return g / (1 + std::exp(-g)); });
    hidden = hidden.cwiseProduct(up);
    return product(blk + "ffn_out", blk + "ffn_down", keep(blk + "ffn_act", std::move(hidden)));
  }

  Matrix product(const std::string& name, const std::string& tensor, const Matrix& x) {
    return keep(name, Matrix(x * weight(tensor + ".weight").transpose()));
  }

  const Model& model_;
  const Config& c_;
  std::span<const TokenId> ids_;
  const ChangeValue& change_;
  LlamaValues result_;
};

}  // namespace

LlamaValues eigen_llama(const Model& model, std::span<const TokenId> ids,
                        const ChangeValue& change) {
  return Llama(model, ids, change).run();
}

}  // namespace galley::test
