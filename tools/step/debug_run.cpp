#include "tools/step/debug_run.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tensor/error.h"

namespace galley::step {
namespace {

double probability(std::span<const float> logits, TokenId id) {
  const double highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float x : logits) sum += std::exp(static_cast<double>(x) - highest);
  return std::exp(static_cast<double>(logits[static_cast<std::size_t>(id)]) - highest) / sum;
}

}  // namespace

DebugRun::DebugRun(std::shared_ptr<const Model> model, std::vector<TokenId> prompt,
                   const DebugOptions& options)
    : options_(options),
      session_(std::move(model), options.session),
      ids_(std::move(prompt)),
      n_prompt_(static_cast<std::int64_t>(ids_.size())),
      op_ns_(graph().ops.size(), 0) {
  GALLEY_CHECK(!ids_.empty(), "a run begins with a token");
  Sampler check_options(options_.sampler);
  if (n_prompt_ > session_.n_context())
    throw Error(ErrorKind::kContextExceeded, "the prompt has " + std::to_string(n_prompt_) +
                                                 " tokens, the context holds " +
                                                 std::to_string(session_.n_context()) +
                                                 "; shorten it or use a larger --ctx-size");
  session_.set_observer(this);
  begin_pass(0);
}

void DebugRun::before_op(RunView&, int) { op_began_ = std::chrono::steady_clock::now(); }

void DebugRun::after_op(RunView& run, int op) {
  const auto elapsed = std::chrono::steady_clock::now() - op_began_;
  op_ns_[static_cast<std::size_t>(op)] =
      std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count();
  if (!changes_.empty()) apply_changes(changes_, run, op);
}

void DebugRun::begin_pass(std::int64_t begin) {
  pass_begin_ = begin;
  pass_end_ = std::min(n_ids(), begin + session_.n_batch());
  std::vector<BatchToken> batch;
  for (std::int64_t i = pass_begin_; i < pass_end_; ++i)
    batch.push_back(
        {ids_[static_cast<std::size_t>(i)], 0, options_.all_logits || i + 1 == n_ids()});
  std::fill(op_ns_.begin(), op_ns_.end(), 0);
  session_.begin(batch);
}

void DebugRun::run_to(int end) {
  GALLEY_CHECK(end >= next_op() && end <= n_ops(), "going on means later ops");
  if (end > next_op()) session_.run_ops(end);
}

Sampler DebugRun::sampler_for_next() const {
  Sampler sampler(options_.sampler);
  for (TokenId id : ids_) sampler.accept(id);
  sampler.skip_choices(static_cast<std::int64_t>(choices_.size()));
  return sampler;
}

SampleSteps DebugRun::look_at_choice() {
  GALLEY_CHECK(session_.n_outputs() > 0 && pass_is_over(), "the logits are made");
  SampleSteps steps;
  sampler_for_next().sample(session_.logits(), steps);
  if (picked_) steps.chosen = *picked_;
  return steps;
}

void DebugRun::pick(std::optional<TokenId> id) {
  if (pass_is_over()) forget_choices_after_pass();
  picked_ = id;
}

bool DebugRun::next_pass() {
  GALLEY_CHECK(pass_is_over() && !end_, "a pass ends with its last op");
  if (pass_end_ == n_ids()) {
    Choice choice;
    choice.is_picked = picked_.has_value();
    choice.id = picked_ ? *picked_ : sampler_for_next().sample(session_.logits());
    choice.p = probability(session_.logits(), choice.id);
    picked_.reset();
    ids_.push_back(choice.id);
    choices_.push_back(choice);
    if (model().tokenizer().is_end_of_generation(choice.id)) end_ = TextEnd::kEndOfText;
    if (!end_ && n_ids() > session_.n_context()) end_ = TextEnd::kContextFull;
    if (end_) return false;
  }
  begin_pass(pass_end_);
  return true;
}

void DebugRun::forget_choices_after_pass() {
  end_.reset();
  if (pass_end_ < n_prompt_ || n_ids() == pass_end_) return;
  ids_.resize(static_cast<std::size_t>(pass_end_));
  choices_.resize(static_cast<std::size_t>(pass_end_ - n_prompt_));
}

void DebugRun::rewind_cache(std::int64_t n) {
  const std::int64_t kept = session_.truncate(std::min(n, session_.length()));
  if (kept >= n) return;
  // A sliding window has dropped what is needed again, or a change was undone that led to it.
  try {
    session_.forward(std::span(ids_).subspan(static_cast<std::size_t>(kept),
                                             static_cast<std::size_t>(n - kept)));
  } catch (const Cancelled&) {
    restart();  // nothing else is left that can be stood on
    throw;
  }
}

void DebugRun::rerun_pass(int op) {
  forget_choices_after_pass();
  const std::int64_t begin = pass_begin_;
  rewind_cache(begin);
  begin_pass(begin);
  run_to(op);
}

void DebugRun::restart() {
  ids_.resize(static_cast<std::size_t>(n_prompt_));
  choices_.clear();
  end_.reset();
  picked_.reset();
  for (Change& change : changes_)
    if (!change.is_bounded()) change.begin_position = 0;
  session_.truncate(0);
  begin_pass(0);
}

void DebugRun::add_change(Change change) {
  if (!change.is_bounded()) change.begin_position = pass_begin_;
  const int op = next_op();
  const bool is_past = change.op < op;
  changes_.push_back(std::move(change));
  if (is_past) rerun_pass(op);
}

void DebugRun::undo_change() {
  GALLEY_CHECK(!changes_.empty(), "there is a change to undo");
  const Change undone = std::move(changes_.back());
  changes_.pop_back();
  const int op = next_op();
  if (undone.begin_position < pass_begin_) {
    // The cache holds what it has led to.
    session_.truncate(std::min(undone.begin_position, session_.length()));
    rerun_pass(op);
  } else if (undone.op < op) {
    rerun_pass(op);
  }
}

}  // namespace galley::step
