#include "tokenizer/chat_template/parser.h"

#include <initializer_list>

namespace galley::chat {

const Token& TokenStream::take() {
  const Token& token = tokens_[at_];
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool TokenStream::skip_operator(const char* text) {
  if (!at_operator(text)) return false;
  take();
  return true;
}

bool TokenStream::skip_name(const char* text) {
  if (!at_name(text)) return false;
  take();
  return true;
}

void TokenStream::expect_operator(const char* text) {
  if (!skip_operator(text)) fail_expected(std::string("'") + text + "'");
}

void TokenStream::expect_name(const char* text) {
  if (!skip_name(text)) fail_expected(std::string("'") + text + "'");
}

std::string TokenStream::expect_identifier() {
  if (!at(TokenKind::kName)) fail_expected("a name");
  return take().text;
}

void TokenStream::expect(TokenKind kind, const char* what) {
  if (!at(kind)) fail_expected(what);
  take();
}

void TokenStream::fail(const std::string& message) const { throw Fault(message, current().at); }

void TokenStream::fail_expected(const std::string& what) const {
  fail("expected " + what + ", got " + describe(current()));
}

DepthGuard::DepthGuard(TokenStream& tokens) : tokens_(tokens) {
  if (tokens.depth >= kMaxParseDepth) {
    tokens.fail("the template is nested more than " + std::to_string(kMaxParseDepth) + " deep");
  }
  ++tokens_.depth;
}

namespace {

using Ends = std::initializer_list<const char*>;

// The rules of statements.
class StatementParser {
 public:
  explicit StatementParser(TokenStream& tokens) : tokens_(tokens), expressions_(tokens) {}

  Block whole_template() {
    Block body = statements({});
    return body;
  }

 private:
  template <typename Node>
  static void add(Block& block, Position at, Node node) {
    block.push_back(std::make_unique<Stmt>(Stmt{at, std::move(node)}));
  }

  // Up to a tag that begins with one of `ends`, whose name is then the current token; to the
  // end of the template if there are none.
  Block statements(Ends ends) {
    const DepthGuard guard(tokens_);
    Block block;
    while (!tokens_.at(TokenKind::kEnd)) {
      const Token& token = tokens_.take();
      if (token.kind == TokenKind::kText) {
        add(block, token.at, Literal{token.text});
      } else if (token.kind == TokenKind::kVariableBegin) {
        Output output;
        output.values.push_back(expressions_.tuple());
        add(block, token.at, std::move(output));
        tokens_.expect(TokenKind::kVariableEnd, "'}}'");
      } else {
        for (const char* end : ends) {
          if (tokens_.at_name(end)) return block;
        }
        statement(block, ends);
        tokens_.expect(TokenKind::kBlockEnd, "'%}'");
      }
    }
    if (ends.size() != 0) tokens_.fail_expected("{% " + list(ends) + " %}");
    return block;
  }

  static std::string list(Ends ends) {
    std::string text;
    for (const char* end : ends) text += (text.empty() ? "" : " or ") + std::string(end);
    return text;
  }

  // The body of a block after its opening tag; then the current token is one of `ends`.
  Block body(Ends ends) {
    tokens_.skip_operator(":");
    tokens_.expect(TokenKind::kBlockEnd, "'%}'");
    return statements(ends);
  }

  Block body_to(const char* end) {
    Block block = body({end});
    tokens_.take();
    return block;
  }

  void statement(Block& block, Ends ends) {
    const Position at = tokens_.current().at;
    const std::string tag = tokens_.expect_identifier();
    if (tag == "if") return add(block, at, if_statement());
    if (tag == "for") return add(block, at, for_statement());
    if (tag == "set") return set_statement(block, at);
    if (tag == "macro") return add(block, at, macro_statement());
    if (tag == "call") return add(block, at, call_block());
    if (tag == "filter") return add(block, at, filter_block());
    if (tag == "with") return add(block, at, with_statement());
    if (tag == "generation") return add(block, at, Scoped{outside_loops("endgeneration"), {}});
    if (tag == "print") return add(block, at, print_statement());
    if (tag == "break" || tag == "continue") {
      if (loop_depth_ == 0) throw Fault("'" + tag + "' outside of a loop", at);
      return tag == "break" ? add(block, at, Break{}) : add(block, at, Continue{});
    }
    for (const char* other : {"extends", "include", "import", "from", "block"}) {
      if (tag == other) {
        throw Fault("{% " + tag + " %} is not supported: a chat template stands alone", at);
      }
    }
    std::string message = "Encountered unknown tag '" + tag + "'.";
    if (ends.size() != 0) message += " Jinja was looking for: " + list(ends) + ".";
    throw Fault(message, at);
  }

  If if_statement() {
    If node;
    do {
      ExprPtr test = expressions_.tuple(false);
      Block block = body({"elif", "else", "endif"});
      node.branches.push_back({std::move(test), std::move(block)});
    } while (tokens_.skip_name("elif"));
    if (tokens_.skip_name("else")) {
      node.otherwise = body({"endif"});
    }
    tokens_.take();
    return node;
  }

  For for_statement() {
    For node;
    node.target = expressions_.target(false, "in");
    tokens_.expect_name("in");
    node.iterable = expressions_.tuple(false, "recursive");
    if (tokens_.skip_name("if")) {
      node.filter = expressions_.expression();
      node.filter_target = node.target;
    }
    node.is_recursive = tokens_.skip_name("recursive");
    ++loop_depth_;
    node.body = body({"endfor", "else"});
    --loop_depth_;
    if (tokens_.skip_name("else")) {
      node.otherwise = body({"endfor"});
    }
    tokens_.take();
    return node;
  }

  void set_statement(Block& block, Position at) {
    Target target = expressions_.target(true);
    if (tokens_.skip_operator("=")) {
      add(block, at, Set{std::move(target), expressions_.tuple()});
      return;
    }
    SetBlock node;
    node.target = std::move(target);
    node.filters = expressions_.filter_chain(false);
    node.body = body_to("endset");
    add(block, at, std::move(node));
  }

  // A body of its own function: a break inside does not reach a loop around it.
  Block outside_loops(const char* end) {
    const int loop_depth = std::exchange(loop_depth_, 0);
    Block block = body_to(end);
    loop_depth_ = loop_depth;
    return block;
  }

  void parameters(MacroDefinition& macro) {
    tokens_.expect_operator("(");
    while (!tokens_.at_operator(")")) {
      Parameter parameter;
      parameter.name = expressions_.target_name().name;
      for (const Parameter& other : macro.parameters) {
        if (other.name == parameter.name) {
          tokens_.fail("parameter '" + parameter.name + "' is given twice");
        }
      }
      if (tokens_.skip_operator("=")) {
        parameter.default_value = expressions_.expression();
      } else if (!macro.parameters.empty() && macro.parameters.back().default_value) {
        tokens_.fail("non-default argument follows default argument");
      }
      macro.parameters.push_back(std::move(parameter));
      if (!tokens_.at_operator(")")) tokens_.expect_operator(",");
    }
    tokens_.take();
  }

  Macro macro_statement() {
    Macro node;
    node.target = expressions_.target_name();
    node.definition = std::make_shared<MacroDefinition>();
    node.definition->name = node.target.name;
    parameters(*node.definition);
    node.definition->body = outside_loops("endmacro");
    return node;
  }

  CallBlock call_block() {
    CallBlock node;
    node.caller = std::make_shared<MacroDefinition>();
    if (tokens_.at_operator("(")) parameters(*node.caller);
    node.call = expressions_.expression();
    if (!std::holds_alternative<Call>(node.call->node)) {
      throw Fault("{% call %} needs a call: {% call macro(...) %}", node.call->at);
    }
    node.caller->body = outside_loops("endcall");
    return node;
  }

  FilterBlock filter_block() {
    FilterBlock node;
    node.filters = expressions_.filter_chain(true);
    node.body = body_to("endfilter");
    return node;
  }

  With with_statement() {
    With node;
    while (!tokens_.at(TokenKind::kBlockEnd)) {
      if (!node.assignments.empty()) tokens_.expect_operator(",");
      Target target = expressions_.target(false);
      tokens_.expect_operator("=");
      node.assignments.emplace_back(std::move(target), expressions_.expression());
    }
    node.body = body_to("endwith");
    return node;
  }

  Output print_statement() {
    Output node;
    while (!tokens_.at(TokenKind::kBlockEnd)) {
      if (!node.values.empty()) tokens_.expect_operator(",");
      node.values.push_back(expressions_.expression());
    }
    return node;
  }

  TokenStream& tokens_;
  ExpressionParser expressions_;
  int loop_depth_ = 0;
};

}  // namespace

Program parse(std::string source, std::string name) {
  if (source.size() > kMaxSourceBytes) {
    throw Fault("the template has " + std::to_string(source.size()) + " bytes, more than " +
                std::to_string(kMaxSourceBytes));
  }
  TokenStream tokens(tokenize(source));
  Program program;
  program.body = StatementParser(tokens).whole_template();
  program.source = std::move(source);
  program.name = std::move(name);
  return program;
}

}  // namespace galley::chat
