#include "tools/commands/commands.h"
namespace galley::tools {
Action set_up_bench(CommandLine&) {
  return [] {};
}
}  // namespace galley::tools
