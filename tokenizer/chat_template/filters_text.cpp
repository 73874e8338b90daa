// Filters on text. All take any value and work on its str(), as Jinja's do.
#include <algorithm>

#include "tokenizer/chat_template/arguments.h"
#include "tokenizer/chat_template/attribute_path.h"
#include "tokenizer/chat_template/escape.h"
#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/filters.h"
#include "tokenizer/chat_template/format.h"
#include "tokenizer/chat_template/json.h"
#include "tokenizer/chat_template/python_text.h"
#include "tokenizer/chat_template/search.h"
#include "tokenizer/chat_template/text.h"

namespace galley::chat {
namespace {

// str(value), keeping the mark of safe text.
Value soft_text(const Value& value) {
  return value.is_string() ? value : Value::string(to_str(value));
}

Value like(const Value& value, std::string text) {
  return Value::string(std::move(text), value.is_string() && value.text().is_markup);
}

void require_text(const char* filter, const Value& value) {
  if (value.is_undefined()) throw Fault(value.why_undefined());
  if (!value.is_string()) {
    throw Fault(std::string(filter) + " needs a text, not " + type_name(value));
  }
}

template <std::string (*convert)(std::string_view)>
Value convert_case(const Value& value, const Arguments& arguments) {
  check_no_arguments("the filter", arguments);
  return like(value, convert(to_str(value)));
}

Value string(const Value& value, const Arguments& arguments) {
  check_no_arguments("the filter string", arguments);
  return soft_text(value);
}

// Unlike str.title, a word begins only after white space and - ( { [ <.
std::string title_words(std::string_view text) {
  std::string out;
  std::string word;
  const auto finish = [&] {
    if (word.empty()) return;
    const std::size_t first = decode_at(word, 0).n_bytes;
    out += to_upper(word.substr(0, first)) + to_lower(word.substr(first));
    word.clear();
  };
  for (char32_t c : decode(text)) {
    if (is_space(c) || std::u32string_view(U"-({[<").find(c) != std::u32string_view::npos) {
      finish();
      append_code_point(out, c);
    } else {
      append_code_point(word, c);
    }
  }
  finish();
  return out;
}

Value trim(const Value& value, const Arguments& arguments) {
  const Parameters p("trim", arguments, {"chars"});
  const std::string text = to_str(value);
  if (!p.is_set(0)) return like(value, std::string(strip(text, Side::kBoth, nullptr)));
  const std::string_view characters = p.text(0);
  return like(value, std::string(strip(text, Side::kBoth, &characters)));
}

Value replace(const Value& value, const Arguments& arguments) {
  const Parameters p("replace", arguments, {"old", "new", "count"}, 2);
  const std::int64_t count = p.is_set(2) ? p.integer(2, -1) : -1;
  return Value::string(
      replace_all(to_str(value), to_str(p.required(0)), to_str(p.required(1)), count));
}

Value join(const Value& value, const Arguments& arguments) {
  const Parameters p("join", arguments, {"d", "attribute"});
  const std::string separator = p.find(0) ? to_str(*p.find(0)) : "";
  const AttributePath attribute(p.value(1, Value::none()));
  std::string text;
  const Next next = iterate(value);
  for (bool is_first = true; const std::optional<Value> item = next(); is_first = false) {
    if (!is_first) text += separator;
    text += to_str(attribute.get(*item));
    check_text_size(text.size());
  }
  return Value::string(std::move(text));
}

Value center(const Value& value, const Arguments& arguments) {
  const Parameters p("center", arguments, {"width"});
  return like(value, pad(to_str(value), p.integer(0, 80), Align::kCenter, " "));
}

Value indent(const Value& value, const Arguments& arguments) {
  const Parameters p("indent", arguments, {"width", "first", "blank"});
  require_text("indent", value);
  std::string margin;
  if (p.find(0) && p.find(0)->is_string()) {
    margin = p.text(0);
  } else {
    const auto width = static_cast<std::size_t>(std::max<std::int64_t>(p.integer(0, 4), 0));
    check_text_size(width);
    margin = std::string(width, ' ');
  }
  // The newline added here makes a last line that ends in one give an empty line after it.
  const std::string text = value.as_string() + "\n";
  const std::vector<std::string_view> lines = split_lines(text, false);
  std::string out = p.truth(1, false) ? margin : "";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i != 0) out += '\n';
    if (i != 0 && (!lines[i].empty() || p.truth(2, false))) out += margin;
    out += lines[i];
    check_text_size(out.size());
  }
  return like(value, std::move(out));
}

Value truncate(const Value& value, const Arguments& arguments) {
  const Parameters p("truncate", arguments, {"length", "killwords", "end", "leeway"});
  const std::string end = p.text(2, "...");
  const std::int64_t length = p.integer(0, 255);
  const std::int64_t leeway = p.is_set(3) ? p.integer(3, 5) : 5;
  const auto n_end = static_cast<std::int64_t>(count_code_points(end));
  if (length < n_end) throw Fault("truncate: the length must be at least that of the end");
  if (leeway < 0) throw Fault("truncate: the leeway must not be negative");
  // Written so that large numbers do not overflow.
  const auto n = static_cast<std::int64_t>(length_of(value).value_or(SIZE_MAX / 2));
  if (n - leeway <= length) return value;
  require_text("truncate", value);
  const std::string& text = value.as_string();
  std::string_view kept = code_point_range(text, 0, static_cast<std::size_t>(length - n_end));
  if (!p.truth(1, false)) kept = kept.substr(0, std::min(kept.rfind(' '), kept.size()));
  return like(value, std::string(kept) + end);
}

Value wordcount(const Value& value, const Arguments& arguments) {
  check_no_arguments("the filter wordcount", arguments);
  std::int64_t n = 0;
  bool in_word = false;
  for (char32_t c : decode(to_str(value))) {
    if (is_word(c) && !in_word) ++n;
    in_word = is_word(c);
  }
  return Value::integer(n);
}

Value format(const Value& value, const Arguments& arguments) {
  const Value pattern = soft_text(value);
  if (!arguments.positional.empty() && !arguments.named.empty()) {
    throw Fault("format: can't handle positional and keyword arguments at the same time");
  }
  if (arguments.named.empty()) return format_percent(pattern, Value::tuple(arguments.positional));
  auto names = std::make_shared<Dict>();
  for (const auto& [name, argument] : arguments.named) names->set(name, argument);
  return format_percent(pattern, Value::dict(std::move(names)));
}

Value escape(const Value& value, const Arguments& arguments) {
  check_no_arguments("the filter escape", arguments);
  if (value.is_string() && value.text().is_markup) return value;
  return Value::string(escape_html(to_str(value)), true);
}

Value forceescape(const Value& value, const Arguments& arguments) {
  check_no_arguments("the filter forceescape", arguments);
  return Value::string(escape_html(to_str(value)), true);
}

Value safe(const Value& value, const Arguments& arguments) {
  check_no_arguments("the filter safe", arguments);
  return Value::string(to_str(value), true);
}

std::string quote_url(std::string_view text, bool in_query) {
  constexpr std::string_view kPlain = "_.-~";
  constexpr const char* kHex = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain =
        (byte < 0x80 && is_word(byte)) || kPlain.find(c) != kPlain.npos || (c == '/' && !in_query);
    if (is_plain) {
      out += c;
    } else if (c == ' ' && in_query) {
      out += '+';
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

Value urlencode(const Value& value, const Arguments& arguments) {
  check_no_arguments("the filter urlencode", arguments);
  if (value.is_string() || !is_iterable(value)) {
    return Value::string(quote_url(to_str(value), false));
  }
  std::string out;
  const auto add = [&](const Value& key, const Value& item) {
    if (!out.empty()) out += '&';
    out += quote_url(to_str(key), true) + "=" + quote_url(to_str(item), true);
    check_text_size(out.size());
  };
  if (value.is(Kind::kDict)) {
    for (const auto& [key, item] : value.as_dict().entries()) add(key, item);
  } else {
    const Next next = iterate(value);
    while (const std::optional<Value> pair = next()) {
      const Values parts = to_values(*pair);
      if (parts.size() != 2) throw Fault("urlencode needs pairs of a name and a value");
      add(parts[0], parts[1]);
    }
  }
  return Value::string(std::move(out));
}

// tojson as Transformers defines it: json.dumps, without the escaping of Jinja's own.
Value tojson(const Value& value, const Arguments& arguments) {
  const Parameters p("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonLayout layout;
  layout.ensure_ascii = p.truth(0, false);
  layout.sort_keys = p.truth(3, false);
  if (p.is_set(1)) {
    const Value& margin = *p.find(1);
    if (margin.is_string()) {
      layout.indent = margin.as_string();
    } else {
      const std::int64_t n = std::clamp<std::int64_t>(p.integer(1, 0), 0, 1000);
      layout.indent = std::string(static_cast<std::size_t>(n), ' ');
    }
    layout.item_separator = std::string(1, ',');
  }
  if (p.is_set(2)) {
    const Values separators = to_values(*p.find(2));
    if (separators.size() != 2 || !separators[0].is_string() || !separators[1].is_string()) {
      throw Fault("tojson: separators must be two texts");
    }
    layout.item_separator = separators[0].as_string();
    layout.key_separator = separators[1].as_string();
  }
  return Value::string(to_json(value, layout));
}

constexpr FilterRow kFilters[] = {{"capitalize", convert_case<to_capitalized>},
                                  {"center", center},
                                  {"e", escape},
                                  {"escape", escape},
                                  {"forceescape", forceescape},
                                  {"format", format},
                                  {"indent", indent},
                                  {"join", join},
                                  {"lower", convert_case<to_lower>},
                                  {"replace", replace},
                                  {"safe", safe},
                                  {"string", string},
                                  {"title", convert_case<title_words>},
                                  {"tojson", tojson},
                                  {"trim", trim},
                                  {"truncate", truncate},
                                  {"upper", convert_case<to_upper>},
                                  {"urlencode", urlencode},
                                  {"wordcount", wordcount}};

}  // namespace

FilterFunction find_text_filter(std::string_view name) { return find_in_table(kFilters, name); }

}  // namespace galley::chat
