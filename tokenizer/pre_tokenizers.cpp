#include "tokenizer/pre_tokenizers.h"

namespace galley {
namespace {

using Pattern = std::string_view;

// How to read one: alternatives are tried in order at each place. The GPT-2 pattern says: an
// English contraction; letters, digits or other signs with at most one space in front; white
// space up to the last, which belongs to the next word; any other white space.
#define GPT2 R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"
constexpr Pattern kGpt2[] = {GPT2};
constexpr Pattern kSingleDigits[] = {R"(\p{N})", GPT2};

// Parts that many patterns share. Contractions in any case are spelled out, because (?i:'s)
// would match the long s, U+017F, too.
#define CONTRACTION R"((?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]))"
#define WORD R"([^\r\n\p{L}\p{N}]?\p{L}+)"
#define SIGNS R"( ?[^\s\p{L}\p{N}]+[\r\n]*)"
#define SPACES R"(\s+(?!\S)|\s+)"
#define LINES_AND_SPACES R"(\s*[\r\n]+|)" SPACES

constexpr Pattern kLlama3[] = {CONTRACTION "|" WORD R"(|\p{N}{1,3}|)" SIGNS "|" LINES_AND_SPACES};
constexpr Pattern kQwen2[] = {CONTRACTION "|" WORD R"(|\p{N}|)" SIGNS "|" LINES_AND_SPACES};
constexpr Pattern kQwen35[] = {
    CONTRACTION R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|)"  //
    LINES_AND_SPACES};
constexpr Pattern kNoContractions[] = {WORD R"(|\p{N}|)" SIGNS "|" LINES_AND_SPACES};
constexpr Pattern kMinicpm5[] = {R"(\p{N}{1,3})",
                                 CONTRACTION "|" WORD R"(|\p{N}+|)" SIGNS "|" LINES_AND_SPACES};
constexpr Pattern kLaguna[] = {R"([^\n]+|[\n]+)",
                               CONTRACTION "|" WORD R"(|\p{N}|)" SIGNS "|" LINES_AND_SPACES};
constexpr Pattern kSeedCoder[] = {CONTRACTION "|" WORD
                                              R"(|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|)" LINES_AND_SPACES};
constexpr Pattern kBailingMoe[] = {R"('(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|)" WORD
                                   R"(|\p{N}|)" SIGNS R"(|\s*[\r\n]|)" SPACES};
// Cuts long white space up. Looking back spares a search for a line end from every cut.
constexpr Pattern kJais2[] = {
    CONTRACTION
    "|" WORD R"(|\p{N}{1,3}|)" SIGNS
    R"(|(?<![^\S\r\n])\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S))"
    R"(|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s)"};
// Published as (?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+, the same in a form that never backtracks.
constexpr Pattern kExaoneMoe[] = {CONTRACTION
                                  R"(|[^\r\n\p{L}\p{N}]?\p{L}\p{M}*+(?: ?\p{L}\p{M}*+)*+|\p{N})"
                                  R"(| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|)" SPACES};

// Words that begin with upper case letters and go on with lower case ones. llama.cpp tells
// cases apart only for ASCII, and leaves marks out: [^\P{L}a-z] is any letter but a to z.
#define CASED_WORD_1 R"([^\r\n\p{L}\p{N}]?[^\P{L}a-z]*[^\P{L}A-Z]+)"
#define CASED_WORD_2 R"([^\r\n\p{L}\p{N}]?[^\P{L}a-z]+[^\P{L}A-Z]*)"
constexpr Pattern kTekken[] = {
    CASED_WORD_1 "|" CASED_WORD_2 R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" LINES_AND_SPACES};
constexpr Pattern kGpt4o[] = {CASED_WORD_1 CONTRACTION
                              "?|" CASED_WORD_2 CONTRACTION
                              R"(?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" LINES_AND_SPACES};
// Chinese apart from other letters.
#define HAN                                                                            \
  R"(\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{20000}-\x{2A6DF}\x{2A700})" \
  R"(-\x{2EBEF}\x{2F800}-\x{2FA1F})"
constexpr Pattern kKimiK2[] = {"[" HAN R"(]+|[^\r\n\p{L}\p{N}]?[^\P{L})" HAN "]+" CONTRACTION
                               R"(?|\p{N}{1,3}|)" SIGNS "|" LINES_AND_SPACES};

constexpr Pattern kDefault[] = {R"([\p{P}\$\+<=>\^~\|]+)", GPT2, R"(\p{N}+)", R"([0-9][0-9][0-9])"};
constexpr Pattern kFalcon[] = {R"([\p{P}\$\+<=>\^~\|`]+)", GPT2, R"([0-9][0-9][0-9])"};
constexpr Pattern kChameleon[] = {R"(<sentinel:[0-9]+>)",    R"(IMGIMG[A-I]{1,4}Z)",
                                  R"([\t\n]|    |  )",       R"(\p{N})",
                                  R"([\p{P}!-/:-@\[-`{-~])", GPT2};

// (  ) | . , ! ? and the sentence marks of Chinese, Hindi, Urdu and Arabic end a word.
#define BLOOM R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{FF0C}\x{3001}\x{964}\x{6D4}\x{60C})]+)"
constexpr Pattern kBloom[] = {BLOOM};
constexpr Pattern kViking[] = {BLOOM, R"(\p{N})"};

// The range U+0800 .. U+9FA5 with its white space left out, and Korean: llama.cpp takes all
// white space for itself before it compares ranges.
#define CJK                                                                 \
  R"([\x{800}-\x{167F}\x{1681}-\x{1FFF}\x{200B}-\x{2027}\x{202A}-\x{202E})" \
  R"(\x{2030}-\x{205E}\x{2060}-\x{2FFF}\x{3001}-\x{9FA5}\x{AC00}-\x{D7FF}]+)"
constexpr Pattern kDeepseekCoder[] = {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", CJK, R"(\p{N})"};
// The letters that have case, listed one by one.
#define CASED_LETTERS                                                                           \
  R"([A-Za-z\x{B5}\x{C0}-\x{D6}\x{D8}-\x{F6}\x{F8}-\x{1BA}\x{1BC}-\x{1BF}\x{1C4}-\x{293})"      \
  R"(\x{295}-\x{2AF}\x{370}-\x{373}\x{376}\x{377}\x{37B}-\x{37D}\x{37F}\x{386}\x{388}-\x{38A})" \
  R"(\x{38C}\x{38E}-\x{3A1}\x{3A3}-\x{3F5}\x{3F7}-\x{481}\x{48A}-\x{52F}\x{531}-\x{556})"       \
  R"(\x{10A0}-\x{10C5}\x{13A0}-\x{13F5}\x{13F8}-\x{13FD}\x{1C90}-\x{1CBA}\x{1CBD}-\x{1CBF})"    \
  R"(\x{1D00}-\x{1D2B}\x{1D6B}-\x{1D77}\x{1D79}-\x{1D9A}\x{1E00}-\x{1F15}\x{1F18}-\x{1F1D})"    \
  R"(\x{1F20}-\x{1F45}\x{1F48}-\x{1F4D}\x{1F50}-\x{1F57}\x{1F59}\x{1F5B}\x{1F5D})"              \
  R"(\x{1F5F}-\x{1F7D}\x{1F80}-\x{1FB4}\x{1FB6}-\x{1FBC}\x{1FBE}\x{1FC2}-\x{1FC4})"             \
  R"(\x{1FC6}-\x{1FCC}\x{1FD0}-\x{1FD3}\x{1FD6}-\x{1FDB}\x{1FE0}-\x{1FEC}\x{1FF2}-\x{1FF4})"    \
  R"(\x{1FF6}-\x{1FFC}\x{2102}\x{2107}\x{210A}-\x{2113}\x{2115}\x{2119}-\x{211D}\x{2124})"      \
  R"(\x{2126}\x{2128}\x{212A}-\x{212D}\x{212F}-\x{2134}\x{2139}\x{213C}-\x{213F})"              \
  R"(\x{2145}-\x{2149}\x{214E}\x{2183}\x{2184}\x{2C00}-\x{2C7B}\x{2C7E}-\x{2CE4})"              \
  R"(\x{2CEB}-\x{2CEE}\x{2CF2}\x{2CF3}\x{A640}-\x{A66D}\x{A680}-\x{A69B}\x{A722}-\x{A76F})"     \
  R"(\x{A771}-\x{A787}\x{A78B}-\x{A78E}\x{AB70}-\x{ABBF}\x{FB00}-\x{FB06}\x{FB13}-\x{FB17})"    \
  R"(\x{FF21}-\x{FF3A}\x{FF41}-\x{FF5A}\x{10400}-\x{1044F}\x{104B0}-\x{104D3})"                 \
  R"(\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF})"             \
  R"(\x{1E900}-\x{1E943}])"
constexpr Pattern kDeepseekLlm[] = {
    R"([\r\n])", R"(\s?)" CASED_LETTERS "+",
    R"(\s?[!-/:-~\x{FF01}-\x{FF0F}\x{FF1A}-\x{FF5E}\x{2018}-\x{201F}\x{3001}\x{3002}]+)",
    // Published as \s+$; looking back spares a search from every space of a long run.
    R"((?<!\s)\s++$)", CJK, R"(\p{N}+)"};
// llama.cpp does not count ~ among the signs, so [\p{P}\p{S}] becomes "none of the other
// classes, nor ~", and [^\r\n\p{L}\p{P}\p{S}] "all other classes, and ~".
#define DEEPSEEK_SIGN R"([^\p{L}\p{M}\p{N}\p{Z}\p{C}~])"
#define DEEPSEEK_LEAD R"([\p{M}\p{N}\p{Z}\p{Cf}\p{Cn}\p{Co}\x00-\t\x0B\f\x0E-\x1F\x7F-\x9F~])"
#define DEEPSEEK_ASCII R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+)"
#define DEEPSEEK_WORD DEEPSEEK_ASCII "|" DEEPSEEK_LEAD R"(?[\p{L}\p{M}]+| ?)" DEEPSEEK_SIGN "+"
#define JAPANESE R"([\x{4E00}-\x{9FA5}\x{3040}-\x{30FF}]+)"
constexpr Pattern kDeepseekV3[] = {R"(\p{N}{1,3})", JAPANESE,
                                   DEEPSEEK_WORD R"([\r\n]*|)" LINES_AND_SPACES};
// Digits in threes from the right: 1 234 567. A digit after a digit is where the run has been cut
// already, so that no digit of a long run is looked at more than twice.
#define DIGITS_FROM_RIGHT R"((?<=\p{N})\p{N}{3}|\p{N}{1,3}(?=(?:\p{N}{3})*+(?!\p{N})))"
constexpr Pattern kAfmoe[] = {
    DIGITS_FROM_RIGHT,
    R"([\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{F900}-\x{FAFF}\x{3040}-\x{30FF}\x{FF65}-\x{FF9F})"
    R"(\x{2F00}-\x{2FDF}\x{E40}-\x{E7F}\x{E80}-\x{EFF}\x{1780}-\x{17FF}\x{1000}-\x{109F})"
    R"(\x{AA60}-\x{AA7F}\x{A9E0}-\x{A9FF}\x{AC00}-\x{D7AF}\x{1100}-\x{11FF}]+)",
    DEEPSEEK_WORD R"([\r\n]*|)" LINES_AND_SPACES};
// Words with their marks; llama.cpp does not tell cases apart here.
#define MARKED_WORD R"([^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+)" CONTRACTION "?"
constexpr Pattern kTinyAya[] = {DIGITS_FROM_RIGHT,
                                MARKED_WORD R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|)"  //
                                LINES_AND_SPACES};
// Korean, signs, Bopomofo, and Chinese with Japanese, each apart.
constexpr Pattern kYoutu[] = {
    R"([\x{AC00}-\x{D7A3}\x{3131}-\x{318E}]+)"
    R"(|[\x{FF01}\x{2026}\x{201C}\x{201D}\x{2018}\x{2019}\x{2014}\x{FF1A}\x{FF1B}\x{FF0C})"
    R"(\x{3001}-\x{303F}\x{FE30}-\x{FE4F}]+|[\x{3105}-\x{312F}]+|)" JAPANESE,
    MARKED_WORD R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" LINES_AND_SPACES};
constexpr Pattern kSpark[] = {R"(\p{N}{1,3})", JAPANESE, DEEPSEEK_WORD R"(|[\r\n]|)" SPACES,
                              R"(\p{N})"};

constexpr PreTokenizer kPreTokenizers[] = {
    {"default", kDefault},
    {"gpt-2", kGpt2},
    {"phi-2", kGpt2},
    {"mpt", kGpt2},
    {"olmo", kGpt2},
    {"jais", kGpt2},
    {"jina-es", kGpt2},
    {"jina-de", kGpt2},
    {"jina-v1-en", kGpt2},
    {"jina-v2-es", kGpt2},
    {"jina-v2-de", kGpt2},
    {"jina-v2-code", kGpt2},
    {"roberta-bpe", kGpt2},
    {"modern-bert", kGpt2},
    {"gigachat", kGpt2},
    {"a.x-4.0", kGpt2},
    {"mellum", kGpt2},
    {"exaone4", kGpt2},
    {"trillion", kGpt2},
    {"granite-docling", kGpt2},
    {"starcoder", kSingleDigits},
    {"refact", kSingleDigits},
    {"command-r", kSingleDigits},
    {"cohere2_moe", kSingleDigits},
    {"smollm", kSingleDigits},
    {"codeshell", kSingleDigits},
    {"exaone", kSingleDigits},
    {"minerva-7b", kSingleDigits},
    {"mellum2", kSingleDigits},
    {"llama3", kLlama3, true, true},
    {"llama-v3", kLlama3, true, true},
    {"llama-bpe", kLlama3, true, true},
    {"falcon3", kLlama3, true, true},
    {"falcon-h1", kLlama3, true, true},
    {"pixtral", kLlama3, true, true},
    {"midm-2.0", kLlama3, true, true},
    {"lfm2", kLlama3, true, true},
    {"jina-v5-nano", kLlama3, true, true},
    {"dbrx", kLlama3},
    {"smaug-bpe", kLlama3},
    {"chatglm-bpe", kLlama3},
    {"glm4", kLlama3},
    {"qwen2", kQwen2},
    {"deepseek-r1-qwen", kQwen2},
    {"stablelm2", kQwen2},
    {"megrez", kQwen2},
    {"hunyuan", kQwen2},
    {"solar-open", kQwen2},
    {"grok-2", kQwen2},
    {"kormo", kQwen2},
    {"f2llmv2", kQwen2},
    {"openpangu", kQwen2},
    {"qwen35", kQwen35},
    {"ufakzeka", kNoContractions},
    {"minicpm5", kMinicpm5, true},
    {"laguna", kLaguna},
    {"seed-coder", kSeedCoder},
    {"bailingmoe", kBailingMoe},
    {"bailingmoe2", kBailingMoe},
    {"llada-moe", kBailingMoe},
    {"jais-2", kJais2},
    {"exaone-moe", kExaoneMoe},
    {"tekken", kTekken, true, true},
    {"gpt-4o", kGpt4o},
    {"llama4", kGpt4o},
    {"kanana2", kGpt4o},
    {"talkie", kGpt4o},
    {"minimax-m2", kGpt4o},
    {"kimi-k2", kKimiK2},
    {"falcon", kFalcon},
    {"chameleon", kChameleon, false, true},
    {"bloom", kBloom},
    {"gpt3-finnish", kBloom},
    {"poro-chat", kBloom},
    {"viking", kViking},
    {"deepseek-coder", kDeepseekCoder},
    {"deepseek-llm", kDeepseekLlm},
    {"deepseek-v3", kDeepseekV3},
    {"hunyuan-dense", kDeepseekV3},
    {"joyai-llm", kDeepseekV3},
    {"spark2_5", kSpark},
    {"afmoe", kAfmoe},
    {"tiny_aya", kTinyAya},
    {"cohere2moe", kTinyAya},
    {"youtu", kYoutu, true},
};

}  // namespace

std::span<const PreTokenizer> pre_tokenizers() { return kPreTokenizers; }

const PreTokenizer* find_pre_tokenizer(std::string_view name) {
  for (const PreTokenizer& entry : kPreTokenizers) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace galley
