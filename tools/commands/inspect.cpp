// galley inspect: what a GGUF file holds, and what it takes to run it.
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "model/architecture.h"
#include "tensor/error.h"
#include "tensor/message.h"
#include "tokenizer/tokenizer.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

using Json = nlohmann::ordered_json;

struct InspectOptions {
  std::string path;
  std::int64_t n_context = 0;
  std::string kv_type;
  bool tensors = false;
  bool metadata = false;
  bool json = false;
};

constexpr std::size_t kShownElements = 8;

// One value of the metadata. Broken UTF-8 is replaced when it is printed.
Json value_json(const GgufValue& value, std::size_t max_elements) {
  if (const auto* s = std::get_if<std::string_view>(&value.value)) return *s;
  if (const auto* d = std::get_if<double>(&value.value)) return *d;
  if (const auto* n = std::get_if<std::int64_t>(&value.value)) {
    if (value.type == GgufType::kBool) return *n != 0;
    if (value.is_big_uint64()) return static_cast<std::uint64_t>(*n);
    return *n;
  }
  const auto& array = std::get<GgufArray>(value.value);
  Json list = Json::array();
  const std::uint64_t n = std::min<std::uint64_t>(array.count, max_elements);
  for (std::uint64_t i = 0; i < n; ++i) {
    switch (array.element_type) {
      case GgufType::kArray:  // their elements are not kept
        return list;
      case GgufType::kString:
        list.push_back(array.strings[i]);
        break;
      case GgufType::kFloat32:
      case GgufType::kFloat64:
        list.push_back(array.as_double(i));
        break;
      case GgufType::kBool:
        list.push_back(array.as_int(i) != 0);
        break;
      default:
        list.push_back(array.as_int(i));
    }
  }
  return list;
}

std::string value_text(const GgufValue& value) {
  std::string text =
      value_json(value, kShownElements).dump(-1, ' ', false, Json::error_handler_t::replace);
  const auto* array = std::get_if<GgufArray>(&value.value);
  if (!array) return text;
  if (array->count > kShownElements) text.insert(text.size() - 1, ",...");
  return std::to_string(array->count) + " x " + std::string(gguf_type_name(array->element_type)) +
         " " + text;
}

// What is known of a file: its tensors, and the model if it can be run.
struct Findings {
  explicit Findings(const InspectOptions& o) : options(o), file(open_model_file(o.path)) {
    for (const Tensor& tensor : file.tensors()) {
      auto& [count, bytes] = types[std::string(dtype_info(tensor.type).name)];
      ++count;
      bytes += tensor.n_bytes;
      n_bytes += tensor.n_bytes;
      n_parameters += tensor.n_elements();
    }
    try {
      if (file.tensors().empty()) {
        tokenizer = std::make_unique<Tokenizer>(Tokenizer::from_gguf(file));
        problem = "it has a vocabulary, but no weights";
      } else {
        model = Model::from_file(open_model_file(o.path));
      }
    } catch (const Error& e) {
      if (says_what_it_is()) broken = e;
      problem = e.what();
      if (problem.starts_with(o.path + ": ")) problem.erase(0, o.path.size() + 2);
    }
  }

  // Whether the file claims to be a model that this program runs; then what stops it is a fault.
  bool says_what_it_is() const {
    const std::string_view name = file.get_string("general.architecture").value_or("");
    return !file.tensors().empty() && (name.empty() || find_architecture(name) != nullptr);
  }

  const Tokenizer* vocabulary() const { return model ? &model->tokenizer() : tokenizer.get(); }

  SessionOptions session() const {
    ContextOptions context;
    context.n_context = options.n_context;
    context.kv_type = options.kv_type;
    SessionOptions o = context.session_options();
    if (o.n_context == 0) o.n_context = model->config().n_context_train;
    o.n_batch = std::min(o.n_batch, o.n_context);
    return o;
  }

  const InspectOptions& options;
  GgufFile file;
  std::map<std::string, std::pair<int, std::int64_t>> types;  // name -> tensors, bytes
  std::int64_t n_bytes = 0;
  std::int64_t n_parameters = 0;
  std::shared_ptr<const Model> model;
  std::unique_ptr<Tokenizer> tokenizer;
  std::string problem;          // why it cannot be run
  std::optional<Error> broken;  // the same, if that is a fault of the file
};

std::string text_or_empty(const GgufFile& file, std::string_view key) {
  const GgufValue* value = file.find(key);
  const auto* text = value ? std::get_if<std::string_view>(&value->value) : nullptr;
  return text ? std::string(*text) : "";
}

void print_line(const char* label, const std::string& text) {
  write_out(format("%-12s%s\n", label, text.c_str()));
}

void print_model(const Findings& f) {
  const Config& c = f.model->config();
  const auto n = [](std::int64_t value) { return std::to_string(value); };
  print_line("layers",
             n(c.n_layers) + " of width " + n(c.width) + ", feed-forward width " + n(c.ffn_width));
  print_line("attention", n(c.n_heads) + " heads of " + n(c.head_size_k) + ", " + n(c.n_kv_heads) +
                              " of keys and values");
  if (c.n_experts > 0)
    print_line("experts", n(c.n_experts) + ", of which " + n(c.n_experts_used) + " are used");
  print_line("context", n(c.n_context_train) + " positions");
}

void print_memory(const Findings& f) {
  const SessionOptions session = f.session();
  const SessionMemory memory = session_memory(f.model->graph(), session);
  const DType kv = session.kv_type.value_or(default_kv_type(f.model->graph()));
  print_line("memory", human_bytes(f.n_bytes) + " weights + " + human_bytes(memory.kv_cache_bytes) +
                           " KV cache (" + std::to_string(session.n_context) + " positions, " +
                           std::string(dtype_info(kv).name) + ") + " +
                           human_bytes(memory.buffer_bytes) + " buffers = " +
                           human_bytes(f.n_bytes + memory.kv_cache_bytes + memory.buffer_bytes));
}

void print_summary(const Findings& f) {
  const std::string parts =
      f.file.n_parts() > 1 ? " in " + std::to_string(f.file.n_parts()) + " files" : "";
  print_line("file", f.options.path + ", " + human_bytes(f.file.file_bytes()) + parts +
                         ", GGUF version " + std::to_string(f.file.version()));
  const std::string name = text_or_empty(f.file, "general.name");
  print_line("model", in_quotes(text_or_empty(f.file, "general.architecture")) +
                          (name.empty() ? "" : ", named " + in_quotes(name)));
  std::string types;
  for (const auto& [type, use] : f.types)
    types += format("%s%d %s (%s)", types.empty() ? "" : ", ", use.first, type.c_str(),
                    human_bytes(use.second).c_str());
  print_line("parameters", human_count(f.n_parameters));
  print_line("tensors",
             std::to_string(f.file.tensors().size()) + (types.empty() ? "" : ": " + types));
  if (f.model) print_model(f);
  if (const Tokenizer* t = f.vocabulary())
    print_line("vocabulary", t->has_vocab()
                                 ? std::to_string(t->n_tokens()) + " tokens, " + t->model_name() +
                                       (t->pre_name().empty() ? "" : ", " + t->pre_name())
                                 : "none: token ids only");
  if (f.model) print_memory(f);
  if (!f.problem.empty()) print_line("runs", "no: " + f.problem);
}

void print_text(const Findings& f) {
  print_summary(f);
  if (f.options.metadata) {
    write_out("\n");
    for (const std::string& key : f.file.keys())
      write_out(key + " = " + value_text(*f.file.find(key)) + "\n");
  }
  if (!f.options.tensors) return;
  write_out("\n");
  for (const Tensor& t : f.file.tensors())
    write_out(format("%-40s %-8s %-20s %s\n", t.name.c_str(),
                     std::string(dtype_info(t.type).name).c_str(), t.shape_string().c_str(),
                     human_bytes(t.n_bytes).c_str()));
}

Json config_json(const Config& c) {
  return {{"architecture", c.architecture},
          {"n_layers", c.n_layers},
          {"width", c.width},
          {"ffn_width", c.ffn_width},
          {"n_heads", c.n_heads},
          {"n_kv_heads", c.n_kv_heads},
          {"head_size_k", c.head_size_k},
          {"head_size_v", c.head_size_v},
          {"n_vocab", c.n_vocab},
          {"n_context_train", c.n_context_train},
          {"n_experts", c.n_experts},
          {"n_experts_used", c.n_experts_used}};
}

void print_json(const Findings& f) {
  Json out = {{"file", f.options.path},
              {"file_bytes", f.file.file_bytes()},
              {"gguf_version", f.file.version()},
              {"architecture", text_or_empty(f.file, "general.architecture")},
              {"name", text_or_empty(f.file, "general.name")},
              {"n_parameters", f.n_parameters},
              {"n_tensors", f.file.tensors().size()},
              {"weight_bytes", f.n_bytes}};
  for (const auto& [type, use] : f.types)
    out["types"][type] = {{"tensors", use.first}, {"bytes", use.second}};
  if (const Tokenizer* t = f.vocabulary())
    out["tokenizer"] = {
        {"model", t->model_name()}, {"pre", t->pre_name()}, {"n_tokens", t->n_tokens()}};
  out["runs"] = f.model != nullptr;
  if (!f.problem.empty()) out["problem"] = f.problem;
  if (f.model) {
    out["config"] = config_json(f.model->config());
    const SessionOptions session = f.session();
    const SessionMemory memory = session_memory(f.model->graph(), session);
    out["memory"] = {{"n_context", session.n_context},
                     {"weight_bytes", f.n_bytes},
                     {"kv_cache_bytes", memory.kv_cache_bytes},
                     {"buffer_bytes", memory.buffer_bytes}};
  }
  if (f.options.metadata)
    for (const std::string& key : f.file.keys())
      out["metadata"][key] = value_json(*f.file.find(key), SIZE_MAX);
  if (f.options.tensors) {
    out["tensors"] = Json::array();
    for (const Tensor& t : f.file.tensors())
      out["tensors"].push_back({{"name", t.name},
                                {"type", dtype_info(t.type).name},
                                {"shape", t.shape},
                                {"bytes", t.n_bytes}});
  }
  write_json(out);
}

void inspect(const InspectOptions& options) {
  const Findings findings(options);
  if (findings.model)
    for (const std::string& line : findings.model->warnings()) warn(line);
  options.json ? print_json(findings) : print_text(findings);
  // What is there has been shown; scripts learn from the exit code that it cannot be used.
  if (findings.broken) throw Error(*findings.broken);
}

}  // namespace

Action set_up_inspect(CommandLine& line) {
  auto o = std::make_shared<InspectOptions>();
  line.argument("FILE", o->path, "a GGUF file, or a built-in model");
  line.flag("--tensors", o->tensors, "list the tensors");
  line.flag("--metadata", o->metadata, "list the metadata");
  line.integer("-c,--ctx-size", o->n_context,
               "positions of context for the memory needed, 0: what the model was trained for");
  line.text("--kv-type", o->kv_type, "TYPE", "the type of the KV cache for it: f32, f16, q8_0");
  line.flag("--json", o->json, "print one JSON object");
  line.examples({"inspect model.gguf -c 4096", "inspect model.gguf --metadata --tensors --json"});
  return [o] { inspect(*o); };
}

}  // namespace galley::tools
