#!/usr/bin/python3
"""Where the processor's time goes in a drain of the reference job: by stage in nanoseconds a record, which sum to the whole; a flame graph; and what runs on its own account.

    profile.py [--records 300000] [--threads 1] [--format avro|json]

Run it whenever the record path changes. It needs Linux's perf (as root, or with kernel.perf_event_paranoid at most 1) and the environment of run.sh. The runtime writes its symbols (DOTNET_PerfMapEnabled), which
costs a little: times are shares, not speeds. Results: artifacts/bench/profile.svg, profile.md, and
profile.folded (a line for each stack, as other flame graph programs read it).
"""
import argparse
import collections
import pathlib
import re
import shutil
import signal
import subprocess
import sys
from xml.sax.saxutils import escape

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import compare  # noqa: E402
import lab  # noqa: E402

ROW, WIDTH, DEPTH_MAX = 16, 1200, 40

# A stage is what the first of these is found in a sample's stack: its name, and a pattern of frames; below those that speak of a thread, a pattern of the thread.
STAGES = [
    ("the runtime compiles", r"\[libclrjit\.so\]"),
    ("hand over to librdkafka", r"^rd_kafka_produceva$|^NativeProducer\."),
    ("masks, and the new value", r"^SiteMasker\.|^TextMasker\.|^HmacText"),
    ("walk", r"^dynamicClass\.\w*Walk|Program\.Walk$|Walker\."),
    ("conditions", r"^dynamicClass\.|^ConditionSteps\.|^ConditionProgram\."),
    ("decision as JSON", r"^DecisionWriter\."),
    ("digests", r"^RecordDigests\.|^Sha256Digest\.|^NativeSha256\.|^LibCrypto\."),
    ("chain of decisions", r"^AuditChain\.|^MerkleTree\."),
    ("frame, verdict, and what is masked", r"^Judge\."),
    ("end of transactions", r"^StreamThread\.(CommitTransaction|EndTransaction)$"),
    ("task: ids, headers, offsets", r"^StreamTask\."),
    ("take from librdkafka", r"^NativeRecordReader\.|^StreamThread\.(Fetch|Poll|Process)$"),
    ("stream thread, the rest", r"^StreamThread\."),
]
# Where the stack of a stream thread ends in a library: perf does not see who called it.
LIBRARIES = [("digests", r"^\[libcrypto|^SHA256|^HMAC|^EVP_|^OPENSSL"), ("hand over to librdkafka", r"^\[librdkafka|^rd_|malloc|free|unlink_chunk|mutex|memmove|memcpy")]
THREADS = [("librdkafka's threads: requests, checksums, sockets", r"^rdk:"), ("the runtime compiles", r"^\.NET Tiered")]
START = "start and the rest: host, policies, registry"


def fold(script):
    """perf script's text to counts by stack, outermost first; a thread's name is its root."""
    counts = collections.Counter()
    stack, thread = [], None
    for line in script.splitlines():
        if not line.strip():
            if thread is not None:
                counts[(thread, *reversed(stack))] += 1
            stack, thread = [], None
        elif not line.startswith((" ", "\t")):
            thread = re.match(r"(.+?)\s+\d+", line).group(1)
        else:
            words = line.split(None, 1)[1].rsplit(" (", 1)
            name = name_of(words[0], words[1].rstrip(")") if len(words) > 1 else "")
            # Frames without a symbol say no more by standing one on the other.
            if not (stack and name == stack[-1] and name.startswith("[")):
                stack.append(name)
    if thread is not None:
        counts[(thread, *reversed(stack))] += 1
    return counts


def name_of(symbol, where):
    symbol = re.sub(r"\+0x[0-9a-f]+$", "", symbol).strip()
    if symbol == "[unknown]":
        return f"[{pathlib.Path(where).name.strip('[]')}]"
    symbol = re.sub(r"\[(Optimized\w*|Tier\w*|PreJIT|Instrumented\w*|MinOptJitted|OSR)\]", "", symbol)
    # [assembly] Namespace.Type::Method(arguments)
    managed = re.search(r"\[(.+?)\] (\S+?)::(.+?)\(", symbol)
    if managed:
        return f"{managed.group(2).rsplit('.', 1)[-1]}.{managed.group(3)}"
    return symbol


def stage_of(stack):
    for name, pattern in STAGES:
        if any(re.search(pattern, frame) for frame in stack[1:]):
            return name
    if stack[0].startswith("profile/bench/"):
        return next((name for name, pattern in LIBRARIES if any(re.search(pattern, frame) for frame in stack[1:])), "stream thread, the rest")
    return next((name for name, pattern in THREADS if re.search(pattern, stack[0])), START)


def flame(counts, title):
    tree = {}
    total = sum(counts.values())
    for stack, count in counts.items():
        level = tree
        for frame in stack:
            entry = level.setdefault(frame, [0, {}])
            entry[0] += count
            level = entry[1]
    boxes = []

    def place(level, x, depth):
        for frame, (count, inner) in sorted(level.items(), key=lambda item: -item[1][0]):
            if count * WIDTH / total >= 0.4 and depth < DEPTH_MAX:
                boxes.append((frame, x, depth, count))
                place(inner, x, depth + 1)
            x += count

    place(tree, 0, 0)
    height = (max(box[2] for box in boxes) + 1) * ROW + 40
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui,sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/><text x="8" y="18" font-size="14">{escape(title)}</text>',
    ]
    for frame, x, depth, count in boxes:
        width = count * WIDTH / total
        hue = 200 if depth == 0 else 30 + sum(frame.encode()) % 30
        y = height - (depth + 1) * ROW - 4
        room = int(width / 6.2)
        label = frame if len(frame) <= room else frame[: max(0, room - 1)] + "…" if room > 3 else ""
        out.append(
            f'<g><title>{escape(frame)}: {100 * count / total:.1f} %</title><rect x="{x * WIDTH / total:.1f}" y="{y}" width="{max(width - 0.4, 0.3):.1f}" height="{ROW - 1}" fill="hsl({hue},70%,72%)"/>'
            f'<text x="{x * WIDTH / total + 3:.1f}" y="{y + 11}">{escape(label)}</text></g>')
    return "\n".join([*out, "</svg>"]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--format", choices=["avro", "json"], default="avro")
    options = parser.parse_args()
    if not shutil.which("perf"):
        sys.exit("profile: perf is not installed (Debian: linux-perf)")
    compare.KEYS.update(DOTNET_PerfMapEnabled="1", DOTNET_EnableWriteXorExecute="0")
    ours = compare.Ours("policystreams", "PolicyStreams", "--threads", str(options.threads))
    with lab.Services() as services:
        services.register("raw.payments-value", compare.PEERS / "payment.avsc")
        services.create("raw.payments", 4, message_timestamp_type="LogAppendTime")
        lab.run(compare.PEER, "load", "--bootstrap", services.bootstrap, "--count", options.records, "--format", options.format, "--seed", "1", "--no-create")
        folder = services.folder / "run"
        folder.mkdir()
        ours.prepare(services, folder, options.format)
        program = ours.start(services, folder, "profile", options.format)
        data = services.folder / "perf.data"
        # The whole machine, and the program picked out afterwards: attached to a process, perf lost the threads that it started later.
        perf = subprocess.Popen(["perf", "record", "-q", "-F", "499", "-g", "-o", str(data), "-a"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        result = compare.timed_drain(services, program, "profile")
        perf.send_signal(signal.SIGINT)
        perf.wait(60)
        script = subprocess.run(["perf", "script", "-i", str(data), "--pid", str(program.pid), "-F", "comm,tid,ip,sym,dso"], capture_output=True, text=True, errors="replace", check=False).stdout
    counts = fold(script)
    total = sum(counts.values())
    if total == 0:
        sys.exit("profile: perf took no samples: may it (kernel.perf_event_paranoid)?")
    own = collections.Counter()
    for stack, count in counts.items():
        own[stack[-1]] += count
    threads = collections.Counter()
    for stack, count in counts.items():
        threads[stack[0]] += count

    def shares(what, counter, most):
        return lab.table([what, "%"], [[f"`{name}`", f"{100 * count / total:.1f}"] for name, count in counter.most_common(most)])

    stages = collections.Counter()
    for stack, count in counts.items():
        stages[stage_of(stack)] += count
    each = 1e9 * result["cpu_s"] / options.records
    by_stage = lab.table(["stage", "ns a record", "%"], [[name, f"{each * count / total:,.0f}", f"{100 * count / total:.1f}"] for name, count in stages.most_common()] + [["the whole", f"{each:,.0f}", "100.0"]])
    lab.keep("profile", {"machine": lab.machine(), "records": options.records, "samples": total, "drain": result, "stages": dict(stages)}, by_stage + "\n\n" + shares("thread", threads, 12) + "\n\n" + shares("on its own account", own, 40))
    (lab.ROOT / "artifacts" / "bench" / "profile.folded").write_text("".join(f"{';'.join(stack)} {count}\n" for stack, count in sorted(counts.items())), encoding="utf-8")
    (lab.ROOT / "artifacts" / "bench" / "profile.svg").write_text(flame(counts, f"Drain of the reference job, {options.records:,} {options.format} records, {options.threads} thread(s): {total:,} samples of processor time"), encoding="utf-8")


if __name__ == "__main__":
    main()
