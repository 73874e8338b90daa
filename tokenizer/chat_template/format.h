// Python's two ways to format text: "%s is %d" % (a, b) and "{} is {n:>5}".format(a, n=b).
#pragma once

#include <string>
#include <string_view>

#include "tokenizer/chat_template/value.h"

namespace galley::chat {

// pattern % values: conversions s r d i u f F e E g G x X o c and %%, with flags, width,
// precision and (name) for a dict. Throws Fault for others and for the wrong number of values.
Value format_percent(const Value& pattern, const Value& values);

// pattern.format(...): {} {0} {name} {0.attribute} {0[key]}, !s and !r, and format
// specifications. Throws Fault for what is not among these.
std::string format_braces(std::string_view pattern, const Arguments& arguments);

// format(value, spec), spec being [[fill]align][sign][#][0][width][,|_][.precision][type].
std::string format_value(const Value& value, std::string_view spec);

}  // namespace galley::chat
