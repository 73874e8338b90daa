// The KV cache filling up: layers by positions, what is written now and what is read.

function viewCache(app) {
  const { trace, state } = app;
  const run = trace.passes[state.pass], layers = trace.cache_layers;
  const end = run.first_position + run.n_tokens;
  const perPosition = layers.reduce((n, l) => n + l.bytes_per_position, 0);
  const full = trace.settings.kv_cache_bytes_full, context = trace.settings.n_context;
  const used = layers.reduce((n, l, i) => n + written(app, i, "k").length * l.bytes_per_position / 2
    + written(app, i, "v").length * l.bytes_per_position / 2, 0);
  return [
    el("div", { class: "view-head" }, el("h2", {}, "KV cache")),
    el("p", { class: "purpose" }, explained("Each layer keeps the key and the value of every token, so that later tokens can look back without computing them again."),
      " The upper half of a cell is the keys, the lower the values."),
    el("dl", { class: "figures" },
      figure("filled", bytes(used)), figure("each position", bytes(perPosition)),
      figure("positions", `${end} of ${context}`), figure("when full", bytes(full)), figure("type", trace.settings.kv_type)),
    el("div", { class: "meter", role: "img", "aria-label": `${end} of ${context} positions` },
      el("span", { style: `width:${Math.max(0.4, (100 * end) / context)}%` })),
    el("div", { class: "panel" },
      el("div", { class: "panel-head" }, el("h3", {}, "Layers by positions"),
        el("p", { class: "legend" }, el("span", { class: "swatch write" }), el("span", {}, "written by this op"),
          el("span", { class: "swatch read" }), el("span", {}, "read by this op"), el("span", { class: "swatch kept" }), el("span", {}, "kept"))),
      cacheMap(app)),
  ];
}

// Positions of cache layer `i` that are written once the current op is done.
function written(app, i, half) {
  const { trace, state } = app;
  const run = trace.passes[state.pass];
  const store = trace.ops.findIndex((o) => o.cache_layer === i && o.kind === (half === "k" ? "store keys" : "store values"));
  const end = state.op >= store ? run.first_position + run.n_tokens : run.first_position;
  const window = trace.cache_layers[i].window;
  const begin = window > 0 ? Math.max(0, end - window) : 0;
  return { begin, end, length: end - begin, store };
}

function cacheMap(app) {
  const { trace, state } = app;
  const run = trace.passes[state.pass], op = trace.ops[state.op];
  const positions = [...new Set([...trace.keptPositions(trace.passes.length - 1)])];
  const rows = trace.cache_layers.flatMap((layer, i) => ["k", "v"].map((half) => ({ i, half, label: half === "k" ? `layer ${layer.layer}` : "" })));
  const stateOf = (r, c) => {
    const { i, half } = rows[r], w = written(app, i, half), p = positions[c];
    if (p >= w.end || p < w.begin) return "empty";
    if (op.cache_layer === i && op.kind === "attention") return "read";
    if (w.store === state.op && p >= run.first_position) return "written";
    return "kept";
  };
  return heatMap({
    rows, columns: positions.length, cell: positions.length > 48 ? 0.8 : 1.3,
    top: positions.map((p) => visible(trace.tokens[p].text)),
    label: "Cache: layers by positions",
    color: (r, c, colors) => ({ empty: mix(colors.zero, colors.line, 0.6), kept: mix(colors.zero, colors.full, 0.35), read: colors.full, written: colors.plus })[stateOf(r, c)],
    describe: (r, c) => `layer ${trace.cache_layers[rows[r].i].layer}, ${rows[r].half === "k" ? "keys" : "values"} of ${visible(trace.tokens[positions[c]].text)} at position ${positions[c]}: ${stateOf(r, c)}`,
  }).element;
}
