// "One number": where a single value comes from.

// The panel for one cell of a value.
function numberPanel(app, pass, op, position, column) {
  const { trace } = app;
  const info = trace.ops[op];
  const value = trace.values(pass, op)?.at(position, column);
  const name = `${info.name}[${position}, ${column}]`;
  const box = el("div", { class: "number", id: "number" });
  const head = [
    el("p", { class: "number-head" }, el("code", {}, name), " = ",
      el("strong", { id: "number-value" }, value === undefined ? "not kept" : exact(value))),
  ];
  const found = (trace.explained.get(`${pass}/${op}`) ?? [])
    .find((e) => e.position === position && e.column === column);
  if (found) {
    box.append(...head, ...explanation(found.explanation));
  } else if (app.live) {
    const wait = el("p", { class: "muted" }, "Asking the engine …");
    box.append(...head, wait);
    app.live.explain(info.name, pass, position, column)
      .then((e) => wait.replaceWith(...explanation(e)))
      .catch((error) => (wait.textContent = error.message));
  } else {
    box.append(...head, ...fromInputs(app, pass, op, position, column), whereExplained(app, pass, op));
  }
  return box;
}

// What stands in the same place of the inputs: for ops that work number by number that is all.
function fromInputs(app, pass, op, position, column) {
  const { trace } = app;
  const info = trace.ops[op];
  const sources = info.inputs.map((name) => trace.opIndex.get(name)).filter((i) => i !== undefined)
    .map((i) => ({ name: trace.ops[i].name, width: trace.ops[i].width, values: trace.values(pass, i) }))
    .filter((s) => s.values && s.width === info.width);
  const known = sources.map((s) => ({ ...s, value: s.values.at(position, column) })).filter((s) => s.value !== undefined);
  if (!known.length) return [];
  const lines = known.map((s) => el("li", {}, el("code", {}, `${s.name}[${position}, ${column}]`), ` = ${exact(s.value)}`));
  const sign = info.kind === "add" ? el("p", {}, "The engine added these two:") : el("p", {}, "In the same place of its input:");
  return [sign, el("ul", { class: "plain" }, lines)];
}

// Static traces explain one cell of each op, of the last prompt token.
function whereExplained(app, pass, op) {
  const all = [...(app.trace.explained.get(`${pass}/${op}`) ?? [])];
  const elsewhere = app.trace.explanations?.find((e) => e.op === op);
  if (!all.length && elsewhere) all.push(elsewhere);
  if (!all.length) return null;
  return el("p", { class: "muted" }, "Re-derived in full: ", all.map((e) =>
    el("button", { type: "button", class: "chip", onclick: () => app.set({ pass: e.pass, position: e.position, column: e.column }) },
      `[${e.position}, ${e.column}]`)), " Others: ", el("code", {}, `galley step`), " and its ", el("code", {}, "explain"), ".");
}

// An explanation of tools/glass: its words, its steps, and what they end in.
function explanation(e) {
  const repeated = e.steps.filter((s) => s.repeated).length;
  const steps = e.steps.map((s, i) => stepRow(s, i, e.steps.length));
  return [
    e.summary ? el("p", {}, explained(e.summary)) : null,
    el("ol", { class: `steps${repeated > 3 ? " many" : ""}`, tabindex: repeated > 3 ? "0" : null, "aria-label": "Steps" }, steps),
    ending(e),
    e.note ? el("p", { class: "muted" }, e.note) : null,
  ].filter(Boolean);
}

function stepRow(step) {
  const lists = (step.operands ?? []).filter((o) => Array.isArray(o.values) && o.values.length > 1);
  const singles = (step.operands ?? []).filter((o) => !lists.includes(o));
  const line = [
    el("span", { class: "step-label" }, step.label),
    el("span", { class: "step-terms" }, singles.map((o) =>
      el("span", { class: "operand", title: o.from || null }, `${o.name} `, el("b", {}, short(operandValue(o)))))),
    el("span", { class: "step-result" }, step.result_name ? `${step.result_name} = ` : "", el("b", {}, short(step.result))),
  ];
  const detail = [
    step.formula ? el("p", { class: "formula small" }, step.formula) : null,
    ...lists.map(operandList),
  ].filter(Boolean);
  if (!detail.length) return el("li", { class: "step" }, line);
  return el("li", { class: "step" }, el("details", {}, el("summary", {}, line), el("div", { class: "step-detail" }, detail)));
}

function operandValue(o) {
  return o.value ?? (Array.isArray(o.values) ? o.values[0] : o.values);
}

// A list of numbers as a strip of small coloured cells.
function operandList(o) {
  const limit = Math.max(...o.values.map((v) => Math.abs(Number(v))), 1e-30);
  const colors = palette();
  return el("div", { class: "strip" },
    el("span", { class: "strip-name" }, o.name, o.from ? el("small", {}, o.from) : null),
    el("div", { class: "strip-cells" }, o.values.map((v) => {
      const shade = mix(colors.zero, Number(v) < 0 ? colors.minus : colors.plus, 0.55 * Math.abs(Number(v)) / limit);
      return el("span", { style: `background:${css(shade)}` }, short(v));
    })));
}

function ending(e) {
  return el("div", { class: "ending" },
    el("p", {}, el("span", { class: "ending-name" }, "These steps give"), el("b", {}, exact(e.derived)),
      el("span", { class: e.same_bits ? "good" : "warn" },
        e.same_bits ? `the engine's number, bit for bit (${e.engine_bits})` : "not the run's number: it was changed afterwards")),
    e.float64_meaning
      ? el("p", {}, el("span", { class: "ending-name" }, "In float64"), el("b", {}, short(e.float64)),
        el("span", { class: "muted" }, `${e.float64_meaning}; difference ${short(e.difference)}`))
      : null);
}
