#include "tools/glass/explanation.h"

#include <bit>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace galley::glass {
namespace {

using nlohmann::ordered_json;

// printf of one double.
std::string printed(const char* pattern, double x) {
  char text[64];
  std::snprintf(text, sizeof text, pattern, x);
  return text;
}

std::string operand_number(const Operand& operand, double x) {
  return operand.is_integer ? printed("%.0f", x) : short_text(x);
}

// "q_x = -3 17 5 0 ... 12 (32 numbers)".
std::string list_text(const Operand& operand, bool all) {
  constexpr std::size_t kShown = 6;
  const std::size_t n = operand.values.size();
  std::string text = operand.name + " =";
  for (std::size_t i = 0; i < n; ++i) {
    if (!all && n > 2 * kShown && i == kShown) {
      text += " ...";
      i = n - 2;
    }
    text += " " + operand_number(operand, operand.values[i]);
  }
  if (!all && n > 2 * kShown) text += " (" + std::to_string(n) + " numbers)";
  if (!operand.from.empty()) text += ", from " + operand.from;
  return text;
}

std::string step_text(const Step& step, const TextOptions& options) {
  std::string text = wrapped(step.label, 2, options.width);
  if (!step.formula.empty()) text += wrapped(step.formula, 4, options.width);
  std::string numbers;
  const auto flush = [&] {
    if (!numbers.empty()) text += wrapped(numbers, 6, options.width);
    numbers.clear();
  };
  for (const Operand& operand : step.operands) {
    if (operand.is_list) {
      flush();
      text += wrapped(list_text(operand, options.all), 6, options.width);
      continue;
    }
    if (!numbers.empty()) numbers += "; ";
    numbers += operand.name + " = " + operand_number(operand, operand.values.at(0));
    if (!operand.from.empty()) numbers += ", from " + operand.from;
  }
  flush();
  return text + "    " + step.result_name + " = " + printed("%.9g", step.result) + "\n";
}

// A run of steps that are alike: the first two and the last two, unless all are wanted.
std::string repeated_text(const std::vector<Step>& steps, std::size_t begin, std::size_t end,
                          const TextOptions& options) {
  constexpr std::size_t kShown = 2;
  std::string text;
  for (std::size_t i = begin; i < end; ++i) {
    if (!options.all && end - begin > 2 * kShown && i == begin + kShown) {
      text += "  ... " + std::to_string(end - begin - 2 * kShown) + " more of the same ...\n";
      i = end - kShown;
    }
    text += step_text(steps[i], options);
  }
  return text;
}

std::string result_text(const Explanation& e, const TextOptions& options) {
  const auto row = [](const std::string& label, const std::string& value) {
    return "  " + label + std::string(label.size() < 28 ? 28 - label.size() : 1, ' ') + value +
           "\n";
  };
  std::string text =
      row("the engine's value", float_text(e.engine) + (e.is_exact() ? "  the same bits" : ""));
  if (!e.is_exact()) {
    text += row("what the steps give", float_text(e.derived));
    text +=
        wrapped("They differ: the value, or one it was made of, was changed after it was computed.",
                2, options.width);
  }
  if (!e.precise_meaning.empty()) {
    text += row("in float64", printed("%.12g", e.precise));
    text += row("difference", short_text(static_cast<double>(e.engine) - e.precise));
    text += wrapped("(float64: " + e.precise_meaning + ")", 2, options.width);
  }
  if (!e.note.empty()) text += wrapped(e.note, 2, options.width);
  return text;
}

}  // namespace

bool Explanation::is_exact() const {
  return std::bit_cast<std::uint32_t>(engine) == std::bit_cast<std::uint32_t>(derived) ||
         (std::isnan(engine) && std::isnan(derived));
}

std::string float_text(float x) { return printed("%.9g", static_cast<double>(x)); }

std::string short_text(double x) { return printed("%.6g", x); }

std::string wrapped(const std::string& text, std::size_t indent, std::size_t width) {
  const std::string margin(indent, ' ');
  std::string out, line;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (!line.empty() && indent + line.size() + 1 + word.size() > width) {
      out += margin + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    begin = end + 1;
  }
  return out + margin + line + "\n";
}

std::string to_text(const Explanation& e, const TextOptions& options) {
  std::string text = e.cell + " = " + float_text(e.engine) + "\n";
  text += wrapped(e.op + ": " + e.formula, 2, options.width);
  text += wrapped(e.summary, 2, options.width) + "\n";
  for (std::size_t i = 0; i < e.steps.size();) {
    std::size_t end = i;
    while (end < e.steps.size() && e.steps[end].is_repeated) ++end;
    if (end == i) {
      text += step_text(e.steps[i++], options);
    } else {
      text += repeated_text(e.steps, i, end, options);
      i = end;
    }
  }
  return text + (e.steps.empty() ? "" : "\n") + result_text(e, options);
}

ordered_json json_number(double x) {
  if (std::isnan(x)) return "nan";
  if (std::isinf(x)) return x > 0 ? "inf" : "-inf";
  return x;
}

ordered_json to_json(const Explanation& e) {
  ordered_json out;
  out["cell"] = e.cell;
  out["op"] = e.op;
  out["formula"] = e.formula;
  out["summary"] = e.summary;
  out["inputs"] = e.inputs;
  out["steps"] = ordered_json::array();
  for (const Step& step : e.steps) {
    ordered_json s;
    s["label"] = step.label;
    s["formula"] = step.formula;
    s["operands"] = ordered_json::array();
    for (const Operand& operand : step.operands) {
      ordered_json o;
      o["name"] = operand.name;
      if (operand.is_list) {
        o["values"] = ordered_json::array();
        for (const double x : operand.values) o["values"].push_back(json_number(x));
      } else {
        o["value"] = json_number(operand.values.at(0));
      }
      if (!operand.from.empty()) o["from"] = operand.from;
      s["operands"].push_back(std::move(o));
    }
    s["result_name"] = step.result_name;
    s["result"] = json_number(step.result);
    if (step.is_repeated) s["repeated"] = true;
    out["steps"].push_back(std::move(s));
  }
  char bits[16];
  std::snprintf(bits, sizeof bits, "0x%08x", std::bit_cast<std::uint32_t>(e.engine));
  out["engine"] = json_number(static_cast<double>(e.engine));
  out["engine_bits"] = bits;
  out["derived"] = json_number(static_cast<double>(e.derived));
  out["same_bits"] = e.is_exact();
  if (!e.precise_meaning.empty()) {
    out["float64"] = json_number(e.precise);
    out["float64_meaning"] = e.precise_meaning;
    out["difference"] = json_number(static_cast<double>(e.engine) - e.precise);
  }
  if (!e.note.empty()) out["note"] = e.note;
  return out;
}

}  // namespace galley::glass
