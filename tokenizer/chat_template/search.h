// Finding, splitting, replacing and padding text, with Python's conventions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/chat_template/arguments.h"

namespace galley::chat {

// text.split(separator, max_splits): at most that many cuts, any number if negative; rsplit
// counts them from the right. Throws Fault for an empty separator.
std::vector<std::string_view> split(std::string_view text, std::string_view separator,
                                    std::int64_t max_splits, bool from_right);
// The same at runs of white space, leaving out empty parts.
std::vector<std::string_view> split_at_space(std::string_view text, std::int64_t max_splits,
                                             bool from_right);

// text.replace(old, replacement, max_count); any number if negative.
std::string replace_all(std::string_view text, std::string_view old, std::string_view replacement,
                        std::int64_t max_count);

// The part of a text that methods such as find(sub, start, end) look at.
struct Window {
  std::string_view text;
  std::size_t start;  // code points before it
};
// From the optional arguments `first` (start) and `first + 1` (end) of `p`. Nothing if start is
// beyond the end of the text or of the window, where not even an empty text is found.
std::optional<Window> select_window(std::string_view text, const Parameters& p, std::size_t first);

enum class Align { kLeft, kRight, kCenter };
// `text` filled up with `fill` (one character) to `width` code points. Python's str.center puts
// an odd character to the left only if the width is odd.
std::string pad(std::string_view text, std::int64_t width, Align align, std::string_view fill);

}  // namespace galley::chat
