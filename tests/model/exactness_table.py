#!/usr/bin/env python3
"""Writes the tables of docs/exactness.md from what the tests measured.

    rm -f report.tsv
    GALLEY_REPORT=report.tsv build/release/bin/test_model --gtest_filter='*Golden*'
    tests/model/exactness_table.py report.tsv docs/exactness.md

Lines of the report that concern it end in two numbers, our error and the reference engine's; they
begin with "logits", a tab and the model, "mean NLL" likewise, or with "arch/" and the model.
"""
import re
import sys

BEGIN = "<!-- made by tests/model/exactness_table.py: begin -->\n"
END = "<!-- end -->\n"


def read_report(path):
    """{model: {kind: (ours, reference)}}, the models in the order of the report."""
    models = {}
    with open(path, encoding="utf-8") as report:
        for line in report:
            *what, ours, reference = line.rstrip("\n").split("\t")
            if what[0].startswith("arch/"):
                what = ["logits", what[0].removeprefix("arch/")]
            if len(what) == 2:
                models.setdefault(what[1], {})[what[0]] = (ours, reference)
    if not models:
        sys.exit(f"{path}: no errors in it; run test_model with GALLEY_REPORT and the golden data")
    return models


def table(models):
    lines = ["| model | logits: Galley | reference | mean NLL: Galley | reference |",
             "| --- | ---: | ---: | ---: | ---: |"]
    for model, errors in models.items():
        cells = [*errors.get("logits", ("", "")), *errors.get("mean NLL", ("", ""))]
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    models = read_report(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8") as page:
        text = page.read()
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    text, n = pattern.subn(lambda _: BEGIN + table(models) + END, text)
    if n != 1:
        sys.exit(f"{sys.argv[2]}: expected one table between '{BEGIN.strip()}' and '{END.strip()}'")
    with open(sys.argv[2], "w", encoding="utf-8") as page:
        page.write(text)
    print(f"{len(models)} models")


main()
