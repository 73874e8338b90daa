#include <algorithm>

#include "model/architecture.h"
#include "model/session.h"

namespace galley {
namespace {

// A line about tensors that the graph does not use: the answer may be wrong without them.
void warn_unused(const Weights& weights, std::vector<std::string>& warnings) {
  const std::vector<std::string> unused = weights.unused();
  if (unused.empty()) return;
  std::string line =
      std::to_string(unused.size()) + " tensor(s) in the file are not used by this architecture: ";
  for (std::size_t i = 0; i < unused.size() && i < 3; ++i) line += (i ? ", " : "") + unused[i];
  warnings.push_back(line + (unused.size() > 3 ? ", ..." : ""));
}

}  // namespace

Model::Model(GgufFile file) : file_(std::move(file)), config_(read_config(file_)), weights_(file_) {
  const Metadata meta(file_, config_.architecture);
  graph_ = find_architecture(config_.architecture)->build(config_, meta, weights_);
  tokenizer_ = std::make_unique<const Tokenizer>(Tokenizer::from_gguf(file_));
  if (tokenizer_->n_tokens() > config_.n_vocab)
    throw bad_model(file_.path(), "key 'tokenizer.ggml.tokens' has " +
                                      std::to_string(tokenizer_->n_tokens()) +
                                      " tokens, but token_embd.weight has rows for only " +
                                      std::to_string(config_.n_vocab));
  warnings_ = tokenizer_->warnings();
  warn_unused(weights_, warnings_);
  for (const Tensor& tensor : file_.tensors()) {
    weight_bytes_ += tensor.n_bytes;
    n_parameters_ += tensor.n_elements();
  }
  for (const Op& op : graph_.ops) {
    if (op.kind == OpKind::kMatmul) weight_bytes_per_token_ += op.weight->n_bytes;
    if (op.kind == OpKind::kExpertMatmul)
      weight_bytes_per_token_ += op.weight->n_bytes / op.weight->shape[0] * op.route.n_used;
  }
}

std::shared_ptr<const Model> Model::from_file(GgufFile file) {
  return std::shared_ptr<const Model>(new Model(std::move(file)));
}

std::shared_ptr<const Model> Model::open(const std::string& path) {
  return from_file(GgufFile::open(path));
}

}  // namespace galley
