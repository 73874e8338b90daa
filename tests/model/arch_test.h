// What the tests of architectures share: running a session, and measures of error.
#pragma once

#include <cmath>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "model/session.h"
#include "tests/model/golden.h"

namespace galley::test {

// The logits of all positions, [tokens * n_vocab], when `ids` go through the session in pieces of
// the sizes in `pieces` (the last one repeats).
inline std::vector<float> all_logits(Session& session, std::span<const TokenId> ids,
                                     const std::vector<std::size_t>& pieces) {
  std::vector<float> logits;
  session.truncate(0);
  for (std::size_t done = 0, piece = 0; done < ids.size(); ++piece) {
    const std::size_t n = std::min(pieces[std::min(piece, pieces.size() - 1)], ids.size() - done);
    std::vector<BatchToken> batch;
    for (std::size_t i = done; i < done + n; ++i)
      batch.push_back({.id = ids[i], .sequence = 0, .wants_logits = true});
    session.forward(batch);
    for (std::int64_t i = 0; i < session.n_outputs(); ++i) {
      const auto row = session.logits(i);
      logits.insert(logits.end(), row.begin(), row.end());
    }
    done += n;
  }
  return logits;
}

// || a - b || / || b ||; infinite if the sizes differ or anything is not a number.
template <typename A, typename B>
double relative_error(const std::vector<A>& a, const std::vector<B>& b) {
  if (a.size() != b.size() || a.empty()) return INFINITY;
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    difference += d * d;
    norm += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  const double error = std::sqrt(difference / norm);
  return std::isnan(error) ? INFINITY : error;
}

// Whether the floats have the same bits; `where` is the first index that differs.
inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b,
                      std::size_t& where) {
  for (where = 0; where < std::min(a.size(), b.size()); ++where)
    if (std::memcmp(&a[where], &b[where], sizeof(float)) != 0) return false;
  return a.size() == b.size();
}

// A line for docs/models.md (tests/model/models_table.py).
inline void report_architecture(const std::string& architecture, const std::string& features,
                                const std::string& against, double error) {
  report("models.md|" + architecture + "|" + features + "|" + against, error, NAN);
}

}  // namespace galley::test
