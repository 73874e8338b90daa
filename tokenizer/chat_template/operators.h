// What the operators of the language do: Python's rules, including its error messages.
#pragma once

#include "tokenizer/chat_template/value.h"

namespace galley::chat {

enum class BinaryOp { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };
enum class CompareOp { kEqual, kNotEqual, kLess, kLessEqual, kGreater, kGreaterEqual, kIn, kNotIn };

// a OP b. Integers are of 64 bits: where Python would go on with a longer one, this throws
// Fault. Throws Fault for operands that do not go together.
Value arithmetic(BinaryOp op, const Value& a, const Value& b);
Value negate(const Value& value);
Value unary_plus(const Value& value);

bool equals(const Value& a, const Value& b);
// a < b; throws Fault for values without an order.
bool is_less(const Value& a, const Value& b);
bool contains(const Value& container, const Value& item);
bool compare(CompareOp op, const Value& a, const Value& b);

// value[start:stop:step]; each bound may be none.
Value slice(const Value& value, const Value& start, const Value& stop, const Value& step);

}  // namespace galley::chat
