#include "tokenizer/stream_decoder.h"

#include "tokenizer/utf8.h"

namespace galley {
namespace {

// Whether `part` is the beginning of some character, but not all of it.
bool is_start_of_char(std::string_view part) {
  const auto size = static_cast<std::size_t>(utf8_size(static_cast<unsigned char>(part[0])));
  if (part.size() >= size) return false;
  // For some first bytes not every second byte will do (no overlong forms, no surrogates): it
  // is a beginning if either end of the range of following bytes completes it.
  const auto completes = [&](char filler) {
    std::string whole(part);
    whole.resize(size, filler);
    return read_utf8(whole, 0).valid;
  };
  return completes('\x80') || completes('\xBF');
}

// The size of the broken character at `position`: all bytes that could have begun one, or a
// single byte (the practice that the Unicode Standard recommends, section 3.9).
std::size_t broken_size(std::string_view text, std::size_t position) {
  std::size_t size = 1;
  while (position + size < text.size() && is_start_of_char(text.substr(position, size + 1))) ++size;
  return size;
}

}  // namespace

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool show_special, InvalidBytes invalid)
    : tokenizer_(&tokenizer), show_special_(show_special), invalid_(invalid) {}

std::string StreamDecoder::feed(TokenId id) {
  return feed_bytes(tokenizer_->piece(id, show_special_));
}

std::string StreamDecoder::feed_bytes(std::string_view bytes) {
  pending_ += bytes;
  std::string ready;
  std::size_t i = 0;
  while (i < pending_.size()) {
    const Utf8Char c = read_utf8(pending_, i);
    const std::size_t size = c.valid ? c.size : broken_size(pending_, i);
    const bool is_last = i + size == pending_.size();
    if (!c.valid && is_last && is_start_of_char(std::string_view(pending_).substr(i))) break;
    if (c.valid || invalid_ == InvalidBytes::kPassOn) {
      ready.append(pending_, i, size);
    } else {
      append_utf8(ready, 0xFFFD);
    }
    i += size;
  }
  pending_.erase(0, i);
  return ready;
}

std::string StreamDecoder::flush() {
  std::string rest;
  if (invalid_ == InvalidBytes::kPassOn) {
    rest.swap(pending_);
  } else if (!pending_.empty()) {
    append_utf8(rest, 0xFFFD);
    pending_.clear();
  }
  return rest;
}

}  // namespace galley
