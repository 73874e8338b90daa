#include "tokenizer/chat_template/filters.h"

#include <algorithm>
#include <iterator>

#include "tokenizer/chat_template/attribute_path.h"
#include "tokenizer/chat_template/lookup.h"
#include "tokenizer/chat_template/search.h"
#include "tokenizer/chat_template/text.h"

namespace galley::chat {

FilterFunction find_filter(std::string_view name) {
  for (const auto find : {find_text_filter, find_number_filter, find_list_filter, find_order_filter,
                          find_select_filter}) {
    if (const FilterFunction function = find(name)) return function;
  }
  return nullptr;
}

bool is_unsupported_filter(std::string_view name) {
  constexpr std::string_view kNames[] = {"filesizeformat", "pprint",   "random", "striptags",
                                         "urlize",         "wordwrap", "xmlattr"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

AttributePath::AttributePath(const Value& path) {
  if (path.is_none() || path.is_missing()) return;
  if (!path.is_string()) {
    steps_.push_back(path);
    return;
  }
  for (std::string_view part : split(path.as_string(), ".", -1, false)) {
    const bool is_index = !part.empty() && part.size() < 18 &&
                          part.find_first_not_of("0123456789") == std::string_view::npos;
    steps_.push_back(is_index ? Value::integer(std::stoll(std::string(part)))
                              : Value::string(std::string(part)));
  }
}

Value AttributePath::get(const Value& object, const Value& otherwise) const {
  Value value = object;
  for (const Value& step : steps_) {
    value = get_item(value, step);
    if (value.is_undefined() && !otherwise.is_missing() && !otherwise.is_none()) {
      value = otherwise;
    }
  }
  return value;
}

Value fold_case(const Value& value) {
  if (!value.is_string()) return value;
  return Value::string(to_lower(value.as_string()));
}

}  // namespace galley::chat
