// Bounds how deep the evaluator calls itself.
#pragma once

#include "tokenizer/chat_template/fault.h"
#include "tokenizer/chat_template/limits.h"

namespace galley::chat {

class DepthCount {
 public:
  explicit DepthCount(int& depth) : depth_(depth) {
    if (depth >= kMaxRunDepth) throw Fault("maximum recursion depth exceeded");
    ++depth_;
  }
  ~DepthCount() { --depth_; }
  DepthCount(const DepthCount&) = delete;
  DepthCount& operator=(const DepthCount&) = delete;

 private:
  int& depth_;
};

}  // namespace galley::chat
