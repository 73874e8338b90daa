#include "tools/commands/chat_input.h"

#include <histedit.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cwchar>
#include <iostream>
#include <utility>

#include "model/session.h"
#include "tensor/error.h"
#include "tools/interrupt.h"
#include "tools/output.h"

namespace galley::tools {
namespace {

constexpr int kHistoryLines = 1000;

class PipeInput : public ChatInput {
 public:
  bool is_terminal() const override { return false; }

  std::optional<std::string> line(const std::string&) override {
    std::string line;
    const bool is_there = static_cast<bool>(std::getline(std::cin, line));
    check_interrupt();
    if (!is_there) return std::nullopt;
    if (line.ends_with('\r')) line.pop_back();
    return line;
  }
};

// libedit's line editor. Its output goes to stderr: stdout is for the answers.
class TerminalInput : public ChatInput {
 public:
  explicit TerminalInput(Completer completer) : completer_(std::move(completer)) {
    std::setlocale(LC_CTYPE, "");  // which bytes make a character
    editor_ = el_init("galley", stdin, stderr, stderr);
    history_ = history_init();
    if (!editor_ || !history_)
      throw Error(ErrorKind::kFailure, "this terminal does not work with the line editor");
    HistEvent event;
    history(history_, &event, H_SETSIZE, kHistoryLines);
    history(history_, &event, H_SETUNIQUE, 1);
    el_set(editor_, EL_CLIENTDATA, this);
    el_set(editor_, EL_PROMPT, &TerminalInput::prompt_of);
    el_set(editor_, EL_EDITOR, "emacs");
    el_set(editor_, EL_SIGNAL, 1);
    el_set(editor_, EL_HIST, history, history_);
    el_set(editor_, EL_GETCFN, &TerminalInput::read_character);
    if (completer_) {
      el_set(editor_, EL_ADDFN, "galley-complete", "complete the word", &TerminalInput::complete);
      el_set(editor_, EL_BIND, "^I", "galley-complete", nullptr);
    }
    el_source(editor_, nullptr);  // the user's ~/.editrc
  }
  ~TerminalInput() override {
    if (history_) history_end(history_);
    if (editor_) el_end(editor_);
  }
  TerminalInput(const TerminalInput&) = delete;
  TerminalInput& operator=(const TerminalInput&) = delete;

  bool is_terminal() const override { return true; }

  // A line that ends with a backslash goes on in the next one.
  std::optional<std::string> line(const std::string& prompt) override {
    std::string all;
    prompt_ = prompt;
    while (true) {
      std::optional<std::string> part = edit_line();
      if (!part) return std::nullopt;
      all += *part;
      if (!all.ends_with('\\')) break;
      all.back() = '\n';
      prompt_ = "... ";
    }
    return all;
  }

 private:
  std::optional<std::string> edit_line() {
    int n = 0;
    const char* text = el_gets(editor_, &n);
    if (interrupt_flag()) {
      note("");
      throw Cancelled{};
    }
    if (!text || n <= 0) {
      note("");
      return std::nullopt;
    }
    std::string line(text, static_cast<std::size_t>(n));
    while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
    HistEvent event;
    if (!line.empty()) history(history_, &event, H_ENTER, line.c_str());
    return line;
  }

  static char* prompt_of(EditLine* editor) {
    TerminalInput* self = nullptr;
    el_get(editor, EL_CLIENTDATA, &self);
    return self->prompt_.data();
  }

  // The Tab key: types what all that is possible has in common; where that is nothing more, lists
  // what is possible.
  static unsigned char complete(EditLine* editor, int) {
    TerminalInput* self = nullptr;
    el_get(editor, EL_CLIENTDATA, &self);
    const LineInfo* info = el_line(editor);
    const std::string_view line(info->buffer,
                                static_cast<std::size_t>(info->cursor - info->buffer));
    const std::vector<std::string> words = self->completer_(line);
    if (words.empty()) return CC_ERROR;
    const std::size_t word_begin = line.find_last_of(" \t") + 1;  // 0 if there is none
    const std::size_t typed = line.size() - word_begin;
    std::string common = words[0];
    for (const std::string& word : words) {
      std::size_t n = 0;
      while (n < common.size() && n < word.size() && common[n] == word[n]) ++n;
      common.resize(n);
    }
    if (words.size() == 1) common += ' ';
    if (common.size() > typed) {
      el_insertstr(editor, common.c_str() + typed);
      return CC_REFRESH;
    }
    std::string list;
    for (const std::string& word : words) list += "  " + word;
    note("\n" + list);
    return CC_REDISPLAY;
  }

  // libedit's own would go on reading after Ctrl-C. Returns how many characters were read.
  static int read_character(EditLine*, wchar_t* character) {
    std::mbstate_t state{};
    while (true) {
      char byte = 0;
      const ssize_t n = ::read(STDIN_FILENO, &byte, 1);
      if (n < 0 && errno == EINTR && !interrupt_flag()) continue;  // the window's size changed
      if (n <= 0) return 0;
      const std::size_t used = std::mbrtowc(character, &byte, 1, &state);
      if (used == static_cast<std::size_t>(-2)) continue;  // more bytes to come
      if (used == static_cast<std::size_t>(-1)) {
        state = {};  // broken bytes are left out
        continue;
      }
      return 1;
    }
  }

  EditLine* editor_ = nullptr;
  History* history_ = nullptr;
  std::string prompt_;
  Completer completer_;
};

}  // namespace

std::unique_ptr<ChatInput> open_chat_input(Completer completer) {
  if (stdin_is_terminal() && stderr_is_terminal())
    return std::make_unique<TerminalInput>(std::move(completer));
  return std::make_unique<PipeInput>();
}

}  // namespace galley::tools
