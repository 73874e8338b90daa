// Words with a meaning of their own here, shown on hover and on focus.
const GLOSSARY = {
  token: "A piece of text with a number. Models read and write tokens, not letters.",
  vocabulary: "All tokens a model knows. The result of each step is one number for each of them.",
  embedding: "The vector a token starts from: its row of a table that was learned.",
  layer: "One round of attention and feed-forward. A model is a stack of equal layers with different weights.",
  op: "One step of the forward pass: a kernel that makes one value from others.",
  residual: "The stream of vectors that runs through all layers. Each part reads it and adds to it.",
  norm: "Brings a vector to a standard length, so that numbers neither grow nor vanish with depth.",
  matmul: "A product with a weight matrix: every output is a weighted sum of all inputs.",
  weights: "The numbers that were learned. They are fixed while a model runs.",
  quantized: "Stored in few bits: small whole numbers with a common scale for each block.",
  block: "Neighbouring weights, often 32, that share a scale.",
  scale: "The number that turns a block's small whole numbers back into weights.",
  query: "What a token looks for in the others.",
  key: "What a token offers to be found by.",
  value: "What a token hands over to those that look at it.",
  head: "One of several attentions that work side by side, each with its own queries, keys and values.",
  attention: "Where tokens look at one another: each takes a mixture of the earlier ones' values.",
  softmax: "Turns any numbers into shares that sum to 1; the largest gets the most.",
  RoPE: "Rotates queries and keys by their position, so that their product depends on the distance.",
  cache: "Keys and values of earlier tokens, kept so that they need not be computed again.",
  logit: "The model's raw score of a token as the next one, before softmax.",
  logits: "The model's raw scores of all tokens as the next one, before softmax.",
  "logit lens": "What the model would say if it stopped at this layer: its last norm and output matrix, applied early.",
  prefill: "Running the whole prompt at once. Limited by how fast the CPU multiplies.",
  decode: "Making one token at a time. Limited by how fast weights come from memory.",
  sampler: "The stages that turn logits into one chosen token.",
  temperature: "Logits are divided by it: below 1 the likely tokens get likelier, above 1 the unlikely.",
  "top-k": "Keep only the k likeliest tokens.",
  "top-p": "Keep the likeliest tokens until their shares sum to p.",
  "min-p": "Keep tokens that are at least p times as likely as the best one.",
  draw: "A random number from 0 to 1. It falls on one token's share: that is the choice.",
  MAC: "Multiply and add: one step of a dot product.",
  roofline: "The most an op can do: limited by arithmetic or by memory, whichever is reached first.",
  intensity: "Multiply-adds for each byte moved. Low: memory is the limit. High: arithmetic is.",
  RMS: "Root mean square: the typical size of the numbers.",
  mass: "The sum of the shares of all tokens that are still in the game.",
};

// `text` as nodes in which each known word (its first use) can be asked about.
function explained(text) {
  const words = Object.keys(GLOSSARY).sort((a, b) => b.length - a.length);
  const pattern = new RegExp(`\\b(${words.join("|")})(s|es)?\\b`, "gi");
  const seen = new Set();
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    const key = words.find((w) => w.toLowerCase() === match[1].toLowerCase());
    if (seen.has(key)) continue;
    seen.add(key);
    nodes.push(text.slice(end, match.index), term(key, match[0]));
    end = match.index + match[0].length;
  }
  nodes.push(text.slice(end));
  return nodes;
}

// A word with its meaning behind it.
function term(key, shown = key) {
  return el("span", { class: "term", tabindex: "0", "data-tip": GLOSSARY[key], "aria-describedby": "tip" }, shown);
}

// One tip for the whole page, beside whatever has a data-tip.
function setUpTips() {
  const tip = byId("tip");
  const show = (event) => {
    const target = event.target.closest?.("[data-tip]");
    if (!target) return hide();
    tip.textContent = target.dataset.tip;
    tip.hidden = false;
    const at = target.getBoundingClientRect();
    const left = clamp(at.left, 8, Math.max(8, innerWidth - tip.offsetWidth - 8));
    const below = at.bottom + 8 + tip.offsetHeight < innerHeight;
    tip.style.left = `${left}px`;
    tip.style.top = `${below ? at.bottom + 8 : at.top - tip.offsetHeight - 8}px`;
  };
  const hide = () => (tip.hidden = true);
  document.addEventListener("mouseover", show);
  document.addEventListener("focusin", show);
  document.addEventListener("scroll", hide, true);
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
}
