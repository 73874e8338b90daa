// The steps of a graph: which weights come next.
#include "model/planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "tests/model/tiny_llama.h"

namespace galley::test {
namespace {

const Op& op_of(const Graph& graph, const Step& step) {
  return graph.ops[static_cast<std::size_t>(step.op)];
}

bool is_product(const Graph& graph, const Step& step) {
  return step.kind == StepKind::kRun && op_of(graph, step).kind == OpKind::kMatmul;
}

TEST(Planner, EveryStepKnowsTheNextProduct) {
  TinyLlama shape;
  shape.type = DType::kQ8_0;
  const TinyFile file(shape);
  const auto model = file.open();
  const Graph& graph = model->graph();
  const std::vector<Step> steps = plan_steps(graph, plan_memory(graph, 4, 1, false), false);
  std::vector<std::string> products;
  for (auto step = steps.begin(); step != steps.end(); ++step) {
    const auto next = std::find_if(step + 1, steps.end(),
                                   [&](const Step& later) { return is_product(graph, later); });
    EXPECT_EQ(step->next_product, next == steps.end() ? -1 : next->op);
    if (is_product(graph, *step)) products.push_back(op_of(graph, *step).name);
  }
  ASSERT_EQ(products.size(), 15u);
  EXPECT_EQ(products.front(), "blk.0.q");
  EXPECT_EQ(products.back(), "logits");
}

}  // namespace
}  // namespace galley::test
