// What `galley bench` measures, between measuring it (bench.cpp), counting what a test asks of the
// machine (bench_work.cpp), noticing what disturbs it (bench_noise.cpp), printing it
// (bench_report.cpp) and looking into single ops (bench_ops.cpp).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/limits.h"
#include "kernels/load_meter.h"
#include "model/op_table.h"
#include "model/session.h"

namespace galley::tools {

// One line of the table: prefill of n_prompt tokens, or decode of n_gen, after n_depth tokens.
struct BenchTest {
  std::int64_t n_prompt = 0;
  std::int64_t n_gen = 0;
  std::int64_t n_depth = 0;

  std::int64_t n_tokens() const { return n_prompt + n_gen; }
  // llama-bench's notation: "pp512", "tg128 @ d4096".
  std::string name() const;
};

// Where and how it ran.
struct BenchSetup {
  std::string model_path;
  std::shared_ptr<const Model> model;
  SessionOptions session;
  int n_threads = 0;
  std::optional<kernels::Limits> limits;  // of the machine on n_threads threads, if measured

  // Of the KV cache.
  DType kv_type() const;
};

// What a test, or one op, asks of the machine.
struct BenchWork {
  double macs = 0;
  double memory_bytes = 0;      // of weights and of the cache
  double activation_bytes = 0;  // of values, which the CPU's own caches may hold
  // The shortest time the machine's limits allow, by the limit that sets it: first reading memory,
  // then each kernels::Arithmetic. All 0 without limits.
  double least_seconds[1 + kernels::kArithmetics] = {};

  double total_least_seconds() const;
  // The limit that most of this time is due to: "read", "f32", "int8", "int4"; "" without limits.
  std::string_view bound() const;

  // Adds one op, run for n_tokens tokens, n_outputs of which want logits, after n_cached others.
  void add_op(const BenchSetup& setup, const Op& op, std::int64_t n_tokens, std::int64_t n_outputs,
              std::int64_t n_cached);
};

// All ops of all passes of `test`: prompts in pieces of n_batch, decoding token by token.
BenchWork work_of(const BenchSetup& setup, const BenchTest& test);

struct BenchResult {
  BenchSetup setup;
  BenchTest test;
  BenchWork work;
  std::vector<double> seconds;  // one per repetition
  double other_load = 0;        // CPUs that other programs kept busy meanwhile

  double mean_rate() const;  // tokens/s
  double rate_deviation() const;
  // Weights and cached keys and values read per second: what bounds decoding.
  double gb_per_s() const;
  // Multiply-adds per second: what bounds prefill.
  double gmac_per_s() const;
  // The shortest possible time, as a share of the measured one; 0 without limits.
  double share_of_limit() const;

 private:
  double mean_seconds() const;
};

// Prints results as they come.
class BenchReport {
 public:
  virtual ~BenchReport() = default;
  virtual void add(const BenchResult& result) = 0;
  virtual void end() {}
};
// `format` is md, csv, json or jsonl. Throws Error kUsage.
std::unique_ptr<BenchReport> make_bench_report(const std::string& format);

// How the time of `test` is spread over its ops: a table, or one line of JSON.
void print_op_times(const BenchSetup& setup, const BenchTest& test, bool in_json);

// Says on stderr that others were at work, if they were.
void warn_of_load(const std::string& what, double other_cpus);
// What makes all timings doubtful: the frequency's governor, a debug build.
void warn_of_setting();
// What makes those of one setup doubtful: more threads than CPUs, weights that the cache holds.
void warn_of_setup(const BenchSetup& setup);

// `n` tokens to run: BOS where the model has one, then arbitrary ones.
std::vector<TokenId> bench_tokens(const Model& model, std::int64_t n);
// Brings the session's sequence to exactly `n_depth` tokens.
void bench_fill(Session& session, std::int64_t n_depth);
// Runs `test` once on a session filled to its depth.
void bench_run(Session& session, const BenchTest& test);

}  // namespace galley::tools
