// The language of chat templates: small templates with what python3-jinja2 3.1, set up as
// Transformers sets it up, makes of them; what is refused; and that no template hangs or crashes.
#include "tokenizer/chat_template/chat_template.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace galley {
namespace {

ChatInputs inputs() {
  ChatInputs given;
  given.messages = nlohmann::ordered_json::parse(
      R"([{"role": "system", "content": "Be brief."},
          {"role": "user", "content": "Gr\u00f6\u00dfe? <b>", "n": 2},
          {"role": "assistant", "content": "a\nb", "x": null}])");
  given.add_generation_prompt = true;
  given.bos_token = "<s>";
  given.eos_token = "</s>";
  given.now = std::tm{};
  given.now->tm_year = 124, given.now->tm_mon = 6, given.now->tm_mday = 26;
  return given;
}

std::string render(const std::string& source) {
  return ChatTemplate::parse(source, "test").render(inputs());
}

std::string error_of(const std::string& source) {
  try {
    return "no error, but: " + render(source);
  } catch (const Error& e) {
    return e.what();
  }
}

using Cases = std::vector<std::pair<std::string, std::string>>;

void expect_all(const Cases& cases) {
  for (const auto& [source, expected] : cases) EXPECT_EQ(render(source), expected) << source;
}

TEST(ChatTemplateLanguage, Statements) {
  expect_all({
      {"{% for m in messages if m.role != 'user' %}{{ loop.index }}/{{ loop.length }}{{ m.role[0] "
       "}}{% else %}none{% endfor %}",
       "1/2s2/2a"},
      {"{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.role }}"
       "{% if m.n is defined %}{% break %}{% endif %}{% endfor %}",
       "user"},
      {"{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + m.content|length "
       "%}{% endfor %}{{ ns.n }}",
       "22"},
      {"{% macro f(a, b='B') %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}"
       "{{ f(1) }}|{{ f(1, 2, 3, c=4) }}",
       "1B(){}|12(3,){'c': 4}"},
      {"{% macro f() %}<{{ caller(7) }}>{% endmacro %}{% call(x) f() %}{{ x + 1 }}{% endcall %}",
       "<8>"},
      {"{% filter upper %}a{{ 'b' }}{% endfilter %}{% set t | trim %} x {% endset %}{{ t }}",
       "ABx"},
      {"{% for x in [1, [2, [3]]] recursive %}{{ loop(x) if x is iterable else x }}{% endfor %}",
       "123"},
      {"{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}", "3"},
      {"{%- raw %}{{ x }}{% endraw -%}  {# comment #}", "{{ x }}"},
      {"a\n  {%- if true %}\n  b\n  {%- endif %}\n\nc\n", "a  b\nc"},
      {"a\n  {% if true %}\n  b\n  {% endif %}\nc", "a\n  b\nc"},
      {"{% generation %}x{% endgeneration %}", "x"},  // of Transformers: marks the answer
  });
}

TEST(ChatTemplateLanguage, ExpressionsAndValues) {
  expect_all({
      {"{{ [1, 2.0, 'it\\'s', none, True, (1,), {'a': [\"q\"]}] }}",
       "[1, 2.0, \"it's\", None, True, (1,), {'a': ['q']}]"},
      {"{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 1e16 }} {{ 0.1 + 0.2 "
       "}}",
       "3 -4 2 3.5 1024 1e+16 0.30000000000000004"},
      {"{{ messages[::-1][0].role }} {{ 'abcdef'[1:-1:2] }} {{ messages[-1]['content'] }}",
       "assistant bd a\nb"},
      {"{{ 1 < 2 < 3 }} {{ 'a' in 'cat' }} {{ 3 not in [1] }} {{ not '' }} {{ '' or 'x' }}",
       "True True True True x"},
      {"{{ 'a' ~ 1 ~ none }} {{ '%s-%03d' % ('x', 7) }} {{ '{:>4}|{x}'.format(1, x=2) }}",
       "a1None x-007    1|2"},
      {"{{ x is undefined }} {{ messages is sequence }} {{ 4 is divisibleby 2 }} {{ 'a' is string "
       "}}",
       "True True True True"},
      {"{{ messages[1].nothing }}|{{ nothing|default('d') }}|{{ 'x' if false }}", "|d|"},
  });
}

TEST(ChatTemplateLanguage, FiltersAndMethods) {
  expect_all({
      {"{{ messages|map(attribute='role')|join(', ')|title }}", "System, User, Assistant"},
      {"{{ messages|selectattr('role', 'equalto', 'user')|list|length }}", "1"},
      {"{{ messages[1]|tojson }}", R"({"role": "user", "content": "Größe? <b>", "n": 2})"},
      {"{{ {'a': [1, {}]}|tojson(indent=2) }}", "{\n  \"a\": [\n    1,\n    {}\n  ]\n}"},
      {"{{ 'a\nb'|indent(2) }}|{{ ' x '|trim }}|{{ '<'|e }}|{{ 2.55|round(1) }}",
       "a\n  b|x|&lt;|2.5"},
      {"{{ {'b': 1, 'a': 2}|dictsort }} {{ {'a': 1}.items()|list }}",
       "[('a', 2), ('b', 1)] [('a', 1)]"},
      {"{{ 'a,b'.split(',') }} {{ 'xxa'.lstrip('x') }} {{ 'A-b'.replace('-', '') }}",
       "['a', 'b'] a Ab"},
      {"{{ 'stra\u00dfe'.upper() }} {{ 'ab'.startswith(('x', 'a')) }} {{ '\u0130'|lower|length }}",
       "STRASSE True 2"},
      {"{{ [3, 1, 2]|sort(reverse=true) }} {{ [1, 2, 3, 4]|batch(3)|list }} {{ [1, 1]|unique|list "
       "}}",
       "[3, 2, 1] [[1, 2, 3], [4]] [1]"},
      {"{{ strftime_now('%d %b %Y') }} {{ bos_token }}{{ eos_token }}", "26 Jul 2024 <s></s>"},
  });
}

TEST(ChatTemplateLanguage, RefusalsKeepTheTemplatesWords) {
  try {
    render("{{ raise_exception('System role not supported') }}");
    FAIL();
  } catch (const TemplateRefusal& refusal) {
    EXPECT_EQ(refusal.message(), "System role not supported");
  }
}

// What is no Jinja as Transformers sets it up, or is not supported, is an error with its place.
TEST(ChatTemplateLanguage, TheRestFailsLoudly) {
  const Cases cases = {
      {"{% do [].append(1) %}", "Encountered unknown tag 'do'"},
      {"\n{% include 'x' %}", "line 2, column 4: {% include %} is not supported"},
      {"{{ 'a'|nosuch }}", "No filter named 'nosuch'"},
      {"{{ 'a'|urlize }}", "The filter 'urlize' is not supported"},
      {"{{ messages.append(1) }}", "append"},
      {"{{ nothing.x }}", "'nothing' is undefined"},
      {"{{ 1 + 'a' }}", "unsupported operand"},
      {"{{ 9223372036854775807 + 1 }}", "does not fit in an integer of 64 bits"},
      {"{% if true %}", "endif"},
      {"{{ 'a", "not closed"},
      {"{% break %}", "'break' outside of a loop"},
  };
  for (const auto& [source, words] : cases)
    EXPECT_NE(error_of(source).find(words), std::string::npos) << source << "\n"
                                                               << error_of(source);
}

// Each of these would run for hours, need all memory or overflow the stack.
TEST(ChatTemplateLanguage, HostileTemplatesEndSoon) {
  const auto repeat = [](const std::string& text, int n) {
    std::string all;
    for (int i = 0; i < n; ++i) all += text;
    return all;
  };
  const std::vector<std::string> hostile = {
      "{% for i in range(1000000000) %}{% endfor %}",
      "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
      "{{ 'x' * 1000000000000 }}",
      "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{{ 9 ** 9 ** 9 }}",
      "{{ 'a'.center(10000000000) }}",
      "{{ '%1000000000d' % 1 }}",
      "{{ " + repeat("(", 10000) + "1" + repeat(")", 10000) + " }}",
      "{{ 1" + repeat("+1", 10000) + " }}",
      repeat("{% if 1 %}", 1000) + repeat("{% endif %}", 1000),
  };
  for (const std::string& source : hostile) {
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(error_of(source).find("no error"), std::string::npos) << source.substr(0, 80);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    EXPECT_LT(elapsed.count(), 120) << source.substr(0, 80);
  }
}

}  // namespace
}  // namespace galley
