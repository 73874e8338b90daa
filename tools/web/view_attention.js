// Who looks at whom: the attention weights of a layer, head by head.

function viewAttention(app) {
  const { trace, state } = app;
  const op = trace.attentionOp(state.op);
  if (op < 0) return [el("p", { class: "muted" }, "This model has no attention.")];
  const info = trace.ops[op], layers = trace.ops.filter((o) => o.kind === "attention");
  const heads = info.parameters.heads, cache = trace.cache_layers[info.cache_layer];
  const head = clamp(state.head, 0, heads - 1);
  const grid = positionsGrid(trace, state, op);
  const shared = heads / cache.n_kv_heads;
  return [
    el("div", { class: "view-head" }, el("h2", {}, "Attention", el("span", { class: "of-layer" }, `layer ${info.layer}, head ${head}`)),
      el("label", { class: "pick" }, "Layer ", el("select", { id: "attention-layer", onchange: (event) => app.set({ op: Number(event.target.value) }) },
        layers.map((o) => el("option", { value: trace.opIndex.get(o.name), selected: o === info }, String(o.layer)))))),
    el("p", { class: "purpose" }, explained("Each head lets every token look back at the tokens before it and at itself; the shares of a row sum to 1."),
      shared > 1 ? ` Every ${shared} heads share keys and values: ${cache.n_kv_heads} sets for ${heads} heads.` : "",
      info.parameters.window ? ` This layer sees the last ${info.parameters.window} positions.` : ""),
    el("div", { class: "heads", role: "group", "aria-label": "Heads" }, Array.from({ length: heads }, (_, h) =>
      headButton(app, grid, h, h === head))),
    app.live?.headTools(info, cache, head),
    lookingAt(app, grid, head),
    el("div", { class: "panel" },
      el("div", { class: "panel-head" }, el("h3", {}, `Head ${head}`), el("p", { class: "muted" }, "row: the token that looks; column: where it looks"),
        el("p", { class: "legend" }, el("span", {}, "0"), el("span", { class: "ramp share" }), el("span", {}, "1"))),
      bigMap(app, grid, head)),
  ];
}

// Rows (tokens that look) and columns (where they look) up to the current pass, with look-ups.
function positionsGrid(trace, state, op) {
  const rows = [];
  for (let p = 0; p <= state.pass; ++p) {
    const run = trace.passes[p];
    for (const r of run.rows) rows.push({ pass: p, position: run.first_position + r });
  }
  const columns = trace.keptPositions(state.pass);
  return {
    rows, columns,
    at: (r, head, c) => columns[c] > rows[r].position ? undefined
      : trace.attention(rows[r].pass, op)?.at(rows[r].position, head, columns[c]),
    rest: (r, head) => trace.attention(rows[r].pass, op)?.rest(rows[r].position, head) ?? 0,
  };
}

function headButton(app, grid, head, isChosen) {
  const canvas = el("canvas", { "aria-hidden": "true" });
  const n = grid.columns.length, side = clamp(Math.floor(96 / n), 2, 12);
  canvas.width = n * side;
  canvas.height = grid.rows.length * side;
  const g = canvas.getContext("2d"), colors = palette();
  for (let r = 0; r < grid.rows.length; ++r)
    for (let c = 0; c < n; ++c) {
      const w = grid.at(r, head, c);
      if (w === undefined) continue;
      g.fillStyle = css(shareColor(w, colors));
      g.fillRect(c * side, r * side, side, side);
    }
  return el("button", { type: "button", class: "head", id: `head-${head}`, "aria-pressed": String(isChosen), onclick: () => app.set({ head }) },
    canvas, el("span", {}, `head ${head}`));
}

// The text, each token shaded by how much the current token looks at it.
function lookingAt(app, grid, head) {
  const { trace, state } = app;
  let row = grid.rows.findIndex((r) => r.position === state.position);
  if (row < 0) row = grid.rows.length - 1;
  const colors = palette(), rest = grid.rest(row, head);
  const chips = grid.columns.map((position, c) => {
    const w = grid.at(row, head, c);
    if (w === undefined) return null;
    const gap = c > 0 && grid.columns[c - 1] !== position - 1;
    const shade = shareColor(w, colors);
    const dark = shade[0] * 0.3 + shade[1] * 0.6 + shade[2] * 0.1 < 130;
    return [gap ? el("span", { class: "muted" }, "…") : null,
      el("span", { class: "look", style: `background:${css(shade)};color:${dark ? "#fff" : "#16181b"}` },
        visible(trace.tokens[position].text), el("small", {}, percent(w)))];
  });
  return el("div", { class: "panel" },
    el("h3", {}, "Where ", el("code", {}, visible(trace.tokens[grid.rows[row].position].text)), " looks"),
    el("p", { class: "looks" }, chips, rest > 0.0005 ? el("span", { class: "muted" }, ` and ${percent(rest)} at positions that are not shown`) : null));
}

function bigMap(app, grid, head) {
  const { trace, state } = app;
  const rows = grid.rows.map((r) => ({
    label: visible(trace.tokens[r.position].text), isNow: r.pass === state.pass, isChosen: r.position === state.position }));
  const chosen = grid.rows.findIndex((r) => r.position === state.position);
  return heatMap({
    rows, columns: grid.columns.length, cell: grid.columns.length > 40 ? 1 : 1.5,
    top: grid.columns.map((p) => visible(trace.tokens[p].text)),
    cursor: chosen >= 0 ? [chosen, strongest(grid, chosen, head)] : undefined,
    label: `Attention weights of head ${head}. Arrow keys move.`,
    color: (r, c, colors) => {
      const w = grid.at(r, head, c);
      return w === undefined ? null : shareColor(w, colors);
    },
    describe: (r, c) => {
      const w = grid.at(r, head, c);
      const from = visible(trace.tokens[grid.rows[r].position].text), to = visible(trace.tokens[grid.columns[c]].text);
      return w === undefined ? `${from} cannot see ${to}: it comes later` : `${from} looks at ${to} with ${percent(w)} (${short(w)})`;
    },
    pick: (r) => app.set({ position: grid.rows[r].position }),
  }).element;
}

function strongest(grid, row, head) {
  let best = 0;
  for (let c = 1; c < grid.columns.length; ++c) if ((grid.at(row, head, c) ?? -1) > grid.at(row, head, best)) best = c;
  return best;
}
