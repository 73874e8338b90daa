#!/usr/bin/env python3
"""Writes the table of docs/models.md from what the tests measured.

    rm -f report.tsv
    GALLEY_REPORT=report.tsv build/release/bin/test_model --gtest_filter='*Architecture*'
    tests/model/models_table.py report.tsv docs/models.md

Lines of the report that concern it: models.md|ARCHITECTURE|FEATURES|CHECKED AGAINST, a tab, the
relative error. The page's text around the table stays as it is.
"""
import sys

BEGIN = "<!-- made by tests/model/models_table.py: begin -->\n"
END = "<!-- end -->\n"


def read_rows(path):
    """The largest error for each (architecture, features, checked against)."""
    rows = {}
    with open(path, encoding="utf-8") as report:
        for line in report:
            what, error, *_ = line.rstrip("\n").split("\t")
            if not what.startswith("models.md|"):
                continue
            key = tuple(what.split("|")[1:])
            rows[key] = max(rows.get(key, 0.0), float(error))
    if not rows:
        sys.exit(f"{path}: no line begins with 'models.md|'; run test_model with GALLEY_REPORT")
    return rows


def table(rows):
    lines = ["| architecture | features | checked against | largest error |",
             "| --- | --- | --- | --- |"]
    for (architecture, features, against), error in sorted(rows.items()):
        lines.append(f"| `{architecture}` | {features} | {against} | {error:.1e} |")
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rows = read_rows(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8") as page:
        text = page.read()
    before, found, rest = text.partition(BEGIN)
    _, found_end, after = rest.partition(END)
    if not found or not found_end:
        sys.exit(f"{sys.argv[2]}: the lines '{BEGIN.strip()}' and '{END.strip()}' are missing")
    with open(sys.argv[2], "w", encoding="utf-8") as page:
        page.write(before + BEGIN + table(rows) + END + after)
    print(f"{len(rows)} rows, {len({key[0] for key in rows})} architectures")


main()
