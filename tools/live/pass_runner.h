// Runs one pass of a text again, to look at a number of it.
//
// Where it sits: the live page explains any number that it shows; nothing but the text, its
// changes and the cache are kept between two questions.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "model/observer.h"
#include "model/session.h"
#include "tools/step/changes.h"

namespace galley::live {

class PassRunner {
 public:
  // `changes` must outlive it and may not change.
  PassRunner(std::shared_ptr<const Model> model, const SessionOptions& options,
             const std::vector<step::Change>& changes);

  // Runs the tokens at [begin, end) of `ids` as one batch, what comes before it in the cache, and
  // calls `look` right after `op`. Throws what Session::forward and `look` throw.
  void run(std::span<const TokenId> ids, std::int64_t begin, std::int64_t end, int op,
           const std::function<void(RunView&)>& look);

 private:
  Session session_;
  const std::vector<step::Change>& changes_;
};

// Applies changes after every op: what TraceRequest::change takes.
class Changer : public Observer {
 public:
  explicit Changer(std::span<const step::Change> changes) : changes_(changes) {}
  void before_op(RunView&, int) override {}
  void after_op(RunView& run, int op_index) override {
    step::apply_changes(changes_, run, op_index);
  }

 private:
  std::span<const step::Change> changes_;
};

}  // namespace galley::live
