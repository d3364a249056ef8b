#!/usr/bin/python3
"""What a record costs by the number of rules for its binding, in a policy that has no others and in one of 1,000 rules: a curve.

    rules.py        after `dotnet build bench -c Release`; results: artifacts/bench/rules.md and rules.svg
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "bench" / "lab"))
import figures  # noqa: E402

done = subprocess.run(["dotnet", ROOT / "bench/bin/Release/net10.0/PolicyStreams.Bench.dll", "rules"], capture_output=True, text=True, check=False)
if done.returncode != 0:
    sys.exit(done.stdout + done.stderr)
alone, among = {}, {}
for line in done.stdout.splitlines():
    row = re.match(r"\| (\d+)( of 1000)? rules \| ([\d.]+) \|", line)
    if row:
        (among if row.group(2) else alone)[int(row.group(1))] = float(row.group(3))
among[1000] = alone[1000]
counts = sorted(among)
folder = ROOT / "artifacts" / "bench"
folder.mkdir(parents=True, exist_ok=True)
(folder / "rules.md").write_text(done.stdout, encoding="utf-8")
series = {name: [(f"{count:,}", rows[count], rows[count], rows[count]) for count in counts] for name, rows in (("all its rules", alone), ("of 1,000 rules", among))}
(folder / "rules.svg").write_text(figures.lines("Nanoseconds a record by rules for its binding", "rules for the record's binding", "ns", series), encoding="utf-8")
print(done.stdout)
