// The trace of docs/trace-format.md, with look-ups.

function floatsOf(base64) {
  const text = atob(base64);
  const raw = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) raw[i] = text.charCodeAt(i);
  return new Float32Array(raw.buffer);
}

function numbersOf(ranges) {
  const all = [];
  for (const [begin, end] of ranges) for (let i = begin; i < end; ++i) all.push(i);
  return all;
}

class Trace {
  constructor(doc) {
    if (doc.format !== "galley-trace") throw new Error("this is not a Galley trace");
    if (doc.version !== 1) throw new Error(`version ${doc.version} of the trace format is not known`);
    Object.assign(this, doc);
    this.decoded = new Map();
    this.opIndex = new Map(this.ops.map((op, i) => [op.name, i]));
    this.nPositions = this.passes.reduce((n, pass) => n + pass.n_tokens, 0);
    for (const op of this.ops) op.short = op.name.replace(/^blk\.\d+\./, "");
    this.explained = new Map();  // "pass/op" -> explanations
    for (const e of this.explanations ?? []) {
      const key = `${e.pass}/${e.op}`;
      if (!this.explained.has(key)) this.explained.set(key, []);
      this.explained.get(key).push(e);
    }
  }

  text(id) {
    return this.vocabulary[id] ?? `#${id}`;
  }

  // The pass in which a position was run, or -1 for a token that was only chosen.
  passOf(position) {
    return this.passes.findIndex(
      (p) => position >= p.first_position && position < p.first_position + p.n_tokens);
  }

  // Positions whose numbers were kept, in passes 0 .. last.
  keptPositions(last) {
    return this.passes.slice(0, last + 1).flatMap((p) => p.rows.map((r) => p.first_position + r));
  }

  // The kept values of an op in a pass: positions, columns, and a function of both.
  values(pass, op) {
    const key = `${pass}/${op}`;
    if (this.decoded.has(key)) return this.decoded.get(key);
    const run = this.passes[pass], run_op = run.ops[op], info = this.ops[op];
    let values = null;
    if (run_op.values !== undefined) {
      const rows = run.rows.map((r) => run.first_position + r);
      const positions = info.rows === "T" ? rows
        : run.has_output ? [run.first_position + run.n_tokens - 1] : [];
      const columns = numbersOf(info.columns);
      const data = floatsOf(run_op.values);
      const rowAt = new Map(positions.map((p, i) => [p, i]));
      const columnAt = new Map(columns.map((c, i) => [c, i]));
      values = {
        positions, columns, data,
        at(position, column) {
          const r = rowAt.get(position), c = columnAt.get(column);
          return r === undefined || c === undefined ? undefined : data[r * columns.length + c];
        },
      };
    }
    this.decoded.set(key, values);
    return values;
  }

  // The attention weights of an op in a pass: at(position, head, key), rest(position, head).
  attention(pass, op) {
    const key = `a${pass}/${op}`;
    if (this.decoded.has(key)) return this.decoded.get(key);
    const run = this.passes[pass], kept = run.attention.find((a) => a.op === op);
    let attention = null;
    if (kept) {
      const heads = this.ops[op].parameters.heads;
      const weights = floatsOf(kept.weights), rest = floatsOf(kept.rest);
      const rowAt = new Map(run.rows.map((r, i) => [run.first_position + r, i]));
      const keyAt = new Map(kept.keys.map((p, i) => [p, i]));
      attention = {
        keys: kept.keys,
        at(position, head, p) {
          const r = rowAt.get(position), k = keyAt.get(p);
          return r === undefined || k === undefined ? undefined
            : weights[(r * heads + head) * kept.keys.length + k];
        },
        rest(position, head) {
          const r = rowAt.get(position);
          return r === undefined ? undefined : rest[r * heads + head];
        },
      };
    }
    this.decoded.set(key, attention);
    return attention;
  }

  // The attention op of the layer that `op` is in, or the next one, or the last.
  attentionOp(op) {
    const layer = this.ops[op].layer;
    const all = this.ops.map((o, i) => i).filter((i) => this.ops[i].kind === "attention");
    if (layer >= 0) return all.find((i) => this.ops[i].layer === layer) ?? -1;
    return (op < all[0] ? all[0] : all.at(-1)) ?? -1;
  }
}
