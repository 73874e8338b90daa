// Colours of numbers, and maps of them on a canvas.

// The colours of the theme that is on.
function palette() {
  const style = getComputedStyle(document.documentElement);
  const rgb = (name) => style.getPropertyValue(name).trim().split(/\s+/).map(Number);
  return {
    zero: rgb("--zero"), plus: rgb("--plus"), minus: rgb("--minus"),
    full: rgb("--full"), line: rgb("--grid"), ink: rgb("--ink-rgb"), accent: rgb("--accent-rgb"),
  };
}

function mix(a, b, share) {
  return a.map((x, i) => Math.round(x + (b[i] - x) * share));
}
function css([r, g, b]) {
  return `rgb(${r} ${g} ${b})`;
}

// From minus over zero to plus; `limit` gets the full colour. Square root: small numbers show, too.
function signedColor(x, limit, colors) {
  if (!Number.isFinite(x)) return [255, 0, 255];
  const share = limit > 0 ? Math.sqrt(clamp(Math.abs(x) / limit, 0, 1)) : 0;
  return mix(colors.zero, x < 0 ? colors.minus : colors.plus, share);
}
// From nothing to full, for shares of 1.
function shareColor(p, colors) {
  return mix(colors.zero, colors.full, Math.sqrt(clamp(p, 0, 1)));
}

// A map of numbers: rows of labelled cells, with a cursor that the mouse and the arrow keys move.
//   rows: [{label, isNow, isChosen}], columns: how many
//   color(r, c): [r, g, b]; describe(r, c): text for the line below
//   pick(r, c): a click or Enter; cursor: [r, c] at first
//   gaps: columns before which something is left out; top: labels above the columns
function heatMap({ rows, columns, color, describe, pick, cursor, gaps = new Set(), top, label, cell }) {
  const canvas = el("canvas", { tabindex: "0", role: "img", "aria-label": label, class: "map" });
  const readout = el("p", { class: "readout", "aria-live": "polite" });
  const labels = el("div", { class: "map-rows", "aria-hidden": "true" }, rows.map((row) =>
    el("span", { class: `map-row${row.isNow ? " now" : ""}${row.isChosen ? " chosen" : ""}` }, row.label)));
  const scroll = el("div", { class: "map-scroll" }, top ? columnLabels(top) : null, canvas);
  const box = el("div", { class: `map-box${top ? " has-top" : ""}` }, labels, scroll);
  let [r, c] = cursor ?? [-1, -1];
  let width = 0, height = 0;

  const size = () => {
    const em = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const room = scroll.clientWidth || 600;
    width = cell ? cell * em : clamp(Math.floor(room / columns), 3, Math.round(1.6 * em));
    height = cell ? cell * em : clamp(Math.floor((24 * em) / rows.length), Math.round(0.8 * em), Math.round(1.5 * em));
    box.style.setProperty("--cell-w", `${width}px`);
    box.style.setProperty("--cell-h", `${height}px`);
  };
  const draw = () => {
    const ratio = devicePixelRatio || 1, colors = palette();
    canvas.width = Math.ceil(columns * width * ratio);
    canvas.height = Math.ceil(rows.length * height * ratio);
    canvas.style.width = `${columns * width}px`;
    canvas.style.height = `${rows.length * height}px`;
    const g = canvas.getContext("2d");
    g.scale(ratio, ratio);
    const gap = width >= 8 ? 1 : 0;
    for (let i = 0; i < rows.length; ++i)
      for (let j = 0; j < columns; ++j) {
        const shade = color(i, j, colors);
        if (!shade) continue;
        g.fillStyle = css(shade);
        g.fillRect(j * width, i * height, width - gap, height - 1);
      }
    g.fillStyle = css(colors.line);
    for (const j of gaps) g.fillRect(j * width - 1, 0, 1, rows.length * height);
    const chosen = rows.findIndex((row) => row.isChosen);
    g.strokeStyle = css(colors.ink);
    if (chosen >= 0 && !cell) {
      g.lineWidth = 1;
      g.strokeRect(0.5, chosen * height - 0.5, columns * width - 1, height);
    }
    if (r >= 0 && r < rows.length && c >= 0 && c < columns) {
      g.strokeStyle = css(colors.accent);
      g.lineWidth = 2;
      g.strokeRect(c * width - 1, r * height - 1, width + 1, height + 1);
    }
  };
  const move = (toRow, toColumn) => {
    r = clamp(toRow, 0, rows.length - 1);
    c = clamp(toColumn, 0, columns - 1);
    readout.textContent = describe(r, c);
    draw();
  };
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return [Math.floor((event.clientY - box.top) / height), Math.floor((event.clientX - box.left) / width)];
  };
  canvas.addEventListener("mousemove", (event) => {
    const [i, j] = at(event);
    if (i >= 0 && i < rows.length && j >= 0 && j < columns) readout.textContent = describe(i, j);
  });
  canvas.addEventListener("mouseleave", () => r >= 0 && (readout.textContent = describe(r, c)));
  canvas.addEventListener("click", (event) => {
    move(...at(event));
    pick?.(r, c);
  });
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (by && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const n = event.shiftKey ? 8 : 1;
      move(r + n * by[0], c + n * by[1]);
    } else if (event.key === "Enter" || event.key === " ") {
      pick?.(r, c);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
  const fit = () => (size(), draw());
  new ResizeObserver(fit).observe(scroll);
  requestAnimationFrame(() => {
    fit();
    if (r >= 0) readout.textContent = describe(r, c);
  });
  return { element: el("div", { class: "map-frame" }, box, readout), redraw: draw };
}

// Labels above the columns of a map, written upwards.
function columnLabels(texts) {
  return el("div", { class: "map-top", "aria-hidden": "true" }, texts.map((t) => el("span", {}, t)));
}

// What the colours of signed numbers mean.
function signedLegend(limit) {
  return el("p", { class: "legend" },
    el("span", {}, short(-limit)), el("span", { class: "ramp signed" }), el("span", {}, short(limit)));
}
