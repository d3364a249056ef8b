#!/usr/bin/python3
"""The reference job side by side: PolicyStreams, what it is held against, and its floors, in alternation on one broker.

    compare.py drain   [--records 1000000] [--rounds 5] [--warm-up 6] [--format avro|json|protobuf|json-schema] [--only NAME,...] [--no-verify] [--any]
    compare.py latency [--rounds 5] [--warm-up 6] [--rate 5000] [--seconds 30] [--format avro|json] [--only NAME,...] [--any]
    compare.py allocation [--records 1000000] [--rounds 5] [--format avro|json|protobuf|json-schema]
    compare.py list

Every drain has a group and outputs of its own, and all but the floors' are verified by a program that shares no code with ours. A run counts only where other processes used less than 5 % of the machine from its
start to its end; else it is made again, and the table says how many were thrown away. The first --warm-up runs (6) count for nobody: a broker's own compiler makes it several times cheaper in its first minutes. --any counts all of them: to try the program, not to measure. Medians, with the least and the most in brackets.
With protobuf and json-schema the loader's records are in JSON on source.payments, and `bench transcode` brings them into that form on raw.payments: PolicyStreams and the floors read these, the Java programs, which know neither
form, the JSON.
allocation says what the whole process allocates on the managed heap for a record between the first third of a drain and its end, by its own /metrics: without the start, with the transactions, and with what asking costs. Once with the job as it is, some 3 % of whose records are held, and once
without the rules that hold. Exit code 1 where the latter is more than 16 bytes.
The environment is that of run.sh (see README.md). Results: artifacts/bench/reference-drain.json and .md, reference-latency likewise.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lab"))
import lab  # noqa: E402

PEERS = pathlib.Path(lab.need("POLICYSTREAMS_PEERS", "the folder with java/peer, payment.avsc, and policy/"))
PEER = PEERS / "java" / "peer"
OUTPUTS = [f"{kind}.payments" for kind in ("governed", "held", "rejected", "state", "approvals")] + ["decisions"]
KEYS = {"REFERENCE_KEY": "reference-key-0123456789-0123456789", "REFERENCE_AUDIT_KEY": "reference-audit-key-0123456789-0123"}
VERIFY_OURS = [
    "--skip-events", "checkpoint,policy,approval,reheld,released,refused,expired", "--reason-header", "none", "--tag-header", "none", "--email-mask-regex", "[0-9a-f]{32}",
    "--before-field", "none", "--after-field", "none", "--rule-map", ",".join(f"{n}=r{n}" for n in range(2, 17)),
]
FOREIGN_MAX = 0.05
ALLOCATED_MAX = 16
HERE = pathlib.Path(__file__).resolve().parent
BENCH = ["dotnet", lab.ROOT / "bench/bin/Release/net10.0/PolicyStreams.Bench.dll"]
# By format: what the loader writes, the policy, the schema and its type in the registry (JSON has none, and the loader's records name id 1), and the topic with what the loader wrote.
FORMATS = {
    "avro": ("avro", PEERS / "policy/payments.policy.yaml", PEERS / "payment.avsc", "AVRO", "raw.payments"),
    "json": ("json", PEERS / "policy/payments-json.policy.yaml", PEERS / "payment.avsc", "AVRO", "raw.payments"),
    "protobuf": ("json", HERE / "payments-protobuf.policy.yaml", HERE / "payment.proto", "PROTOBUF", "source.payments"),
    "json-schema": ("json", HERE / "payments-json-schema.policy.yaml", HERE / "payment.json", "JSON", "source.payments"),
}


def loaded(form):
    """The format and the topic of what the loader wrote."""
    return FORMATS[form][0], FORMATS[form][4]


def timed_drain(services, program, group, topic="raw.payments"):
    """A drain as the group's committed offsets show it."""
    clock = subprocess.run(
        [PEER, "drain-time", "--bootstrap", services.bootstrap, "--group", group, "--topic", topic, "--cpu-pid", str(program.pid), "--timeout-seconds", "900"],
        capture_output=True, text=True, check=False)
    program.stop()
    if clock.returncode != 0:
        sys.exit(f"{group} did not drain: {clock.stdout[-500:]} {clock.stderr[-500:]}\n{program.log.read_text(errors='replace')[-3000:]}")
    return lab.last_json(clock.stdout)


class Ours:
    """`policystreams run` with some options."""

    def __init__(self, name, title, *options, audit=True, stamp=False, holds=True):
        self.name, self.title, self._options, self._audit, self._stamp, self._holds = name, title, options, audit, stamp, holds

    def prepare(self, services, folder, form):
        policies = folder / "policies"
        policies.mkdir()
        text = FORMATS[form][1].read_text(encoding="utf-8")
        if self._stamp:
            assert "stamp: none" in text, "the policy does not say stamp: none"
            text = text.replace("stamp: none", "stamp: decision")
        if not self._holds:
            text = "".join(line for line in text.splitlines(keepends=True) if "hold:" not in line)
        (policies / "payments.policy.yaml").write_text(text, encoding="utf-8")
        lab.run(lab.command(), "topics", "apply", "--bootstrap", services.bootstrap, "--policies", policies)

    def start(self, services, folder, group, form):
        audit = ["--key", "audit=env:REFERENCE_AUDIT_KEY", "--audit-key", "audit"] if self._audit else []
        return lab.Program(
            [lab.command(), "run", "--bootstrap", services.bootstrap, "--registry", services.registry, "--policies", folder / "policies", "--group", group, "--instance", "bench",
             "--state-dir", folder / "state", "--key", "customer-key=env:REFERENCE_KEY", *audit, *self._options],
            folder / "program.log", KEYS)

    @staticmethod
    def measure(services, program, group, form):
        return timed_drain(services, program, group)

    @staticmethod
    def verifier(services, expected, form):
        if loaded(form)[1] != "raw.payments":
            return [HERE / "verify.py", "--bootstrap", services.bootstrap, "--expected", expected, "--format", form]
        return [PEER, "verify", "--bootstrap", services.bootstrap, "--expected", expected, "--format", form, *VERIFY_OURS]


class Peer:
    """One of the peers' Java programs, on what the loader wrote."""

    def __init__(self, name, title, *words):
        self.name, self.title, self._words = name, title, words

    def prepare(self, services, folder, form):
        lab.run(PEER, "topics", "--bootstrap", services.bootstrap, "--create")

    def start(self, services, folder, group, form):
        state = ["--state", folder / "state"] if self._words[0] == "streams" else []
        form, topic = loaded(form)
        return lab.Program([PEER, *self._words, *state, "--bootstrap", services.bootstrap, "--ingress", topic, "--format", form, "--group", group, "--idle-exit-ms", "90000"], folder / "program.log")

    @staticmethod
    def measure(services, program, group, form):
        return timed_drain(services, program, group, loaded(form)[1])

    @staticmethod
    def verifier(services, expected, form):
        form, topic = loaded(form)
        return [PEER, "verify", "--bootstrap", services.bootstrap, "--expected", expected, "--ingress", topic, "--format", form, "--hmac-key", "customer-key"]


class Floor:
    """A program that copies and decides nothing; it ends when nothing comes any more, and says itself how long it took."""

    def __init__(self, name, title, *words):
        self.name, self.title, self._words = name, title, words

    def prepare(self, services, folder, form):
        lab.run(PEER, "topics", "--bootstrap", services.bootstrap, "--create")

    def start(self, services, folder, group, form):
        return lab.Program([*self._words, "--bootstrap", services.bootstrap, "--group", group], folder / "program.log")

    @staticmethod
    def verifier(services, expected, form):
        return None

    @staticmethod
    def measure(services, program, group, form):
        if program.wait(900) != 0:
            sys.exit(f"{group}: {program.log.read_text(errors='replace')[-3000:]}")
        return lab.last_json(program.log.read_text())


DRAIN = [
    Ours("policystreams-1", "PolicyStreams, 1 thread", "--threads", "1"),
    Ours("policystreams-2", "PolicyStreams, 2 threads", "--threads", "2"),
    Peer("streams-1", "Kafka Streams, 1 thread", "streams", "--threads", "1"),
    Peer("streams-2", "Kafka Streams, 2 threads", "streams", "--threads", "2"),
    Peer("plain-1", "plain Java loop, 1 thread", "plain", "--threads", "1"),
    Floor("copier-decisions", "C copier with decisions", PEERS / "c/copier", "--decisions"),
    Floor("own-copier-decisions", "our clients, copying with decisions", *BENCH, "copier", "--decisions"),
    Ours("policystreams-stamp", "PolicyStreams, 1 thread, with the stamp", "--threads", "1", stamp=True),
    Ours("policystreams-lean", "PolicyStreams, 1 thread, without audit key", "--threads", "1", audit=False),
    Ours("policystreams-managed", "PolicyStreams, 1 thread, managed record path", "--threads", "1", "--record-path", "managed"),
    Floor("copier", "C copier, bytes only", PEERS / "c/copier"),
    Floor("own-copier", "our clients, copying bytes only", *BENCH, "copier"),
]
LATENCY = [
    Ours("policystreams-100ms", "PolicyStreams, 100 ms", "--threads", "1"),
    Ours("policystreams-10ms", "PolicyStreams, 10 ms (`--profile latency`)", "--threads", "1", "--profile", "latency"),
    Peer("streams-100ms", "Kafka Streams, 100 ms", "streams", "--threads", "1"),
    Peer("streams-10ms", "Kafka Streams, 10 ms", "streams", "--threads", "1", "--commit-ms", "10"),
    Peer("plain-100ms", "plain Java loop, 100 ms", "plain", "--threads", "1"),
]


def fresh(services, contestant, work, number, form):
    services.delete(*OUTPUTS)
    folder = work / f"{number}-{contestant.name}"
    folder.mkdir()
    contestant.prepare(services, folder, form)
    return folder


def drain_once(services, contestant, work, number, options, expected):
    folder = fresh(services, contestant, work, number, options.format)
    quiet = options.any or lab.await_quiet([services.broker])
    group = f"{contestant.name}-{number}"
    watch = lab.Watch(services.broker)
    broker = lab.cpu_of(services.broker)
    program = contestant.start(services, folder, group, options.format)
    result = contestant.measure(services, program, group, options.format)
    foreign = watch.foreign()
    result.update(broker_cpu_s=round(lab.cpu_of(services.broker) - broker, 3), foreign=round(foreign, 4), valid=options.any or (quiet and foreign <= FOREIGN_MAX), verified=None)
    verifier = contestant.verifier(services, expected, options.format) if expected else None
    if verifier is not None:
        check = subprocess.run(verifier, capture_output=True, text=True, check=False, env={**os.environ, **KEYS})
        result["verified"] = check.returncode == 0
        if check.returncode != 0:
            sys.exit(f"{contestant.name}: the verifier says\n{check.stdout[-3000:]}{check.stderr[-1000:]}")
    return result


def latency_once(services, contestant, work, number, options):
    services.delete("raw.payments")
    services.create("raw.payments", 4, message_timestamp_type="LogAppendTime")
    folder = fresh(services, contestant, work, number, options.format)
    quiet = options.any or lab.await_quiet([services.broker])
    watch = lab.Watch(services.broker)
    program = contestant.start(services, folder, f"{contestant.name}-{number}", options.format)
    measured = subprocess.run(
        [PEER, "latency", "--bootstrap", services.bootstrap, "--format", options.format, "--rate", str(options.rate), "--seconds", str(options.seconds), "--warmup-seconds", "10"],
        capture_output=True, text=True, check=False)
    cpu = lab.cpu_of(program.pid)
    program.stop()
    foreign = watch.foreign()
    if measured.returncode != 0:
        sys.exit(f"{contestant.name}: latency was not measured: {measured.stdout[-1000:]} {measured.stderr[-1000:]}\n{program.log.read_text(errors='replace')[-3000:]}")
    return {**lab.last_json(measured.stdout), "cpu_s": cpu, "foreign": round(foreign, 4), "valid": options.any or (quiet and foreign <= FOREIGN_MAX)}


def rounds(contestants, options, once):
    """Runs them in alternation until each has its rounds, or has had twice as many tries; before that some that do not count, for the broker's own compiler is busy in its first minutes."""
    runs = {contestant.name: [] for contestant in contestants}
    number = 0
    for contestant in (contestants * options.warm_up)[:options.warm_up]:
        number += 1
        lab.say(f"warming up with {contestant.name}: broker {once(contestant, number).get('broker_cpu_s', '-')} s")

    def lacks(contestant):
        done = runs[contestant.name]
        return sum(run["valid"] for run in done) < options.rounds and len(done) < 2 * options.rounds

    while any(lacks(contestant) for contestant in contestants):
        for contestant in [contestant for contestant in contestants if lacks(contestant)]:
            number += 1
            result = once(contestant, number)
            runs[contestant.name].append(result)
            lab.say(f"{contestant.name}: {'' if result['valid'] else 'DISTURBED '}{ {name: result[name] for name in ('records_per_s', 'cpu_s', 'broker_cpu_s', 'peak_rss_mb', 'p50_ms', 'p99_ms', 'foreign') if name in result} }")
        contestants = contestants[1:] + contestants[:1]
    return runs


def figure(runs, of, form="{:,.0f}"):
    values = [of(run) for run in runs if run["valid"]]
    if not values:
        return "-"
    return f"{form.format(lab.median(values))} ({form.format(min(values))} to {form.format(max(values))})"


def chosen(contestants, only):
    if not only:
        return contestants
    names = only.split(",")
    unknown = set(names) - {contestant.name for contestant in contestants}
    if unknown:
        sys.exit(f"no {', '.join(sorted(unknown))}: compare.py list")
    return [contestant for contestant in contestants if contestant.name in names]


def register(services, form):
    _, _, schema, type_, _ = FORMATS[form]
    if services.register("raw.payments-value", schema, type_) != 1:
        sys.exit("the schema did not get id 1")


def load(services, options, expected):
    """Fills raw.payments, where the loader cannot write the format by way of source.payments."""
    form, topic = loaded(options.format)
    for name in {topic, "raw.payments"}:
        services.create(name, 4, message_timestamp_type="LogAppendTime")
    lab.say(f"loading {options.records} records")
    lab.run(PEER, "load", "--bootstrap", services.bootstrap, "--ingress", topic, "--count", options.records, "--format", form, "--seed", "1", "--no-create", "--out", expected)
    if topic != "raw.payments":
        lab.say(lab.run(*BENCH, "transcode", "--bootstrap", services.bootstrap, "--from", topic, "--to", "raw.payments", "--format", options.format).strip())


def drain(options):
    contestants = chosen(DRAIN, options.only)
    with lab.Services() as services:
        work = services.folder / "runs"
        work.mkdir()
        register(services, options.format)
        expected = work / "expected.tsv"
        load(services, options, expected)
        runs = rounds(contestants, options, lambda contestant, number: drain_once(services, contestant, work, number, options, None if options.no_verify else expected))
    rows = []
    base = [run for run in runs.get("streams-1", []) if run["valid"]]
    for contestant in sorted(contestants, key=DRAIN.index):
        done = runs[contestant.name]
        good = [run for run in done if run["valid"]]
        ratio = "-"
        if base and good:
            speed = lab.median([run["records_per_s"] for run in good]) / lab.median([run["records_per_s"] for run in base])
            cpu = lab.median([run["cpu_s"] for run in good]) / lab.median([run["cpu_s"] for run in base])
            ratio = f"{speed:.2f} / {cpu:.2f}"
        verified = "-" if isinstance(contestant, Floor) or options.no_verify else "ok"
        rows.append([
            contestant.title + (f", on {loaded(options.format)[0]}" if isinstance(contestant, Peer) and loaded(options.format)[0] != options.format else ""), figure(good, lambda run: run["records_per_s"]), figure(good, lambda run: 1e6 * run["cpu_s"] / options.records, "{:.1f}"),
            figure(good, lambda run: 1e6 * run["broker_cpu_s"] / options.records, "{:.1f}"), figure(good, lambda run: run["peak_rss_mb"]),
            ratio, verified, f"{len(good)} ({len(done) - len(good)})"])
    text = lab.table([f"{options.records:,} records, {options.format}", "records/s", "CPU µs a record", "broker's", "peak RSS MiB", "records/s and CPU to Kafka Streams", "verified", "rounds (thrown away)"], rows)
    lab.keep("reference-drain", {"machine": lab.machine(), "records": options.records, "format": options.format, "runs": runs}, text)


def latency(options):
    contestants = chosen(LATENCY, options.only)
    with lab.Services() as services:
        work = services.folder / "runs"
        work.mkdir()
        register(services, options.format)
        runs = rounds(contestants, options, lambda contestant, number: latency_once(services, contestant, work, number, options))
    rows = [
        [contestant.title, *(figure(runs[contestant.name], lambda run, name=name: run[name], "{:.0f}") for name in ("p50_ms", "p99_ms", "p99_9_ms")), sum(run["valid"] for run in runs[contestant.name])]
        for contestant in sorted(contestants, key=LATENCY.index)]
    text = lab.table([f"commit interval; {options.rate:,} records/s for {options.seconds} s", "p50 ms", "p99 ms", "p99.9 ms", "rounds"], rows)
    lab.keep("reference-latency", {"machine": lab.machine(), "rate": options.rate, "seconds": options.seconds, "runs": runs}, text)


def metrics(address):
    """Records decided and bytes allocated so far; None before the process answers."""
    try:
        text = urllib.request.urlopen(f"http://{address}/metrics", timeout=2).read().decode()
    except OSError:
        return None
    records = sum(float(value) for value in re.findall(r"^policystreams_records_total\S* (\S+)$", text, re.M))
    return records, float(re.search(r"^dotnet_gc_heap_total_allocated_bytes_total (\S+)$", text, re.M).group(1))


def allocation(options):
    """Bytes of the managed heap a record, start-up left out."""
    with lab.Services() as services:
        work = services.folder / "runs"
        work.mkdir()
        register(services, options.format)
        load(services, options, work / "expected.tsv")
        figures = {holds: [allocation_once(services, work, 2 * number + holds, options, bool(holds)) for number in range(options.rounds)] for holds in (1, 0)}
    rows = [
        [title, *(f"{value:.1f}" for value in (min(figures[holds]), lab.median(figures[holds]), max(figures[holds])))]
        for holds, title in ((0, "without the rules that hold: every record allowed and masked, or denied"), (1, "the job"))]
    text = lab.table([f"bytes allocated a record; {options.records:,} records, {options.format}", "least", "median", "most"], rows)
    lab.keep("reference-allocation", {"machine": lab.machine(), "records": options.records, "format": options.format, "bytes": figures[1], "without_holds": figures[0]}, text)
    if max(figures[0]) > ALLOCATED_MAX:
        sys.exit(f"more than {ALLOCATED_MAX} bytes a record")


def allocation_once(services, work, number, options, holds):
    address = f"127.0.0.1:{lab.free_port()}"
    contestant = Ours("allocation", "", "--threads", "1", "--http", address, holds=holds)
    folder = fresh(services, contestant, work, number, options.format)
    program = contestant.start(services, folder, f"allocation-{number}", options.format)
    first = last = None
    deadline = time.monotonic() + 300
    while last is None or last[0] < options.records:
        if time.monotonic() > deadline:
            sys.exit(f"the topic was not drained:\n{program.log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.25)
        seen = metrics(address)
        if seen is None or seen[0] < options.records / 3:
            continue
        first, last = first or seen, seen
    program.stop()
    figure = (last[1] - first[1]) / (last[0] - first[0])
    lab.say(f"{figure:.1f} bytes a record, of the last {last[0] - first[0]:,.0f}; {last[1] / last[0]:.1f} with the start")
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["drain", "latency", "allocation", "list"])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=6)
    parser.add_argument("--format", choices=list(FORMATS), default="avro")
    parser.add_argument("--only", default="")
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--no-verify", action="store_true")
    parser.add_argument("--any", action="store_true")
    options = parser.parse_args()
    if options.what == "list":
        for contestant in [*DRAIN, *LATENCY]:
            print(f"{contestant.name:24} {contestant.title}")
        return
    if options.what == "latency" and loaded(options.format)[0] != options.format:
        sys.exit("latency is measured with --format avro and json: its producer writes no other")
    started = time.monotonic()
    {"drain": drain, "latency": latency, "allocation": allocation}[options.what](options)
    lab.say(f"took {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
