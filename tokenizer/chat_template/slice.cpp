// value[start:stop:step], with Python's rules for bounds that are negative or out of range.
#include <algorithm>
#include <limits>

#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/objects.h"
#include "tokenizer/chat_template/operators.h"
#include "tokenizer/chat_template/text.h"

namespace galley::chat {
namespace {

std::optional<std::int64_t> bound(const Value& value) {
  if (value.is_none()) return std::nullopt;
  if (value.is_integral()) return value.as_integer();
  throw Fault("slice indices must be integers or None or have an __index__ method");
}

// The indices of a sequence of `length` items that a slice selects: first, first + step, ...
struct Selection {
  std::int64_t first;
  std::int64_t step;
  std::int64_t count;
};

Selection select(std::int64_t length, const Value& start, const Value& stop, const Value& step) {
  const std::int64_t by = bound(step).value_or(1);
  if (by == 0) throw Fault("slice step cannot be zero");
  // Walking backwards, -1 stands for "before the first item".
  const std::int64_t low = by < 0 ? -1 : 0;
  const std::int64_t high = by < 0 ? length - 1 : length;
  const auto clamp = [&](std::optional<std::int64_t> index, std::int64_t otherwise) {
    if (!index) return otherwise;
    return std::clamp(*index < 0 ? *index + length : *index, low, high);
  };
  const std::int64_t first = clamp(bound(start), by < 0 ? high : low);
  const std::int64_t end = clamp(bound(stop), by < 0 ? low : high);
  const std::int64_t span = by < 0 ? first - end : end - first;
  if (span <= 0) return {first, by, 0};
  // Written so that a step of any size does not overflow.
  const std::uint64_t stride =
      by < 0 ? 0 - static_cast<std::uint64_t>(by) : static_cast<std::uint64_t>(by);
  return {first, by,
          static_cast<std::int64_t>((static_cast<std::uint64_t>(span) - 1) / stride) + 1};
}

template <typename Visit>
void for_each_index(const Selection& s, Visit visit) {
  std::int64_t index = s.first;
  for (std::int64_t i = 0; i < s.count; ++i) {
    visit(static_cast<std::size_t>(index));
    if (i + 1 < s.count) index += s.step;
  }
}

Value slice_string(const Value& value, const Value& start, const Value& stop, const Value& step) {
  const std::u32string characters = decode(value.as_string());
  const Selection s = select(static_cast<std::int64_t>(characters.size()), start, stop, step);
  std::string text;
  for_each_index(s, [&](std::size_t i) { append_code_point(text, characters[i]); });
  return Value::string(std::move(text), value.text().is_markup);
}

}  // namespace

Value slice(const Value& value, const Value& start, const Value& stop, const Value& step) {
  if (value.is_undefined()) throw Fault(value.why_undefined());
  if (value.is_string()) return slice_string(value, start, stop, step);
  if (value.is_sequence()) {
    const Values& items = value.items();
    Values chosen;
    for_each_index(select(static_cast<std::int64_t>(items.size()), start, stop, step),
                   [&](std::size_t i) { chosen.push_back(items[i]); });
    return value.is(Kind::kTuple) ? Value::tuple(std::move(chosen))
                                  : Value::list(std::move(chosen));
  }
  if (const auto* range = value.object_as<Range>()) {
    const Selection s = select(range->count(), start, stop, step);
    return range->select(s.first, s.step, s.count);
  }
  if (value.is(Kind::kDict)) throw Fault("unhashable type: 'slice'");
  throw Fault("'" + type_name(value) + "' object is not subscriptable");
}

}  // namespace galley::chat
