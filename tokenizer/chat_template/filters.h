// The filters of the language: value | name(arguments).
#pragma once

#include <string_view>

#include "tokenizer/chat_template/value.h"

namespace galley::chat {

using FilterFunction = Value (*)(const Value& value, const Arguments& arguments);

// nullptr if there is no filter of that name here; see is_unsupported_filter.
FilterFunction find_filter(std::string_view name);

// Whether Jinja has a filter of that name that this interpreter leaves out.
bool is_unsupported_filter(std::string_view name);

// Rows of the table, by subject; each file gives its own.
struct FilterRow {
  std::string_view name;
  FilterFunction function;
};
FilterFunction find_text_filter(std::string_view name);
FilterFunction find_number_filter(std::string_view name);
FilterFunction find_list_filter(std::string_view name);
FilterFunction find_order_filter(std::string_view name);
FilterFunction find_select_filter(std::string_view name);

template <std::size_t n>
FilterFunction find_in_table(const FilterRow (&table)[n], std::string_view name) {
  for (const FilterRow& row : table) {
    if (row.name == name) return row.function;
  }
  return nullptr;
}

}  // namespace galley::chat
