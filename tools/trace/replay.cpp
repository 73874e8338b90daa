#include "tools/trace/replay.h"

#include <algorithm>
#include <sstream>

#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/output.h"
#include "tools/token_text.h"

namespace galley::trace {
namespace {

using tools::format;

constexpr const char* kHelp =
    "where                the op and the tokens it ran\n"
    "list                 the ops of this layer\n"
    "tokens               the text, token by token\n"
    "step [N], back [N]   ops forward and back\n"
    "next                 to the next layer\n"
    "token                to the next pass\n"
    "go NAME              to an op of this pass\n"
    "why                  what the op is for\n"
    "print NAME[R, C]     kept numbers, with slices: print q[3, :8]\n"
    "stats [NAME]         least, greatest, mean and RMS of all numbers\n"
    "attention [HEAD]     where the last token of this pass looks\n"
    "lens                 what the model would say after each layer\n"
    "sampler              how the next token was chosen\n"
    "explain              the number of this op that was re-derived\n"
    "quit\n";

std::int64_t number(const std::vector<std::string>& words, std::size_t i, std::int64_t fallback) {
  if (i >= words.size()) return fallback;
  const std::string& word = words[i];
  if (word.empty() || word.size() > 9 || word.find_first_not_of("0123456789") != std::string::npos)
    throw Error(ErrorKind::kUsage, in_quotes(word) + " is no number");
  return std::stoll(word);
}

}  // namespace

Replay::Replay(std::string_view text, std::string name) : name_(std::move(name)) {
  trace_ = Json::parse(text, nullptr, false);
  if (trace_.is_discarded()) damaged("it is no JSON");
  try {
    if (!trace_.is_object() || trace_.at("format") != "galley-trace")
      damaged("its 'format' is not galley-trace");
    if (trace_.at("version") != 1)
      damaged("its 'version' is " + trace_.at("version").dump() + ", this program reads 1");
    for (const char* key : {"tokens", "ops", "passes"})
      if (!trace_.at(key).is_array() || trace_.at(key).empty())
        damaged(std::string("'") + key + "' is no list, or empty");
    for (const Json& p : trace_["passes"])
      if (p.at("ops").size() != trace_["ops"].size()) damaged("a pass has another number of ops");
  } catch (const Json::exception& e) {
    damaged(e.what());
  }
}

void Replay::damaged(const std::string& what) const {
  throw Error(ErrorKind::kFailure,
              name_ + ": not a trace: " + what + "; make one with galley trace -o trace.json");
}

Replay::Reply Replay::execute(std::string_view line) {
  std::istringstream in{std::string(line)};
  Words words;
  for (std::string word; in >> word;) words.push_back(word);
  Reply reply;
  if (words.empty() || words[0].starts_with('#')) return reply;
  const std::string command = words[0];
  words.erase(words.begin());
  try {
    reply.text = run(command, words, reply.is_over);
  } catch (const Json::exception& e) {
    damaged(e.what());
  }
  return reply;
}

std::string Replay::run(const std::string& command, const Words& words, bool& is_over) {
  const auto rest = [&] {
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
  };
  if (command == "help") return kHelp;
  if (command == "quit") {
    is_over = true;
    return "";
  }
  if (command == "list") return list();
  if (command == "tokens") return tokens();
  if (command == "why") return why();
  if (command == "print") return print(rest());
  if (command == "stats") return stats(rest());
  if (command == "attention") return attention(words);
  if (command == "lens") return lens();
  if (command == "sampler") return sampler();
  if (command == "explain") return explain();
  if (command == "step")
    move(number(words, 0, 1));
  else if (command == "back")
    move(-number(words, 0, 1));
  else if (command == "next")
    next_layer();
  else if (command == "token")
    next_token();
  else if (command == "go")
    go_to(rest());
  else if (command != "where")
    throw Error(ErrorKind::kUsage,
                "a replay has no command " + in_quotes(command) + "; help lists them");
  return position();
}

void Replay::move(std::int64_t n_ops) {
  const auto per_pass = static_cast<std::int64_t>(trace_.at("ops").size());
  const auto n_passes = static_cast<std::int64_t>(trace_.at("passes").size());
  const std::int64_t here =
      static_cast<std::int64_t>(pass_) * per_pass + static_cast<std::int64_t>(op_);
  const std::int64_t there = std::clamp<std::int64_t>(here + n_ops, 0, n_passes * per_pass - 1);
  pass_ = static_cast<std::size_t>(there / per_pass);
  op_ = static_cast<std::size_t>(there % per_pass);
}

void Replay::next_layer() {
  for (std::size_t i = op_ + 1; i < trace_.at("ops").size(); ++i)
    if (op(i).at("layer") != op(op_).at("layer")) {
      op_ = i;
      return;
    }
  next_token();
}

void Replay::next_token() {
  if (pass_ + 1 == trace_.at("passes").size())
    throw Error(ErrorKind::kUsage, "this is the last pass of the trace");
  ++pass_;
  op_ = 0;
}

void Replay::go_to(const std::string& name) { op_ = find_op(name); }

std::size_t Replay::find_op(const std::string& name) const {
  const auto& ops = trace_.at("ops");
  const auto layer = op(op_).at("layer").get<std::int64_t>();
  const std::string in_layer =
      "blk." + std::to_string(std::max<std::int64_t>(layer, 0)) + "." + name;
  for (const std::string& wanted : {name, in_layer})
    for (std::size_t i = 0; i < ops.size(); ++i)
      if (ops[i].at("name") == wanted) return i;
  throw Error(ErrorKind::kUsage, "the trace has no value " + in_quotes(name) + "; list shows them");
}

std::string Replay::position() const {
  const auto first = pass().at("first_position").get<std::int64_t>();
  const auto n = pass().at("n_tokens").get<std::int64_t>();
  std::string text;
  for (std::int64_t p = first; p < first + n && p < first + 6; ++p)
    text += token_text(trace_.at("tokens").at(static_cast<std::size_t>(p)).at("id"));
  return format("op %zu of %zu, %s, of %s %lld to %lld: %s\n", op_ + 1, trace_.at("ops").size(),
                op(op_).at("name").get<std::string>().c_str(), n > 1 ? "tokens" : "token",
                static_cast<long long>(first), static_cast<long long>(first + n - 1),
                (tools::escaped(text) + (n > 6 ? " ..." : "")).c_str());
}

std::string Replay::token_text(const Json& id) const {
  const auto& vocabulary = trace_.at("vocabulary");
  const auto found = vocabulary.find(id.dump());
  return found == vocabulary.end() ? "#" + id.dump() : found->get<std::string>();
}

std::string Replay::list() const {
  std::string text;
  for (std::size_t i = 0; i < trace_.at("ops").size(); ++i) {
    if (op(i).at("layer") != op(op_).at("layer")) continue;
    text +=
        format("%s %3zu  %-24s %-18s %8.1f us\n", i == op_ ? ">" : " ", i + 1,
               op(i).at("name").get<std::string>().c_str(),
               op(i).at("kind").get<std::string>().c_str(), op_run(i).at("ns").get<double>() / 1e3);
  }
  return text;
}

std::string Replay::tokens() const {
  std::string text;
  for (const Json& token : trace_.at("tokens"))
    text += format("%4lld %7lld  %-7s %s\n", token.at("position").get<long long>(),
                   token.at("id").get<long long>(), token.at("from").get<std::string>().c_str(),
                   tools::escaped(token.at("text").get<std::string>()).c_str());
  return text;
}

std::string Replay::why() const {
  const Json& o = op(op_);
  std::string inputs;
  for (const Json& input : o.at("inputs")) inputs += " " + input.get<std::string>();
  std::string weight;
  if (o.contains("weight"))
    weight = "weight   " + o["weight"].at("name").get<std::string>() + " " +
             o["weight"].at("type").get<std::string>() + "\n";
  return o.at("kind").get<std::string>() + ": " + o.at("formula").get<std::string>() + "\n" +
         "inputs  " + (inputs.empty() ? " token ids" : inputs) + "\n" + weight +
         o.at("purpose").get<std::string>() + "\n";
}

}  // namespace galley::trace
