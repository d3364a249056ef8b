#!/usr/bin/python3
"""How throughput and cost change with partitions, threads, processes, record size, rules, batching, the commit interval, and the share of held records.

    growth.py [CURVE...] [--records 500000] [--rounds 3] [--warm-up 4] [--any]       CURVE: scale size rules linger commit held; default all

Every point is a drain of a topic loaded beforehand with a fresh group, state, and outputs; points of a curve run in alternation on one broker, after some drains that count for none (--warm-up, default 4). A run counts only where other processes used less than 5 % of
the machine (--any: all count; to try the program). Records are Avro: an id, a card number and a name that are masked, an amount, a kind, and bytes to fill. Two masks apply to every record, a decision is written
for every record, with an audit key.
Needs POLICYSTREAMS_TEST_KAFKA, POLICYSTREAMS_TEST_REGISTRY, and POLICYSTREAMS_PEERS (for its clock, drain-time). Results: artifacts/bench/growth-CURVE.json, .md, and .svg.
"""
import argparse
import json
import pathlib
import random
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lab"))
import figures  # noqa: E402
import lab  # noqa: E402
from confluent_kafka import Producer  # noqa: E402

PEER = pathlib.Path(lab.need("POLICYSTREAMS_PEERS", "the folder with java/peer")) / "java" / "peer"
KEYS = {"GROWTH_AUDIT_KEY": "growth-audit-key-0123456789-01234567"}
SCHEMA = {
    "type": "record", "name": "Reading", "namespace": "bench",
    "fields": [{"name": name, "type": kind} for name, kind in (("id", "string"), ("card", "string"), ("name", "string"), ("amount", "double"), ("kind", "string"), ("fill", "bytes"))],
}
# curve: x axis, points of (label, what differs from the point that all share)
CURVES = {
    "scale": ("partitions, threads, processes", [
        ("1p 1t 1", {"partitions": 1}), ("2p 1t 1", {"partitions": 2}), ("4p 1t 1", {}), ("2p 2t 1", {"partitions": 2, "threads": 2}), ("4p 2t 1", {"threads": 2}), ("4p 1t 2", {"processes": 2})]),
    "size": ("bytes of a record", [("100", {"size": 100}), ("1,000", {"size": 1000}), ("10,000", {"size": 10_000}), ("100,000", {"size": 100_000})]),
    "rules": ("rules of the binding", [("1", {"rules": 1}), ("20", {"rules": 20}), ("200", {"rules": 200}), ("1,000", {"rules": 1000})]),
    "linger": ("linger.ms", [(str(ms), {"kafka": f"linger.ms={ms}"}) for ms in (1, 5, 20, 100)]),
    "commit": ("commit interval, ms", [(str(ms), {"options": ["--commit-interval", f"{ms}ms"]}) for ms in (10, 50, 100, 500)]),
    "held": ("held records, %", [("0", {}), ("1", {"held": 1}), ("10", {"held": 10}), ("50", {"held": 50}), ("100", {"held": 100})]),
}
SHARED = {"partitions": 4, "threads": 1, "processes": 1, "size": 300, "rules": 20, "held": 0, "kafka": "", "options": []}
BYTES_MAX = 1 << 30


def zigzag(number):
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def text(value):
    data = value.encode() if isinstance(value, str) else value
    return zigzag(len(data)) + data


def records(schema_id, point, distinct=1000):
    """Different records, to be sent again and again."""
    chance = random.Random(1)
    made = []
    for i in range(distinct):
        kind = "hold" if i * 100 < point["held"] * distinct else "plain"
        head = text(f"r-{i:06d}") + text(str(chance.randrange(10**15, 10**16))) + text("Ada Lovelace") + struct.pack("<d", chance.uniform(1, 1000)) + text(kind)
        made.append(b"\0" + schema_id.to_bytes(4, "big") + head + text(bytes(max(0, point["size"] - len(head) - 8))))
    chance.shuffle(made)
    return made


def policy(point):
    rules = [
        "  - { id: card, mask: { field: card, keep_last: 4 } }",
        '  - { id: name, mask: { field: name, constant: "***" } }',
        "  - { id: waits, when: 'value.kind == \"hold\"', hold: { approvers: [risk], expires: 24h, on_expiry: deny, reason: waits } }",
    ]
    rules += [f"  - {{ id: never-{i}, when: 'value.amount > {2000 + i}.0', deny: {{ reason: never }} }}" for i in range(max(0, point["rules"] - len(rules)))]
    return f"""apiVersion: policystreams/v1
kind: Policy
metadata: {{ name: growth, owner: bench }}
bindings:
  - name: growth
    format: avro
    subject: raw.growth-value
    identity: {{ topic: {{ id: bench, groups: [bench] }} }}
    stamp: none
    topics: {{ decisions: decisions.growth }}
limits: {{ record_bytes: 1000000 }}
on_error: deny
on_schema_mismatch: deny
rules:
{chr(10).join(rules[:max(point["rules"], 1)] if point["rules"] < 3 else rules)}
"""


class Point:
    def __init__(self, label, what, options):
        self.label = label
        self.what = {**SHARED, **what}
        self.records = min(options.records, max(2000, BYTES_MAX // self.what["size"]))
        if self.what["held"] > 0:
            self.records = min(self.records, 200_000)
        self.runs = []

    def lacks(self, options):
        return sum(run["valid"] for run in self.runs) < options.rounds and len(self.runs) < 2 * options.rounds

    def measure(self, options, services, schema_id, number):
        what = self.what
        folder = services.folder / f"run-{number}"
        policies = folder / "policies"
        policies.mkdir(parents=True)
        (policies / "growth.policy.yaml").write_text(policy(what), encoding="utf-8")
        (folder / "kafka.properties").write_text(what["kafka"], encoding="utf-8")
        services.delete(*(topic for topic in services.topics() if topic.endswith(".growth")))
        services.create("raw.growth", what["partitions"], message_timestamp_type="LogAppendTime", max_message_bytes="2000000")
        lab.run(lab.command(), "topics", "apply", "--bootstrap", services.bootstrap, "--policies", policies)
        self._load(services, schema_id)
        quiet = options.any or lab.await_quiet([services.broker])
        watch = lab.Watch(services.broker)
        broker = lab.cpu_of(services.broker)
        programs = [
            lab.Program(
                [lab.command(), "run", "--bootstrap", services.bootstrap, "--registry", services.registry, "--policies", policies, "--group", f"growth-{number}", "--instance", f"growth-{i}",
                 "--state-dir", folder / "state", "--threads", what["threads"], "--key", "audit=env:GROWTH_AUDIT_KEY", "--audit-key", "audit", "--kafka-config", folder / "kafka.properties", *what["options"]],
                folder / f"program-{i}.log", KEYS)
            for i in range(what["processes"])]
        clock = subprocess.run(
            [PEER, "drain-time", "--bootstrap", services.bootstrap, "--topic", "raw.growth", "--group", f"growth-{number}", "--cpu-pid", str(programs[0].pid), "--timeout-seconds", "900"],
            capture_output=True, text=True, check=False)
        rss = sum(lab.peak_rss_mib(program.pid) for program in programs)
        lifetime = [lab.cpu_of(program.pid) for program in programs]
        for program in programs:
            program.stop()
        foreign = watch.foreign()
        if clock.returncode != 0:
            sys.exit(f"{self.label} did not drain: {clock.stdout[-500:]}{clock.stderr[-500:]}\n{programs[0].log.read_text(errors='replace')[-3000:]}")
        drained = lab.last_json(clock.stdout)
        # The clock leaves out what the first process took before the clock itself had started; the others began when it did.
        cpu = drained["cpu_s"] + sum(one - (lifetime[0] - drained["cpu_s"]) for one in lifetime[1:])
        return {
            "records_per_s": drained["records_per_s"], "cpu_us": 1e6 * cpu / self.records, "broker_cpu_us": 1e6 * (lab.cpu_of(services.broker) - broker) / self.records, "peak_rss_mib": rss,
            "foreign": round(foreign, 4), "valid": options.any or (quiet and foreign <= 0.05)}

    def _load(self, services, schema_id):
        values = records(schema_id, self.what)
        producer = Producer({"bootstrap.servers": services.bootstrap, "linger.ms": 20, "batch.size": 1 << 20, "queue.buffering.max.kbytes": 1 << 18, "message.max.bytes": 2_000_000})
        for i in range(self.records):
            while True:
                try:
                    producer.produce("raw.growth", values[i % len(values)], key=f"k-{i % 10_000}", partition=i % self.what["partitions"])
                    break
                except BufferError:
                    producer.poll(0.1)
            if i % 1000 == 0:
                producer.poll(0)
        if producer.flush(120) != 0:
            sys.exit("the records could not be loaded")

    def row(self):
        good = [run for run in self.runs if run["valid"]]

        def cell(name, form):
            values = [run[name] for run in good]
            return f"{form.format(lab.median(values))} ({form.format(min(values))} to {form.format(max(values))})" if values else "-"

        return [self.label, f"{self.records:,}", cell("records_per_s", "{:,.0f}"), cell("cpu_us", "{:.1f}"), cell("broker_cpu_us", "{:.1f}"), cell("peak_rss_mib", "{:,.0f}"), f"{len(good)} ({len(self.runs) - len(good)})"]

    def place(self, name):
        values = [run[name] for run in self.runs if run["valid"]]
        return (self.label, lab.median(values), min(values), max(values)) if values else None


def draw(curve, points, options):
    axis = CURVES[curve][0]
    table = lab.table([axis, "records", "records/s", "CPU µs a record", "broker's", "peak RSS MiB", "rounds (thrown away)"], [point.row() for point in points])
    lab.keep(f"growth-{curve}", {"machine": lab.machine(), "curve": curve, "points": {point.label: {"what": point.what, "records": point.records, "runs": point.runs} for point in points}}, table)
    for name, label, title in (("records_per_s", "records/s", "Throughput"), ("cpu_us", "CPU µs a record", "Processor time")):
        places = [point.place(name) for point in points]
        if all(places):
            (lab.ROOT / "artifacts" / "bench" / f"growth-{curve}-{name}.svg").write_text(figures.lines(f"{title} by {axis}", axis, label, {"PolicyStreams": places}), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curve", nargs="*")
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--warm-up", type=int, default=4)
    parser.add_argument("--any", action="store_true")
    options = parser.parse_args()
    unknown = set(options.curve) - set(CURVES)
    if unknown:
        sys.exit(f"no curve {', '.join(sorted(unknown))}: {' '.join(CURVES)}")
    for curve in options.curve or CURVES:
        points = [Point(label, what, options) for label, what in CURVES[curve][1]]
        with lab.Services(settings=["message.max.bytes=2000000"]) as services:
            schema = services.folder / "schema.avsc"
            schema.write_text(json.dumps(SCHEMA), encoding="utf-8")
            schema_id = services.register("raw.growth-value", schema)
            number = 0
            for point in (points * options.warm_up)[:options.warm_up]:
                number += 1
                point.measure(options, services, schema_id, number)
            while any(point.lacks(options) for point in points):
                for point in [point for point in points if point.lacks(options)]:
                    number += 1
                    point.runs.append(point.measure(options, services, schema_id, number))
                    lab.say(f"{curve} {point.label}: {point.runs[-1]}")
        draw(curve, points, options)


if __name__ == "__main__":
    main()
