// The variable `loop` of a {% for %}, and the loop itself: items are drawn one at a time, with at
// most one of them looked at ahead, so that a loop over a generator behaves as in Jinja.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "tokenizer/chat_template/value.h"

namespace galley::chat {

class Loop : public Object {
 public:
  // Renders the loop's body for other items, one level deeper; only recursive loops have one.
  using Recurse = std::function<Value(const Value& items, int depth)>;

  // `items` draws from `iterable`, whose length counts if it has one and `is_filtered` is
  // false. `depth` counts from 0.
  Loop(Value iterable, Next items, bool is_filtered, int depth, Recurse recurse)
      : iterable_(std::move(iterable)),
        items_(std::move(items)),
        is_filtered_(is_filtered),
        depth_(depth),
        recurse_(std::move(recurse)) {}

  // The item of the next pass, or nothing at the end.
  std::optional<Value> advance();
  // Drops everything it holds, at the end of the loop.
  void finish();

  std::string type_name() const override { return "LoopContext"; }
  std::string qualified_name() const override { return "jinja2.runtime.LoopContext"; }
  std::string repr() const override;
  std::optional<Value> attribute(std::string_view name) override;
  std::optional<std::size_t> length() override { return static_cast<std::size_t>(n_items()); }
  bool is_callable() const override { return true; }
  Value call(const Arguments& arguments) override;

 private:
  std::int64_t n_items();
  const std::optional<Value>& peek();
  Value cycle(const Arguments& arguments) const;
  bool changed(const Arguments& arguments);
  Value method(std::string_view name);

  Value iterable_;
  Next items_;
  bool is_filtered_;
  int depth_;
  Recurse recurse_;
  std::int64_t index0_ = -1;
  std::optional<std::int64_t> n_items_;
  bool has_peeked_ = false;
  std::optional<Value> peeked_;
  std::optional<Value> before_;
  std::optional<Value> current_;
  std::optional<Values> last_changed_;
};

}  // namespace galley::chat
