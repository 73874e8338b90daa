// Making elements, and numbers as text. Text of the model only ever becomes a text node, so
// nothing in a prompt can act as HTML.

// el("p", {class: "x", onclick: f}, "text", child, [more])
function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

// The same for SVG.
function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(element, attributes, children);
  return element;
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") element.style.cssText = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((c) => c !== null && c !== undefined && c !== false));
}

function byId(id) {
  return document.getElementById(id);
}

// A token's text with its spaces and line ends shown.
function visible(text) {
  if (text === "") return "∅";
  return text
    .replace(/\n/g, "⏎")
    .replace(/\t/g, "⇥")
    .replace(/ /g, "·")
    .replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, "�");
}

// A number as people read it: 4 significant digits.
function short(x) {
  if (x === null || x === undefined) return "–";
  if (typeof x === "string") return x;  // "nan", "inf", "-inf"
  if (!Number.isFinite(x)) return String(x);
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 1e6 || size < 1e-4) return x.toExponential(2).replace("e+", "e").replaceAll("-", "−");
  return minus(Number(x.toPrecision(4)));
}

function minus(x) {
  return String(x).replaceAll("-", "−");
}

// All digits of a float32: 9 tell each from all others.
function exact(x) {
  if (typeof x !== "number" || !Number.isFinite(x)) return String(x);
  for (let digits = 6; digits < 9; ++digits) {
    const text = x.toPrecision(digits);
    if (Math.fround(Number(text)) === Math.fround(x)) return minus(Number(text));
  }
  return minus(Number(x.toPrecision(9)));
}

function percent(p) {
  if (p === 0) return "0 %";
  if (p >= 0.9995) return "100 %";
  return p >= 0.1 ? `${(100 * p).toFixed(0)} %` : p >= 0.001 ? `${(100 * p).toFixed(1)} %` : "<0.1 %";
}

function count(n, one, many = one + "s") {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

// 1536 as "1.5 KiB", 1100000 as "1.1 M", 1500 ns as "1.5 µs".
function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (n >= 1024 && unit < 4) (n /= 1024), ++unit;
  return `${unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[unit]}`;
}
function big(n) {
  for (const [size, name] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]])
    if (n >= size) return `${(n / size).toPrecision(3)} ${name}`;
  return String(Math.round(n));
}
function time(ns) {
  for (const [size, name] of [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]])
    if (ns >= size) return `${(ns / size).toPrecision(3)} ${name}`;
  return `${Math.round(ns)} ns`;
}

function clamp(x, low, high) {
  return Math.min(high, Math.max(low, x));
}
