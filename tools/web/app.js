// The page: what is being looked at, moving through the run, and drawing it.

const VIEWS = [
  ["op", "Op", viewOp], ["attention", "Attention", viewAttention], ["lens", "Logit lens", viewLens],
  ["cache", "KV cache", viewCache], ["sampler", "Sampler", viewSampler], ["cost", "Cost", viewCost],
];

const KEYS = [
  ["→  ←", "next and previous op"], ["]  [", "next and previous layer"], ["t  T", "next and previous token"],
  ["space", "play and stop"], ["Home  End", "begin and end of the run"],
  ["1 … 6", "the views: op, attention, logit lens, cache, sampler, cost"],
  ["d", "light or dark"], ["+  −", "larger or smaller text"], ["?", "this help"],
  ["arrows on a map", "move the cursor; with shift eight cells"], ["Enter on a map", "show that number"],
];

const app = {
  trace: null,
  live: null,
  state: { pass: 0, op: 0, position: 0, view: "op", head: 0, column: null, cellPosition: null },

  // Changes what is looked at, keeps it consistent, and draws.
  set(changes) {
    const { trace, state } = app;
    const before = { ...state };
    Object.assign(state, changes);
    if ("op" in changes && !("column" in changes)) state.column = state.cellPosition = null;
    if ("column" in changes && "position" in changes) state.cellPosition = changes.position;
    if ("position" in changes && !("pass" in changes)) state.pass = Math.max(trace.passOf(state.position), 0);
    state.pass = clamp(state.pass, 0, trace.passes.length - 1);
    state.op = clamp(state.op, 0, trace.ops.length - 1);
    const run = trace.passes[state.pass];
    const first = run.first_position, last = first + run.n_tokens - 1;
    if (state.pass !== before.pass && !("position" in changes)) state.position = last;
    state.position = clamp(state.position, first, last);
    app.remember();
    draw();
  },

  // What is looked at is part of the address, so it can be shared and reloaded.
  remember() {
    const { pass, op, position, view, head, column } = app.state;
    const name = app.trace.ops[op].name;
    const parts = { view, pass, op: name, token: position, head, ...(column === null ? {} : { column }) };
    history.replaceState(null, "", `#${new URLSearchParams(parts)}`);
  },

  show(doc) {
    app.trace = new Trace(doc);
    document.title = `Galley: ${doc.model.name || doc.model.architecture}`;
    drawHeader();
    buildGraph();
    const start = Math.max(app.trace.ops.findIndex((o) => o.kind === "matmul"), 0);
    app.set({ pass: 0, op: start, position: app.trace.passes[0].n_tokens - 1, head: 0, column: null });
  },
};

// ---- moving ----

const moves = {
  op: (by) => {
    const n = app.trace.ops.length, total = n * app.trace.passes.length;
    const at = clamp(app.state.pass * n + app.state.op + by, 0, total - 1);
    app.set({ pass: Math.floor(at / n), op: at % n });
  },
  layer: (by) => {
    const { ops } = app.trace, here = app.state.op;
    const starts = ops.map((_, i) => i).filter((i) => i === 0 || ops[i].layer !== ops[i - 1].layer);
    const target = by > 0 ? starts.find((i) => i > here) : starts.findLast((i) => i < here);
    if (target !== undefined) return app.set({ op: target });
    if (by > 0 && app.state.pass < app.trace.passes.length - 1) app.set({ pass: app.state.pass + 1, op: 0 });
    if (by < 0 && app.state.pass > 0) app.set({ pass: app.state.pass - 1, op: starts.at(-1) });
  },
  token: (by) => {
    const run = app.trace.passes[app.state.pass], position = app.state.position + by;
    if (position >= run.first_position && position < run.first_position + run.n_tokens) app.set({ position });
    else app.set({ pass: clamp(app.state.pass + by, 0, app.trace.passes.length - 1) });
  },
};

const player = {
  timer: 0,
  toggle() {
    player.timer ? player.stop() : player.start();
  },
  start() {
    player.timer = setInterval(() => {
      const end = app.state.pass === app.trace.passes.length - 1 && app.state.op === app.trace.ops.length - 1;
      end ? player.stop() : moves.op(1);
    }, Number(byId("speed").value));
    player.show();
  },
  stop() {
    clearInterval(player.timer);
    player.timer = 0;
    player.show();
  },
  show() {
    byId("play").textContent = player.timer ? "Stop" : "Play";
    byId("play").setAttribute("aria-pressed", String(Boolean(player.timer)));
  },
};

function buildMoves() {
  const button = (text, label, action, id) =>
    el("button", { type: "button", id, title: label, "aria-label": label, onclick: action }, text);
  const unit = (name, keys) => el("span", { class: "unit" },
    button("‹", `Previous ${name} (${keys[0]})`, () => moves[name](-1), `previous-${name}`), el("span", {}, name),
    button("›", `Next ${name} (${keys[1]})`, () => moves[name](1), `next-${name}`));
  byId("moves").append(
    el("button", { type: "button", id: "play", class: "main", title: "Play and stop (space)", "aria-pressed": "false", onclick: player.toggle }, "Play"),
    el("select", { id: "speed", "aria-label": "Speed", onchange: () => player.timer && (player.stop(), player.start()) },
      el("option", { value: "1200" }, "slow"), el("option", { value: "500", selected: true }, "normal"), el("option", { value: "120" }, "fast")),
    unit("op", ["←", "→"]), unit("layer", ["[", "]"]), unit("token", ["T", "t"]));
  byId("scrub").addEventListener("input", (event) => {
    const n = app.trace.ops.length, at = Number(event.target.value);
    app.set({ pass: Math.floor(at / n), op: at % n });
  });
}

// ---- drawing ----

function drawHeader() {
  const { model, settings } = app.trace;
  byId("model-facts").textContent = [
    model.name || model.architecture, `${big(model.n_parameters)} parameters`, count(model.n_layers, "layer"),
    `width ${model.width}`, count(model.n_heads, "head"), `${settings.n_threads} threads, ${settings.isa}`,
  ].join(" · ");
}

// The list of ops: made once for a trace, marked at every move.
function buildGraph() {
  const groups = [];
  app.trace.ops.forEach((op, i) => {
    if (!groups.length || groups.at(-1).layer !== op.layer) groups.push({ layer: op.layer, ops: [] });
    groups.at(-1).ops.push(i);
  });
  byId("graph").replaceChildren(...groups.map((g, k) => el("section", { class: "graph-layer", "data-ops": `${g.ops[0]} ${g.ops.at(-1)}` },
    el("h3", {}, g.layer >= 0 ? `Layer ${g.layer}` : k === 0 ? "Begin" : "End"),
    el("ol", {}, g.ops.map(graphRow)))));
}

function graphRow(i) {
  const op = app.trace.ops[i];
  return el("li", {}, el("button", { type: "button", class: `op ${family(op)}`, id: `op-${i}`, onclick: () => app.set({ op: i, view: app.state.view === "op" ? "op" : app.state.view }) },
    el("span", { class: "op-dot" }), el("span", { class: "op-label" }, op.short), el("span", { class: "op-kind" }, op.kind),
    el("span", { class: "op-time" }, el("i", {}))));
}

function drawGraph() {
  const { trace, state } = app;
  const run = trace.passes[state.pass], most = Math.max(...run.ops.map((o) => o.ns));
  trace.ops.forEach((_, i) => {
    const row = byId(`op-${i}`);
    row.classList.toggle("done", i < state.op);
    row.classList.toggle("now", i === state.op);
    row.setAttribute("aria-current", i === state.op ? "step" : "false");
    row.lastChild.firstChild.style.width = `${(100 * run.ops[i].ns) / most}%`;
    row.title = `${trace.ops[i].name}: ${time(run.ops[i].ns)}`;
  });
  const row = byId(`op-${state.op}`), list = byId("graph-fold");
  const top = row.offsetTop - list.scrollTop;
  if (top < 40 || top > list.clientHeight - 60) list.scrollTop = row.offsetTop - list.clientHeight / 2;
}

function drawTokens() {
  const { trace, state } = app;
  const run = trace.passes[state.pass];
  const inPass = (p) => p >= run.first_position && p < run.first_position + run.n_tokens;
  byId("tokens").replaceChildren(...trace.tokens.map((token, p) => {
    const isRun = trace.passOf(p) >= 0;
    const classes = ["token", token.from, inPass(p) ? "in-pass" : "", p === state.position ? "chosen" : "",
      p > run.first_position + run.n_tokens - 1 ? "later" : ""].join(" ");
    const go = () => (isRun ? app.set({ position: p }) : app.set({ pass: trace.passes.length - 1, view: "sampler" }));
    return el("li", {}, el("button", { type: "button", class: classes, id: `token-${p}`, onclick: go,
      "aria-current": p === state.position ? "true" : null,
      title: `position ${p}, id ${token.id}, bytes ${token.bytes || "–"}${isRun ? "" : ", chosen but not run"}` }, visible(token.text)));
  }));
}

function drawWhere() {
  const { trace, state } = app;
  const n = trace.ops.length, scrub = byId("scrub");
  scrub.max = String(n * trace.passes.length - 1);
  scrub.value = String(state.pass * n + state.op);
  const run = trace.passes[state.pass];
  const stage = run.n_tokens > 1 || state.pass === 0 ? `prompt, ${count(run.n_tokens, "token")} at once` : `token ${run.first_position}`;
  const text = `${stage} · ${trace.ops[state.op].name} · op ${state.op + 1} of ${n}`;
  byId("where").textContent = text;
  scrub.setAttribute("aria-valuetext", text);
}

function drawView() {
  const focused = document.activeElement?.id;
  const [id, , view] = VIEWS.find(([name]) => name === app.state.view) ?? VIEWS[0];
  for (const [name] of VIEWS) {
    const tab = byId(`tab-${name}`);
    tab.setAttribute("aria-selected", String(name === id));
    tab.tabIndex = name === id ? 0 : -1;
  }
  byId("view").setAttribute("aria-labelledby", `tab-${id}`);
  byId("view").replaceChildren(...view(app).flat().filter(Boolean));
  if (focused && document.activeElement === document.body) byId(focused)?.focus({ preventScroll: true });
}

function draw() {
  byId("tip").hidden = true;
  drawTokens();
  drawWhere();
  drawGraph();
  drawView();
  app.live?.drawn();
}

// ---- tabs, theme, size, help, keys ----

function buildTabs() {
  byId("tabs").append(...VIEWS.map(([name, title], i) => el("button", {
    type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "view", title: `${title} (${i + 1})`,
    onclick: () => app.set({ view: name }),
    onkeydown: (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      const next = VIEWS[(i + by + VIEWS.length) % VIEWS.length][0];
      app.set({ view: next });
      byId(`tab-${next}`).focus();
    },
  }, title)));
}

const look = {
  scale: 1,
  size(by) {
    look.scale = clamp(look.scale + by, 0.7, 2.2);
    document.documentElement.style.fontSize = `${Math.round(16 * look.scale)}px`;
    draw();
  },
  isDark() {
    return (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  },
  toggle() {
    document.documentElement.dataset.theme = look.isDark() ? "light" : "dark";
    look.show();
    draw();
  },
  show() {
    byId("theme").textContent = look.isDark() ? "Light" : "Dark";
  },
};

function buildHelp() {
  byId("help-dialog").append(
    el("h2", { id: "help-title" }, "Keys"),
    el("dl", { class: "keys" }, KEYS.map(([key, what]) => el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)))),
    el("h2", {}, "How to read this page"),
    el("p", {}, "The text is cut into tokens. The prompt goes through the model at once, then each new token by itself. " +
      "The list shows every op in the order in which it ran; the bar beside it is its time. Choose a token and an op, and look at it from six sides. " +
      "Dotted words can be asked about."),
    el("form", { method: "dialog" }, el("button", { class: "main" }, "Close")));
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help-dialog").open) return;
  if (event.target.closest("input, select, textarea")) return;
  if (event.key === " " && event.target.closest("button, summary")) return;
  const digit = Number(event.key);
  const actions = {
    ArrowRight: () => moves.op(1), ArrowLeft: () => moves.op(-1), "]": () => moves.layer(1), "[": () => moves.layer(-1),
    t: () => moves.token(1), T: () => moves.token(-1), " ": player.toggle, d: look.toggle, "?": () => byId("help-dialog").showModal(),
    "+": () => look.size(0.1), "=": () => look.size(0.1), "-": () => look.size(-0.1),
    Home: () => app.set({ pass: 0, op: 0 }), End: () => app.set({ pass: app.trace.passes.length - 1, op: app.trace.ops.length - 1 }),
  };
  const action = digit >= 1 && digit <= VIEWS.length ? () => app.set({ view: VIEWS[digit - 1][0] }) : actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

// What the address asks for, if it asks for something that exists.
function fromAddress() {
  const asked = new URLSearchParams(location.hash.slice(1));
  const changes = {};
  if (VIEWS.some(([name]) => name === asked.get("view"))) changes.view = asked.get("view");
  if (asked.has("pass")) changes.pass = Number(asked.get("pass")) || 0;
  if (app.trace.opIndex.has(asked.get("op"))) changes.op = app.trace.opIndex.get(asked.get("op"));
  if (asked.has("token")) changes.position = Number(asked.get("token")) || 0;
  if (asked.has("head")) changes.head = Number(asked.get("head")) || 0;
  if (asked.has("column")) changes.column = Number(asked.get("column")) || 0;
  return changes;
}

function start() {
  setUpTips();
  buildMoves();
  buildTabs();
  buildHelp();
  look.show();
  byId("theme").addEventListener("click", look.toggle);
  byId("smaller").addEventListener("click", () => look.size(-0.1));
  byId("larger").addEventListener("click", () => look.size(0.1));
  byId("help").addEventListener("click", () => byId("help-dialog").showModal());
  byId("help-dialog").addEventListener("click", (event) => event.target === byId("help-dialog") && byId("help-dialog").close());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => (look.show(), draw()));
  document.addEventListener("keydown", onKey);
  if (matchMedia("(max-width: 50rem)").matches) byId("graph-fold").open = false;
  const asked = location.hash;
  app.live = setUpLive(app);
  app.show(JSON.parse(byId("trace").textContent));
  if (asked) {
    history.replaceState(null, "", asked);
    app.set(fromAddress());
  }
}

try {
  start();
} catch (error) {
  byId("view").replaceChildren(el("p", { class: "error" }, `This trace cannot be shown: ${error.message}`));
  throw error;
}
