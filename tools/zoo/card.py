#!/usr/bin/env python3
"""Writes a model's card and loss curve from what its training and evaluation left behind.

    tools/zoo/card.py demo --work build/zoo/demo --built-in Q8_0 --out model/demo
"""

import argparse
import json
import math
import pathlib
import sys

sys.dont_write_bytecode = True
import bars
import documents
import presets
import skills

LIMITS = {
    "demo": "It knows its exercises, its kitchen stories and its questions, and nothing else: "
            "other questions get the answer to the nearest one it knows. Exercises longer than those of "
            "training fail; so do words it never saw. It is not safe to rely on for anything.",
    "stories": "It only tells stories like those of the grammar; any other prompt becomes one.",
    "arithmetic": "Whole numbers up to three digits, differences not below zero. It cannot read "
                  "or write anything else.",
    "sort": "Up to eight letters (ten items for copying). It cannot read or write anything else.",
    "lookup": "Up to seven entries, six open brackets, rules of the kinds it was shown. It cannot "
              "read or write anything else.",
}


def read_log(path):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line for line in lines if "loss" in line], [line for line in lines if "right" in line]


def loss_curve(points, title):
    """An SVG of log(loss) over the steps; points: [(step, loss)]."""
    width, height, left, bottom = 640, 320, 50, 30
    top_step = max(step for step, _ in points)
    logs = [math.log10(loss) for _, loss in points]
    low, high = math.floor(min(logs) * 2) / 2, math.ceil(max(logs) * 2) / 2

    def x(step):
        return left + (width - left - 10) * step / top_step

    def y(log):
        return 20 + (height - 20 - bottom) * (high - log) / (high - low)

    grid, mark = [], low
    while mark <= high + 1e-9:
        grid.append(f'<line x1="{left}" x2="{width - 10}" y1="{y(mark):.1f}" y2="{y(mark):.1f}" '
                    f'stroke="#ccc"/><text x="{left - 6}" y="{y(mark) + 4:.1f}" '
                    f'text-anchor="end">{10 ** mark:.2g}</text>')
        mark += 0.5
    line = " ".join(f"{x(step):.1f},{y(log):.1f}" for (step, _), log in zip(points, logs))
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'font-family="sans-serif" font-size="12">'
            f'<rect width="{width}" height="{height}" fill="white"/>{"".join(grid)}'
            f'<polyline fill="none" stroke="#06c" stroke-width="1.5" points="{line}"/>'
            f'<text x="{left}" y="14">{title}: loss (weighted, learned tokens only) by step</text>'
            f'<text x="{width - 10}" y="{height - 8}" text-anchor="end">{top_step} steps</text>'
            f'</svg>\n')


def mixture_table(model):
    mixture = documents.MIXTURES[model]
    total = sum(mixture.values())
    rows = ["| documents | share | an example |", "|---|---|---|"]
    import random
    rng = random.Random(7)
    for kind, weight in mixture.items():
        if kind == "story":
            example = "see docs/demo-models.md"
        elif kind == "chat":
            example = "a question about language models and its answer, one to ten turns"
        else:
            example = "`{} {}`".format(*skills.draw(kind, rng))
        rows.append(f"| {kind} | {100 * weight / total:.0f} % | {example} |")
    return "\n".join(rows)


def card(model, work, built_in, note):
    preset = presets.PRESETS[model]
    losses, _ = read_log(work / "log.jsonl")
    results = json.loads((work / "results.json").read_text())
    sizes = {kind: (work / f"{model}-{kind}.gguf").stat().st_size for kind in results}
    s, last = preset.shape, losses[-1]
    head_size = s["width"] // s["n_heads"]
    n_vocab = 259 + len((work / "merges.txt").read_text().splitlines())
    layer = 2 * s["width"] + s["width"] ** 2 * 2 + 3 * s["width"] * s["n_ffn"] + \
        2 * s["width"] * s["width"] * s["n_kv_heads"] // s["n_heads"]
    n_parameters = n_vocab * s["width"] + s["n_layers"] * layer + s["width"]
    tokens = last["step"] * preset.n_parts * preset.tokens_per_part
    built = results[built_in]
    missed = [bar for bar, goal in bars.GOALS.items() if bar in built
              and built[bar][0] < goal * built[bar][1]]
    verdict = "All goals are met." if not missed else \
        f"**Goals not met** by the built-in file: {', '.join(missed)}."
    size_rows = "\n".join(f"| {kind} | {size:,} |" for kind, size in sizes.items())
    name = "demo" if model == "demo" else f"demo:{model}"
    return f"""# galley-{model} (`-m {name}`)

{preset.description}. A llama-architecture model of {n_parameters:,} parameters, trained from
nothing on text made by this project. docs/demo-models.md tells how, and why so.

| | |
|---|---|
| layers, width, feed-forward | {s["n_layers"]}, {s["width"]}, {s["n_ffn"]} |
| heads (key/value heads) of size | {s["n_heads"]} ({s["n_kv_heads"]}) of {head_size} |
| vocabulary, context | {n_vocab} tokens of byte-level BPE, {s["n_context"]} |
| embeddings | tied |
| built in as | {built_in} |

## Data

Drawn fresh for every step by tools/zoo (generators and hand-written questions, nothing
downloaded). One case in ten of every exercise is held out by a checksum and never trained on.

{mixture_table(model)}

## Training

`tools/zoo/rebuild {model}`: {last["step"]} steps of {preset.n_parts * preset.tokens_per_part}
tokens ({tokens / 1e6:.1f} million tokens with padding), Muon and Adam, seed 1. The clock ran for
{last["seconds"] / 60:.0f} minutes on two cores that were busy with other work all the time.

{note}

![loss](galley-{model}.svg)

## Results

Held-out cases, greedy (stories: at the default temperature), measured by `tools/zoo/evaluate`
with this engine. In brackets the 95 % Wilson interval.

{bars.table(results)}

{verdict}

| type | bytes |
|---|---|
{size_rows}

## Limits

{LIMITS[model]}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=sorted(LIMITS))
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--built-in", required=True, help="the type of the built-in file")
    parser.add_argument("--note", default="", help="what else is to be said of the training")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    losses, _ = read_log(args.work / "log.jsonl")
    points = [(line["step"], line["loss"]) for line in losses]
    name = f"galley-{args.model}"
    (args.out / f"{name}.svg").write_text(loss_curve(points, name))
    (args.out / f"{name}.md").write_text(card(args.model, args.work, args.built_in, args.note))


if __name__ == "__main__":
    main()
