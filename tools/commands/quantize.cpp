// galley quantize: a model file with fewer bits per weight.
#include <atomic>
#include <cmath>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "model/session.h"
#include "tensor/dequantize.h"
#include "tensor/error.h"
#include "tensor/gguf_writer.h"
#include "tensor/message.h"
#include "tensor/quantize.h"
#include "tools/commands/commands.h"
#include "tools/commands/options.h"
#include "tools/commands/quantize_mix.h"
#include "tools/interrupt.h"
#include "tools/output.h"
#include "tools/progress.h"

namespace galley::tools {
namespace {

using Json = nlohmann::ordered_json;

// The version of the block layouts that GGUF files state.
constexpr std::uint32_t kQuantizationVersion = 2;

struct QuantizeOptions {
  std::string input;
  std::string output;
  std::string type;
  std::int64_t n_threads = 0;
  bool pure = false;
  bool requantize = false;
  bool json = false;
};

// A tensor on its way from one type to another.
struct Job {
  const Tensor* tensor = nullptr;
  DType wanted = DType::kF32;  // what the mix says
  DType type = DType::kF32;    // what fits its shape
  double relative_error = 0;   // |new - old| / |old|, root mean squares
};

bool is_float(DType type) { return dtype_info(type).block_elements == 1; }

Mix need_mix(const std::string& name) {
  if (const auto mix = find_mix(name)) return *mix;
  std::vector<std::string> names;
  std::string list;
  for (const Mix& mix : all_mixes()) {
    names.emplace_back(mix.name);
    list += list.empty() ? "" : ", ";
    list += mix.name;
  }
  throw Error(ErrorKind::kUsage, "there is no type or mix " + in_quotes(name) +
                                     suggestion(name, names) + "; choose from " + list);
}

std::vector<Job> plan(const GgufFile& file, const Mix& mix, const QuantizeOptions& options) {
  const ModelShape shape = model_shape(file);
  std::vector<Job> jobs;
  for (const Tensor& tensor : file.tensors()) {
    Job job{&tensor, tensor.type, tensor.type, 0};
    if (is_quantizable(tensor)) {
      job.wanted = options.pure ? mix.type : mix_type(mix, shape, tensor);
      job.type = fitting_type(job.wanted, tensor);
    }
    if (job.type != tensor.type && !dtype_info(tensor.type).is_supported)
      throw bad_model(file.path(), "tensor " + in_quotes(tensor.name) + " is of type " +
                                       std::string(dtype_info(tensor.type).name) +
                                       ", which cannot be read");
    if (job.type != tensor.type && !is_float(tensor.type) && !options.requantize)
      throw Error(ErrorKind::kUsage,
                  file.path() + ": tensor " + in_quotes(tensor.name) + " is " +
                      std::string(dtype_info(tensor.type).name) +
                      " already, and quantizing twice loses more than once; start from an F32, F16 "
                      "or BF16 file, or insist with --requantize");
    jobs.push_back(job);
  }
  return jobs;
}

// Squared error and squared size of one row.
struct RowError {
  double error = 0;
  double size = 0;
};

// Converts one row; throws if the values cannot be stored.
RowError convert_row(const Job& job, std::int64_t r, std::byte* out) {
  const Tensor& tensor = *job.tensor;
  const auto cols = static_cast<std::size_t>(tensor.cols());
  std::vector<float> before(cols), after(cols);
  dequantize_row(tensor.type, tensor.row(r), before);
  for (std::size_t i = 0; i < cols; ++i)
    if (!std::isfinite(before[i]))
      throw Error(ErrorKind::kBadModel, "tensor " + in_quotes(tensor.name) + " has " +
                                            (std::isnan(before[i]) ? "NaN" : "an infinite value") +
                                            " in row " + std::to_string(r) + ", column " +
                                            std::to_string(i) + "; the file is damaged");
  quantize_row(job.type, before, out);
  dequantize_row(job.type, out, after);
  RowError row;
  for (std::size_t i = 0; i < cols; ++i) {
    const double difference = static_cast<double>(after[i]) - before[i];
    row.error += difference * difference;
    row.size += static_cast<double>(before[i]) * before[i];
  }
  if (!std::isfinite(row.error))
    throw Error(ErrorKind::kFailure, "tensor " + in_quotes(tensor.name) + ": row " +
                                         std::to_string(r) + " has values too large for " +
                                         std::string(dtype_info(job.type).name));
  return row;
}

// Converts all rows, on `n_threads` threads. The error is summed in the order of the rows, so it
// does not depend on the threads.
void convert(Job& job, std::span<std::byte> out, int n_threads, Progress& progress,
             std::int64_t& n_done) {
  const std::int64_t rows = job.tensor->rows();
  const std::int64_t n_bytes = row_bytes(job.type, job.tensor->cols());
  std::vector<RowError> errors(static_cast<std::size_t>(rows));
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(rows));
  std::atomic<bool> failed{false};
#pragma omp parallel for num_threads(n_threads) schedule(dynamic, 8)
  for (std::int64_t r = 0; r < rows; ++r) {
    if (failed || interrupt_flag()) continue;
    try {
      errors[static_cast<std::size_t>(r)] = convert_row(job, r, out.data() + r * n_bytes);
    } catch (...) {
      failures[static_cast<std::size_t>(r)] = std::current_exception();
      failed = true;
    }
  }
  check_interrupt();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
  RowError total;
  for (const RowError& row : errors) total.error += row.error, total.size += row.size;
  job.relative_error = total.size > 0 ? std::sqrt(total.error / total.size) : 0;
  n_done += job.tensor->n_elements();
  progress.update(n_done);
}

void report(const QuantizeOptions& options, const std::vector<Job>& jobs, const Mix& mix,
            std::int64_t bytes_before) {
  std::int64_t bytes_after = 0;
  std::int64_t n_elements = 0;
  Json tensors = Json::array();
  for (const Job& job : jobs) {
    const std::string from(dtype_info(job.tensor->type).name);
    const std::string to(dtype_info(job.type).name);
    bytes_after += row_bytes(job.type, job.tensor->cols()) * job.tensor->rows();
    n_elements += job.tensor->n_elements();
    if (options.json) {
      tensors.push_back({{"name", job.tensor->name},
                         {"from", from},
                         {"to", to},
                         {"relative_rms_error", job.relative_error}});
    } else if (job.type != job.tensor->type) {
      write_out(format("%-32s %-16s %5s -> %-7s relative error %.6f\n", job.tensor->name.c_str(),
                       job.tensor->shape_string().c_str(), from.c_str(), to.c_str(),
                       job.relative_error));
    }
    if (job.wanted != job.type)
      note("galley: note: " + job.tensor->name + " has rows of " +
           std::to_string(job.tensor->cols()) + ", which do not make whole blocks of " +
           std::string(dtype_info(job.wanted).name) + ": " + to + " is used");
  }
  const double bits = 8.0 * static_cast<double>(bytes_after) / static_cast<double>(n_elements);
  if (options.json)
    return write_json({{"type", mix.name},
                       {"bytes_before", bytes_before},
                       {"bytes_after", bytes_after},
                       {"bits_per_weight", bits},
                       {"tensors", std::move(tensors)}});
  note(format("%s: %s -> %s, %.2f bits per weight", options.output.c_str(),
              human_bytes(bytes_before).c_str(), human_bytes(bytes_after).c_str(), bits));
}

void quantize(const QuantizeOptions& options) {
  const Mix mix = need_mix(options.type);
  if (options.n_threads < 0 || options.n_threads > 1024)
    throw Error(ErrorKind::kUsage, "--threads is " + std::to_string(options.n_threads) +
                                       ", expected from 0 (all) to 1024");
  const int n_threads = options.n_threads > 0 ? static_cast<int>(options.n_threads) : usable_cpus();
  const GgufFile file = open_model_file(options.input);
  std::error_code absent;
  if (std::filesystem::equivalent(options.input, options.output, absent))
    throw Error(ErrorKind::kUsage, options.output +
                                       ": is the file to read; give OUT another name, so that "
                                       "the more exact weights are not lost");
  if (file.tensors().empty()) throw bad_model(file.path(), "has no tensors to quantize");
  std::vector<Job> jobs = plan(file, mix, options);

  GgufWriter writer;
  for (const std::string& key : file.keys())
    if (!key.starts_with("split.")) writer.copy_value(file, key);  // the result is one file
  writer.set_uint32("general.file_type", mix.file_type);
  writer.set_uint32("general.quantization_version", kQuantizationVersion);
  std::int64_t n_elements = 0, n_done = 0, bytes_before = 0;
  for (const Job& job : jobs) {
    n_elements += job.tensor->n_elements();
    bytes_before += job.tensor->n_bytes;
  }
  Progress progress("quantize", n_elements);
  for (Job& job : jobs) {
    const Tensor& tensor = *job.tensor;
    if (job.type == tensor.type) {
      writer.add_tensor(tensor.name, tensor.type, tensor.shape,
                        std::span(tensor.data, static_cast<std::size_t>(tensor.n_bytes)));
      continue;
    }
    writer.add_tensor(tensor.name, job.type, tensor.shape, [&](std::span<std::byte> out) {
      convert(job, out, n_threads, progress, n_done);
    });
  }
  try {
    writer.write(options.output);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kBadModel) throw;
    throw bad_model(file.path(), e.what());
  }
  report(options, jobs, mix, bytes_before);
}

}  // namespace

Action set_up_quantize(CommandLine& line) {
  auto o = std::make_shared<QuantizeOptions>();
  line.argument("IN", o->input, "a GGUF file of F32, F16 or BF16");
  line.argument("OUT", o->output, "the file to write");
  std::string types;
  for (const Mix& mix : all_mixes()) {
    types += types.empty() ? "" : " ";
    types += mix.name;
  }
  line.argument("TYPE", o->type, "a type or mix: " + types);
  line.flag("--pure", o->pure, "every matrix in the type itself, no more bits for some");
  line.flag("--requantize", o->requantize, "accept matrices that are quantized already");
  line.integer("-t,--threads", o->n_threads, "threads, 0: the CPUs this process may use");
  line.flag("--json", o->json, "print one JSON object");
  line.examples({"quantize model-f16.gguf model-q4_k_m.gguf Q4_K_M",
                 "quantize model-f16.gguf model-q8_0.gguf Q8_0 --json"});
  return [o] { quantize(*o); };
}

}  // namespace galley::tools
