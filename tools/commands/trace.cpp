// galley trace: everything that happens in a run, as a page to look at or as JSON.
#include <memory>

#include "tensor/atomic_file.h"
#include "tensor/error.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/output.h"
#include "tools/trace/make_trace.h"
#include "tools/trace/trace_json.h"
#include "tools/web/page.h"

namespace galley::tools {
namespace {

struct TraceCommand {
  ModelOptions model;
  PromptOptions prompt;
  ContextOptions context;
  SamplingOptions sampling;
  std::int64_t n_predict = 12;
  std::int64_t rows = 64;
  std::int64_t columns = 256;
  std::int64_t max_mib = 16;
  bool ignore_eos = false;
  bool no_limits = false;
  std::string output;
};

bool is_page(const std::string& path) { return path.ends_with(".html") || path.ends_with(".htm"); }

void check_output(const std::string& path) {
  if (path.empty())
    throw Error(ErrorKind::kUsage,
                "no output file; name one with -o trace.html or -o trace.json, or -o - for JSON "
                "on stdout");
  if (path != "-" && !is_page(path) && !path.ends_with(".json"))
    throw Error(ErrorKind::kUsage,
                path + ": the name must end in .html (a page) or .json (docs/trace-format.md)");
}

void note_sampling(const trace::Trace& trace, const TraceCommand& options) {
  const trace::TraceSampling& used = trace.sampling;
  if (used.max_columns == options.columns && used.max_rows == options.rows) return;
  note(
      format("sampled    %lld columns and %lld prompt rows of each value, to stay below %lld MiB; "
             "--max-size allows more",
             static_cast<long long>(used.max_columns), static_cast<long long>(used.max_rows),
             static_cast<long long>(options.max_mib)));
}

void trace_command(const TraceCommand& options) {
  check_output(options.output);
  if (options.max_mib < 1 || options.max_mib > 1024)
    throw Error(ErrorKind::kUsage, "--max-size is " + std::to_string(options.max_mib) +
                                       ", expected from 1 to 1024 MiB");
  const SessionOptions session_options = options.context.session_options();
  const SamplerOptions sampler_options = options.sampling.sampler_options();
  const std::shared_ptr<const Model> model = options.model.need_model();
  const Prompt prompt = options.prompt.read(*model);
  trace::TraceRequest request;
  request.prompt = prompt.text;
  request.ids = prompt.ids;
  request.n_predict = options.n_predict;
  request.ignore_eos = options.ignore_eos;
  request.measure_limits = !options.no_limits;
  request.sampling = {options.rows, options.columns, options.max_mib << 20};
  const trace::Trace trace = trace::make_trace(model, session_options, sampler_options, request);
  const std::string json = trace::trace_text(trace);
  if (static_cast<std::int64_t>(json.size()) > request.sampling.max_bytes)
    throw Error(ErrorKind::kFailure,
                format("the trace has %s, more than --max-size %lld MiB; choose fewer --rows or "
                       "--columns, or a smaller -n",
                       human_bytes(static_cast<std::int64_t>(json.size())).c_str(),
                       static_cast<long long>(options.max_mib)));
  if (options.output == "-") return write_out(json + "\n");
  AtomicFile file(options.output);
  file.write(is_page(options.output) ? web::page(json) : json + "\n");
  file.commit();
  note_sampling(trace, options);
  note(format("%s: %s, %lld tokens through %zu ops", options.output.c_str(),
              human_bytes(static_cast<std::int64_t>(file.n_bytes())).c_str(),
              static_cast<long long>(trace.ids.size()) - 1, model->graph().ops.size()));
}

}  // namespace

Action set_up_trace(CommandLine& line) {
  auto o = std::make_shared<TraceCommand>();
  o->model.add_to(line);
  o->prompt.add_to(line);
  line.integer("-n,--n-predict", o->n_predict, "tokens to make");
  line.flag("--ignore-eos", o->ignore_eos, "go on after end-of-text tokens");
  line.text("-o,--output", o->output, "FILE",
            "trace.html: a page that needs nothing else; trace.json: docs/trace-format.md; -: "
            "JSON on stdout");
  line.integer("--rows", o->rows,
               "positions of the prompt whose values are kept; of a longer one the first 8 and "
               "the last ones");
  line.integer("--columns", o->columns,
               "columns that are kept of each value; of a wider one runs of 32, evenly spread");
  line.integer(
      "--max-size", o->max_mib,
      "MiB the trace may have; where it would have more, columns and then rows are halved");
  line.flag("--no-limits", o->no_limits,
            "do not measure what the machine can do, which takes a fifth of a second");
  o->sampling.add_to(line);
  o->context.add_to(line);
  line.examples({"trace -p \"Once upon a time\" -o trace.html",
                 "trace -m model.gguf -p \"The kitchen\" -n 4 --temp 0 -o trace.json"});
  return [o] { trace_command(*o); };
}

}  // namespace galley::tools
