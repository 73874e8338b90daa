// galley-train-bpe TEXT N_MERGES OUT: makes the merges of a byte-level BPE tokenizer from a text.
//
// Part of the rebuilding of the demo models (tools/zoo/rebuild). The text is cut as the
// pre-tokenizer "qwen2" cuts it (digits stand alone, a word takes the space before it), so the
// merges fit GGUF files that name it. Special tokens such as <|im_start|> are left out, for they
// are never merged. OUT gets one merge per line, both symbols in the printable spelling, in order.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tokenizer/bpe_trainer.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/pre_tokenizers.h"
#include "tokenizer/regex_split.h"

namespace {

using Words = std::map<std::string, std::uint64_t>;

void count_words(const galley::RegexSplitter& splitter, std::string_view text, Words& words) {
  std::size_t begin = 0;
  for (const std::size_t end : splitter.split(text)) {
    ++words[std::string(text.substr(begin, end - begin))];
    begin = end;
  }
}

// The words of `text` between the special tokens.
Words count_words(std::string_view text) {
  const galley::RegexSplitter splitter(galley::find_pre_tokenizer("qwen2")->patterns);
  Words words;
  while (!text.empty()) {
    const std::size_t special = std::min(text.find("<|"), text.size());
    count_words(splitter, text.substr(0, special), words);
    const std::size_t end = text.find("|>", special);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  }
  return words;
}

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

void run(const std::string& text_path, const std::string& n_merges, const std::string& out_path) {
  const Words words = count_words(read(text_path));
  const auto merges = galley::train_bpe(words, std::stoul(n_merges));
  std::ofstream out(out_path, std::ios::binary);
  for (const auto& [left, right] : merges)
    out << galley::spell_bytes(left) << ' ' << galley::spell_bytes(right) << '\n';
  out.close();
  if (!out) throw std::runtime_error("cannot write " + out_path);
  std::fprintf(stderr, "%zu different words, %zu merges\n", words.size(), merges.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: galley-train-bpe TEXT N_MERGES OUT\n");
    return 2;
  }
  try {
    run(argv[1], argv[2], argv[3]);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "galley-train-bpe: %s\n", e.what());
    return 1;
  }
}
