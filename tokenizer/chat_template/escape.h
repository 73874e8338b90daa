// HTML escaping, for the filters |escape and |safe. Chat templates have no use for it, but some
// mark text as safe.
#pragma once

#include <string>
#include <string_view>

namespace galley::chat {

// & < > " ' as character references.
inline std::string escape_html(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace galley::chat
