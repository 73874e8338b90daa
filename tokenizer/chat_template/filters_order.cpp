// Filters that order and group.
#include <algorithm>
#include <unordered_set>

#include "tokenizer/chat_template/arguments.h"
#include "tokenizer/chat_template/attribute_path.h"
#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/filters.h"
#include "tokenizer/chat_template/objects.h"
#include "tokenizer/chat_template/operators.h"
#include "tokenizer/chat_template/search.h"

namespace galley::chat {
namespace {

struct Keyed {
  Value key;
  Value item;
};

// Stable, by is_less of the keys.
void sort_by_key(std::vector<Keyed>& items, bool is_reversed) {
  std::stable_sort(items.begin(), items.end(), [&](const Keyed& a, const Keyed& b) {
    return is_reversed ? is_less(b.key, a.key) : is_less(a.key, b.key);
  });
}

Value items_of(std::vector<Keyed> keyed) {
  Values items;
  for (Keyed& k : keyed) items.push_back(std::move(k.item));
  return Value::list(std::move(items));
}

// "age,name": several attributes, the first that differs decides.
std::vector<AttributePath> attribute_paths(const Value& attribute) {
  std::vector<AttributePath> paths;
  if (!attribute.is_string()) {
    paths.emplace_back(attribute);
    return paths;
  }
  for (std::string_view part : split(attribute.as_string(), ",", -1, false)) {
    paths.emplace_back(Value::string(std::string(part)));
  }
  return paths;
}

Value key_of(const Value& item, const AttributePath& path, bool case_sensitive,
             const Value& otherwise = Value()) {
  const Value key = path.get(item, otherwise);
  return case_sensitive ? key : fold_case(key);
}

Value sort(const Value& value, const Arguments& arguments) {
  const Parameters p("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const std::vector<AttributePath> paths = attribute_paths(p.value(2, Value::none()));
  std::vector<Keyed> keyed;
  for (const Value& item : to_values(value)) {
    Values keys;
    for (const AttributePath& path : paths) keys.push_back(key_of(item, path, p.truth(1, false)));
    keyed.push_back({Value::list(std::move(keys)), item});
  }
  sort_by_key(keyed, p.truth(0, false));
  return items_of(std::move(keyed));
}

Value dictsort(const Value& value, const Arguments& arguments) {
  const Parameters p("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  const std::string by = p.text(1, "key");
  if (by != "key" && by != "value") {
    throw Fault("You can only sort by either \"key\" or \"value\"");
  }
  if (value.is_undefined()) throw Fault(value.why_undefined());
  if (!value.is(Kind::kDict)) {
    throw Fault("'" + type_name(value) + "' object has no attribute 'items'");
  }
  std::vector<Keyed> keyed;
  for (const auto& [key, item] : value.as_dict().entries()) {
    const Value& sorted_by = by == "key" ? key : item;
    keyed.push_back(
        {p.truth(0, false) ? sorted_by : fold_case(sorted_by), Value::tuple({key, item})});
  }
  sort_by_key(keyed, p.truth(2, false));
  return items_of(std::move(keyed));
}

Value unique(const Value& value, const Arguments& arguments) {
  const Parameters p("unique", arguments, {"case_sensitive", "attribute"});
  const Next items = iterate(value);
  const auto next = [items, path = AttributePath(p.value(1, Value::none())),
                     case_sensitive = p.truth(0, false),
                     seen = std::unordered_set<std::string>()]() mutable -> std::optional<Value> {
    while (std::optional<Value> item = items()) {
      if (seen.insert(hash_key(key_of(*item, path, case_sensitive))).second) return item;
    }
    return std::nullopt;
  };
  return Generator::make(next, value.depth());
}

template <bool largest>
Value extreme(const Value& value, const Arguments& arguments) {
  const Parameters p("min and max", arguments, {"case_sensitive", "attribute"});
  const AttributePath path(p.value(1, Value::none()));
  std::optional<Keyed> best;
  const Next next = iterate(value);
  while (const std::optional<Value> item = next()) {
    Value key = key_of(*item, path, p.truth(0, false));
    if (!best || (largest ? is_less(best->key, key) : is_less(key, best->key))) {
      best = Keyed{std::move(key), *item};
    }
  }
  return best ? best->item : Value::undefined("No aggregated item, sequence was empty.");
}

Value groupby(const Value& value, const Arguments& arguments) {
  const Parameters p("groupby", arguments, {"attribute", "default", "case_sensitive"}, 1);
  const AttributePath path(p.required(0));
  const Value otherwise = p.value(1, Value::none());
  std::vector<Keyed> keyed;
  for (const Value& item : to_values(value)) {
    keyed.push_back({key_of(item, path, p.truth(2, false), otherwise), item});
  }
  sort_by_key(keyed, false);
  Values groups;
  for (std::size_t start = 0; start < keyed.size();) {
    std::size_t end = start + 1;
    while (end < keyed.size() && equals(keyed[end].key, keyed[start].key)) ++end;
    Values members;
    for (std::size_t i = start; i < end; ++i) members.push_back(keyed[i].item);
    // The group goes by its first member's key as it is written there.
    const Value key = path.get(members[0], otherwise);
    groups.push_back(Value::group(key, Value::list(std::move(members))));
    start = end;
  }
  return Value::list(std::move(groups));
}

constexpr FilterRow kFilters[] = {{"dictsort", dictsort}, {"groupby", groupby},
                                  {"max", extreme<true>}, {"min", extreme<false>},
                                  {"sort", sort},         {"unique", unique}};

}  // namespace

FilterFunction find_order_filter(std::string_view name) { return find_in_table(kFilters, name); }

}  // namespace galley::chat
