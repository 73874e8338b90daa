// What each op costs: time, bytes and multiply-adds, and how near it is to the machine's limits.

function viewCost(app) {
  const { trace, state } = app;
  const run = trace.passes[state.pass];
  const groups = groupOps(trace, run);
  const total = sumOf(run.ops);
  const kind = run.n_tokens > 1 ? `prefill of ${run.n_tokens} tokens` : "decode of one token";
  return [
    el("div", { class: "view-head" }, el("h2", {}, "Cost", el("span", { class: "of-layer" }, kind))),
    el("p", { class: "purpose" }, explained("Where the time of this pass went. Decode reads every weight for one token, so memory is its limit; prefill shares them among many tokens, so arithmetic is."),
      " Watching stops all threads before and after every op: small ops look dearer than they are when nobody looks."),
    el("dl", { class: "figures" }, figure("time in ops", time(total.ns)), figure("multiply-adds", big(total.macs)),
      figure("weights read", bytes(total.weight)), figure("cache", bytes(total.cache)),
      figure("weights per second", `${(total.weight / total.ns).toFixed(2)} GB/s`),
      figure("MACs per second", `${big((total.macs / total.ns) * 1e9)}`)),
    el("div", { class: "panel wide", tabindex: "0", role: "region", "aria-label": "Cost of each op" },
      el("h3", {}, "Ops, all layers together"), costTable(app, groups, total)),
    el("div", { class: "panel" }, el("div", { class: "panel-head" }, el("h3", {}, term("roofline", "Roofline")),
      el("p", { class: "muted" }, "each dot an op of this pass; farther up is faster")), roofline(app, run)),
  ];
}

function sumOf(ops) {
  const total = { ns: 0, macs: 0, weight: 0, cache: 0, bytes: 0 };
  for (const o of ops) {
    total.ns += o.ns;
    total.macs += o.macs;
    total.weight += o.weight_bytes;
    total.cache += o.cache_bytes;
    total.bytes += o.weight_bytes + o.cache_bytes + o.activation_bytes;
  }
  return total;
}

// Ops of the same name in all layers, in the order of the graph.
function groupOps(trace, run) {
  const groups = new Map();
  trace.ops.forEach((op, i) => {
    if (!groups.has(op.short)) groups.set(op.short, { name: op.short, kind: op.kind, family: family(op), first: i, ops: [] });
    groups.get(op.short).ops.push(run.ops[i]);
  });
  return [...groups.values()].map((g) => ({ ...g, ...sumOf(g.ops), n: g.ops.length }));
}

function costTable(app, groups, total) {
  const most = Math.max(...groups.map((g) => g.ns));
  return el("table", { class: "plain-table cost" },
    el("thead", {}, el("tr", {}, el("th", {}, "op"), el("th", { class: "n" }, "calls"), el("th", {}, "time"), el("th", { class: "n" }, ""),
      el("th", { class: "n" }, "MACs"), el("th", { class: "n" }, "bytes"), el("th", { class: "n" }, "GB/s"))),
    el("tbody", {}, groups.filter((g) => g.bytes > 0).map((g) => el("tr", {},
      el("td", {}, el("button", { type: "button", class: `plain-button op-name ${g.family}`, onclick: () => app.set({ op: g.first, view: "op" }) }, g.name)),
      el("td", { class: "n" }, String(g.n)),
      el("td", { class: "bar-cell" }, el("span", { class: "time-bar", style: `width:${(100 * g.ns) / most}%` })),
      el("td", { class: "n" }, `${((100 * g.ns) / total.ns).toFixed(1)} %`),
      el("td", { class: "n" }, g.macs ? big(g.macs) : ""), el("td", { class: "n" }, bytes(g.bytes)),
      el("td", { class: "n" }, (g.bytes / g.ns).toFixed(2))))));
}

// Speed over intensity, both logarithmic, with the machine's limits where they are known.
function roofline(app, run) {
  const { trace, state } = app;
  const points = run.ops.map((o, i) => ({ i, ns: o.ns, macs: o.macs, bytes: o.weight_bytes + o.cache_bytes + o.activation_bytes }))
    .filter((p) => p.macs > 0 && p.ns > 0).map((p) => ({ ...p, x: p.macs / p.bytes, y: p.macs / p.ns }));
  if (!points.length) return el("p", { class: "muted" }, "No op of this pass multiplies.");
  const limits = trace.machine?.limits;
  // The peaks of the kinds of arithmetic that this pass used.
  const used = [...new Set(points.map((p) => trace.ops[p.i].arithmetic))].filter((a) => limits?.gmac_per_s[a]);
  const peaks = used.map((a) => ({ name: a, y: limits.gmac_per_s[a], knee: limits.gmac_per_s[a] / limits.read_gb_per_s }));
  const ys = points.map((p) => p.y).concat(peaks.map((p) => p.y));
  const xs = points.map((p) => p.x).concat(peaks.map((p) => p.knee));
  const lx = [Math.floor(Math.log10(Math.min(...xs))), Math.ceil(Math.log10(Math.max(...xs) * 1.5))];
  const ly = [Math.floor(Math.log10(Math.min(...ys))), Math.ceil(Math.log10(Math.max(...ys) * 1.2))];
  const W = 640, H = 340, left = 64, bottom = 44, top = 14, right = 16;
  const X = (x) => left + ((Math.log10(x) - lx[0]) / (lx[1] - lx[0])) * (W - left - right);
  const Y = (y) => H - bottom - ((Math.log10(y) - ly[0]) / (ly[1] - ly[0])) * (H - bottom - top);
  const parts = [];
  for (let k = lx[0]; k <= lx[1]; ++k)
    parts.push(svg("line", { class: "grid", x1: X(10 ** k), x2: X(10 ** k), y1: top, y2: H - bottom }),
      svg("text", { class: "tick", x: X(10 ** k), y: H - bottom + 18, "text-anchor": "middle" }, powerText(k)));
  for (let k = ly[0]; k <= ly[1]; ++k)
    parts.push(svg("line", { class: "grid", x1: left, x2: W - right, y1: Y(10 ** k), y2: Y(10 ** k) }),
      svg("text", { class: "tick", x: left - 8, y: Y(10 ** k) + 4, "text-anchor": "end" }, powerText(k)));
  parts.push(svg("text", { class: "axis", x: (W + left) / 2, y: H - 6, "text-anchor": "middle" }, "multiply-adds per byte"),
    svg("text", { class: "axis", x: 14, y: H / 2, transform: `rotate(-90 14 ${H / 2})`, "text-anchor": "middle" }, "GMAC/s"));
  if (peaks.length) parts.push(...roof(limits.read_gb_per_s, peaks, lx, ly, X, Y));
  for (const p of points) {
    const op = trace.ops[p.i];
    parts.push(svg("circle", { class: `dot ${family(op)}${p.i === state.op ? " chosen" : ""}`, cx: X(p.x), cy: Y(p.y), r: p.i === state.op ? 8 : 5 },
      svg("title", {}, `${op.name}: ${short(p.y)} GMAC/s, ${short(p.x)} MACs per byte, ${time(p.ns)}`)));
  }
  return el("div", { class: "chart" }, svg("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": "Roofline of the ops of this pass" }, parts),
    el("p", { class: "muted" }, peaks.length
      ? `Measured before this run: ${short(limits.read_gb_per_s)} GB/s from memory, ${peaks.map((p) => `${short(p.y)} GMAC/s of ${p.name}`).join(", ")}. Values that fit into the CPU's caches can be read faster than memory allows.`
      : "The machine's limits are not in this trace."));
}

// The slope of memory, up to the level of each arithmetic.
function roof(readGbPerS, peaks, lx, ly, X, Y) {
  const low = Math.max(10 ** lx[0], (10 ** ly[0]) / readGbPerS);
  const highest = peaks.reduce((a, b) => (a.y > b.y ? a : b));
  return [
    svg("line", { class: "roof", x1: X(low), y1: Y(low * readGbPerS), x2: X(highest.knee), y2: Y(highest.y) }),
    svg("text", { class: "tick", x: X(low) + 10, y: Y(low * readGbPerS) - 10 }, "memory"),
    ...peaks.flatMap((p) => [
      svg("line", { class: "roof", x1: X(p.knee), y1: Y(p.y), x2: X(10 ** lx[1]), y2: Y(p.y) }),
      svg("text", { class: "tick", x: X(10 ** lx[1]) - 4, y: Y(p.y) - 6, "text-anchor": "end" }, p.name),
    ]),
  ];
}

function powerText(k) {
  return k >= 0 && k <= 4 ? (10 ** k).toLocaleString("en") : k < 0 && k > -4 ? String(10 ** k) : `1e${k}`;
}
