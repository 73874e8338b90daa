// map, select, reject, selectattr, rejectattr: filters that apply another filter or a test to
// every item. They give generators, which do their work when their items are asked for.
#include "tokenizer/chat_template/arguments.h"
#include "tokenizer/chat_template/attribute_path.h"
#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/filters.h"
#include "tokenizer/chat_template/objects.h"
#include "tokenizer/chat_template/python_text.h"
#include "tokenizer/chat_template/tests.h"

namespace galley::chat {
namespace {

// The arguments after the first `n` positional ones.
Arguments after(const Arguments& arguments, std::size_t n) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(),
                        rest.positional.begin() + static_cast<std::ptrdiff_t>(n));
  return rest;
}

int depth_of(const Arguments& arguments, int depth) {
  for (const Value& v : arguments.positional) depth = std::max(depth, v.depth());
  for (const auto& named : arguments.named) depth = std::max(depth, named.second.depth());
  return depth;
}

// map(attribute=path, default=value): the attribute of every item.
Value map_attribute(const Value& value, const Arguments& arguments) {
  const Parameters p("map", arguments, {"attribute", "default"});
  const AttributePath path(p.required(0));
  const Value otherwise = p.value(1, Value());
  const int depth = depth_of(arguments, value.depth());
  const auto next = [items = iterate(value), path, otherwise]() -> std::optional<Value> {
    const std::optional<Value> item = items();
    return item ? std::optional<Value>(path.get(*item, otherwise)) : std::nullopt;
  };
  return Generator::make(next, depth);
}

// map('upper'), map('replace', 'a', 'b'): a filter applied to every item.
Value map(const Value& value, const Arguments& arguments) {
  if (!is_true(value)) {
    return Generator::make([]() -> std::optional<Value> { return std::nullopt; }, 0);
  }
  if (arguments.positional.empty()) {
    if (arguments.named.empty()) throw Fault("map requires a filter argument");
    for (const auto& [name, argument] : arguments.named) {
      if (name == "attribute") return map_attribute(value, arguments);
    }
    throw Fault("Unexpected keyword argument '" + arguments.named[0].first + "'");
  }
  const std::string name = to_str(arguments.positional[0]);
  const FilterFunction filter = find_filter(name);
  if (!filter) throw Fault("No filter named '" + name + "'.");
  const int depth = depth_of(arguments, value.depth());
  const auto next = [items = iterate(value), filter,
                     rest = after(arguments, 1)]() -> std::optional<Value> {
    const std::optional<Value> item = items();
    return item ? std::optional<Value>(filter(*item, rest)) : std::nullopt;
  };
  return Generator::make(next, depth);
}

// With `by_attribute`, the first argument names what is tested; then comes the test's name.
// Without a test, the value's truth decides.
template <bool by_attribute, bool keeps>
Value choose(const Value& value, const Arguments& arguments) {
  if (!is_true(value)) {
    return Generator::make([]() -> std::optional<Value> { return std::nullopt; }, 0);
  }
  const std::size_t n_before = by_attribute ? 1 : 0;
  if (arguments.positional.size() < n_before) throw Fault("Missing parameter for attribute name");
  const AttributePath path(by_attribute ? arguments.positional[0] : Value::none());
  TestFunction test = nullptr;
  Arguments rest;
  if (arguments.positional.size() > n_before) {
    const std::string name = to_str(arguments.positional[n_before]);
    test = find_test(name);
    if (!test) throw Fault("No test named '" + name + "'.");
    rest = after(arguments, n_before + 1);
  }
  const int depth = depth_of(arguments, value.depth());
  const auto next = [items = iterate(value), path, test, rest]() -> std::optional<Value> {
    while (std::optional<Value> item = items()) {
      const Value subject = path.get(*item);
      if ((test ? test(subject, rest) : is_true(subject)) == keeps) return item;
    }
    return std::nullopt;
  };
  return Generator::make(next, depth);
}

constexpr FilterRow kFilters[] = {{"map", map},
                                  {"reject", choose<false, false>},
                                  {"rejectattr", choose<true, false>},
                                  {"select", choose<false, true>},
                                  {"selectattr", choose<true, true>}};

}  // namespace

FilterFunction find_select_filter(std::string_view name) { return find_in_table(kFilters, name); }

}  // namespace galley::chat
