#include "model/demo/demo_models.h"

#include <algorithm>
#include <array>

// The assembler puts the files into the read-only data as they are. Aligned to 64 bytes, since a
// GGUF file's tensors are aligned relative to its start and are used in place. A final zero byte
// keeps two files apart.
#define GALLEY_EMBED(symbol, path)                            \
  asm(".pushsection .rodata\n"                                \
      ".balign 64\n"                                          \
      ".global " #symbol "_begin, " #symbol                   \
      "_end\n"                                                \
      ".hidden " #symbol "_begin, " #symbol "_end\n" #symbol  \
      "_begin:\n"                                             \
      ".incbin \"" GALLEY_DEMO_FOLDER "/" path "\"\n" #symbol \
      "_end:\n"                                               \
      ".byte 0\n"                                             \
      ".popsection\n");                                       \
  extern "C" const std::byte symbol##_begin[], symbol##_end[]

GALLEY_EMBED(galley_demo, "galley-demo.gguf");
GALLEY_EMBED(galley_demo_card, "galley-demo.md");
GALLEY_EMBED(galley_stories, "galley-stories.gguf");
GALLEY_EMBED(galley_stories_card, "galley-stories.md");
GALLEY_EMBED(galley_arithmetic, "galley-arithmetic.gguf");
GALLEY_EMBED(galley_arithmetic_card, "galley-arithmetic.md");
GALLEY_EMBED(galley_sort, "galley-sort.gguf");
GALLEY_EMBED(galley_sort_card, "galley-sort.md");
GALLEY_EMBED(galley_lookup, "galley-lookup.gguf");
GALLEY_EMBED(galley_lookup_card, "galley-lookup.md");

namespace galley {

namespace {

std::span<const std::byte> bytes(const std::byte* begin, const std::byte* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

std::string_view text(const std::byte* begin, const std::byte* end) {
  return {reinterpret_cast<const char*>(begin), static_cast<std::size_t>(end - begin)};
}

const std::array kModels{
    DemoModel{"demo", "kitchen stories, questions about language models, small exercises",
              "sort: d a c b =", bytes(galley_demo_begin, galley_demo_end),
              text(galley_demo_card_begin, galley_demo_card_end)},
    DemoModel{"demo:stories", "kitchen stories and nothing else", "Once upon a time",
              bytes(galley_stories_begin, galley_stories_end),
              text(galley_stories_card_begin, galley_stories_card_end)},
    DemoModel{"demo:arithmetic", "adds, subtracts and compares numbers up to three digits",
              "add: 47 + 85 =", bytes(galley_arithmetic_begin, galley_arithmetic_end),
              text(galley_arithmetic_card_begin, galley_arithmetic_card_end)},
    DemoModel{"demo:sort", "sorts, reverses and copies letters and words",
              "sort: d a c b =", bytes(galley_sort_begin, galley_sort_end),
              text(galley_sort_card_begin, galley_sort_card_end)},
    DemoModel{"demo:lookup", "looks up keys, closes brackets, follows rules shown by example",
              "lookup: a k, b m, c z; b =", bytes(galley_lookup_begin, galley_lookup_end),
              text(galley_lookup_card_begin, galley_lookup_card_end)},
};

}  // namespace

std::span<const DemoModel> demo_models() { return kModels; }

std::optional<DemoModel> find_demo_model(std::string_view name) {
  const auto models = demo_models();
  const auto found = std::find_if(models.begin(), models.end(),
                                  [&](const DemoModel& m) { return m.name == name; });
  if (found == models.end()) return std::nullopt;
  return *found;
}

bool is_demo_name(std::string_view name) { return name == "demo" || name.starts_with("demo:"); }

}  // namespace galley
