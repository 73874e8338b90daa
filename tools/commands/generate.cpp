#include "tools/commands/generate.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "model/ngram_draft.h"
#include "tokenizer/stream_decoder.h"
#include "tools/commands/stop_strings.h"
#include "tools/interrupt.h"
#include "tools/progress.h"

namespace galley::tools {
namespace {

// Ids as text: through the tokenizer, or as numbers where the model has none. Control tokens are
// not shown; the unknown token is, since it stands for text.
class TextMaker {
 public:
  explicit TextMaker(const Tokenizer& tokenizer) : tokenizer_(tokenizer), decoder_(tokenizer) {}

  std::string feed(TokenId id) {
    if (!tokenizer_.has_vocab()) return std::exchange(separator_, " ") + std::to_string(id);
    if (id < tokenizer_.n_tokens() && tokenizer_.token_type(id) == TokenType::kUnknown)
      return decoder_.feed_bytes(tokenizer_.token_text(id));
    return decoder_.feed(id);
  }
  std::string flush() { return decoder_.flush(); }

 private:
  const Tokenizer& tokenizer_;
  std::string separator_;
  StreamDecoder decoder_;
};

class Run {
 public:
  Run(Session& session, Sampler& sampler, const GenerateOptions& options,
      const std::function<void(std::string_view)>& on_text)
      : session_(session),
        sampler_(sampler),
        options_(options),
        on_text_(on_text),
        text_maker_(session.model().tokenizer()),
        stop_(options.stop) {
    if (options.draft_ngram > 0) draft_.emplace(options.draft_ngram);
  }

  Generation run(std::span<const TokenId> prompt, std::span<const TokenId> before) {
    try {
      const Stopwatch watch;
      prefill(session_, prompt);
      result_.prefill_s = watch.seconds();
      result_.n_prefill = static_cast<std::int64_t>(prompt.size());
      for (TokenId id : prompt) sampler_.accept(id);
      if (draft_) {
        draft_->append(before);
        draft_->append(prompt);
      }
      decode();
      forget_wrong_guesses();
    } catch (const Cancelled&) {
      result_.reason = StopReason::kInterrupted;
    }
    if (stop_.stopped_by().empty()) {
      emit(stop_.feed(text_maker_.flush()));
      emit(stop_.flush());
    }
    return std::move(result_);
  }

 private:
  void decode() {
    const std::int64_t limit =
        options_.n_predict < 0 ? std::numeric_limits<std::int64_t>::max() : options_.n_predict;
    while (true) {
      check_interrupt();
      if (static_cast<std::int64_t>(result_.ids.size()) >= limit) {
        result_.reason = StopReason::kLength;
        return;
      }
      const TokenId id = sampler_.sample(session_.logits(row_));
      sampler_.accept(id);
      if (!options_.ignore_eos && session_.model().tokenizer().is_end_of_generation(id)) {
        result_.reason = StopReason::kEndOfText;
        return;
      }
      result_.ids.push_back(id);
      emit(stop_.feed(text_maker_.feed(id)));
      if (!stop_.stopped_by().empty()) {
        result_.reason = StopReason::kStop;
        return;
      }
      if (static_cast<std::int64_t>(result_.ids.size()) >= limit) continue;
      if (known_length() >= session_.n_context()) {
        result_.reason = StopReason::kContext;
        return;
      }
      advance(id, limit);
    }
  }

  // Positions of the tokens chosen so far that the cache holds.
  std::int64_t known_length() const {
    return session_.length() - static_cast<std::int64_t>(guesses_.size()) + row_;
  }

  void forget_wrong_guesses() {
    if (row_ < static_cast<std::int64_t>(guesses_.size())) session_.truncate(known_length());
    guesses_.clear();
    row_ = 0;
  }

  // Makes the logits after `id` the current row: it was guessed and has run already, or runs now,
  // with new guesses behind it. At most `limit` tokens are wanted in all.
  void advance(TokenId id, std::int64_t limit) {
    ++result_.n_decode;
    if (draft_) draft_->append(std::span(&id, 1));
    if (row_ < static_cast<std::int64_t>(guesses_.size()) &&
        guesses_[static_cast<std::size_t>(row_)] == id) {
      ++row_;
      ++result_.n_accepted;
      return;
    }
    const Stopwatch watch;
    if (draft_) draft_->report(guesses_.size(), static_cast<std::size_t>(row_));
    forget_wrong_guesses();
    std::vector<BatchToken> batch = {{id, 0, true}};
    if (draft_) {
      guesses_ = draft_->propose();
      const std::int64_t room =
          std::min({session_.n_context() - session_.length(), session_.n_batch(),
                    limit - static_cast<std::int64_t>(result_.ids.size())});
      guesses_.resize(std::min(guesses_.size(), static_cast<std::size_t>(room - 1)));
      for (TokenId guess : guesses_) batch.push_back({guess, 0, true});
      result_.n_drafted += static_cast<std::int64_t>(guesses_.size());
    }
    session_.forward(batch);
    result_.decode_s += watch.seconds();
  }

  void emit(const std::string& text) {
    if (text.empty()) return;
    result_.text += text;
    on_text_(text);
  }

  Session& session_;
  Sampler& sampler_;
  const GenerateOptions& options_;
  const std::function<void(std::string_view)>& on_text_;
  TextMaker text_maker_;
  StopStrings stop_;
  Generation result_;
  std::optional<NgramDraft> draft_;
  std::vector<TokenId> guesses_;  // tokens run ahead of being chosen
  std::int64_t row_ = 0;          // of the logits to choose from: that many guesses were right
};

}  // namespace

std::string_view stop_reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::kEndOfText:
      return "eos";
    case StopReason::kLength:
      return "length";
    case StopReason::kStop:
      return "stop";
    case StopReason::kContext:
      return "context";
    case StopReason::kInterrupted:
      return "interrupted";
  }
  return "";
}

void prefill(Session& session, std::span<const TokenId> tokens) {
  Progress progress("prefill", static_cast<std::int64_t>(tokens.size()));
  for (std::size_t done = 0; done < tokens.size();) {
    const auto n = std::min(tokens.size() - done, static_cast<std::size_t>(session.n_batch()));
    session.forward(tokens.subspan(done, n));
    done += n;
    check_interrupt();
    progress.update(static_cast<std::int64_t>(done));
  }
}

Generation generate(Session& session, Sampler& sampler, std::span<const TokenId> prompt,
                    const GenerateOptions& options,
                    const std::function<void(std::string_view)>& on_text,
                    std::span<const TokenId> before) {
  return Run(session, sampler, options, on_text).run(prompt, before);
}

}  // namespace galley::tools
