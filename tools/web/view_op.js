// The view of one op: what it computes, from what, and its numbers.

function viewOp(app) {
  const { trace, state } = app;
  const info = trace.ops[state.op], run = trace.passes[state.pass].ops[state.op];
  return [
    el("div", { class: "view-head" },
      el("h2", {}, info.short, info.layer >= 0 ? el("span", { class: "of-layer" }, `layer ${info.layer}`) : null),
      el("span", { class: `kind ${family(info)}` }, info.kind)),
    el("p", { class: "purpose" }, explained(info.purpose)),
    el("p", { class: "formula" }, info.formula),
    facts(app, info),
    app.live?.opTools(info),
    info.cache_layer !== undefined && info.kind !== "attention" ? cacheHint(app) : valueMap(app),
    el("dl", { class: "figures" }, figure("time", time(run.ns)), figure("multiply-adds", big(run.macs)),
      figure("weights read", bytes(run.weight_bytes)),
      run.cache_bytes ? figure("cache", bytes(run.cache_bytes)) : null,
      run.stats ? [figure("least", short(run.stats.min)), figure("greatest", short(run.stats.max)),
        figure("mean", short(run.stats.mean)), figure("RMS", short(run.stats.rms))] : null),
  ];
}

function figure(name, value) {
  return el("div", {}, el("dt", {}, GLOSSARY[name] ? term(name) : name), el("dd", {}, value));
}

// Which part of a layer an op belongs to, for its colour.
function family(op) {
  if (/residual$/.test(op.name)) return "residual";
  if (/norm/.test(op.name)) return "norm";
  if (op.layer < 0) return "ends";
  return /ffn/.test(op.name) ? "ffn" : "attn";
}

// Inputs, shapes and the weight, as a line to read from left to right.
function facts(app, info) {
  const { trace, state } = app;
  const n = trace.passes[state.pass].n_tokens;
  const rows = info.rows === "T" ? n : trace.passes[state.pass].has_output ? 1 : 0;
  const goTo = (name) => () => app.set({ op: trace.opIndex.get(name), column: null });
  const inputs = info.inputs.map((name) => {
    const input = trace.ops[trace.opIndex.get(name)];
    return el("button", { type: "button", class: "chip", onclick: goTo(name), title: "Go to this op" }, input?.short ?? name);
  });
  const weight = info.weight && el("span", { class: "chip still" }, info.weight.name, " ",
    el("small", {}, `${info.weight.type} ${info.weight.shape.join(" × ")}, ${bytes(info.weight.bytes)}`));
  const extra = Object.entries(info.parameters ?? {}).filter(([name]) => name !== "heads" || info.parameters.heads > 1)
    .map(([name, value]) => el("span", { class: "chip still" }, `${name.replaceAll("_", " ")} ${value}`));
  return el("div", { class: "flow" },
    inputs.length ? inputs : el("span", { class: "chip still" }, "token ids"), weight, extra,
    el("span", { class: "arrow", "aria-label": "gives" }, "→"),
    el("span", { class: "chip still out" }, info.short, " ",
      el("small", {}, info.cache_layer !== undefined && info.kind !== "attention" ? "in the cache" : `${rows} × ${info.width}`)));
}

// Rows to show: the kept positions up to this pass.
function rowsSoFar(app, op) {
  const { trace, state } = app;
  const run = trace.passes[state.pass];
  const rows = [];
  for (let p = 0; p <= state.pass; ++p)
    for (const position of trace.values(p, op)?.positions ?? []) rows.push({ pass: p, position });
  for (const row of rows) {
    row.label = `${visible(trace.tokens[row.position].text)}`;
    row.isNow = row.position >= run.first_position;
    row.isChosen = row.position === state.position;
  }
  return rows;
}

// The largest number of these rows in size.
function limitOf(trace, op, rows) {
  let limit = 0;
  for (const pass of new Set(rows.map((r) => r.pass)))
    for (const x of trace.values(pass, op).data) if (Number.isFinite(x)) limit = Math.max(limit, Math.abs(x));
  return limit;
}

function valueMap(app) {
  const { trace, state } = app;
  const op = state.op, info = trace.ops[op];
  const rows = rowsSoFar(app, op);
  if (!rows.length) return el("p", { class: "muted" }, "No logits were asked for in this piece of the prompt.");
  const columns = trace.values(rows.at(-1).pass, op).columns;
  const limit = limitOf(trace, op, rows);
  const start = startCell(app, rows, columns);
  const panel = el("div", {});
  const showNumber = (r, c) => {
    state.cell = [rows[r].position, columns[c]];
    panel.replaceChildren(numberPanel(app, rows[r].pass, op, rows[r].position, columns[c]));
  };
  const gaps = new Set(columns.map((c, i) => (i > 0 && columns[i - 1] !== c - 1 ? i : -1)).filter((i) => i > 0));
  const value = (r, c) => trace.values(rows[r].pass, op).at(rows[r].position, columns[c]);
  const map = heatMap({
    rows, columns: columns.length, gaps, cursor: start,
    label: `Values of ${info.name}: ${rows.length} tokens by ${columns.length} columns. Arrow keys move, Enter shows one number.`,
    color: (r, c, colors) => signedColor(value(r, c), limit, colors),
    describe: (r, c) => `token ${rows[r].position} ${rows[r].label}, column ${columns[c]}: ${exact(value(r, c))}`,
    pick: (r, c) => {
      Object.assign(state, { cellPosition: rows[r].position, column: columns[c] });
      app.remember();
      showNumber(r, c);
    },
  });
  showNumber(...start);
  const what = columns.length < info.width
    ? `${columns.length} of ${info.width} columns` : count(columns.length, "column");
  return el("div", {},
    el("div", { class: "panel" },
      el("div", { class: "panel-head" }, el("h3", {}, "Values"),
        el("p", { class: "muted" }, `${count(rows.length, "token")} × ${what}`), signedLegend(limit)),
      map.element),
    el("div", { class: "panel" }, el("h3", {}, "One number"), panel));
}

// Where to look first: the cell that was picked, or one that is explained, or the largest of a row.
function startCell(app, rows, columns) {
  const { trace, state } = app;
  const position = state.cellPosition ?? state.position;
  const row = (p) => rows.findIndex((r) => r.position === p);
  if (state.column !== null && columns.includes(state.column) && row(position) >= 0)
    return [row(position), columns.indexOf(state.column)];
  const here = trace.explained.get(`${state.pass}/${state.op}`)?.find((e) => row(e.position) >= 0);
  if (here && (state.cellPosition ?? here.position) === here.position)
    return [row(here.position), columns.indexOf(here.column)];
  const r = row(state.position) >= 0 ? row(state.position) : rows.length - 1;
  const values = trace.values(rows[r].pass, state.op);
  let best = 0;
  columns.forEach((c, i) => {
    if (Math.abs(values.at(rows[r].position, c)) > Math.abs(values.at(rows[r].position, columns[best]))) best = i;
  });
  return [r, best];
}

function cacheHint(app) {
  return el("p", { class: "panel" }, "What this op wrote stands in the ",
    el("button", { type: "button", class: "chip", onclick: () => app.set({ view: "cache" }) }, "cache"),
    ". The numbers are those of its input.");
}
