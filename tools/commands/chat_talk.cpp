#include "tools/commands/chat_talk.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "tensor/error.h"
#include "tensor/message.h"
#include "tools/interrupt.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kRoomForAnswer = 256;  // positions, or an eighth of a small context

std::string count(std::int64_t n, const std::string& thing) {
  return with_commas(static_cast<std::uint64_t>(n)) + " " + thing + (n == 1 ? "" : "s");
}

std::string rate(std::int64_t n, double seconds) {
  std::string text = format("%.3f s", seconds);
  if (n > 0 && seconds > 0) text += format(", %.1f tokens/s", static_cast<double>(n) / seconds);
  return text;
}

}  // namespace

ChatTalk::ChatTalk(Session& session, const ChatPrompt& prompt, const SamplerOptions& sampling,
                   TalkOptions options, ChatInput& input)
    : session_(session),
      prompt_(prompt),
      options_(std::move(options)),
      input_(input),
      cache_(session, sampling) {
  for (const std::string& text : prompt.stop_texts()) options_.generate.stop.push_back(text);
}

void ChatTalk::say(const std::string& message) {
  const Conversation before = conversation_;
  conversation_.add_user(message);
  try {
    answer();
  } catch (...) {
    conversation_ = before;
    throw;
  }
}

void ChatTalk::answer_again() {
  const Conversation before = conversation_;
  conversation_.forget_answer();
  if (!conversation_.waits_for_answer())
    throw Error(ErrorKind::kUsage, "/regen: there is no message to answer again");
  try {
    answer();
  } catch (...) {
    conversation_ = before;
    throw;
  }
}

void ChatTalk::show_prompt_of(const std::string& message) const {
  Conversation conversation = conversation_;
  conversation.add_user(message);
  const std::vector<TokenId> ids = prompt_.ids(conversation.messages());
  write_out(show_tokens(session_.model().tokenizer(), ids));
  flush_out();
}

void ChatTalk::answer() {
  const std::vector<TokenId> ids = fitting_prompt();
  if (options_.show_prompt) {
    const std::string shown = show_tokens(session_.model().tokenizer(), ids);
    note(shown.substr(0, shown.size() - 1));
  }
  const auto on_text = [&](std::string_view piece) {
    if (options_.json) return;
    write_out(piece);
    flush_out();
  };
  const ChatCache::Answer answer = cache_.answer(ids, options_.generate, on_text);
  const Generation& g = answer.generation;
  if (g.reason == StopReason::kInterrupted && g.text.empty()) {
    if (!input_.is_terminal()) throw Cancelled{};
    interrupt_flag() = false;
    throw Error(ErrorKind::kFailure, "interrupted before the answer began; the message is undone");
  }
  conversation_.add_assistant(g.text);
  if (!options_.json && !g.text.ends_with('\n')) write_out("\n");
  flush_out();
  finish(answer);
}

void ChatTalk::finish(const ChatCache::Answer& answer) {
  const Generation& g = answer.generation;
  ++totals_.n_answers;
  totals_.n_prompt += answer.n_prompt;
  totals_.n_cached += answer.n_cached;
  totals_.n_prefill += g.n_prefill;
  totals_.n_made += static_cast<std::int64_t>(g.ids.size());
  totals_.n_decode += g.n_decode;
  totals_.prefill_s += g.prefill_s;
  totals_.decode_s += g.decode_s;

  if (options_.json) print_json(answer);
  if (options_.verbose) {
    note("prompt     " + count(answer.n_prompt, "token") + ", " + std::to_string(answer.n_cached) +
         " of them cached, " + std::to_string(g.n_prefill) + " processed in " +
         rate(g.n_prefill, g.prefill_s));
    note("answer     " + count(static_cast<std::int64_t>(g.ids.size()), "token") + " in " +
         rate(g.n_decode, g.decode_s));
  }
  if (g.reason == StopReason::kLength)
    note("galley: the answer ends at --n-predict " + std::to_string(options_.generate.n_predict));
  if (g.reason == StopReason::kContext) {
    note("galley: the answer ends here: the context of " + count(session_.n_context(), "position") +
         " is full");
    said_nearly_full_ = true;
  } else {
    announce_fill();
  }
  if (g.reason == StopReason::kInterrupted) {
    if (!input_.is_terminal()) throw Cancelled{};
    interrupt_flag() = false;
    note("galley: interrupted; what was said is kept");
  }
}

void ChatTalk::announce_fill() {
  const auto used = static_cast<std::int64_t>(cache_.ids().size());
  const bool is_nearly_full = used >= session_.n_context() - session_.n_context() / 4;
  if (is_nearly_full && !said_nearly_full_)
    note("galley: the context is nearly full: " + count(used, "position") + " of " +
         with_commas(static_cast<std::uint64_t>(session_.n_context())));
  said_nearly_full_ = is_nearly_full;
}

std::int64_t ChatTalk::room_for_answer() const {
  std::int64_t room = std::min(kRoomForAnswer, session_.n_context() / 8);
  if (options_.generate.n_predict >= 0) room = std::min(room, options_.generate.n_predict);
  return std::max<std::int64_t>(room, 1);
}

std::vector<TokenId> ChatTalk::fitting_prompt() {
  std::vector<TokenId> ids = prompt_.ids(conversation_.messages());
  const std::int64_t n_context = session_.n_context();
  const auto room = [&] { return n_context - static_cast<std::int64_t>(ids.size()); };
  if (room() >= room_for_answer()) return ids;

  const std::string full = "the context is full: the conversation has " +
                           count(static_cast<std::int64_t>(ids.size()), "token") +
                           " and its answer needs about " + std::to_string(room_for_answer()) +
                           " more, there are " + count(n_context, "position");
  Conversation shorter = conversation_;
  std::size_t n_dropped = 0;
  while (room() < room_for_answer() && shorter.drop_oldest()) {
    ++n_dropped;
    ids = prompt_.ids(shorter.messages());
  }
  if (room() < 1)
    throw Error(ErrorKind::kContextExceeded,
                "the last message with what stands around it has " +
                    count(static_cast<std::int64_t>(ids.size()), "token") + ", the context holds " +
                    count(n_context, "position") +
                    " and an answer needs some; shorten it or use a larger --ctx-size");
  if (n_dropped == 0) {
    note("galley: the context leaves only " + count(room(), "position") + " for the answer");
    return ids;
  }
  note("galley: " + full);
  if (!agrees_to_drop(n_dropped))
    throw Error(ErrorKind::kContextExceeded,
                "stopped at a full context; --on-full drop drops the oldest turns, --ctx-size "
                "makes it larger");
  const auto n_tokens = static_cast<std::int64_t>(ids.size());
  note("galley: dropped the oldest " + count(static_cast<std::int64_t>(n_dropped), "turn") + "; " +
       count(n_tokens, "token") + " are left and processed again");
  conversation_ = std::move(shorter);
  return ids;
}

bool ChatTalk::agrees_to_drop(std::size_t n_turns) {
  if (options_.on_full != OnFull::kAsk) return options_.on_full == OnFull::kDrop;
  const std::string turns = count(static_cast<std::int64_t>(n_turns), "turn");
  while (true) {
    const auto choice = input_.line("drop the oldest " + turns + ", or stop here? [drop/stop] ");
    if (!choice || *choice == "stop" || *choice == "s") return false;
    if (*choice == "drop" || *choice == "d") return true;
  }
}

void ChatTalk::print_json(const ChatCache::Answer& answer) const {
  const Generation& g = answer.generation;
  write_json({{"turn", conversation_.n_turns()},
              {"prompt_tokens", answer.n_prompt},
              {"cached_tokens", answer.n_cached},
              {"tokens", g.ids},
              {"text", g.text},
              {"stop_reason", stop_reason_name(g.reason)},
              {"seed", answer.seed},
              {"context", {{"used", cache_.ids().size()}, {"size", session_.n_context()}}},
              {"timings",
               {{"prefill_tokens", g.n_prefill},
                {"prefill_s", g.prefill_s},
                {"prefill_tokens_per_s", g.prefill_rate()},
                {"decode_tokens", g.n_decode},
                {"decode_s", g.decode_s},
                {"decode_tokens_per_s", g.decode_rate()},
                {"drafted_tokens", g.n_drafted},
                {"accepted_tokens", g.n_accepted}}}});
}

void ChatTalk::print_stats() const {
  note("answers    " + std::to_string(totals_.n_answers));
  note("prompts    " + count(totals_.n_prompt, "token") + ", " + std::to_string(totals_.n_cached) +
       " of them cached, " + std::to_string(totals_.n_prefill) + " processed in " +
       rate(totals_.n_prefill, totals_.prefill_s));
  note("answered   " + count(totals_.n_made, "token") + " in " +
       rate(totals_.n_decode, totals_.decode_s));
  const SessionMemory memory = session_.memory();
  note("memory     " + human_bytes(session_.model().weight_bytes()) + " weights, " +
       human_bytes(memory.kv_cache_bytes) + " KV cache, " + human_bytes(memory.buffer_bytes) +
       " buffers; peak " + human_bytes(peak_memory_bytes()));
}

void ChatTalk::print_context() const {
  const auto used = static_cast<std::int64_t>(cache_.ids().size());
  const std::int64_t size = session_.n_context();
  note("context    " + count(used, "position") + " of " +
       with_commas(static_cast<std::uint64_t>(size)) +
       format(" used (%.0f%%)", 100.0 * static_cast<double>(used) / static_cast<double>(size)));
  note("turns      " + std::to_string(conversation_.n_turns()) +
       (conversation_.system() ? ", and a system message" : ""));
}

}  // namespace galley::tools
