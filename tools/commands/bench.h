// What `galley bench` measures, between measuring it (bench.cpp), printing it (bench_report.cpp)
// and looking into single ops (bench_ops.cpp).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

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
};

struct BenchResult {
  BenchSetup setup;
  BenchTest test;
  std::vector<double> seconds;  // one per repetition

  double mean_rate() const;  // tokens/s
  double rate_deviation() const;
  // Weights and cached keys and values read per second: what bounds decoding.
  double gb_per_s() const;
  // Multiply-accumulates per second: what bounds prefill.
  double gmac_per_s() const;
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

// One line per op: its share of the time of `test`.
void print_op_times(const BenchSetup& setup, const BenchTest& test);

// `n` tokens to run: BOS where the model has one, then arbitrary ones.
std::vector<TokenId> bench_tokens(const Model& model, std::int64_t n);
// Brings the session's sequence to exactly `n_depth` tokens.
void bench_fill(Session& session, std::int64_t n_depth);
// Runs `test` once on a session filled to its depth.
void bench_run(Session& session, const BenchTest& test);

}  // namespace galley::tools
