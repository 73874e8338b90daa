// The activation functions by name; the functions themselves are in math.h.
#pragma once

#include "kernels/args.h"
#include "kernels/scalar/math.h"

namespace galley::kernels::scalar {

inline float activation(Activation f, float x) {
  switch (f) {
    case Activation::kSilu:
      return silu(x);
    case Activation::kGeluTanh:
      return gelu_tanh(x);
    case Activation::kGeluErf:
      return gelu_erf(x);
    case Activation::kRelu:
      return x < 0.0f ? 0.0f : x;
    case Activation::kReluSquared:
      return x < 0.0f ? 0.0f : x * x;
    case Activation::kSigmoid:
      return sigmoid(x);
  }
  return x;
}

inline float softcapped(float x, float cap) { return cap * tanh(x / cap); }

}  // namespace galley::kernels::scalar
