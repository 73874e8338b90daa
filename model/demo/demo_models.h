// The models built into the program, so that everything works with no download.
//
// Where it sits: beside Model::open. `find_demo_model("demo")` gives the bytes of a GGUF file
// that GgufFile::from_memory reads in place; `galley models` lists them. The files and their
// cards lie in this folder; docs/demo-models.md tells how they were made.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace galley {

struct DemoModel {
  std::string_view name;            // "demo", "demo:sort": what -m takes
  std::string_view description;     // one line
  std::string_view example;         // a prompt it answers well
  std::span<const std::byte> file;  // a GGUF file, aligned to 64 bytes, valid for ever
  std::string_view card;            // Markdown: data, size, training, results, limits
};

// All of them; the first is the one that is used when no model is named.
std::span<const DemoModel> demo_models();

// The model of that name, or nothing. "demo" is the main one.
std::optional<DemoModel> find_demo_model(std::string_view name);

// Whether `name` can only mean a built-in model ("demo" or "demo:..."), so that an unknown one
// is reported with the list instead of as a missing file.
bool is_demo_name(std::string_view name);

}  // namespace galley
