#include "tokenizer/chat_template/lexer.h"

#include <string_view>

#include "tokenizer/chat_template/literals.h"
#include "tokenizer/chat_template/text.h"

namespace galley::chat {
namespace {

std::string normalize(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      text += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      text += source[i];
    }
  }
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

class Lexer {
 public:
  explicit Lexer(const std::string& source) : source_(normalize(source)) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) lex_outside();
    emit(TokenKind::kEnd, at_);
    return std::move(tokens_);
  }

 private:
  std::string_view rest(std::size_t at) const { return std::string_view(source_).substr(at); }
  bool looking_at(std::size_t at, std::string_view what) const {
    return rest(at).starts_with(what);
  }

  // REQUIRES: at is not before the last position asked for.
  Position position(std::size_t at) {
    for (; scanned_ < at; scanned_ += decode_at(source_, scanned_).n_bytes) {
      if (source_[scanned_] == '\n') {
        place_ = {place_.line + 1, 1};
      } else {
        ++place_.column;
      }
    }
    return place_;
  }

  Token& emit(TokenKind kind, std::size_t at, std::string text = {}) {
    tokens_.push_back({kind, std::move(text), position(at), 0, 0});
    return tokens_.back();
  }

  std::size_t skip_space(std::size_t at) const {
    while (at < source_.size()) {
      const CodePoint c = decode_at(source_, at);
      if (!is_space(c.value)) break;
      at += c.n_bytes;
    }
    return at;
  }

  // If a tag ends at `at` with `end` ("%}" ...), in any of its forms, the place after it and
  // after the white space that goes with it; else npos.
  std::size_t after_end(std::size_t at, std::string_view end, bool may_keep_newline) const {
    if (looking_at(at, "-") && looking_at(at + 1, end)) return skip_space(at + 1 + end.size());
    const bool trims = end != "}}";
    if (may_keep_newline && looking_at(at, "+") && looking_at(at + 1, end)) {
      return at + 1 + end.size();
    }
    if (!looking_at(at, end)) return std::string::npos;
    at += end.size();
    return trims && looking_at(at, "\n") ? at + 1 : at;
  }

  void continue_at(std::size_t at) {
    line_starting_ = at > 0 && source_[at - 1] == '\n';
    at_ = at;
  }

  // Emits source[at_, tag) without the white space that the tag's sign removes.
  void emit_text(std::size_t tag, char sign, bool is_variable) {
    std::string_view text = rest(at_).substr(0, tag - at_);
    if (sign == '-') {
      text = strip(text, Side::kRight, nullptr);
    } else if (sign != '+' && !is_variable) {
      const std::size_t newline = text.rfind('\n');
      const std::size_t line = newline == std::string_view::npos ? 0 : newline + 1;
      const bool at_line_start = line > 0 || line_starting_;
      if (at_line_start && strip(text.substr(line), Side::kBoth, nullptr).empty()) {
        text = text.substr(0, line);
      }
    }
    if (!text.empty()) emit(TokenKind::kText, at_, std::string(text));
  }

  char sign_at(std::size_t at) const {
    return looking_at(at, "-") ? '-' : looking_at(at, "+") ? '+' : '\0';
  }

  void lex_outside() {
    std::size_t tag = source_.find('{', at_);
    while (tag != std::string::npos && !looking_at(tag, "{%") && !looking_at(tag, "{{") &&
           !looking_at(tag, "{#")) {
      tag = source_.find('{', tag + 1);
    }
    if (tag == std::string::npos) {
      emit(TokenKind::kText, at_, source_.substr(at_));
      at_ = source_.size();
      return;
    }
    const char sign = sign_at(tag + 2);
    const char kind = source_[tag + 1];
    emit_text(tag, sign, kind == '{');
    const std::size_t inside = tag + (sign ? 3 : 2);
    if (kind == '#') return lex_comment(tag, inside);
    if (kind == '%' && lex_raw(tag, inside)) return;
    emit(kind == '{' ? TokenKind::kVariableBegin : TokenKind::kBlockBegin, tag);
    at_ = inside;
    lex_tag(kind == '{');
  }

  void lex_comment(std::size_t tag, std::size_t inside) {
    for (std::size_t at = inside; at < source_.size(); ++at) {
      const std::size_t after = after_end(at, "#}", true);
      if (after != std::string::npos) return continue_at(after);
    }
    throw Fault("missing end of comment: '#}'", position(tag));
  }

  // {% raw %}...{% endraw %}: its body is text, whatever it holds.
  bool lex_raw(std::size_t tag, std::size_t inside) {
    std::size_t at = skip_space(inside);
    if (!looking_at(at, "raw")) return false;
    at = skip_space(at + 3);
    // No newline is dropped after {% raw %}.
    if (looking_at(at, "-%}")) {
      at = skip_space(at + 3);
    } else if (looking_at(at, "%}")) {
      at += 2;
    } else {
      return false;
    }
    continue_at(at);
    for (std::size_t end = source_.find("{%", at_); end != std::string::npos;
         end = source_.find("{%", end + 1)) {
      const char sign = sign_at(end + 2);
      std::size_t word = skip_space(end + (sign ? 3 : 2));
      if (!looking_at(word, "endraw")) continue;
      const std::size_t after = after_end(skip_space(word + 6), "%}", true);
      if (after == std::string::npos) continue;
      emit_text(end, sign, false);
      continue_at(after);
      return true;
    }
    throw Fault("missing end of raw block: {% endraw %}", position(tag));
  }

  void lex_tag(bool is_variable) {
    const std::string_view end = is_variable ? "}}" : "%}";
    const Position begin = tokens_.back().at;
    brackets_.clear();
    while (true) {
      at_ = skip_space(at_);
      if (at_ >= source_.size()) {
        throw Fault(std::string("missing end of tag: '") + std::string(end) + "'", begin);
      }
      const std::size_t after =
          brackets_.empty() ? after_end(at_, end, !is_variable) : std::string::npos;
      if (after != std::string::npos) {
        emit(is_variable ? TokenKind::kVariableEnd : TokenKind::kBlockEnd, at_);
        return continue_at(after);
      }
      if (!lex_number() && !lex_name() && !lex_string()) lex_operator();
    }
  }

  bool lex_number() {
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';  // a.0.5 is two lookups
    std::size_t length = after_dot ? 0 : float_length(rest(at_));
    if (length > 0) {
      Token& token = emit(TokenKind::kFloat, at_, source_.substr(at_, length));
      token.number = float_value(token.text);
    } else {
      length = integer_length(rest(at_));
      if (length == 0) return false;
      Token& token = emit(TokenKind::kInteger, at_, source_.substr(at_, length));
      token.integer = integer_value(token.text, token.at);
    }
    at_ += length;
    return true;
  }

  bool lex_name() {
    std::size_t end = at_;
    while (end < source_.size()) {
      const CodePoint c = decode_at(source_, end);
      if (!continues_identifier(c.value)) break;
      end += c.n_bytes;
    }
    if (end == at_) return false;
    if (!starts_identifier(decode_at(source_, at_).value)) {
      throw Fault("invalid character in a name", position(at_));
    }
    emit(TokenKind::kName, at_, source_.substr(at_, end - at_));
    at_ = end;
    return true;
  }

  bool lex_string() {
    const char quote = source_[at_];
    if (quote != '\'' && quote != '"') return false;
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) throw Fault("a string is not closed", position(at_));
    const Position place = position(at_);
    emit(TokenKind::kString, at_, string_value(rest(at_ + 1).substr(0, end - at_ - 1), place));
    at_ = end + 1;
    return true;
  }

  void lex_operator() {
    constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                               "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                               ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    for (std::string_view op : kOperators) {
      if (!looking_at(at_, op)) continue;
      balance(op[0]);
      emit(TokenKind::kOperator, at_, std::string(op));
      at_ += op.size();
      return;
    }
    const std::size_t n_bytes = decode_at(source_, at_).n_bytes;
    throw Fault("unexpected character '" + source_.substr(at_, n_bytes) + "'", position(at_));
  }

  void balance(char c) {
    if (c == '(') brackets_ += ')';
    if (c == '[') brackets_ += ']';
    if (c == '{') brackets_ += '}';
    if (c != ')' && c != ']' && c != '}') return;
    if (brackets_.empty()) throw Fault(std::string("unexpected '") + c + "'", position(at_));
    if (brackets_.back() != c) {
      throw Fault(std::string("unexpected '") + c + "', expected '" + brackets_.back() + "'",
                  position(at_));
    }
    brackets_.pop_back();
  }

  std::string source_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  bool line_starting_ = true;
  std::string brackets_;  // closing brackets that are still to come, innermost last
  std::size_t scanned_ = 0;
  Position place_{1, 1};
};

}  // namespace

std::string describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::kText:
      return "text";
    case TokenKind::kVariableBegin:
      return "'{{'";
    case TokenKind::kVariableEnd:
      return "'}}'";
    case TokenKind::kBlockBegin:
      return "'{%'";
    case TokenKind::kBlockEnd:
      return "'%}'";
    case TokenKind::kString:
      return "a string";
    case TokenKind::kName:
    case TokenKind::kInteger:
    case TokenKind::kFloat:
    case TokenKind::kOperator:
      return "'" + token.text + "'";
    case TokenKind::kEnd:
      return "the end of the template";
  }
  return token.text;
}

std::vector<Token> tokenize(const std::string& source) { return Lexer(source).run(); }

}  // namespace galley::chat
