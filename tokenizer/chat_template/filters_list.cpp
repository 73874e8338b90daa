// Filters that take lists apart and put them together, and |default.
#include <algorithm>

#include "tokenizer/chat_template/arguments.h"
#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/filters.h"
#include "tokenizer/chat_template/lookup.h"
#include "tokenizer/chat_template/objects.h"
#include "tokenizer/chat_template/python_text.h"
#include "tokenizer/chat_template/text.h"

namespace galley::chat {
namespace {

Value default_value(const Value& value, const Arguments& arguments) {
  const Parameters p("default", arguments, {"default_value", "boolean"});
  const bool is_replaced = value.is_undefined() || (p.truth(1, false) && !is_true(value));
  return is_replaced ? p.value(0, Value::string("")) : value;
}

Value attribute(const Value& value, const Arguments& arguments) {
  const Parameters p("attr", arguments, {"name"}, 1);
  return get_attribute_only(value, to_str(p.required(0)));
}

Value length(const Value& value, const Arguments& arguments) {
  check_no_arguments("the filter length", arguments);
  const std::optional<std::size_t> n = length_of(value);
  if (!n) throw Fault("object of type '" + type_name(value) + "' has no len()");
  return Value::integer(static_cast<std::int64_t>(*n));
}

Value first(const Value& value, const Arguments& arguments) {
  check_no_arguments("the filter first", arguments);
  if (std::optional<Value> item = iterate(value)()) return *item;
  return Value::undefined("No first item, sequence was empty.");
}

// The items from the last to the first, or nothing for what only goes forward.
std::optional<Values> reversed(const Value& value) {
  const auto* object = value.object_as<Object>();
  if (object && !object->is_sequence() && !value.object_as<DictView>()) return std::nullopt;
  if (!is_iterable(value)) return std::nullopt;
  Values items = to_values(value);
  std::reverse(items.begin(), items.end());
  return items;
}

Value last(const Value& value, const Arguments& arguments) {
  check_no_arguments("the filter last", arguments);
  const std::optional<Values> items = reversed(value);
  if (!items) throw Fault("'" + type_name(value) + "' object is not reversible");
  if (items->empty()) return Value::undefined("No last item, sequence was empty.");
  return items->front();
}

Value reverse(const Value& value, const Arguments& arguments) {
  check_no_arguments("the filter reverse", arguments);
  if (value.is_string()) {
    std::u32string characters = decode(value.as_string());
    std::reverse(characters.begin(), characters.end());
    return Value::string(encode(characters), value.text().is_markup);
  }
  std::optional<Values> items = reversed(value);
  if (!items) {  // a generator: Jinja gives a list
    if (!is_iterable(value)) throw Fault("argument must be iterable");
    items = to_values(value);
    std::reverse(items->begin(), items->end());
    return Value::list(std::move(*items));
  }
  const Value list = Value::list(std::move(*items));
  return Generator::make(iterate(list), list.depth());
}

Value list(const Value& value, const Arguments& arguments) {
  check_no_arguments("the filter list", arguments);
  return Value::list(to_values(value));
}

Value items(const Value& value, const Arguments& arguments) {
  check_no_arguments("the filter items", arguments);
  if (value.is_undefined()) return Generator::make(iterate(value), 0);
  if (!value.is(Kind::kDict)) throw Fault("Can only get item pairs from a mapping.");
  DictView view(value, DictView::Of::kItems);
  return Generator::make(view.iterate(), view.depth());
}

// Lists of `linecount` items; the last is filled up with `fill_with`.
Value batch(const Value& value, const Arguments& arguments) {
  const Parameters p("batch", arguments, {"linecount", "fill_with"}, 1);
  const std::int64_t size = p.integer(0, 0);
  const Value fill = p.value(1, Value::none());
  Next items = iterate(value);
  const auto next = [items, size, fill, held = std::optional<Value>(),
                     is_done = false]() mutable -> std::optional<Value> {
    if (is_done) return std::nullopt;
    Values line;
    if (held) line.push_back(*std::exchange(held, std::nullopt));
    while (std::optional<Value> item = items()) {
      if (static_cast<std::int64_t>(line.size()) == size) {
        held = std::move(item);
        return Value::list(std::move(line));
      }
      line.push_back(std::move(*item));
    }
    is_done = true;
    if (line.empty()) return std::nullopt;
    if (!fill.is_none() && static_cast<std::int64_t>(line.size()) < size) {
      check_text_size(static_cast<std::size_t>(size) / 2 * sizeof(Value));
      line.resize(static_cast<std::size_t>(size), fill);
    }
    return Value::list(std::move(line));
  };
  return Generator::make(next, value.depth() + 1);
}

// `slices` lists of about the same length.
Value slice_columns(const Value& value, const Arguments& arguments) {
  const Parameters p("slice", arguments, {"slices", "fill_with"}, 1);
  const Value all = Value::list(to_values(value));
  const auto length = static_cast<std::int64_t>(all.items().size());
  const std::int64_t n = p.integer(0, 0);
  if (n == 0) throw Fault("integer division or modulo by zero");
  const Value fill = p.value(1, Value::none());
  const auto next = [all, n, fill, per_slice = length / n, with_extra = length % n,
                     i = std::int64_t{0}]() mutable -> std::optional<Value> {
    if (i >= n) return std::nullopt;
    const std::int64_t start = i * per_slice + std::min(i, with_extra);
    const std::int64_t end = start + per_slice + (i < with_extra ? 1 : 0);
    Values column(all.items().begin() + start, all.items().begin() + end);
    if (!fill.is_none() && i >= with_extra) column.push_back(fill);
    ++i;
    return Value::list(std::move(column));
  };
  return Generator::make(next, value.depth() + 1);
}

constexpr FilterRow kFilters[] = {
    {"attr", attribute},        {"batch", batch}, {"count", length},    {"d", default_value},
    {"default", default_value}, {"first", first}, {"items", items},     {"last", last},
    {"length", length},         {"list", list},   {"reverse", reverse}, {"slice", slice_columns}};

}  // namespace

FilterFunction find_list_filter(std::string_view name) { return find_in_table(kFilters, name); }

}  // namespace galley::chat
