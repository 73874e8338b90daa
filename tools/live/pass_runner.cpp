#include "tools/live/pass_runner.h"

namespace galley::live {
namespace {

// Applies changes, and calls `look` after one op.
class Looker : public Observer {
 public:
  Looker(std::span<const step::Change> changes, int op, const std::function<void(RunView&)>* look)
      : changer_(changes), op_(op), look_(look) {}
  void before_op(RunView&, int) override {}
  void after_op(RunView& run, int op_index) override {
    changer_.after_op(run, op_index);
    if (look_ && op_index == op_) (*look_)(run);
  }

 private:
  Changer changer_;
  int op_;
  const std::function<void(RunView&)>* look_;
};

// Sets an observer, and takes it away again.
class Watch {
 public:
  Watch(Session& session, Observer& observer) : session_(session) {
    session_.set_observer(&observer);
  }
  ~Watch() { session_.set_observer(nullptr); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  Session& session_;
};

}  // namespace

PassRunner::PassRunner(std::shared_ptr<const Model> model, const SessionOptions& options,
                       const std::vector<step::Change>& changes)
    : session_(std::move(model), options), changes_(changes) {}

void PassRunner::run(std::span<const TokenId> ids, std::int64_t begin, std::int64_t end, int op,
                     const std::function<void(RunView&)>& look) {
  const auto part = [&](std::int64_t from, std::int64_t to) {
    return ids.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(to - from));
  };
  if (session_.length() > begin) session_.truncate(begin);
  if (session_.length() < begin) {
    Looker before(changes_, -1, nullptr);
    const Watch watch(session_, before);
    session_.forward(part(session_.length(), begin));
  }
  Looker looker(changes_, op, &look);
  const Watch watch(session_, looker);
  session_.forward(part(begin, end));
}

}  // namespace galley::live
