// How fast text becomes ids, and how fast a vocabulary loads.
//
//   bench_tokenizer                        the vocabularies of the golden data
//   GALLEY_CONFORMANCE=DIR                 where that is, else ../shared/conformance
//   GALLEY_BENCH_TEXT=FILE                 text to encode, else made-up English (see below)
//
// Encoding is measured beside its naive twin: byte-pair encoding as in the textbook, strings and
// std::map, all pairs looked at for every merge. The two are compared first: a benchmark of
// wrong ids is worth nothing.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tokenizer/byte_level.h"
#include "tokenizer/pre_tokenizers.h"
#include "tokenizer/regex_split.h"
#include "tokenizer/tokenizer.h"

namespace galley {
namespace {

constexpr EncodeOptions kPlain{.add_special = false, .parse_special = false};

std::string path_of(const std::string& name) {
  const char* folder = std::getenv("GALLEY_CONFORMANCE");
  const std::filesystem::path base = folder != nullptr ? folder : "../shared/conformance";
  return (base / "tokenizer" / ("ggml-vocab-" + name + ".gguf")).string();
}

// Sentences of words drawn from the vocabulary, the n-th most frequent with probability 1 / n
// (Zipf's law; tokens are in the order in which the training of the vocabulary found them, which
// is about that of frequency). Every tenth word is two words joined, so that it must be merged.
std::string made_up_english(const Tokenizer& tokenizer, std::size_t n_bytes) {
  std::vector<std::string> words;
  for (TokenId id = 0; id < tokenizer.n_tokens() && words.size() < 20000; ++id) {
    const std::string_view piece = tokenizer.piece(id);
    if (piece.size() < 2 || piece[0] != ' ') continue;
    const std::string word(piece.substr(1));
    if (std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; })) {
      words.push_back(word);
    }
  }
  std::vector<double> weights;
  for (std::size_t i = 0; i < words.size(); ++i)
    weights.push_back(1.0 / static_cast<double>(i + 2));
  std::discrete_distribution<std::size_t> pick(weights.begin(), weights.end());
  std::mt19937 random(1);
  std::string text;
  while (text.size() < n_bytes) {
    std::string sentence;
    const std::size_t n_words = 4 + random() % 16;
    for (std::size_t i = 0; i < n_words; ++i) {
      if (i > 0) sentence += random() % 12 == 0 ? ", " : " ";
      sentence += words[pick(random)];
      if (random() % 10 == 0) sentence += words[pick(random)];
      if (random() % 40 == 0) sentence.append(" ").append(std::to_string(random() % 3000));
    }
    sentence[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(sentence[0])));
    text += sentence + (random() % 8 == 0 ? "!\n\n" : ". ");
  }
  return text;
}

std::string text_for(const Tokenizer& tokenizer) {
  const char* path = std::getenv("GALLEY_BENCH_TEXT");
  if (path == nullptr) return made_up_english(tokenizer, 1 << 20);
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The twin: the same words, merged by the book.
class NaiveBpe {
 public:
  explicit NaiveBpe(const GgufFile& file, const Tokenizer& tokenizer)
      : tokenizer_(tokenizer), pre_(*find_pre_tokenizer(tokenizer.pre_name())) {
    int rank = 0;
    for (const std::string_view merge : file.get_array("tokenizer.ggml.merges")->strings) {
      const std::size_t space = merge.find(' ', 1);
      ranks_.emplace(std::pair(merge.substr(0, space), merge.substr(space + 1)), rank++);
    }
  }

  std::vector<TokenId> encode(std::string_view text) const {
    std::vector<TokenId> ids;
    const RegexSplitter splitter(pre_.patterns);
    std::size_t begin = 0;
    for (const std::size_t end : splitter.split(text)) {
      encode_word(text.substr(begin, end - begin), ids);
      begin = end;
    }
    return ids;
  }

 private:
  void encode_word(std::string_view word, std::vector<TokenId>& ids) const {
    if (pre_.ignore_merges) {
      if (const auto id = tokenizer_.find(spell_bytes(word))) {
        ids.push_back(*id);
        return;
      }
    }
    std::vector<std::string> symbols;
    for (const char& byte : word) symbols.push_back(spell_bytes({&byte, 1}));
    while (true) {
      auto best = ranks_.end();
      std::size_t place = 0;
      for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
        const auto found = ranks_.find(std::pair(symbols[i], symbols[i + 1]));
        if (found == ranks_.end()) continue;
        if (best == ranks_.end() || found->second < best->second) {
          best = found;
          place = i;
        }
      }
      if (best == ranks_.end()) break;
      symbols[place] += symbols[place + 1];
      symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(place) + 1);
    }
    for (const std::string& symbol : symbols) ids.push_back(*tokenizer_.find(symbol));
  }

  const Tokenizer& tokenizer_;
  const PreTokenizer& pre_;
  std::map<std::pair<std::string, std::string>, int> ranks_;
};

void set_speed(benchmark::State& state, std::size_t n_bytes, std::size_t n_tokens) {
  state.SetBytesProcessed(static_cast<std::int64_t>(n_bytes) * state.iterations());
  state.counters["tokens_per_s"] = benchmark::Counter(
      static_cast<double>(n_tokens), benchmark::Counter::kIsIterationInvariantRate);
}

void encode(benchmark::State& state, const std::string& name) {
  const GgufFile file = GgufFile::open(path_of(name));
  const Tokenizer tokenizer = Tokenizer::from_gguf(file);
  const std::string text = text_for(tokenizer);
  const std::string_view sample = std::string_view(text).substr(0, 1 << 16);
  if (tokenizer.kind() == TokenizerKind::kBpe &&
      NaiveBpe(file, tokenizer).encode(sample) != tokenizer.encode(sample, kPlain)) {
    state.SkipWithError("the naive twin gives other ids");
    return;
  }
  std::size_t n_tokens = 0;
  for (auto _ : state) n_tokens = tokenizer.encode(text, kPlain).size();
  set_speed(state, text.size(), n_tokens);
}

void encode_naively(benchmark::State& state, const std::string& name) {
  const GgufFile file = GgufFile::open(path_of(name));
  const Tokenizer tokenizer = Tokenizer::from_gguf(file);
  const NaiveBpe twin(file, tokenizer);
  const std::string text = text_for(tokenizer).substr(0, 1 << 18);
  std::size_t n_tokens = 0;
  for (auto _ : state) n_tokens = twin.encode(text).size();
  set_speed(state, text.size(), n_tokens);
}

// A megabyte without a space: one word of a million letters.
void encode_one_word(benchmark::State& state, const std::string& name) {
  const Tokenizer tokenizer = Tokenizer::from_gguf(GgufFile::open(path_of(name)));
  std::mt19937 random(2);
  std::string text;
  for (int i = 0; i < 1'000'000; ++i) text.push_back(static_cast<char>('a' + random() % 26));
  std::size_t n_tokens = 0;
  for (auto _ : state) n_tokens = tokenizer.encode(text, kPlain).size();
  set_speed(state, text.size(), n_tokens);
}

// Opening the file and building the tokenizer.
void load(benchmark::State& state, const std::string& name) {
  for (auto _ : state) {
    const Tokenizer tokenizer = Tokenizer::from_gguf(GgufFile::open(path_of(name)));
    benchmark::DoNotOptimize(tokenizer.n_tokens());
  }
}

void add_benchmarks(const std::string& name, bool is_bpe) {
  const auto add = [&](const char* what, auto function) {
    benchmark::RegisterBenchmark((std::string(what) + "/" + name).c_str(), function, name)
        ->Unit(benchmark::kMillisecond);
  };
  add("load", load);
  add("encode", encode);
  if (is_bpe) add("encode_naively", encode_naively);
  add("encode_one_word", encode_one_word);
}

}  // namespace
}  // namespace galley

int main(int argc, char** argv) {
  using namespace galley;
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("compiler", __VERSION__);
  for (const auto& [name, is_bpe] :
       {std::pair("llama-bpe", true), {"qwen2", true}, {"gpt-2", true}, {"llama-spm", false}}) {
    if (!std::filesystem::exists(path_of(name))) {
      std::fprintf(stderr, "no vocabulary at %s; set GALLEY_CONFORMANCE\n", path_of(name).c_str());
      return 1;
    }
    add_benchmarks(name, is_bpe);
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
