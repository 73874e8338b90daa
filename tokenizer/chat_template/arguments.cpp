#include "tokenizer/chat_template/arguments.h"

#include <algorithm>

#include "tokenizer/chat_template/fault.h"

namespace galley::chat {

Parameters::Parameters(std::string_view function, const Arguments& given,
                       std::initializer_list<const char*> names, std::size_t n_required)
    : function_(function), values_(names.size(), nullptr), names_(names.begin(), names.end()) {
  if (given.positional.size() > names_.size()) {
    fail("takes at most " + std::to_string(names_.size()) + " argument" +
         (names_.size() == 1 ? "" : "s") + " (" + std::to_string(given.positional.size()) +
         " given)");
  }
  for (std::size_t i = 0; i < given.positional.size(); ++i) values_[i] = &given.positional[i];
  for (const auto& [name, value] : given.named) {
    const auto it = std::find(names_.begin(), names_.end(), name);
    if (it == names_.end()) fail("got an unexpected keyword argument '" + name + "'");
    const Value*& place = values_[static_cast<std::size_t>(it - names_.begin())];
    if (place) fail("got multiple values for argument '" + name + "'");
    place = &value;
  }
  for (std::size_t i = 0; i < n_required; ++i) {
    if (values_[i]) continue;
    std::string_view name = names_[i];
    if (name.starts_with('/')) name.remove_prefix(1);
    fail("missing required argument: '" + std::string(name) + "'");
  }
}

void Parameters::fail(const std::string& what) const {
  throw Fault(std::string(function_) + "() " + what);
}

void Parameters::fail_type(std::size_t i, const char* expected) const {
  if (values_[i]->is_undefined()) throw Fault(values_[i]->why_undefined());
  fail("argument " + std::to_string(i + 1) + " must be " + expected + ", not " +
       type_name(*values_[i]));
}

Value Parameters::value(std::size_t i, Value otherwise) const {
  return values_[i] ? *values_[i] : std::move(otherwise);
}

bool Parameters::truth(std::size_t i, bool otherwise) const {
  return values_[i] ? is_true(*values_[i]) : otherwise;
}

std::int64_t Parameters::integer(std::size_t i, std::int64_t otherwise) const {
  if (!values_[i]) return otherwise;
  if (!values_[i]->is_integral()) fail_type(i, "int");
  return values_[i]->as_integer();
}

const std::string& Parameters::text(std::size_t i) const {
  if (!values_[i]->is_string()) fail_type(i, "str");
  return values_[i]->as_string();
}

std::string Parameters::text(std::size_t i, std::string otherwise) const {
  return values_[i] ? text(i) : std::move(otherwise);
}

void check_no_arguments(std::string_view what, const Arguments& given) {
  const std::size_t n = given.positional.size() + given.named.size();
  if (n != 0) {
    throw Fault(std::string(what) + " takes no arguments (" + std::to_string(n) + " given)");
  }
}

}  // namespace galley::chat
