// Ctrl-C: the running command ends at the next good moment, with exit code 130.
#pragma once

#include <atomic>

namespace galley::tools {

// From now on Ctrl-C sets the flag below; a second one ends the program at once.
void catch_interrupts();
// For SessionOptions::cancel. chat clears it to go on after an interrupted answer.
std::atomic<bool>& interrupt_flag();
// Throws Cancelled (model/session.h) if Ctrl-C was pressed.
void check_interrupt();

}  // namespace galley::tools
