// The live page: prompts, changes and the debugger, through the server that the page came from.

// Nothing for a page that was opened from a file.
function setUpLive(app) {
  const token = document.body.dataset.live;
  return token ? new Live(app, token) : null;
}

class Live {
  constructor(app, token) {
    this.app = app;
    this.token = token;
    this.state = null;
    this.build();
    this.ask("state", {}).then((state) => this.take(state), (error) => this.say(error.message, "error"));
  }

  // Posts a request and gives its reply. Throws with the engine's own line.
  async ask(name, request) {
    let response;
    try {
      response = await fetch(`/api/${name}`, {
        method: "POST", headers: { "Content-Type": "application/json", "X-Galley-Token": this.token },
        body: JSON.stringify(request),
      });
    } catch {
      throw new Error("galley step --web is no longer running");
    }
    const reply = await response.json();
    if (!response.ok || reply.error) throw new Error(reply.error ?? "the server refused");
    return reply;
  }

  explain(op, pass, position, column) {
    return this.ask("explain", { op, position, column });
  }

  // Asks for something that may change the run, and shows what came of it.
  async act(name, request, button) {
    if (button) button.disabled = true;
    document.body.classList.add("busy");
    try {
      const reply = await this.ask(name, request);
      if (reply.traced) await this.reload();
      this.take(reply, name !== "run");
      return reply;
    } catch (error) {
      this.say(error.message, "error");
      return null;
    } finally {
      document.body.classList.remove("busy");
      if (button) button.disabled = false;
    }
  }

  // Fetches the new trace; what was looked at stays.
  async reload() {
    const response = await fetch("/api/trace", { headers: { "X-Galley-Token": this.token } });
    if (!response.ok) throw new Error("the new trace did not come");
    const { view, head, op, pass } = this.app.state;
    const name = this.app.trace.ops[op].name;
    this.app.show(await response.json());
    this.app.set({ view, head, pass, op: this.app.trace.opIndex.get(name) ?? 0 });
  }

  // Notes where the debugger stands, and goes there if it moved.
  take(state, follow = false) {
    const before = JSON.stringify(this.state?.position);
    this.state = state;
    const moved = this.state && before !== JSON.stringify(state.position);
    this.drawState();
    if (follow && moved) this.goToDebugger();
    else this.drawn();
  }

  place() {
    const { pass, next_op } = this.state.position;
    const index = this.app.trace.passes.findIndex((p) => p.first_position === pass[0]);
    return { pass: Math.max(index, 0), op: Math.max(next_op - 1, 0) };
  }

  goToDebugger() {
    this.app.set(this.place());
  }

  // ---- drawing ----

  build() {
    const number = (id, label, value, step) => el("label", { class: "field" }, label,
      el("input", { type: "number", id, value, step, min: "0" }));
    const form = el("form", { class: "ask", onsubmit: (event) => this.runPrompt(event) },
      el("label", { class: "field grow" }, "Prompt", el("textarea", { id: "prompt", rows: "1", spellcheck: "false" })),
      number("predict", "tokens", "12", "1"), number("temperature", "temperature", "0.8", "0.1"), number("seed", "seed", "0", "1"),
      el("button", { class: "main", id: "run" }, "Run"));
    const move = (line, label, title) => el("button", { type: "button", title: `${title} (${line})`,
      onclick: (event) => this.command(line, event.target) }, label);
    this.output = el("pre", { id: "debugger-output", tabindex: "0", "aria-live": "polite", "aria-label": "What the debugger says" });
    this.where = el("button", { type: "button", class: "chip", id: "debugger-where", title: "Go to where the debugger stands", onclick: () => this.goToDebugger() });
    this.line = el("input", { id: "command", placeholder: "a command: print q[0, :8], explain …, set head 2.3 off, help", "aria-label": "Command of the debugger", autocomplete: "off", spellcheck: "false" });
    this.changes = el("div", { class: "changes", hidden: true });
    byId("live").hidden = false;
    byId("live").append(form, this.changes,
      el("details", { class: "debugger" }, el("summary", {}, "Debugger"),
        el("div", { class: "debugger-row" }, el("span", { class: "muted" }, "stands at"), this.where,
          move("step", "Step", "Run one op"), move("next", "Next layer", "Run to the next layer"), move("token", "Next token", "Run to the next token"),
          move("continue", "Continue", "Run to a breakpoint or the end"), move("back", "Back", "Back by one op"), move("restart", "Restart", "Begin again")),
        el("form", { class: "debugger-row", onsubmit: (event) => {
          event.preventDefault();
          this.command(this.line.value);
          this.line.select();
        } }, this.line, el("button", {}, "Do")),
        this.output));
    this.message = el("p", { class: "error", id: "live-message", role: "alert", hidden: true });
    byId("live").append(this.message);
  }

  say(text, kind = "") {
    this.message.hidden = !text;
    this.message.className = kind;
    this.message.textContent = text;
  }

  runPrompt(event) {
    event.preventDefault();
    this.say("");
    const value = (id) => Number(byId(id).value);
    this.act("run", { prompt: byId("prompt").value, n: value("predict"), temperature: value("temperature"), seed: value("seed") }, byId("run"));
  }

  async command(line, button) {
    this.say("");
    const reply = await this.act("command", { line }, button);
    if (reply) this.output.textContent = `> ${line}\n${reply.text}`;
  }

  drawState() {
    const { position, changes, text_unchanged, text_now } = this.state;
    this.where.textContent = position.ended ? "the end of the text" : position.made ?? "the begin of a pass";
    this.changes.hidden = !changes.length;
    this.changes.replaceChildren(
      el("div", { class: "changes-row" }, el("b", {}, "Changed"), changes.map((c) => el("code", { class: "chip still" }, c)),
        el("button", { type: "button", id: "undo", onclick: (event) => this.command("undo", event.target) }, "Undo the last")),
      el("dl", {}, el("div", {}, el("dt", {}, "unchanged"), el("dd", {}, visible(text_unchanged))),
        el("div", {}, el("dt", {}, "now"), el("dd", { id: "text-now", class: text_now === text_unchanged ? null : "differs" }, visible(text_now)))));
  }

  // After the page was drawn: marks of the debugger in the list of ops.
  drawn() {
    if (!this.state || !this.app.trace) return;
    if (!this.filled) {
      const { prompt, settings } = this.app.trace;
      byId("prompt").value = prompt;
      byId("temperature").value = settings.temperature;
      byId("seed").value = settings.seed;
      byId("predict").value = this.app.trace.tokens.length - this.app.trace.n_prompt;
      this.filled = true;
    }
    const stops = new Set(this.state.breakpoints.flatMap((b) => b.ops));
    const at = this.state.position.next_op > 0 ? this.place().op : -1;
    this.app.trace.ops.forEach((op, i) => {
      byId(`op-${i}`).classList.toggle("stop", stops.has(op.name));
      byId(`op-${i}`).classList.toggle("debugger-at", i === at);
    });
  }

  // ---- what the views add ----

  // For the view of an op: stop here, and change its values.
  opTools(info) {
    const own = this.state?.breakpoints.find((b) => b.ops.length === 1 && b.ops[0] === info.name);
    const stop = el("button", { type: "button", id: "stop-here", "aria-pressed": String(Boolean(own)),
      onclick: (event) => this.command(own ? `delete ${own.id}` : `break ${info.name}`, event.target) }, own ? "Do not stop here" : "Stop here");
    const here = el("button", { type: "button", id: "run-here", title: "Run the debugger up to this op", onclick: (event) => this.command(`run-until ${info.name}`, event.target) }, "Run to here");
    if (info.cache_layer !== undefined && info.kind !== "attention") return el("div", { class: "tools-row" }, stop);
    const part = el("select", { id: "change-part", "aria-label": "What to change" },
      el("option", { value: "cell" }, "this number"), el("option", { value: "row" }, "this token"),
      el("option", { value: "column" }, "this column"), el("option", { value: "all" }, "all of it"));
    const kind = el("select", { id: "change-kind", "aria-label": "How to change it" },
      el("option", { value: "set" }, "set to"), el("option", { value: "scale" }, "times"));
    const amount = el("input", { type: "number", id: "change-amount", value: "0", step: "any", "aria-label": "Number" });
    return el("div", { class: "tools-row" }, here, stop, el("span", { class: "grow" }),
      el("span", { class: "muted" }, "Change"), part, kind, amount,
      el("button", { type: "button", id: "change", onclick: (event) => this.change(info, part.value, kind.value, Number(amount.value), event.target) }, "and run again"));
  }

  change(info, part, kind, amount, button) {
    const { state } = this.app, [position, column] = state.cell;
    this.say("");
    this.act("change", {
      op: info.name, kind, amount,
      positions: part === "cell" || part === "row" ? [position, position + 1] : [],
      columns: part === "cell" || part === "column" ? [column, column + 1] : [],
    }, button);
  }

  // For the view of attention: switch a head off.
  headTools(info, cache, head) {
    const size = cache.head_size_v;
    return el("button", { type: "button", id: "head-off", onclick: (event) => this.act("change", {
      op: info.name, kind: "set", amount: 0, positions: [], columns: [head * size, (head + 1) * size] }, event.target) },
    `Switch head ${head} off and run again`);
  }
}
