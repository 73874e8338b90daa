// object.name and object[key].
//
// Both look for an attribute (a method, mostly) and for an item of that name: object.name
// prefers the attribute, object[key] the item. So message.items is the method of dicts even if
// the message has a key "items", and message['items'] is the key's value if there is one.
#pragma once

#include <string>
#include <string_view>

#include "tokenizer/chat_template/value.h"

namespace galley::chat {

// Undefined if there is nothing of that name; throws Fault if `object` itself is undefined.
Value get_attribute(const Value& object, std::string_view name);
Value get_item(const Value& object, const Value& key);

// The attribute alone, never an item: what |attr(name) gives.
Value get_attribute_only(const Value& object, std::string_view name);

// "'dict object' has no attribute 'x'"
Value undefined_attribute(const Value& object, std::string_view name);

}  // namespace galley::chat
