// The logit lens: what the model would say after each layer.

function viewLens(app) {
  const { trace, state } = app;
  const points = trace.lens_values;
  if (!trace.passes.some((p) => p.lens.length)) return [el("p", { class: "muted" }, "This trace has no logit lens.")];
  const columns = [];
  for (let p = 0; p <= state.pass; ++p)
    trace.passes[p].rows.forEach((r, i) => columns.push({ pass: p, row: i, position: trace.passes[p].first_position + r }));
  const line = (k) => el("tr", {},
    el("th", { scope: "row" }, lensName(trace, points[k])),
    columns.map((c) => lensCell(app, trace.passes[c.pass].lens[k]?.[c.row] ?? [], c)));
  const rows = points.map((_, k) => k).reverse();
  return [
    el("div", { class: "view-head" }, el("h2", {}, "Logit lens")),
    el("p", { class: "purpose" }, explained("The vector of each token after each layer, given to the last norm and the output matrix: what the model would say next if it stopped there."),
      " Read a column from the bottom up to see an answer form. A frame marks what the text really goes on with."),
    el("div", { class: "panel wide", tabindex: "0", role: "region", "aria-label": "Logit lens grid" },
      el("table", { class: "lens" },
        el("thead", {}, el("tr", {}, el("th", {}, "after"), columns.map((c) => el("th", { scope: "col", class: c.position === state.position ? "chosen" : null },
          el("button", { type: "button", class: "plain-button", onclick: () => app.set({ position: c.position }) }, visible(trace.tokens[c.position].text)))))),
        el("tbody", {}, rows.map(line)))),
  ];
}

function lensName(trace, name) {
  const layer = trace.ops[trace.opIndex.get(name)].layer;
  return layer < 0 ? "embedding" : `layer ${layer}`;
}

function lensCell(app, guesses, column) {
  const { trace, state } = app;
  const best = guesses[0];
  if (!best) return el("td", {}, "");
  const next = trace.tokens[column.position + 1]?.id;
  const shade = shareColor(0.85 * best.p, palette());
  const dark = shade[0] * 0.3 + shade[1] * 0.6 + shade[2] * 0.1 < 130;
  const tip = guesses.map((g) => `${visible(trace.text(g.id))}  ${percent(g.p)}`).join("\n");
  const classes = [best.id === next ? "right" : "", column.position === state.position ? "chosen" : ""].join(" ");
  return el("td", { class: classes.trim() || null },
    el("span", { class: "guess", tabindex: "0", "data-tip": tip, style: `background:${css(shade)};color:${dark ? "#fff" : "#16181b"}` },
      visible(trace.text(best.id)), el("small", {}, percent(best.p))));
}
