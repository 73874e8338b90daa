#include "tokenizer/regex_split.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cstdint>
#include <cstring>
#include <string>

#include "tensor/error.h"
#include "tokenizer/unicode.h"
#include "tokenizer/utf8.h"

namespace galley {
namespace {

// Frees any PCRE2 object.
struct Pcre2Free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};

std::string pcre2_message(int code) {
  PCRE2_UCHAR text[256] = {};
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

// How many bytes from `position` on are ASCII, looking at eight at a time.
std::size_t ascii_run(std::string_view text, std::size_t position) {
  std::size_t i = position;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t block = 0;
    std::memcpy(&block, text.data() + i, 8);
    if ((block & 0x8080808080808080ULL) != 0) break;
  }
  while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) ++i;
  return i - position;
}

// What PCRE2 is shown instead of `text`: the same length, but valid UTF-8 without characters
// that PCRE2 would misjudge. Nearly always that is `text` itself, else it is put in `storage`.
std::string_view subject_for(std::string_view text, std::string& storage) {
  constexpr char kInvalidByte = '\x01';
  std::string replacement;
  for (std::size_t i = ascii_run(text, 0); i < text.size(); i += ascii_run(text, i)) {
    const Utf8Char c = read_utf8(text, i);
    const char32_t shown = c.valid ? stand_in(c.code) : static_cast<char32_t>(kInvalidByte);
    if (shown != c.code) {
      if (storage.empty()) storage = text;
      replacement.clear();
      append_utf8(replacement, shown);
      GALLEY_CHECK(replacement.size() == c.size, "a stand-in has another size");
      storage.replace(i, c.size, replacement);
    }
    i += c.size;
  }
  return storage.empty() ? text : std::string_view(storage);
}

}  // namespace

// One compiled expression.
struct RegexSplitter::Pattern {
  explicit Pattern(std::string_view text) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    // $ means the very end only; the subjects are known to be valid UTF-8.
    const std::uint32_t options =
        PCRE2_UTF | PCRE2_UCP | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_UTF_CHECK | PCRE2_NEVER_BACKSLASH_C;
    code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), options,
                             &error, &offset, nullptr));
    GALLEY_CHECK(code != nullptr, "pre-tokenizer pattern " + std::string(text) + ": " +
                                      pcre2_message(error) + " at " + std::to_string(offset));
    has_jit = pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE) == 0;
  }

  // Finds the next match in `subject` at or after `start`. False if there is none.
  bool match(std::string_view subject, std::size_t start, pcre2_match_data* data) const {
    const auto* bytes = reinterpret_cast<PCRE2_SPTR>(subject.data());
    int result = PCRE2_ERROR_JIT_STACKLIMIT;
    if (has_jit) {
      result = pcre2_jit_match(code.get(), bytes, subject.size(), start, 0, data, nullptr);
    }
    // The interpreter keeps its stack on the heap.
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
      result = pcre2_match(code.get(), bytes, subject.size(), start,
                           PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, nullptr);
    }
    if (result == PCRE2_ERROR_NOMATCH) return false;
    if (result < 0) {
      throw Error(ErrorKind::kFailure, "cannot cut a text of " + std::to_string(subject.size()) +
                                           " bytes into words: " + pcre2_message(result) +
                                           "; give a shorter text");
    }
    return true;
  }

  // Cuts bytes [begin, end) of `subject`, appending to `ends`.
  void split(std::string_view subject, std::size_t begin, std::size_t end, pcre2_match_data* data,
             std::vector<std::size_t>& ends) const {
    const std::string_view part = subject.substr(begin, end - begin);
    const PCRE2_SIZE* found = pcre2_get_ovector_pointer(data);
    std::size_t done = 0;
    while (done < part.size() && match(part, done, data)) {
      if (found[1] == found[0]) break;  // no pattern of the table matches nothing
      if (found[0] > done) ends.push_back(begin + found[0]);
      done = found[1];
      ends.push_back(begin + done);
    }
    if (done < part.size()) ends.push_back(end);
  }

  std::unique_ptr<pcre2_code, Pcre2Free> code;
  bool has_jit = false;
};

RegexSplitter::RegexSplitter(std::span<const std::string_view> patterns) {
  patterns_.reserve(patterns.size());
  for (const std::string_view pattern : patterns) patterns_.emplace_back(pattern);
}

RegexSplitter::RegexSplitter(RegexSplitter&&) noexcept = default;
RegexSplitter& RegexSplitter::operator=(RegexSplitter&&) noexcept = default;
RegexSplitter::~RegexSplitter() = default;

std::vector<std::size_t> RegexSplitter::split(std::string_view text) const {
  if (text.empty()) return {};
  std::string storage;
  const std::string_view subject = subject_for(text, storage);
  const std::unique_ptr<pcre2_match_data, Pcre2Free> data(pcre2_match_data_create(1, nullptr));
  if (data == nullptr) throw Error(ErrorKind::kOutOfMemory, "no memory for matching words");
  std::vector<std::size_t> ends = {text.size()};
  std::vector<std::size_t> finer;
  for (const Pattern& pattern : patterns_) {
    finer.clear();
    finer.reserve(ends.size() + subject.size() / 8);
    std::size_t begin = 0;
    for (const std::size_t end : ends) {
      pattern.split(subject, begin, end, data.get(), finer);
      begin = end;
    }
    ends.swap(finer);
  }
  return ends;
}

}  // namespace galley
