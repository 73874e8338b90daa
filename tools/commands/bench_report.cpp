// The results of `galley bench` as a table, CSV or JSON, with llama-bench's columns and names.
#include <array>
#include <chrono>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/kernels.h"
#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/command_line.h"
#include "tools/commands/bench.h"
#include "tools/commands/quantize_mix.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

using Json = nlohmann::ordered_json;

std::string isa_in_use() { return std::string(kernels::isa_name(kernels::table().isa)); }

std::string cpu_name() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("model name"))
      return line.substr(std::min(line.find(": ") + 2, line.size()));
  return "unknown";
}

// "llama 1.10 B Q4_K_M".
std::string model_type(const Model& model) {
  std::string text = model.config().architecture + " " + human_count(model.n_parameters());
  const GgufValue* value = model.file().find("general.file_type");
  const auto* number = value ? std::get_if<std::int64_t>(&value->value) : nullptr;
  for (const Mix& mix : all_mixes())
    if (number && *number == static_cast<std::int64_t>(mix.file_type))
      return text.append(" ").append(mix.name);
  return text;
}

std::string utc_time() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text.data();
}

Json as_json(const BenchResult& r) {
  const Model& model = *r.setup.model;
  const std::string kv(dtype_info(r.setup.kv_type()).name);
  std::vector<std::int64_t> samples_ns;
  std::vector<double> samples_ts;
  double sum_s = 0;
  for (double s : r.seconds) {
    samples_ns.push_back(static_cast<std::int64_t>(s * 1e9));
    samples_ts.push_back(static_cast<double>(r.test.n_tokens()) / s);
    sum_s += s;
  }
  Json json = {
      {"build_commit", GALLEY_COMMIT},
      {"compiler", __VERSION__},
      {"cpu_info", cpu_name()},
      {"isa", isa_in_use()},
      {"backends", "CPU"},
      {"model_filename", r.setup.model_path},
      {"model_type", model_type(model)},
      {"model_size", model.weight_bytes()},
      {"model_n_params", model.n_parameters()},
      {"n_batch", r.setup.session.n_batch},
      {"n_threads", r.setup.n_threads},
      {"type_k", kv},
      {"type_v", kv},
      {"n_prompt", r.test.n_prompt},
      {"n_gen", r.test.n_gen},
      {"n_depth", r.test.n_depth},
      {"test_time", utc_time()},
      {"avg_ns", static_cast<std::int64_t>(sum_s / static_cast<double>(r.seconds.size()) * 1e9)},
      {"avg_ts", r.mean_rate()},
      {"stddev_ts", r.rate_deviation()},
      {"gb_per_s", r.gb_per_s()},
      {"gmac_per_s", r.gmac_per_s()},
      {"other_load", r.other_load}};
  if (r.setup.limits) {
    json["limit"] = r.work.bound();
    json["share_of_limit"] = r.share_of_limit();
    json["limit_read_gb_per_s"] = r.setup.limits->read_gb_per_s;
    for (int i = 0; i < kernels::kArithmetics; ++i) {
      const std::string name(arithmetic_name(static_cast<kernels::Arithmetic>(i)));
      json["limit_" + name + "_gmac_per_s"] = r.setup.limits->gmac_per_s[i];
    }
  }
  json["samples_ns"] = samples_ns;
  json["samples_ts"] = samples_ts;
  return json;
}

// "92 % read": of the speed of reading memory.
std::string share_text(const BenchResult& r) {
  if (!r.setup.limits) return "";
  return format("%.0f %% ", 100 * r.share_of_limit()) + std::string(r.work.bound());
}

class MarkdownReport : public BenchReport {
 public:
  void add(const BenchResult& r) override {
    if (!has_header_) {
      row("model", "size", "params", "backend", "threads", "test", "t/s", "GB/s", "GMAC/s",
          "of limit");
      write_out(
          "| ------------------------- | ---------: | ---------: | ---------- | ------: | "
          "--------------: | -------------------: | -------: | -------: | ----------: |\n");
      has_header_ = true;
    }
    const Model& model = *r.setup.model;
    row(model_type(model), human_bytes(model.weight_bytes()), human_count(model.n_parameters()),
        "CPU " + isa_in_use(), std::to_string(r.setup.n_threads), r.test.name(),
        format("%.2f ± %.2f", r.mean_rate(), r.rate_deviation()),
        r.test.n_gen > 0 ? format("%.1f", r.gb_per_s()) : "", format("%.1f", r.gmac_per_s()),
        share_text(r));
    flush_out();
  }

 private:
  static void row(const std::string& model, const std::string& size, const std::string& params,
                  const std::string& backend, const std::string& threads, const std::string& test,
                  const std::string& rate, const std::string& gb, const std::string& gmac,
                  const std::string& share) {
    // The sign between mean and deviation is one column wide, but two bytes.
    const int rate_width = rate.find("±") == std::string::npos ? 20 : 21;
    write_out(format("| %-25s | %10s | %10s | %-10s | %7s | %15s | %*s | %8s | %8s | %11s |\n",
                     model.c_str(), size.c_str(), params.c_str(), backend.c_str(), threads.c_str(),
                     test.c_str(), rate_width, rate.c_str(), gb.c_str(), gmac.c_str(),
                     share.c_str()));
  }

  bool has_header_ = false;
};

class CsvReport : public BenchReport {
 public:
  void add(const BenchResult& r) override {
    Json fields = as_json(r);
    fields.erase("samples_ns");
    fields.erase("samples_ts");
    std::string header, line;
    for (const auto& [name, value] : fields.items()) {
      header += (header.empty() ? "" : ",") + name;
      line += line.empty() ? "" : ",";
      line += quoted_field(value.is_string() ? value.get<std::string>() : value.dump());
    }
    if (!has_header_) write_out(header + "\n");
    has_header_ = true;
    write_out(line + "\n");
    flush_out();
  }

 private:
  static std::string quoted_field(const std::string& value) {
    std::string text = "\"";
    for (char c : value) text += c == '"' ? std::string("\"\"") : std::string(1, c);
    return text + "\"";
  }

  bool has_header_ = false;
};

class JsonReport : public BenchReport {
 public:
  void add(const BenchResult& r) override { results_.push_back(as_json(r)); }
  void end() override { write_out(results_.dump(2) + "\n"); }

 private:
  Json results_ = Json::array();
};

class JsonLinesReport : public BenchReport {
 public:
  void add(const BenchResult& r) override { write_json(as_json(r)); }
};

}  // namespace

std::unique_ptr<BenchReport> make_bench_report(const std::string& name) {
  if (name == "md") return std::make_unique<MarkdownReport>();
  if (name == "csv") return std::make_unique<CsvReport>();
  if (name == "json") return std::make_unique<JsonReport>();
  if (name == "jsonl") return std::make_unique<JsonLinesReport>();
  throw Error(ErrorKind::kUsage, "--output: there is no format " + in_quotes(name) +
                                     suggestion(name, {"md", "csv", "json", "jsonl"}) +
                                     "; choose from md, csv, json, jsonl");
}

}  // namespace galley::tools
