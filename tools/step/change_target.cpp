#include "tools/step/change_target.h"

#include "tensor/error.h"

namespace galley::step {

ChangeTarget change_target(Debugger& d, std::string_view text) {
  DebugRun& run = d.run();
  const glass::ValueRef ref = glass::parse_value_ref(text);
  const glass::NamedValue named = glass::find_value(run.graph(), ref.name, d.layer());
  if (named.kind == glass::ValueKind::kCache)
    throw Error(
        ErrorKind::kUsage,
        named.name + " cannot be changed; change what is stored there, " +
            run.graph().info(run.graph().ops[static_cast<std::size_t>(named.op)].inputs[0]).name);
  if (named.kind != glass::ValueKind::kRows)
    throw Error(ErrorKind::kUsage,
                named.name +
                    " is computed inside the attention op and cannot be changed; change "
                    "the queries or keys before it, or its output");
  if (ref.slices.size() > 2)
    throw Error(ErrorKind::kUsage, named.name + " has two dimensions, row and column");
  ChangeTarget target;
  target.value = named.value;
  target.change.op = named.op;
  const auto sizes = glass::dimensions(run.graph(), named, run.pass_end() - run.pass_begin(),
                                       run.view().n_outputs(), run.pass_end());
  const glass::Slice all;
  const auto range = [&](std::size_t i, const char* what) {
    return glass::resolve(i < ref.slices.size() ? ref.slices[i] : all, sizes[i],
                          std::string(what) + " of " + named.name);
  };
  target.rows = range(0, "row");
  const glass::IndexRange columns = range(1, "column");
  if (columns.size() == 0 || (target.rows.size() == 0 && sizes[0] > 0))
    throw Error(ErrorKind::kUsage, std::string(text) + " names no numbers");
  target.change.begin_column = columns.begin;
  target.change.end_column = columns.end;
  target.names_rows =
      !ref.slices.empty() && (ref.slices[0].is_index || ref.slices[0].begin || ref.slices[0].end);
  if (target.names_rows) {
    target.change.begin_position = position_of_row(run.view(), named.value, target.rows.begin);
    target.change.end_position = position_of_row(run.view(), named.value, target.rows.end - 1) + 1;
  }
  return target;
}

}  // namespace galley::step
