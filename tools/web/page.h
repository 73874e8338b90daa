// The page that shows a trace: one HTML file with everything in it.
//
// Where it sits: `galley trace -o x.html` writes it, `galley step --web` serves it. Its parts, in
// this folder, are plain HTML, CSS and JavaScript; the assembler puts them into the program as they
// are, and the functions here put them together. Nothing is loaded from anywhere.
#pragma once

#include <string>
#include <string_view>

namespace galley::web {

// The whole page around a trace, as JSON without '<' (trace::trace_text). With a `live_token` the
// page talks to the server it came from, with that token; without one it talks to nobody.
std::string page(std::string_view trace_json, std::string_view live_token = {});

}  // namespace galley::web
