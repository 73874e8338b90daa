#include "tokenizer/chat_template/json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/operators.h"
#include "tokenizer/chat_template/python_text.h"
#include "tokenizer/chat_template/text.h"

namespace galley::chat {
namespace {

Value convert(const nlohmann::ordered_json& json, int depth) {
  if (depth > kMaxValueDepth) throw Fault("the inputs are nested too deep");
  switch (json.type()) {
    case nlohmann::ordered_json::value_t::null:
      return Value::none();
    case nlohmann::ordered_json::value_t::boolean:
      return Value::boolean(json.get<bool>());
    case nlohmann::ordered_json::value_t::number_integer:
      return Value::integer(json.get<std::int64_t>());
    case nlohmann::ordered_json::value_t::number_unsigned:
      if (json.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
        throw Fault("an integer in the inputs does not fit in 64 bits: " + json.dump());
      }
      return Value::integer(json.get<std::int64_t>());
    case nlohmann::ordered_json::value_t::number_float:
      return Value::number(json.get<double>());
    case nlohmann::ordered_json::value_t::string:
      return Value::string(json.get_ref<const std::string&>());
    case nlohmann::ordered_json::value_t::array: {
      Values items;
      for (const auto& item : json) items.push_back(convert(item, depth + 1));
      return Value::list(std::move(items));
    }
    case nlohmann::ordered_json::value_t::object: {
      auto dict = std::make_shared<Dict>();
      for (const auto& [key, value] : json.items()) dict->set(key, convert(value, depth + 1));
      return Value::dict(std::move(dict));
    }
    default:
      throw Fault("the inputs hold binary data");
  }
}

void append_escape(std::string& out, unsigned unit) {
  std::array<char, 8> text;
  std::snprintf(text.data(), text.size(), "\\u%04x", unit & 0xFFFF);
  out += text.data();
}

void append_string(std::string& out, std::string_view text, bool ensure_ascii) {
  out += '"';
  for (char32_t c : decode(text)) {
    constexpr std::string_view kNamed = "\"\\\n\r\t\b\f";
    constexpr std::string_view kNames = "\"\\nrtbf";
    const std::size_t named = c < 0x80 ? kNamed.find(static_cast<char>(c)) : std::string::npos;
    if (named != std::string_view::npos) {
      out += '\\';
      out += kNames[named];
    } else if (c < 0x20 || (ensure_ascii && c > 0x7E && c <= 0xFFFF)) {
      append_escape(out, static_cast<unsigned>(c));
    } else if (ensure_ascii && c > 0xFFFF) {  // a pair of surrogates
      append_escape(out, 0xD800 + static_cast<unsigned>((c - 0x10000) >> 10));
      append_escape(out, 0xDC00 + static_cast<unsigned>((c - 0x10000) & 0x3FF));
    } else {
      append_code_point(out, c);
    }
  }
  out += '"';
}

class Writer {
 public:
  explicit Writer(const JsonLayout& layout) : layout_(layout) {}

  std::string run(const Value& value) {
    write(value, 0);
    return std::move(out_);
  }

 private:
  void write(const Value& value, int level) {
    spend_steps(1);
    check_text_size(out_.size());
    switch (value.kind()) {
      case Kind::kString:
        append_string(out_, value.as_string(), layout_.ensure_ascii);
        return;
      case Kind::kNone:
      case Kind::kBool:
      case Kind::kInt:
      case Kind::kFloat:
        out_ += plain_text(value);
        return;
      case Kind::kList:
      case Kind::kTuple:
        write_list(value.items(), level);
        return;
      case Kind::kDict:
        write_dict(value.as_dict(), level);
        return;
      default:
        throw Fault("Object of type " + type_name(value) + " is not JSON serializable");
    }
  }

  // Of a value without parts; also of one that is a key.
  static std::string plain_text(const Value& value) {
    switch (value.kind()) {
      case Kind::kNone:
        return "null";
      case Kind::kBool:
        return value.as_bool() ? "true" : "false";
      case Kind::kInt:
        return std::to_string(value.as_integer());
      default: {
        const double d = value.as_double();
        if (std::isnan(d)) return "NaN";
        if (std::isinf(d)) return d < 0 ? "-Infinity" : "Infinity";
        return repr_of_double(d);
      }
    }
  }

  void new_line(int level) {
    if (!layout_.indent) return;
    out_ += '\n';
    for (int i = 0; i < level; ++i) out_ += *layout_.indent;
  }

  void write_list(const Values& items, int level) {
    if (items.empty()) {
      out_ += "[]";
      return;
    }
    out_ += '[';
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i != 0) out_ += layout_.item_separator;
      new_line(level + 1);
      write(items[i], level + 1);
    }
    new_line(level);
    out_ += ']';
  }

  void write_dict(const Dict& dict, int level) {
    if (dict.size() == 0) {
      out_ += "{}";
      return;
    }
    std::vector<const Dict::Entry*> entries;
    for (const Dict::Entry& entry : dict.entries()) entries.push_back(&entry);
    if (layout_.sort_keys) {
      std::stable_sort(entries.begin(), entries.end(),
                       [](const auto* a, const auto* b) { return is_less(a->first, b->first); });
    }
    out_ += '{';
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i != 0) out_ += layout_.item_separator;
      new_line(level + 1);
      write_key(entries[i]->first);
      out_ += layout_.key_separator;
      write(entries[i]->second, level + 1);
    }
    new_line(level);
    out_ += '}';
  }

  void write_key(const Value& key) {
    if (key.is_string()) {
      append_string(out_, key.as_string(), layout_.ensure_ascii);
    } else if (key.is_number() || key.is_none()) {
      out_ += '"' + plain_text(key) + '"';
    } else {
      throw Fault("keys must be str, int, float, bool or None, not " + type_name(key));
    }
  }

  const JsonLayout& layout_;
  std::string out_;
};

}  // namespace

Value from_json(const nlohmann::ordered_json& json) { return convert(json, 0); }

std::string to_json(const Value& value, const JsonLayout& layout) {
  return Writer(layout).run(value);
}

}  // namespace galley::chat
