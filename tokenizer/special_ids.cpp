#include "tokenizer/special_ids.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "tokenizer/pre_tokenizers.h"

namespace galley {
namespace {

// Tokens that end a turn, the likeliest end-of-turn token first. They are control tokens, even
// where the file forgot to say so.
constexpr std::string_view kEndOfTurn[] = {
    "<|eot_id|>",      "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>",
    "<|end_of_text|>", "<EOT>",      "_<EOT>",  "[EOT]",         "<end_of_utterance>",
};
// More tokens after which nothing good follows: ends of messages and of files.
constexpr std::string_view kEndOfOther[] = {
    "<|eom_id|>",   "<|return|>",    "<|call|>",   "<|fim_pad|>", "<fim-pad>",    "<PAD>",
    "<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>",      "<|file_sep|>",
};
// These end generation as well if the file says that they are special; else </s> is what it is
// in HTML.
constexpr std::string_view kEndOfSequence[] = {"</s>", "<eos>", "[EOS]",
                                               "<\uFF5Cend\u2581of\u2581sentence\uFF5C>"};
// Control tokens that do not end anything (fill in the middle).
constexpr std::string_view kControl[] = {
    "<|fim_prefix|>", "<fim-prefix>", "<\uFF5Cfim\u2581begin\uFF5C>", "<PRE>",
    "<|fim_suffix|>", "<fim-suffix>", "<\uFF5Cfim\u2581hole\uFF5C>",  "<SUF>",
    "<|fim_middle|>", "<fim-middle>", "<\uFF5Cfim\u2581end\uFF5C>",   "<MID>",
};

class SpecialIdReader {
 public:
  SpecialIdReader(const GgufFile& file, Vocabulary& vocabulary) : file_(file), v_(vocabulary) {}

  void read() {
    set_defaults();
    read_ids();
    read_flags();
    find_end_of_generation();
    set_stripping();
  }

 private:
  // What holds unless the file says otherwise, by kind.
  void set_defaults() {
    switch (v_.kind) {
      case TokenizerKind::kSentencePiece:
        v_.bos = in_range(1);
        v_.eos = in_range(2);
        v_.unknown = in_range(0);
        v_.adds_bos = true;
        v_.adds_space_prefix = true;
        break;
      case TokenizerKind::kBpe: {
        const PreTokenizer* pre = find_pre_tokenizer(v_.pre_name);
        v_.adds_bos = pre != nullptr && pre->adds_bos;
        break;
      }
      case TokenizerKind::kWordPiece:
        v_.bos = in_range(101);
        v_.separator = in_range(102);
        v_.unknown = in_range(100);
        v_.padding = in_range(0);
        v_.mask = in_range(103);
        v_.adds_bos = true;
        break;
      case TokenizerKind::kUnigram:
        v_.eos = in_range(1);
        v_.unknown = in_range(2);
        v_.padding = in_range(0);
        v_.adds_eos = true;
        break;
      case TokenizerKind::kNone:
        break;
    }
  }

  std::optional<TokenId> in_range(TokenId id) const {
    return id < v_.n_tokens() ? std::optional(id) : std::nullopt;
  }

  void read_ids() {
    if (v_.kind == TokenizerKind::kWordPiece) read_id("tokenizer.ggml.cls_token_id", v_.bos);
    read_id("tokenizer.ggml.bos_token_id", v_.bos);
    read_id("tokenizer.ggml.eos_token_id", v_.eos);
    read_id("tokenizer.ggml.eot_token_id", v_.eot);
    read_id("tokenizer.ggml.eom_token_id", v_.eom);
    read_id("tokenizer.ggml.unknown_token_id", v_.unknown);
    read_id("tokenizer.ggml.seperator_token_id", v_.separator);  // the format spells it so
    read_id("tokenizer.ggml.padding_token_id", v_.padding);
    read_id("tokenizer.ggml.mask_token_id", v_.mask);
  }

  void read_id(std::string_view key, std::optional<TokenId>& id) {
    const std::optional<std::int64_t> value = file_.get_int(key);
    if (!value) return;
    if (*value >= 0 && *value < v_.n_tokens()) {
      id = static_cast<TokenId>(*value);
    } else {
      v_.warnings.push_back(std::string(key) + " is " + std::to_string(*value) +
                            ", but there are only " + std::to_string(v_.n_tokens()) +
                            " tokens: ignored");
    }
  }

  void read_flags() {
    read_flag("tokenizer.ggml.add_bos_token", v_.adds_bos);
    read_flag("tokenizer.ggml.add_eos_token", v_.adds_eos);
    read_flag("tokenizer.ggml.add_space_prefix", v_.adds_space_prefix);
    read_flag("tokenizer.ggml.remove_extra_whitespaces", v_.merges_spaces);
    read_flag("tokenizer.ggml.normalizer.lowercase", v_.lowers_case);
    v_.strips_accents = v_.lowers_case;
    // Files older than this key were made for a reader that took accents off letters but left
    // combining marks that stand by themselves.
    if (const auto strips = file_.get_bool("tokenizer.ggml.normalizer.strip_accents")) {
      v_.strips_accents = *strips;
      v_.drops_marks = *strips;
    }
    if (v_.kind == TokenizerKind::kWordPiece) {  // [CLS] and [SEP] always come together
      v_.adds_bos = true;
      v_.adds_eos = false;
    }
    if (v_.adds_bos && !v_.bos) drop_flag("bos", v_.adds_bos);
    if (v_.adds_eos && !v_.eos) drop_flag("eos", v_.adds_eos);
  }

  void read_flag(std::string_view key, bool& flag) { flag = file_.get_bool(key).value_or(flag); }

  void drop_flag(const std::string& name, bool& flag) {
    flag = false;
    v_.warnings.push_back("tokenizer.ggml.add_" + name + "_token is true, but tokenizer.ggml." +
                          name + "_token_id is not set: none is added");
  }

  void find_end_of_generation() {
    for (const std::string_view text : kEndOfTurn) {
      const auto id = ends_generation(text);
      if (!v_.eot) v_.eot = id;
    }
    if (!v_.eom) v_.eom = v_.find("<|eom_id|>");
    for (const std::string_view text : kEndOfOther) ends_generation(text);
    for (const std::string_view text : kEndOfSequence) {
      const auto id = v_.find(text);
      if (id && v_.type(*id) != TokenType::kNormal) v_.end_of_generation.push_back(*id);
    }
    for (const std::string_view text : kControl) {
      if (const auto id = v_.find(text)) set_type(*id, TokenType::kControl);
    }
    auto& ids = v_.end_of_generation;
    for (const auto& id : {v_.eos, v_.eot, v_.eom}) {
      if (id) ids.push_back(*id);
    }
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  }

  std::optional<TokenId> ends_generation(std::string_view text) {
    const auto id = v_.find(text);
    if (!id) return id;
    v_.end_of_generation.push_back(*id);
    set_type(*id, TokenType::kControl);
    return id;
  }

  void set_type(TokenId id, TokenType type) { v_.types[static_cast<std::size_t>(id)] = type; }

  // GGUF does not say which tokens take white space with them; it is known by model.
  void set_stripping() {
    std::string name(file_.get_string("general.name").value_or(""));
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const auto has = [](std::string_view text, std::string_view part) {
      return text.find(part) != std::string_view::npos;
    };
    const std::string_view architecture = file_.get_string("general.architecture").value_or("");
    if (has(v_.pre_name, "jina-v2-") || has(architecture, "nomic-bert-moe") ||
        has(architecture, "jina-bert-v3")) {
      if (const auto mask = v_.find("<mask>")) v_.strips_left.push_back(*mask);
    } else if (has(name, "phi-3") || has(name, "phi3")) {
      for (TokenId id = 0; id < v_.n_tokens(); ++id) {
        const std::string_view text = v_.texts[id];
        const bool is_special = v_.type(id) == TokenType::kControl ||
                                v_.type(id) == TokenType::kUserDefined ||
                                v_.type(id) == TokenType::kUnknown;
        const bool keeps = text == "<unk>" || text == "<s>" || text == "<|endoftext|>";
        if ((is_special && !keeps) || text == "</s>") v_.strips_right.push_back(id);
      }
    } else if (has(name, "modern-bert")) {
      if (const auto mask = v_.find("[MASK]")) v_.strips_left.push_back(*mask);
    }
  }

  const GgufFile& file_;
  Vocabulary& v_;
};

}  // namespace

void read_special_ids(const GgufFile& file, Vocabulary& vocabulary) {
  SpecialIdReader(file, vocabulary).read();
}

}  // namespace galley
