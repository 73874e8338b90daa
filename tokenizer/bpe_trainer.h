// Training a byte-level BPE vocabulary: the other end of what bpe encoding applies.
//
// Where it sits: beside the tokenizer. `galley-train-bpe` (tools/zoo) uses it to make the merges
// of the built-in models; nothing else in the engine needs it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace galley {

// Two neighbouring symbols, as raw bytes, that become one.
using BpeMerge = std::pair<std::string, std::string>;

// Finds up to `n_merges` merges for `words` (pre-tokens as raw bytes, with how often each occurs),
// in the order in which they must be applied.
//
// Every word starts as single bytes. Again and again the pair of neighbours that occurs most
// often becomes one symbol, everywhere; of equally frequent pairs the smallest wins (compared
// byte by byte, left symbol first), so that the result depends on nothing but the counts. Ends
// early when no pair occurs at least twice. (Sennrich et al. 2016, section 3.2, on bytes.)
//
// All pairs are counted anew for every merge: O(n_merges * bytes of all words), seconds for the
// few thousand distinct words of a small corpus.
std::vector<BpeMerge> train_bpe(const std::map<std::string, std::uint64_t>& words,
                                std::size_t n_merges);

}  // namespace galley
