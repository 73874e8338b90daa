#!/usr/bin/env python3
"""Writes a model's file, card and loss curve from what its training and evaluation left behind.

    tools/zoo/card.py demo --work build/zoo/demo --out model/demo
"""

import argparse
import json
import math
import pathlib
import random
import shutil
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
    """Which kinds of documents a batch consists of, and the shares of the exercises."""
    parts = documents.BATCHES[model]
    text = "Of what is learned in a step, " + ", ".join(
        f"{100 * parts.count(kind) / len(parts):.0f} % comes from {PART_NAMES[kind]}"
        for kind in sorted(set(parts))) + "."
    exercises = documents.EXERCISES.get(model, {})
    if not exercises:
        return text
    rng = random.Random(7)
    rows = ["| exercise | share of them | an example |", "|---|---|---|"]
    rows += ["| {} | {:.0f} % | `{} {}` |".format(kind, 100 * weight / sum(exercises.values()),
                                                *skills.draw(kind, rng))
             for kind, weight in exercises.items()]
    return text + "\n\n" + "\n".join(rows)


def tokens_per_step(model):
    rows = {kind: presets.PRESETS[model].tokens_per_part // length
            for kind, length in documents.ROW_LENGTH.items()}
    return sum(rows[kind] * documents.ROW_LENGTH[kind] for kind in documents.BATCHES[model])


def smallest_close_to_f16(results, sizes):
    """The smallest type that loses no more than one percent of the cases of any bar."""
    def is_close(kind):
        return all(results[kind][bar][0] / n >= right / n - 0.01
                   for bar, (right, n) in results["F16"].items())
    return min((kind for kind in results if is_close(kind)), key=sizes.get)


PART_NAMES = {"exercises": "exercises", "chat": "questions about language models with their answers",
              "story": "stories"}


def why_built_in(results, sizes, built_in):
    if built_in == smallest_close_to_f16(results, sizes):
        return "the smallest type that is right on at most one case in a hundred less than F16, " \
               "in every row of the table."
    return "chosen by hand."


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
    tokens = last["step"] * tokens_per_step(model)
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

`tools/zoo/rebuild {model}`: {last["step"]} steps of {tokens_per_step(model)}
tokens ({tokens / 1e6:.1f} million tokens with padding), Muon and Adam, seed 1. The clock ran for
{last["seconds"] / 60:.0f} minutes on two cores.

{note}

![loss](galley-{model}.svg)

## Results

Held-out cases, greedy (stories: at the default temperature), measured by `tools/zoo/evaluate`
with this engine. In brackets the 95 % Wilson interval.

{bars.table(results)}

{verdict}

{built_in} is built in: {why_built_in(results, sizes, built_in)}

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
    parser.add_argument("--built-in", help="the type to build in (default: the smallest one "
                        "within one percent of F16 in everything measured)")
    parser.add_argument("--note", default="", help="what else is to be said of the training")
    parser.add_argument("--out", type=pathlib.Path, required=True)
    args = parser.parse_args()
    losses, _ = read_log(args.work / "log.jsonl")
    points = [(line["step"], line["loss"]) for line in losses]
    name = f"galley-{args.model}"
    (args.out / f"{name}.svg").write_text(loss_curve(points, name))
    results = json.loads((args.work / "results.json").read_text())
    files = {kind: args.work / f"{args.model}-{kind}.gguf" for kind in results}
    sizes = {kind: path.stat().st_size for kind, path in files.items()}
    built_in = args.built_in or smallest_close_to_f16(results, sizes)
    shutil.copyfile(files[built_in], args.out / f"{name}.gguf")
    (args.out / f"{name}.md").write_text(card(args.model, args.work, built_in, args.note))


if __name__ == "__main__":
    main()
