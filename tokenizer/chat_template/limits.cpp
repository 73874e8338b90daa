#include "tokenizer/chat_template/limits.h"

#include <string>

#include "tokenizer/chat_template/fault.h"

namespace galley::chat {
namespace {

thread_local Meter* current_meter = nullptr;

}  // namespace

Meter::Meter() : outer_(current_meter) { current_meter = this; }

Meter::~Meter() {
  for (const auto& object : kept_) object->clear();
  kept_.clear();
  current_meter = outer_;
}

Meter* Meter::current() { return current_meter; }

void Meter::allocate(std::size_t n_bytes) {
  if (n_bytes > kMaxLiveBytes - n_live_bytes_) {
    throw Fault("the template needs more than " + std::to_string(kMaxLiveBytes >> 20) +
                " MiB of memory; it does not end well, or is not meant to");
  }
  step(n_bytes / kBytesPerStep);
  n_live_bytes_ += n_bytes;
}

void Meter::fail_steps() {
  throw Fault("the template did not finish within " + std::to_string(kMaxSteps) +
              " steps; it loops too long");
}

void spend_bytes(std::size_t n_bytes) { spend_steps(n_bytes / kBytesPerStep); }

void spend_steps(std::uint64_t n_steps) {
  if (current_meter) current_meter->step(n_steps);
}

void check_text_size(std::size_t n_bytes) {
  if (n_bytes > kMaxTextBytes) {
    throw Fault("the template makes a text of more than " + std::to_string(kMaxTextBytes >> 20) +
                " MiB");
  }
}

void Charge::grow(std::size_t n_bytes) {
  if (!meter_) meter_ = current_meter;
  if (!meter_) return;
  meter_->allocate(n_bytes);
  n_bytes_ += n_bytes;
}

}  // namespace galley::chat
