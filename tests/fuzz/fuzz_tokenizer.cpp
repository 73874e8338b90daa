// Any bytes as a tokenizer and a text: made or refused with an Error, and encoding, explaining
// and decoding agree. Seeds: tests/data/fuzz_tokenizer.
#include "tests/tokenizer/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  galley::test::check_fuzz_input({data, size});
  return 0;
}
