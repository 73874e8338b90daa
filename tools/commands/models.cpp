// galley models: the models built into the program.
#include <nlohmann/json.hpp>

#include "model/demo/demo_models.h"
#include "model/session.h"
#include "tensor/error.h"
#include "tools/command_line.h"
#include "tools/commands/commands.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

struct ModelsOptions {
  std::optional<std::string> card;
  bool json = false;
};

void print_list() {
  const Style style = stdout_style();
  for (const DemoModel& demo : demo_models()) {
    const auto model = Model::from_file(GgufFile::from_memory(demo.file, std::string(demo.name)));
    write_out(format("%s%-16s%s %8s parameters, %9s  %s\n", std::string(style.bold).c_str(),
                     std::string(demo.name).c_str(), std::string(style.reset).c_str(),
                     human_count(model->n_parameters()).c_str(),
                     human_bytes(static_cast<std::int64_t>(demo.file.size())).c_str(),
                     std::string(demo.description).c_str()));
    write_out(format("%16s try: galley run -m %s -p \"%s\"\n", "", std::string(demo.name).c_str(),
                     std::string(demo.example).c_str()));
  }
}

void print_json() {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const DemoModel& demo : demo_models()) {
    const auto model = Model::from_file(GgufFile::from_memory(demo.file, std::string(demo.name)));
    list.push_back({{"name", demo.name},
                    {"description", demo.description},
                    {"example", demo.example},
                    {"n_parameters", model->n_parameters()},
                    {"n_bytes", demo.file.size()}});
  }
  write_json({{"models", list}});
}

void print_card(const std::string& name) {
  const auto demo = find_demo_model(name);
  if (!demo)
    throw Error(ErrorKind::kUsage,
                "'" + name + "' is not a built-in model; galley models lists them");
  write_out(demo->card);
}

}  // namespace

Action set_up_models(CommandLine& line) {
  auto options = std::make_shared<ModelsOptions>();
  line.text("--card", options->card, "NAME", "how a model was made, and how good it is");
  line.flag("--json", options->json, "one JSON object");
  line.examples({"models", "models --card demo:sort"});
  return [options] {
    if (options->card)
      print_card(*options->card);
    else if (options->json)
      print_json();
    else
      print_list();
  };
}

}  // namespace galley::tools
