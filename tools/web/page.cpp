#include "tools/web/page.h"

#include <array>
#include <cstddef>

#include "tensor/error.h"

// The assembler puts the files into the read-only data as they are.
#define GALLEY_EMBED(symbol, path)                           \
  asm(".pushsection .rodata\n"                               \
      ".global " #symbol "_begin, " #symbol                  \
      "_end\n"                                               \
      ".hidden " #symbol "_begin, " #symbol "_end\n" #symbol \
      "_begin:\n"                                            \
      ".incbin \"" GALLEY_WEB_FOLDER "/" path "\"\n" #symbol \
      "_end:\n"                                              \
      ".byte 0\n"                                            \
      ".popsection\n");                                      \
  extern "C" const char symbol##_begin[], symbol##_end[]

#define GALLEY_TEXT(symbol) \
  std::string_view(symbol##_begin, static_cast<std::size_t>(symbol##_end - symbol##_begin))

GALLEY_EMBED(galley_web_html, "index.html");
GALLEY_EMBED(galley_web_style, "style.css");
GALLEY_EMBED(galley_web_dom, "dom.js");
GALLEY_EMBED(galley_web_glossary, "glossary.js");
GALLEY_EMBED(galley_web_trace, "trace.js");
GALLEY_EMBED(galley_web_colors, "colors.js");
GALLEY_EMBED(galley_web_op, "view_op.js");
GALLEY_EMBED(galley_web_number, "view_number.js");
GALLEY_EMBED(galley_web_attention, "view_attention.js");
GALLEY_EMBED(galley_web_lens, "view_lens.js");
GALLEY_EMBED(galley_web_cache, "view_cache.js");
GALLEY_EMBED(galley_web_sampler, "view_sampler.js");
GALLEY_EMBED(galley_web_cost, "view_cost.js");
GALLEY_EMBED(galley_web_live, "live.js");
GALLEY_EMBED(galley_web_app, "app.js");

namespace galley::web {
namespace {

// The scripts share one module's scope, so a later one can use what an earlier one declares.
const std::array kScripts = {GALLEY_TEXT(galley_web_dom),       GALLEY_TEXT(galley_web_glossary),
                             GALLEY_TEXT(galley_web_trace),     GALLEY_TEXT(galley_web_colors),
                             GALLEY_TEXT(galley_web_number),    GALLEY_TEXT(galley_web_op),
                             GALLEY_TEXT(galley_web_attention), GALLEY_TEXT(galley_web_lens),
                             GALLEY_TEXT(galley_web_cache),     GALLEY_TEXT(galley_web_sampler),
                             GALLEY_TEXT(galley_web_cost),      GALLEY_TEXT(galley_web_live),
                             GALLEY_TEXT(galley_web_app)};

// Appends the part of `html` up to `mark`, and drops both from `html`.
void append_up_to(std::string& out, std::string_view& html, std::string_view mark) {
  const std::size_t at = html.find(mark);
  GALLEY_CHECK(at != std::string_view::npos, "index.html has no " + std::string(mark));
  out += html.substr(0, at);
  html.remove_prefix(at + mark.size());
}

}  // namespace

std::string page(std::string_view trace_json, std::string_view live_token) {
  std::string_view html = GALLEY_TEXT(galley_web_html);
  std::string out;
  out.reserve(trace_json.size() + (256 << 10));
  append_up_to(out, html, "{{CONNECT}}");
  out += live_token.empty() ? "'none'" : "'self'";
  append_up_to(out, html, "{{STYLE}}");
  out += GALLEY_TEXT(galley_web_style);
  append_up_to(out, html, "{{LIVE}}");
  out += live_token;
  append_up_to(out, html, "{{TRACE}}");
  out += trace_json;
  append_up_to(out, html, "{{SCRIPT}}");
  for (const std::string_view script : kScripts) out += script;
  out += html;
  return out;
}

}  // namespace galley::web
