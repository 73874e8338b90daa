// Prints tokens as they come without ever printing half a UTF-8 character.
//
// Where it sits: the last stop of `galley run`, between the sampled id and stdout. A token is
// bytes, and a character of up to four bytes may be spread over several tokens; the bytes of an
// unfinished character wait here until the rest arrives.
#pragma once

#include <string>
#include <string_view>

#include "tokenizer/tokenizer.h"

namespace galley {

// What becomes of bytes that are not UTF-8, once that is certain.
enum class InvalidBytes {
  kPassOn,   // printed as they are: the output is byte for byte decode() of the ids
  kReplace,  // U+FFFD for each maximal broken part, so that the output is always valid UTF-8
};

class StreamDecoder {
 public:
  // `tokenizer` must outlive the decoder.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool show_special = false,
                         InvalidBytes invalid = InvalidBytes::kPassOn);

  // The text that can be printed now that `id` has come: whole characters only; at most three
  // bytes are held back.
  std::string feed(TokenId id);
  // The same for bytes from elsewhere.
  std::string feed_bytes(std::string_view bytes);
  // What is still held back, at the end of the stream. The decoder can be used again then.
  std::string flush();

 private:
  const Tokenizer* tokenizer_;
  bool show_special_;
  InvalidBytes invalid_;
  std::string pending_;  // the start of a character, 0 to 3 bytes
};

}  // namespace galley
