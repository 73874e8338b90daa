#include "tools/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

// "-m,--model" as "--model".
std::string long_name(const std::string& names) {
  const std::size_t at = names.find("--");
  return at == std::string::npos ? names : names.substr(at);
}

// The environment variable of "model": "GALLEY_MODEL".
std::string environment_name(const std::string& long_name) {
  std::string name = "GALLEY_";
  for (char c : long_name) {
    if (c == '-') {
      name += '_';
    } else {
      name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
  }
  return name;
}

// 0.95 rather than 0.949999988.
std::string shown(float value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", static_cast<double>(value));
  return text;
}

std::string with_default(const std::string& help, const std::string& value) {
  return value.empty() ? help : help + " (default " + value + ")";
}

}  // namespace

struct CommandLine::Impl {
  Impl(const std::string& name, const std::string& summary)
      : command(name), app(summary, "galley " + name) {
    app.allow_extras();  // reported by reject_unknown, with a suggestion
    app.set_help_flag("-h,--help", "show this help");
  }

  // Every value comes in as text, so that messages about it are ours.
  CLI::Option* option(const std::string& names, const std::string& value, const std::string& help,
                      std::function<void(const std::string&)> set) {
    return app.add_option_function<std::string>(names, std::move(set), help)
        ->type_name(value)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }

  void reject_unknown() const {
    const std::vector<std::string> extra = app.remaining();
    if (extra.empty()) return;
    const std::string word = extra.front().substr(0, extra.front().find('='));
    if (word.size() < 2 || word[0] != '-')
      throw Error(ErrorKind::kUsage, "unexpected argument " + in_quotes(word) + hint());
    std::vector<std::string> known;
    for (const CLI::Option* o : app.get_options())
      for (const std::string& name : o->get_lnames()) known.push_back("--" + name);
    throw Error(ErrorKind::kUsage,
                "unknown flag " + in_quotes(word) + suggestion(word, known) + hint());
  }

  // Of every group of alternatives at most one is given.
  void check_alternatives() const {
    for (const std::vector<CLI::Option*>& group : alternatives) {
      const CLI::Option* first = nullptr;
      for (const CLI::Option* o : group) {
        if (o->count() == 0) continue;
        if (first)
          throw Error(ErrorKind::kUsage, first->get_name() + " and " + o->get_name() +
                                             " cannot be given together" + hint());
        first = o;
      }
    }
  }

  // Whether an alternative to `option` is given.
  bool is_excluded(const CLI::Option* option) const {
    for (const std::vector<CLI::Option*>& group : alternatives) {
      if (std::find(group.begin(), group.end(), option) == group.end()) continue;
      for (const CLI::Option* o : group)
        if (o->count() > 0) return true;
    }
    return false;
  }

  // Flags that are absent take the value of their environment variable.
  void read_environment() {
    for (CLI::Option* o : app.get_options()) {
      if (o->count() > 0 || o->get_lnames().empty() || o->get_lnames().front() == "help") continue;
      if (is_excluded(o)) continue;
      const std::string name = environment_name(o->get_lnames().front());
      const char* value = std::getenv(name.c_str());
      if (!value || !*value) continue;
      try {
        o->add_result(value);
        o->run_callback();
      } catch (const std::exception& e) {
        throw Error(ErrorKind::kUsage, "environment variable " + name + ": " + e.what());
      }
    }
  }

  std::string hint() const { return "; see 'galley " + command + " --help'"; }

  std::string command;
  CLI::App app;
  std::vector<std::vector<CLI::Option*>> alternatives;
};

CommandLine::CommandLine(const std::string& command, const std::string& summary)
    : impl_(std::make_unique<Impl>(command, summary)) {}
CommandLine::~CommandLine() = default;

void CommandLine::flag(const std::string& names, bool& target, const std::string& help) {
  impl_->app.add_flag_function(
      names, [&target](std::int64_t n) { target = n > 0; }, help);
}

void CommandLine::text(const std::string& names, std::string& target, const std::string& value,
                       const std::string& help) {
  impl_->option(names, value, with_default(help, target),
                [&target](const std::string& s) { target = s; });
}

void CommandLine::text(const std::string& names, std::optional<std::string>& target,
                       const std::string& value, const std::string& help) {
  impl_->option(names, value, help, [&target](const std::string& s) { target = s; });
}

void CommandLine::texts(const std::string& names, std::vector<std::string>& target,
                        const std::string& value, const std::string& help) {
  impl_->app
      .add_option_function<std::vector<std::string>>(
          names, [&target](const std::vector<std::string>& all) { target = all; }, help)
      ->type_name(value)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void CommandLine::integer(const std::string& names, std::int64_t& target, const std::string& help) {
  impl_->option(names, "N", with_default(help, std::to_string(target)),
                [&target, name = long_name(names)](const std::string& s) {
                  target = parse_integer(s, name);
                });
}

void CommandLine::integer(const std::string& names, std::optional<std::int64_t>& target,
                          const std::string& help) {
  impl_->option(names, "N", help, [&target, name = long_name(names)](const std::string& s) {
    target = parse_integer(s, name);
  });
}

void CommandLine::integers(const std::string& names, std::vector<std::int64_t>& target,
                           const std::string& help) {
  std::string value;
  for (std::int64_t n : target) value += (value.empty() ? "" : ",") + std::to_string(n);
  impl_->option(names, "N,...", with_default(help, value),
                [&target, name = long_name(names)](const std::string& s) {
                  target = parse_integers(s, name);
                });
}

void CommandLine::number(const std::string& names, float& target, const std::string& help) {
  impl_->option(names, "X", with_default(help, shown(target)),
                [&target, name = long_name(names)](const std::string& s) {
                  target = static_cast<float>(parse_number(s, name));
                });
}

void CommandLine::argument(const std::string& name, std::string& target, const std::string& help) {
  impl_->option(name, "", help, [&target](const std::string& s) { target = s; })->required();
}

void CommandLine::argument(const std::string& name, std::optional<std::string>& target,
                           const std::string& help) {
  impl_->option(name, "", help, [&target](const std::string& s) { target = s; });
}

void CommandLine::only_one_of(const std::vector<std::string>& names) {
  std::vector<CLI::Option*> group;
  for (const std::string& name : names) group.push_back(impl_->app.get_option(name));
  impl_->alternatives.push_back(std::move(group));
}

void CommandLine::examples(const std::vector<std::string>& lines) {
  std::string footer = "Examples:";
  for (const std::string& line : lines) footer += "\n  galley " + line;
  impl_->app.footer(footer);
}

bool CommandLine::parse(const std::vector<std::string>& words) {
  try {
    impl_->app.parse(std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 wants so
  } catch (const CLI::CallForHelp&) {
    write_out(impl_->app.help());
    return false;
  } catch (const CLI::ParseError& e) {
    impl_->reject_unknown();  // the more helpful message, where there is one
    throw Error(ErrorKind::kUsage, e.what() + impl_->hint());
  }
  impl_->reject_unknown();
  impl_->check_alternatives();
  impl_->read_environment();
  return true;
}

std::int64_t parse_integer(std::string_view text, const std::string& flag) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw Error(ErrorKind::kUsage, flag + " needs a whole number, not " + in_quotes(text));
  return value;
}

double parse_number(std::string_view text, const std::string& flag) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    throw Error(ErrorKind::kUsage, flag + " needs a number, not " + in_quotes(text));
  return value;
}

std::vector<std::int64_t> parse_integers(std::string_view text, const std::string& flag) {
  std::vector<std::int64_t> values;
  const std::string_view between = ", \t\r\n[]";
  while (true) {
    const std::size_t begin = text.find_first_not_of(between);
    if (begin == std::string_view::npos) return values;
    text.remove_prefix(begin);
    const std::size_t end = std::min(text.find_first_of(between), text.size());
    values.push_back(parse_integer(text.substr(0, end), flag));
    text.remove_prefix(end);
  }
}

}  // namespace galley::tools
