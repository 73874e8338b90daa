#include "tests/tools/galley_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <stdexcept>

extern char** environ;

namespace galley::test {
namespace {

constexpr double kTimeLimit_s = 60;

// A pipe whose ends close by themselves.
struct Pipe {
  Pipe() {
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  }
  ~Pipe() { close_end(0), close_end(1); }
  void close_end(int i) {
    if (ends[i] >= 0) ::close(std::exchange(ends[i], -1));
  }
  int ends[2] = {-1, -1};
};

void limit(int resource, std::int64_t value) {
  if (value <= 0) return;
  const rlimit both{static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
  setrlimit(static_cast<__rlimit_resource>(resource), &both);
}

// In the child: becomes the program.
[[noreturn]] void become_galley(const Invocation& invocation, std::vector<char*> arguments,
                                std::vector<char*> environment, const Pipe& in, const Pipe& out,
                                const Pipe& err) {
  dup2(in.ends[0], STDIN_FILENO);
  dup2(out.ends[1], STDOUT_FILENO);
  dup2(err.ends[1], STDERR_FILENO);
  if (invocation.close_stdout) ::close(STDOUT_FILENO);
  limit(RLIMIT_FSIZE, invocation.max_file_bytes);
  limit(RLIMIT_AS, invocation.max_address_bytes);
  execve(GALLEY_BINARY, arguments.data(), environment.data());
  _exit(127);
}

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Feeds stdin and collects stdout and stderr until both are closed.
void talk(const Invocation& invocation, pid_t child, Pipe& in, Pipe& out, Pipe& err,
          Outcome& outcome) {
  const double start = now_s();
  std::size_t fed = 0;
  bool interrupted = false;
  fcntl(in.ends[1], F_SETFL, O_NONBLOCK);
  while (out.ends[0] >= 0 || err.ends[0] >= 0) {
    if (fed == invocation.input.size()) in.close_end(1);
    pollfd fds[3] = {{in.ends[1], POLLOUT, 0}, {out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}};
    poll(fds, 3, 20);
    if (fds[0].revents != 0) {
      const ssize_t n =
          write(in.ends[1], invocation.input.data() + fed, invocation.input.size() - fed);
      fed = n < 0 ? invocation.input.size() : fed + static_cast<std::size_t>(n);
    }
    char buffer[1 << 16];
    const auto drain = [&](int i, Pipe& pipe, std::string& text) {
      if (fds[i].revents == 0) return;
      const ssize_t n = read(pipe.ends[0], buffer, sizeof buffer);
      if (n > 0) text.append(buffer, static_cast<std::size_t>(n));
      if (n <= 0) pipe.close_end(0);
    };
    drain(1, out, outcome.out);
    drain(2, err, outcome.err);
    const std::int64_t enough = invocation.stop_reading_after;
    if (enough > 0 && static_cast<std::int64_t>(outcome.out.size()) >= enough) out.close_end(0);
    const double elapsed = now_s() - start;
    if (invocation.interrupt_after_s > 0 && elapsed > invocation.interrupt_after_s &&
        !interrupted) {
      kill(child, SIGINT);
      interrupted = true;
    }
    if (elapsed > kTimeLimit_s) {
      kill(child, SIGKILL);
      outcome.err += "\n[the test's time limit]\n";
      return;
    }
  }
}

}  // namespace

std::size_t Outcome::n_error_lines() const {
  return static_cast<std::size_t>(std::count(err.begin(), err.end(), '\n'));
}

Outcome run_galley(const Invocation& invocation) {
  signal(SIGPIPE, SIG_IGN);
  std::vector<std::string> words = {"galley"};
  words.insert(words.end(), invocation.arguments.begin(), invocation.arguments.end());
  std::vector<std::string> variables;
  for (char** v = environ; *v; ++v)
    if (!std::string_view(*v).starts_with("GALLEY_")) variables.emplace_back(*v);
  for (const auto& [name, value] : invocation.environment) variables.push_back(name + "=" + value);
  const auto pointers = [](std::vector<std::string>& strings) {
    std::vector<char*> all;
    for (std::string& s : strings) all.push_back(s.data());
    all.push_back(nullptr);
    return all;
  };
  const std::vector<char*> arguments = pointers(words), environment = pointers(variables);

  Pipe in, out, err;
  Outcome outcome;
  const double start = now_s();
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) become_galley(invocation, arguments, environment, in, out, err);
  in.close_end(0), out.close_end(1), err.close_end(1);
  talk(invocation, child, in, out, err, outcome);

  int status = 0;
  rusage usage{};
  wait4(child, &status, 0, &usage);
  outcome.seconds = now_s() - start;
  outcome.peak_bytes = static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return outcome;
}

Outcome run_galley(std::vector<std::string> arguments, std::string input) {
  Invocation invocation;
  invocation.arguments = std::move(arguments);
  invocation.input = std::move(input);
  return run_galley(invocation);
}

}  // namespace galley::test
