// galley-train-bpe TEXT N_MERGES OUT: makes the merges of a byte-level BPE tokenizer from a text.
//
// Part of the rebuilding of the demo models (tools/zoo/rebuild). The text is cut as the
// pre-tokenizer "qwen2" cuts it, so the merges fit GGUF files that name it; runs of special
// tokens such as <|im_start|> are cut out first, for they are never merged. OUT gets one merge
// per line, both symbols in the printable spelling, in order.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "tokenizer/bpe_trainer.h"

namespace {

// The published pattern of qwen2, with the special tokens in front: those are counted as words
// and thrown away. Digits stand alone, a word takes the space before it.
constexpr const char* kPattern =
    "<\\|[a-z_]+\\|>|"
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
    " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

std::map<std::string, std::uint64_t> count_words(const std::string& text) {
  int error = 0;
  PCRE2_SIZE where = 0;
  const std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(kPattern), PCRE2_ZERO_TERMINATED,
                    PCRE2_UTF | PCRE2_UCP, &error, &where, nullptr),
      pcre2_code_free);
  if (!code) throw std::runtime_error("the pattern does not compile");
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(
      pcre2_match_data_create_from_pattern(code.get(), nullptr), pcre2_match_data_free);

  std::map<std::string, std::uint64_t> words;
  const auto* bytes = reinterpret_cast<PCRE2_SPTR>(text.data());
  // The text was checked by the first match; checking it all again each time would be quadratic.
  std::uint32_t options = 0;
  for (PCRE2_SIZE at = 0; at < text.size(); options = PCRE2_NO_UTF_CHECK) {
    const int found =
        pcre2_match(code.get(), bytes, text.size(), at, options, match.get(), nullptr);
    if (found < 0) throw std::runtime_error("the text is not UTF-8");
    const PCRE2_SIZE* place = pcre2_get_ovector_pointer(match.get());
    const std::string word = text.substr(place[0], place[1] - place[0]);
    if (!word.starts_with("<|")) ++words[word];
    at = place[1];
  }
  return words;
}

int run(const std::string& text_path, const std::string& n_merges, const std::string& out_path) {
  std::ifstream in(text_path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + text_path);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto words = count_words(text);
  const auto merges = galley::train_bpe(words, std::stoul(n_merges));
  std::ofstream out(out_path, std::ios::binary);
  for (const auto& [left, right] : merges)
    out << galley::bpe_spelling(left) << ' ' << galley::bpe_spelling(right) << '\n';
  out.close();
  if (!out) throw std::runtime_error("cannot write " + out_path);
  std::fprintf(stderr, "%zu different words, %zu merges\n", words.size(), merges.size());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: galley-train-bpe TEXT N_MERGES OUT\n");
    return 2;
  }
  try {
    return run(argv[1], argv[2], argv[3]);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "galley-train-bpe: %s\n", e.what());
    return 1;
  }
}
