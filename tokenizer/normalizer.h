// SentencePiece's compiled text normalization: which characters become which others before a
// Unigram tokenizer looks at them (full-width letters become plain ones, and so on).
//
// Where it sits: used by unigram.h. GGUF carries it as `tokenizer.ggml.precompiled_charsmap`:
//
//   0..3  n: size of the array, in bytes, little endian
//   4..   the array: n / 4 units, a tree of byte strings ("double array", Aoe 1989)
//   4+n.. the replacements, each ended by a NUL; the tree's values are offsets into them
//
// A unit of the tree: bits 0-7 the byte that leads to it, bit 8 set if a string ends here,
// bits 10-30 the offset to its children (times 256 if bit 9 is set); or, bit 31 clear and found
// where a string ends, the value. The map is not trusted: an index outside of it ends a search.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/gguf.h"

namespace galley {

class Normalizer {
 public:
  // Changes nothing.
  Normalizer() = default;
  // The map of `file`, or one that changes nothing if it has none. Throws Error kBadModel if
  // its sizes do not fit together.
  static Normalizer from_gguf(const GgufFile& file);

  struct Replacement {
    std::string_view text;  // part of this Normalizer
    std::size_t n_bytes;    // how much of the input it replaces
  };
  // What replaces the beginning of `text`: the longest match, if there is one.
  std::optional<Replacement> match(std::string_view text) const;

 private:
  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

}  // namespace galley
