// The tokens with a meaning (BOS, EOS, end of turn ...) and the flags that go with them.
//
// Where it sits: the second half of reading a vocabulary (vocabulary.h). Some of it is written
// in the file; the rest is known by token texts and model names, as it is to llama.cpp.
#pragma once

#include "tensor/gguf.h"
#include "tokenizer/vocabulary.h"

namespace galley {

// Fills in everything of `vocabulary` after `types`, and corrects the types of tokens that are
// well-known control tokens but not marked so. Throws Error kBadModel if a key has a wrong type.
void read_special_ids(const GgufFile& file, Vocabulary& vocabulary);

}  // namespace galley
