// A debugger on a model, driven by command lines.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "model/demo/demo_models.h"
#include "model/session.h"
#include "tensor/error.h"
#include "tests/model/opened_model.h"
#include "tests/step/eigen_llama.h"
#include "tools/step/debugger.h"

namespace galley::test {

// The built-in model, opened once.
inline const std::shared_ptr<const Model>& demo() {
  static const std::shared_ptr<const Model> model =
      Model::from_file(GgufFile::from_memory(find_demo_model("demo")->file, "demo"));
  return model;
}

// A random llama whose weights are float32, so that a reference can come close.
inline const std::shared_ptr<const Model>& random_llama() {
  static const OpenedModel model{RandomModel{}};
  return model.model();
}

class Script {
 public:
  explicit Script(const std::shared_ptr<const Model>& model, std::vector<TokenId> ids,
                  step::DebuggerOptions options = {})
      : debugger_(model, std::move(ids), options) {}
  // On the built-in model.
  explicit Script(const std::string& text, step::DebuggerOptions options = {})
      : Script(demo(), demo()->tokenizer().encode(text), options) {}

  step::Debugger& debugger() { return debugger_; }
  step::DebugRun& run() { return debugger_.run(); }
  std::string operator()(const std::string& line) { return debugger_.execute(line).text; }
  step::Json json(const std::string& line) { return debugger_.execute(line).data; }
  // The one line that a wrong command is answered with; "" if it is right.
  std::string error(const std::string& line) {
    try {
      debugger_.execute(line);
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kUsage) << line;
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << line;
      return e.what();
    }
    return "";
  }

  // All numbers of a value, as `print` shows them.
  std::vector<std::vector<double>> rows(const std::string& reference) {
    const step::Json data = json("print " + reference);
    std::vector<std::vector<double>> all;
    for (const auto& row : data.at("values")) all.push_back(row.get<std::vector<double>>());
    return all;
  }
  std::vector<double> row(const std::string& reference) { return rows(reference).at(0); }

 private:
  step::Debugger debugger_;
};

// The largest |ours - theirs|, in units of the root mean square of `theirs`.
inline double relative_error(const std::vector<std::vector<double>>& ours, const Matrix& theirs) {
  EXPECT_EQ(static_cast<Eigen::Index>(ours.size()), theirs.rows());
  double worst = 0;
  for (std::size_t r = 0; r < ours.size(); ++r)
    for (std::size_t c = 0; c < ours[r].size(); ++c)
      worst = std::max(worst, std::abs(ours[r][c] - theirs(static_cast<Eigen::Index>(r),
                                                           static_cast<Eigen::Index>(c))));
  return worst / std::sqrt(theirs.squaredNorm() / static_cast<double>(theirs.size()));
}

}  // namespace galley::test
