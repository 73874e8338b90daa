#include "model/demo/demo_models.h"

#include <algorithm>

namespace galley {

std::span<const DemoModel> demo_models() { return {}; }

std::optional<DemoModel> find_demo_model(std::string_view name) {
  const auto models = demo_models();
  const auto found = std::find_if(models.begin(), models.end(),
                                  [&](const DemoModel& m) { return m.name == name; });
  if (found == models.end()) return std::nullopt;
  return *found;
}

bool is_demo_name(std::string_view name) { return name == "demo" || name.starts_with("demo:"); }

}  // namespace galley
