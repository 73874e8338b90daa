// From logits to a token: the stages of the sampler as a funnel, and the draw.

function viewSampler(app) {
  const { trace, state } = app;
  const choice = trace.passes[state.pass].sampler;
  if (!choice) return [el("h2", {}, "Sampler"), el("p", { class: "muted" }, "No token is chosen after this piece of the prompt.")];
  const greedy = trace.settings.temperature <= 0;
  const last = choice.stages.at(-1);
  const position = trace.passes[state.pass].first_position + trace.passes[state.pass].n_tokens;
  return [
    el("div", { class: "view-head" }, el("h2", {}, "Sampler"),
      el("p", { class: "chosen-token" }, `position ${position}: `, el("code", {}, visible(trace.text(choice.chosen))))),
    el("p", { class: "purpose" }, explained(greedy
      ? "The model gave one logit for each token of its vocabulary. With temperature 0 the likeliest is taken."
      : "The model gave one logit for each token of its vocabulary. Each stage of the sampler drops candidates or changes their shares; then a draw decides.")),
    el("div", { class: "panel" }, el("h3", {}, "Stages"), el("ol", { class: "funnel" }, choice.stages.map((s) => stage(app, s, choice)))),
    greedy ? null : drawBar(app, last, choice),
    candidates(app, choice),
  ];
}

// One stage: how many are left, what part of the original mass they have, and their shares.
function stage(app, s, choice) {
  const width = clamp(100 * s.mass, 2, 100);
  return el("li", {},
    el("p", { class: "stage-name" }, el("b", {}, stageName(s.name)), el("span", { class: "muted" }, s.description)),
    el("p", { class: "stage-count" }, count(s.n, "candidate"), el("span", { class: "muted" }, `, ${percent(s.mass)} of the start's mass`)),
    el("div", { class: "funnel-row" }, el("div", { class: "bar", style: `width:${width}%` }, segments(app, s, choice))));
}

function stageName(name) {
  return { start: "all tokens", top_k: "top-k", top_p: "top-p", min_p: "min-p" }[name] ?? name;
}

function segments(app, s, choice) {
  return s.candidates.filter((c) => c.p >= 0.004).map((c) =>
    el("span", { class: `segment${c.id === choice.chosen ? " chosen" : ""}`, style: `flex-basis:${100 * c.p}%`,
      "data-tip": `${visible(app.trace.text(c.id))}  ${percent(c.p)}` },
      c.p > 0.05 ? visible(app.trace.text(c.id)) : ""));
}

// The draw as a needle on the shares that are left.
function drawBar(app, last, choice) {
  let sum = 0;
  const at = last.candidates.map((c) => ({ id: c.id, from: sum, to: (sum += c.p) })).find((c) => c.id === choice.chosen);
  const inside = at && choice.draw >= at.from - 1e-6 && choice.draw <= at.to + 1e-6;
  return el("div", { class: "panel" }, el("h3", {}, "The ", term("draw")),
    el("div", { class: "draw" }, el("div", { class: "bar", style: "width:100%" }, segments(app, last, choice)),
      inside ? el("span", { class: "needle", style: `left:${100 * choice.draw}%` }) : null),
    el("p", {}, "The random number ", el("b", {}, choice.draw.toFixed(4)), inside
      ? [" falls between ", at.from.toFixed(4), " and ", at.to.toFixed(4), ", the share of "] : " chose ",
      el("code", {}, visible(app.trace.text(choice.chosen))), ". Seed ", String(app.trace.settings.seed), "."));
}

// The likeliest tokens, with their share after each stage.
function candidates(app, choice) {
  const first = choice.stages[0].candidates.slice(0, 10);
  if (!first.some((c) => c.id === choice.chosen)) {
    const chosen = choice.stages[0].candidates.find((c) => c.id === choice.chosen) ?? { id: choice.chosen, p: 0 };
    first.push(chosen);
  }
  const share = (s, id) => s.candidates.find((c) => c.id === id)?.p;
  return el("div", { class: "panel wide", tabindex: "0", role: "region", "aria-label": "Candidates" },
    el("h3", {}, "The likeliest"),
    el("table", { class: "plain-table" },
      el("thead", {}, el("tr", {}, el("th", {}, "token"), el("th", { class: "n" }, term("logit")),
        choice.stages.map((s) => el("th", { class: "n" }, stageName(s.name))))),
      el("tbody", {}, first.map((c) => el("tr", { class: c.id === choice.chosen ? "chosen" : null },
        el("td", {}, el("code", {}, visible(app.trace.text(c.id)))),
        el("td", { class: "n" }, c.logit === undefined ? "–" : c.logit.toFixed(2)),
        choice.stages.map((s) => {
          const p = share(s, c.id);
          return el("td", { class: "n" }, p === undefined ? el("span", { class: "muted" }, "–") : percent(p));
        }))))));
}
