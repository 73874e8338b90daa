// The flags and arguments of one subcommand: what a command declares, and how it is read.
//
// Where it sits: galley.cpp makes one for the chosen command, whose set-up function (commands/)
// declares its flags here. The parsing is CLI11's, kept in one file since it is slow to compile.
//
// Every flag `--some-name` can also be given as the environment variable GALLEY_SOME_NAME; what
// is on the command line wins.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace galley::tools {

class CommandLine {
 public:
  CommandLine(const std::string& command, const std::string& summary);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // Flags. `names` is "-m,--model"; `value` is what the help calls the value, and the default is
  // what the target holds now. The targets must outlive parse().
  void flag(const std::string& names, bool& target, const std::string& help);
  void text(const std::string& names, std::string& target, const std::string& value,
            const std::string& help);
  void text(const std::string& names, std::optional<std::string>& target, const std::string& value,
            const std::string& help);
  // May be given several times.
  void texts(const std::string& names, std::vector<std::string>& target, const std::string& value,
             const std::string& help);
  void integer(const std::string& names, std::int64_t& target, const std::string& help);
  void integer(const std::string& names, std::optional<std::int64_t>& target,
               const std::string& help);
  // Several, separated by commas: 128,512.
  void integers(const std::string& names, std::vector<std::int64_t>& target,
                const std::string& help);
  void number(const std::string& names, float& target, const std::string& help);

  // A positional argument.
  void argument(const std::string& name, std::string& target, const std::string& help);
  void argument(const std::string& name, std::optional<std::string>& target,
                const std::string& help);

  // Of these flags (long names) only one can be given.
  void only_one_of(const std::vector<std::string>& names);
  // What --help ends with: command lines without the "galley " in front.
  void examples(const std::vector<std::string>& lines);

  // Reads the words after the command's name, then the environment. Returns false if help was
  // asked for, which is then on stdout. Throws Error kUsage.
  bool parse(const std::vector<std::string>& words);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The whole of `text` as an integer (or a finite number). Throws Error kUsage naming `flag`.
std::int64_t parse_integer(std::string_view text, const std::string& flag);
double parse_number(std::string_view text, const std::string& flag);
// Integers separated by commas, spaces or both; brackets around them are allowed.
std::vector<std::int64_t> parse_integers(std::string_view text, const std::string& flag);

}  // namespace galley::tools
