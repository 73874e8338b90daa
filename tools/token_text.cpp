#include "tools/token_text.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "tools/output.h"

namespace galley::tools {

using Json = nlohmann::ordered_json;

std::string escaped(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string hex(std::string_view bytes, const char* separator) {
  std::string text;
  for (char c : bytes)
    text += format("%s%02x", text.empty() ? "" : separator, static_cast<unsigned char>(c));
  return text;
}

std::string merges_text(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options) {
  std::string lines;
  for (const WordSteps& word : tokenizer.explain(text, options)) {
    lines += escaped(word.word) + (word.place.special ? "  special token\n" : "\n");
    std::vector<std::string> symbols = word.symbols;
    const auto add_symbols = [&] {
      for (const std::string& s : symbols) lines.append(" ").append(escaped(s));
      lines += "\n";
    };
    if (!symbols.empty()) {
      lines += "            ";
      add_symbols();
    }
    for (const MergeStep& step : word.merges) {
      symbols[step.index] = step.result;
      symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(step.index) + 1);
      lines += step.rank >= 0 ? format("  rank %-5d", step.rank)
                              : format("  %-10g", static_cast<double>(step.score));
      lines += "=";
      add_symbols();
    }
    lines += "  ids        ";
    for (TokenId id : word.ids) lines += format(" %d", id);
    lines += "\n";
  }
  return lines;
}

Json merges_json(const Tokenizer& tokenizer, std::string_view text, EncodeOptions options) {
  Json words = Json::array();
  for (const WordSteps& word : tokenizer.explain(text, options)) {
    Json merges = Json::array();
    for (const MergeStep& step : word.merges) {
      Json merge = {{"index", step.index}, {"result", step.result}};
      if (step.rank >= 0) merge["rank"] = step.rank;
      if (step.rank < 0) merge["score"] = step.score;
      merges.push_back(std::move(merge));
    }
    words.push_back({{"begin", word.place.begin},
                     {"end", word.place.end},
                     {"word", word.word},
                     {"symbols", word.symbols},
                     {"merges", std::move(merges)},
                     {"ids", word.ids}});
  }
  return words;
}

}  // namespace galley::tools
