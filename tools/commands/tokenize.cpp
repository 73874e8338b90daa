// galley tokenize: text to token ids and back, with the steps in between.
#include <iostream>
#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/output.h"
#include "tools/token_text.h"

namespace galley::tools {
namespace {

using Json = nlohmann::ordered_json;

struct TokenizeOptions {
  ModelOptions model;
  std::optional<std::string> text;
  std::optional<std::string> file;
  bool special = false;
  bool no_bos = false;
  bool merges = false;
  bool decode = false;
  bool jsonl = false;
  bool json = false;
};

bool is_valid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Char c = read_utf8(text, i);
    if (!c.valid) return false;
    i += c.size;
  }
  return true;
}

std::string input_text(const TokenizeOptions& options) {
  if (options.text) return *options.text;
  if (!options.file && stdin_is_terminal())
    throw Error(ErrorKind::kUsage, "no text; give it as an argument, with -f FILE or on stdin");
  return read_file(options.file.value_or("-"));
}

void print_tokens(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  const Style style = stdout_style();
  for (TokenId id : ids) {
    const std::string_view piece = tokenizer.piece(id);
    write_out(format("%7d  ", id));
    write_out(style.bold);
    write_out(escaped(piece));
    write_out(style.reset);
    write_out("  ");
    write_out(style.dim);
    write_out(hex(piece, " "));
    write_out(style.reset);
    write_out("\n");
  }
}

void encode(const TokenizeOptions& options, const Tokenizer& tokenizer) {
  const std::string text = input_text(options);
  const EncodeOptions how{.add_special = !options.no_bos, .parse_special = options.special};
  const std::vector<TokenId> ids = tokenizer.encode(text, how);
  if (!options.json) {
    if (options.merges) return write_out(merges_text(tokenizer, text, how));
    return print_tokens(tokenizer, ids);
  }
  Json tokens = Json::array();
  for (TokenId id : ids) {
    const std::string_view piece = tokenizer.piece(id);
    tokens.push_back({{"id", id}, {"text", piece}, {"bytes", hex(piece, "")}});
  }
  Json result = {{"ids", ids}, {"tokens", std::move(tokens)}};
  if (options.merges) result["words"] = merges_json(tokenizer, text, how);
  write_json(result);
}

void decode(const TokenizeOptions& options, const Tokenizer& tokenizer) {
  std::vector<TokenId> ids;
  for (std::int64_t id : parse_integers(input_text(options), "--decode")) {
    if (id < 0 || id >= tokenizer.n_tokens())
      throw Error(ErrorKind::kUsage, "--decode: " + std::to_string(id) +
                                         " is not in the vocabulary of " +
                                         std::to_string(tokenizer.n_tokens()) + " tokens");
    ids.push_back(static_cast<TokenId>(id));
  }
  const std::string text = tokenizer.decode(ids);
  if (options.json) return write_json({{"text", text}});
  write_out(text);
  if (stdout_is_terminal()) write_out("\n");
}

// One answer for each line {"text": ..., "add_special": ..., "parse_special": ...}.
void answer_lines(const TokenizeOptions& options, const Tokenizer& tokenizer) {
  std::string line;
  for (std::int64_t n = 1; std::getline(std::cin, line); ++n) {
    if (line.empty()) continue;
    const Json request = Json::parse(line, nullptr, false);
    if (!request.is_object() || !request.contains("text") || !request["text"].is_string())
      throw Error(ErrorKind::kUsage, "--jsonl: line " + std::to_string(n) +
                                         " of stdin is no JSON object with a \"text\"");
    const auto is_set = [&](const char* key, bool fallback) {
      const auto found = request.find(key);
      return found != request.end() && found->is_boolean() ? found->get<bool>() : fallback;
    };
    const std::vector<TokenId> ids =
        tokenizer.encode(request["text"].get_ref<const std::string&>(),
                         {.add_special = is_set("add_special", !options.no_bos),
                          .parse_special = is_set("parse_special", options.special)});
    const std::string text = tokenizer.decode(ids);
    Json answer = {{"ids", ids}};
    if (is_valid_utf8(text)) answer["detokenized"] = text;
    if (!is_valid_utf8(text)) answer["detokenized_hex"] = hex(text, "");
    write_json(answer);
  }
}

void tokenize(const TokenizeOptions& options) {
  const GgufFile file = options.model.need_file();
  const Tokenizer tokenizer = Tokenizer::from_gguf(file);
  for (const std::string& line : tokenizer.warnings()) warn(line);
  if (!tokenizer.has_vocab())
    throw Error(ErrorKind::kUsage, file.path() + ": the model has no tokenizer");
  if (options.jsonl) return answer_lines(options, tokenizer);
  if (options.decode) return decode(options, tokenizer);
  encode(options, tokenizer);
}

}  // namespace

Action set_up_tokenize(CommandLine& line) {
  auto o = std::make_shared<TokenizeOptions>();
  line.argument("TEXT", o->text, "the text, or with --decode the ids; stdin if not given");
  o->model.add_to(line);
  line.text("-f,--file", o->file, "FILE", "a file with the text, -: stdin");
  line.flag("--special", o->special, "the text of special tokens, such as </s>, becomes the token");
  line.flag("--no-bos", o->no_bos, "do not add the tokens that begin and end a text");
  line.flag("--merges", o->merges, "show how each word is put together");
  line.flag("--decode", o->decode, "from ids to text");
  line.flag("--jsonl", o->jsonl,
            "answer each line {\"text\", \"add_special\", \"parse_special\"} of stdin\n"
            "with a line {\"ids\", \"detokenized\"}");
  line.flag("--json", o->json, "print one JSON object");
  line.only_one_of({"TEXT", "--file", "--jsonl"});
  line.only_one_of({"--decode", "--merges", "--jsonl"});
  line.examples({"tokenize -m model.gguf \"Once upon a time\"",
                 "tokenize -m model.gguf --decode \"1,403,407,261,378\""});
  return [o] { tokenize(*o); };
}

}  // namespace galley::tools
