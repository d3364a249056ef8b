#!/usr/bin/env python3
"""Puts the rows that the faults left into docs/reliability.json, where rows of faults that were not run stay, and writes the table of docs/reliability.md from it.

    faults.py ROWS_DIR RELIABILITY_JSON RELIABILITY_MD
"""
import json
import pathlib
import sys

BEGIN, END = "<!-- rows: written by make faults -->", "<!-- rows end -->"


def seconds(number):
    return f"{number:.2f}" if number < 10 else f"{number:.0f}"


def line(row):
    recovery = "-"
    if row["recoveryMedian"] is not None:
        recovery = f"{seconds(row['recoveryMedian'])} / {seconds(row['recoveryMax'])} s {row['recovery']}"
    what = row["what"] + (f" ({row['note']})" if row["note"] else "")
    cells = [f"`{row['fault']}`", what, row["injected"], f"{row['records']:,}", row["lost"], row["duplicated"], row["undecided"], row["other"], recovery, f"{row['date']}, {row['versions']}"]
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def main():
    rows_dir, data, page = (pathlib.Path(argument) for argument in sys.argv[1:4])
    rows = {row["fault"]: row for row in json.loads(data.read_text(encoding="utf-8"))} if data.exists() else {}
    new = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(rows_dir.glob("*.json"))]
    for row in new:
        rows[row["fault"]] = row
    ordered = sorted(rows.values(), key=lambda row: (row["order"], row["fault"]))
    data.write_text(json.dumps(ordered, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    table = [
        "| fault | what | injected | records | lost | duplicated | undecided | other | recovery: median / most | measured |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(line(row) for row in ordered),
    ]
    before, rest = text.split(BEGIN, 1)
    page.write_text(before + BEGIN + "\n\n" + "\n".join(table) + "\n\n" + END + rest.split(END, 1)[1], encoding="utf-8")
    print(f"{len(new)} rows into {page}")


if __name__ == "__main__":
    main()
