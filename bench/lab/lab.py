"""What the end-to-end measurements share: services of their own, watched processes, and an eye on whoever else uses the machine.

Needs python3-confluent-kafka (Debian's name) and the environment that bench/reference-job/README.md names.
"""
import json
import os
import pathlib
import platform
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CORES = os.cpu_count() or 1
TICK = os.sysconf("SC_CLK_TCK")


def say(text):
    print(text, file=sys.stderr, flush=True)


def need(variable, what):
    path = os.environ.get(variable, "")
    if not path or not os.path.exists(path):
        sys.exit(f"set {variable}: {what}")
    return path


def command():
    """What is measured: POLICYSTREAMS_COMMAND, default bin/policystreams."""
    path = os.environ.get("POLICYSTREAMS_COMMAND", str(ROOT / "bin" / "policystreams"))
    if not os.path.exists(path):
        sys.exit(f"no {path}: make build")
    return path


def free_port(count=2):
    """The first of some free ports that follow each other."""
    for first in range(21000, 29000, count):
        if all(_is_free(port) for port in range(first, first + count)):
            return first
    sys.exit("no free ports between 21000 and 29000")


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Services:
    """
    A broker and a registry of this run's own, ended with it. With POLICYSTREAMS_BENCH_BOOTSTRAP and POLICYSTREAMS_BENCH_REGISTRY (a URL) yours, of which nothing is deleted that was there before: then
    there is no figure of the broker's processor time, and one on this machine counts as a disturbance.
    """

    def __init__(self, registry=True, settings=()):
        # Whoever ends this program ends what it started.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="policystreams-bench-"))
        self.bootstrap = os.environ.get("POLICYSTREAMS_BENCH_BOOTSTRAP", "")
        self.registry = os.environ.get("POLICYSTREAMS_BENCH_REGISTRY", "") if registry else ""
        self._kafka = self._registry = self.broker = None
        if not self.bootstrap:
            self._kafka = need("POLICYSTREAMS_TEST_KAFKA", "a script that starts a broker, or POLICYSTREAMS_BENCH_BOOTSTRAP to one that is there")
            self.bootstrap = self._start(self._kafka, "kafka", [word for setting in settings for word in ("--set", setting)])
            self.broker = int((self.folder / "kafka" / "broker-1.pid").read_text())
        if registry and not self.registry:
            self._registry = need("POLICYSTREAMS_TEST_REGISTRY", "a script that starts a registry, or POLICYSTREAMS_BENCH_REGISTRY to one that is there")
            self.registry = self._start(self._registry, "registry", [])
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap})
        self._foreign = self.topics() if self._kafka is None else set()
        self._own = set()

    def _start(self, script, name, more):
        done = subprocess.run([script, "start", str(self.folder / name), "--port", str(free_port()), *more], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{script} start: {done.stderr}")
        return done.stdout.strip().splitlines()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._kafka is None:
            self.delete(*self._own)
        del self.admin
        for script, name in ((self._kafka, "kafka"), (self._registry, "registry")):
            if script and (self.folder / name).exists():
                subprocess.run([script, "stop", str(self.folder / name)], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def topics(self):
        return {name for name in self.admin.list_topics(timeout=20).topics if not name.startswith("__")}

    def delete(self, *topics):
        self._own.update(topics)
        if self._foreign & set(topics):
            sys.exit(f"{', '.join(sorted(self._foreign & set(topics)))} is there already, and this would delete it")
        gone = [topic for topic in topics if topic in self.topics()]
        if not gone:
            return
        for future in self.admin.delete_topics(gone, operation_timeout=30).values():
            future.result()
        deadline = time.monotonic() + 60
        while self.topics() & set(gone):
            if time.monotonic() > deadline:
                sys.exit(f"{gone} are still there")
            time.sleep(0.1)

    def create(self, topic, partitions, **config):
        self._own.add(topic)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.admin.create_topics([NewTopic(topic, partitions, config={name.replace("_", "."): value for name, value in config.items()})])[topic].result()
                return
            except KafkaException as refused:
                # A topic of that name may still be on its way out.
                if time.monotonic() > deadline:
                    sys.exit(f"{topic}: {refused}")
                time.sleep(0.2)

    def register(self, subject, file, type_="AVRO"):
        return int(run(ROOT / "tests/clients/register.py", "--registry", self.registry, "--subject", subject, "--file", file, "--type", type_))


def run(*words, check=True):
    """A program's standard output."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def last_json(text):
    return json.loads([line for line in text.splitlines() if line.startswith("{")][-1])


class Program:
    """A program under measurement; its output goes to a file."""

    def __init__(self, words, log, env=None):
        self.log = pathlib.Path(log)
        with open(log, "ab") as output:
            self._process = subprocess.Popen([str(word) for word in words], stdout=output, stderr=output, env={**os.environ, **(env or {})})
        self.pid = self._process.pid

    def stop(self, patience=30):
        """SIGTERM; SIGKILL for who does not listen."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()

    def wait(self, patience):
        """The exit code; None where it goes on."""
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return None


def busy():
    """Seconds of all cores that somebody used since boot."""
    with open("/proc/stat", encoding="ascii") as stat:
        words = stat.readline().split()[1:]
    return sum(int(words[i]) for i in (0, 1, 2, 5, 6)) / TICK


def cpu_of(pid):
    """Seconds of a process; 0 for None, a broker that is not ours."""
    if pid is None:
        return 0.0
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        words = stat.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / TICK


def peak_rss_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1)) / 1024


class Watch:
    """How much of the machine others used while something was measured. Children must have ended when it is read."""

    def __init__(self, *pids):
        self._pids = pids
        self._busy = busy()
        self._ours = self._used()
        self._at = time.monotonic()

    def _used(self):
        used = sum(cpu_of(pid) for pid in self._pids)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            usage = resource.getrusage(who)
            used += usage.ru_utime + usage.ru_stime
        return used

    def foreign(self):
        """Their share of all cores, 0 to 1."""
        took = time.monotonic() - self._at
        return max(0.0, busy() - self._busy - (self._used() - self._ours)) / (took * CORES)


def await_quiet(pids, share=0.05, patience=300):
    """Waits until others use less than a share of the machine for 3 s; false where they do not within the patience (seconds)."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        watch = Watch(*pids)
        time.sleep(3)
        if watch.foreign() < share:
            return True
    return False


def median(values):
    return statistics.median(values) if values else None


def machine():
    model = "?"
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        found = re.search(r"model name\s*: (.*)", info.read())
        if found:
            model = found.group(1).strip()
    with open("/proc/meminfo", encoding="utf-8") as info:
        memory = int(info.readline().split()[1]) // 1024
    return {"processor": model, "cores": CORES, "memory_mib": memory, "system": platform.platform(), "date": time.strftime("%Y-%m-%d"), "commit": run("git", "-C", ROOT, "rev-parse", "--short", "HEAD").strip()}


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join("---" if i == 0 else "--:" for i in range(len(head))) + "|"]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def keep(name, result, text):
    """Writes artifacts/bench/NAME.json and NAME.md, and prints the latter."""
    folder = ROOT / "artifacts" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    (folder / f"{name}.md").write_text(text + "\n", encoding="utf-8")
    print(text)
    say(f"also in artifacts/bench/{name}.json and .md")
