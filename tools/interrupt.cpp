#include "tools/interrupt.h"

#include <unistd.h>

#include <csignal>

#include "model/session.h"

namespace galley::tools {
namespace {

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set by a signal handler");

void on_interrupt(int) {
  if (interrupted.exchange(true)) _exit(130);
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0;  // no SA_RESTART: waiting for input ends too
  sigaction(SIGINT, &action, nullptr);
}

std::atomic<bool>& interrupt_flag() { return interrupted; }

void check_interrupt() {
  if (interrupted) throw Cancelled{};
}

}  // namespace galley::tools
