// How numbers stand in a trace: values as base64 (RFC 4648) of little-endian float32, which keeps
// every bit; times, probabilities and statistics as six digits.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace galley::trace {

// With padding, without line breaks.
std::string base64(std::span<const float> values);
// Throws Error kFailure, with `what` in front, if `text` is not the base64 of whole floats.
std::vector<float> floats_from_base64(std::string_view text, const std::string& what);

// `x` to six digits.
double short_number(double x);

}  // namespace galley::trace
