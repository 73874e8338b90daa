// The program `galley`: finds the command, reads its flags, runs it, and turns whatever goes
// wrong into one line on stderr and an exit code.
//
//   0 success, 1 other failure, 2 usage, 3 bad model file, 4 out of memory,
//   5 context exceeded, 130 Ctrl-C
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "model/session.h"
#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/interrupt.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

constexpr int kInterrupted = 130;

std::string overview() {
  std::string text =
      "Galley runs language models from GGUF files on the CPU, with nothing hidden.\n"
      "\n"
      "Usage: galley COMMAND [FLAGS]\n"
      "\n"
      "Commands:\n";
  for (const Command& command : all_commands())
    text += format("  %-12s %s\n", command.name, command.summary);
  return text +
         "\n"
         "galley COMMAND --help tells the flags of a command; galley --version the version.\n"
         "\n"
         "Examples:\n"
         "  galley run -m model.gguf -p \"Once upon a time\"\n"
         "  galley inspect model.gguf\n";
}

const Command& find_command(const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : all_commands()) {
    if (name == command.name) return command;
    names.push_back(command.name);
  }
  throw Error(ErrorKind::kUsage, "there is no command " + in_quotes(name) +
                                     suggestion(name, names) + "; 'galley --help' lists them");
}

void run(std::vector<std::string> words) {
  // `galley help run` is `galley run --help`.
  if (!words.empty() && words[0] == "help") {
    words.erase(words.begin());
    words.resize(std::min<std::size_t>(words.size(), 1));
    words.push_back("--help");
  }
  if (words.empty()) throw Error(ErrorKind::kUsage, "no command; 'galley --help' lists them");
  if (words[0] == "--help" || words[0] == "-h") return write_out(overview());
  if (words[0] == "--version") return write_out("galley " GALLEY_VERSION "\n");
  if (words[0][0] == '-')
    throw Error(ErrorKind::kUsage, "expected a command before " + in_quotes(words[0]) +
                                       "; 'galley --help' lists them");

  const Command& command = find_command(words[0]);
  words.erase(words.begin());
  CommandLine line(command.name, command.summary);
  const std::function<void()> action = command.set_up(line);
  if (line.parse(words)) action();
}

int fail(int exit_code, std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::fprintf(stderr, "galley: %s\n", message.c_str());
  return exit_code;
}

int run_and_catch(const std::vector<std::string>& words) {
  try {
    run(words);
    flush_out();
    return 0;
  } catch (const Error& e) {
    return fail(e.exit_code(), e.what());
  } catch (const Cancelled&) {
    return kInterrupted;
  } catch (const ReaderGone&) {
    return 0;  // it has read what it wanted
  } catch (const std::bad_alloc&) {
    return fail(
        static_cast<int>(ErrorKind::kOutOfMemory),
        "out of memory; a smaller --ctx-size or --batch-size, or a smaller model, needs less");
  } catch (const std::exception& e) {
    return fail(static_cast<int>(ErrorKind::kFailure), e.what());
  }
}

// If the caller closed a standard stream, the next file we open would take its place, and text
// meant for the terminal would end up in a model. So the places are filled: writing to a closed
// stdout is an error then, to a closed stderr nothing.
void fill_closed_streams() {
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) != -1) continue;
    if (open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd) std::_Exit(1);
  }
}

}  // namespace
}  // namespace galley::tools

int main(int argc, char** argv) {
  galley::tools::fill_closed_streams();
  // A closed pipe and a file that may not grow are errors of write(), handled there.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  galley::tools::catch_interrupts();
  const int exit_code = galley::tools::run_and_catch({argv + std::min(argc, 1), argv + argc});
  // What is still buffered after a failure is worth showing; after success all is flushed.
  std::fflush(stdout);
  return exit_code;
}
