// Cuts a text into words with the regular expressions of a pre-tokenizer.
//
// Where it sits: the first step of byte-level BPE, before merging. The expressions are compiled
// to machine code once (PCRE2 with JIT), when the tokenizer is built.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace galley {

class RegexSplitter {
 public:
  // Compiles `patterns` (see PreTokenizer::patterns). They are part of the program: one that
  // does not compile is a bug.
  explicit RegexSplitter(std::span<const std::string_view> patterns);
  RegexSplitter(RegexSplitter&&) noexcept;
  RegexSplitter& operator=(RegexSplitter&&) noexcept;
  ~RegexSplitter();

  // Where each word of `text` ends, ascending; the last one is text.size(). Words are never
  // empty and leave nothing out: word i is bytes [ends[i - 1], ends[i]). A byte that is not
  // UTF-8 counts as a control character. Linear in the length of the text for every pattern in
  // the table. Throws Error kFailure if PCRE2 gives up on a text (memory).
  std::vector<std::size_t> split(std::string_view text) const;

 private:
  struct Pattern;
  std::vector<Pattern> patterns_;
};

}  // namespace galley
