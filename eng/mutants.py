#!/usr/bin/env python3
"""Takes one line after the other out of the runtime, in a copy of the work tree, and sees that a test fails each time.

    mutants.py [NAME...]     all, or those named

A mutant that no test finds is a promise that nothing proves: exit 1. One whose line is not there any more must be put right: exit 2.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIMULATION, THREADS = "simulation", "stream threads"
TASK, HOLDS, CHANGES, OUTPUTS = (f"processor/Tasks/StreamTask{part}.cs" for part in ("", ".Holds", ".Changes", ".Outputs"))
COMMIT, TASKS, ENDS = (f"processor/Streams/StreamThread.{part}.cs" for part in ("Commit", "Tasks", "Holds"))

# name, file, what is taken out, what stands in its place, the tests that must find it
MUTANTS = [
    ("seq-after-abort", "processor/Audit/AuditChain.cs", "        _now = _committed;\n        _tree.Clear();", "        _tree.Clear();", SIMULATION),
    ("leaves-after-abort", "processor/Audit/AuditChain.cs", "        _now = _committed;\n        _tree.Clear();", "        _now = _committed;", SIMULATION),
    ("offsets-after-abort", TASK, "        _now = _committed;\n        _chain.Rollback();", "        _chain.Rollback();", SIMULATION),
    ("holds-after-abort", CHANGES, "for (int i = _journal.Count - 1; i >= 0; i--) { Undo(_journal[i]); }", "", SIMULATION),
    ("record-twice", TASK, "if (input.Offset < _now.NextIngress) { return TaskStep.Skipped; }", "", SIMULATION),
    ("statement-twice", HOLDS, "if (offset < _now.NextApprovals) { return TaskStep.Skipped; }", "", SIMULATION),
    ("end-twice", HOLDS, "        _holds.Remove(hold.State.Id);\n        DropView(hold);", "        DropView(hold);", SIMULATION),
    ("end-without-tombstone", HOLDS, "        SendState(key, default, nowMs, tombstone: true);\n", "", SIMULATION),
    ("held-without-tombstone", HOLDS, "        _context.Sink.Send(new Kafka.OutputRecord { Topic = _topics.Held, Partition = Partition, HasKey = true, Key = key, TimestampMs = nowMs, OwnTime = true });\n", "", SIMULATION),
    ("transaction-without-head", TASK, "        SendState(TaskHead.Key, state.Written, now.ToUnixTimeMilliseconds(), HeadAt);\n", "", SIMULATION),
    ("end-in-its-own-transaction", HOLDS, "            if (hold.HeldAt is not null)", "            if (false && hold.HeldAt is not null)", SIMULATION),
    ("place-of-held-record", CHANGES, "            if (hold.HeldAt is { } held) { hold.HeldOffset = held.Offset; }\n", "", SIMULATION),
    ("met-before-a-crash", CHANGES, "            if (!hold.Waits && HoldTally.Standing(hold.State) != HoldStanding.Open) { _ending[hold.Offset] = hold.State.Id; }\n", "", SIMULATION),
    ("out-of-turn", HOLDS, "if (!_holds.TryGetValue(id, out TaskHold? hold) || hold.Waits)", "if (!_holds.TryGetValue(id, out TaskHold? hold))", SIMULATION),
    ("next-in-turn", HOLDS, "        if (next is not null && (HoldTally.Standing(next.State) != HoldStanding.Open || next.State.ExpiresMs <= _expiredMs)) { AddEnding(next); }\n", "", SIMULATION),
    ("queue-of-key", TASK, "if (queue is not null) { verdict.HoldBehind(_topics.Held); }", "", SIMULATION),
    ("stale-statement", "processor/Holds/HoldTally.cs", "        if (statement.Record != hold.Record || statement.Policy != hold.Digest || statement.View != hold.ViewDigest) { return TallyOutcome.DigestMismatch; }\n", "", SIMULATION),
    ("late-statement", "processor/Holds/HoldTally.cs", "        if (appendedMs >= hold.ExpiresMs) { return TallyOutcome.Late; }\n", "", SIMULATION),
    ("statement-of-another-hold", "processor/Holds/HoldTally.cs", "        if (statement.Hold != hold.Id || key != hold.Id) { return TallyOutcome.WrongHold; }\n", "", SIMULATION),
    ("original-value", OUTPUTS, "verdict.ValueRewritten ? context.Output.Slice(verdict.ValueStart, verdict.ValueLength) : input.Value", "input.Value", SIMULATION),
    ("original-key", OUTPUTS, "Key = verdict.KeyRewritten ? context.Output.Slice(verdict.KeyStart, verdict.KeyLength) : input.Key", "Key = input.Key", SIMULATION),
    ("forged-header", "processor/Kafka/ConfluentMessages.cs", "            if (header.Key.StartsWith(HeaderNames.Prefix, StringComparison.Ordinal)) { continue; }\n", "", SIMULATION),
    ("group-of-the-beginning", COMMIT, "_producer!.Commit(offsets, _group!)", "_producer!.Commit(offsets, _consumer.ConsumerGroupMetadata)", THREADS),
    ("approvals-offset", COMMIT, "            offsets.Add(new TopicPartitionOffset(runner.Approvals, runner.Task.NextApprovals));\n", "", THREADS),
    ("revoke-ends-the-transaction", TASKS, "if (_open && partitions.Any(p => _tasks.TryGetValue(p.TopicPartition, out TaskRunner? runner) && runner.Task.Touched)) { CommitTransaction(); }", "", THREADS),
    ("loss-aborts", TASKS, '        Forget(partitions.Select(p => p.TopicPartition), " (lost)");\n        AbortTransaction();', '        Forget(partitions.Select(p => p.TopicPartition), " (lost)");', THREADS),
]


def run(arguments, folder, seconds=900):
    try:
        done = subprocess.run(arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        return 1, "did not end"


def tests(folder, which):
    if which == SIMULATION:
        return run(["dotnet", "run", "--project", "tests/PolicyStreams.Faults.Tests", "-c", "Release", "--no-restore", "--", "-noLogo", "-noColor", "-method", "*.Schedules_OfAnySeed_KeepThePromises"], folder)
    return run(["dotnet", "run", "--project", "tests/PolicyStreams.Processor.Tests", "-c", "Release", "--no-restore", "--", "-noLogo", "-noColor", "-class", "*.StreamThreadTests"], folder)


def main():
    wanted = set(sys.argv[1:])
    mutants = [mutant for mutant in MUTANTS if not wanted or mutant[0] in wanted]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="policystreams-mutants-"))
    survived, stale = [], []
    try:
        shutil.copytree(ROOT, folder / "tree", ignore=shutil.ignore_patterns(".git", "TestResults", "artifacts"), symlinks=True)
        tree = folder / "tree"
        code, said = run(["dotnet", "restore", "PolicyStreams.sln", "--nologo", "-v", "quiet"], tree)
        if code:
            print(said)
            sys.exit(2)
        for name, file, old, new, which in mutants:
            path = tree / file
            text = path.read_text(encoding="utf-8")
            if text.count(old) != 1:
                stale.append(name)
                print(f"{name:30} its line is {text.count(old)} times in {file}", flush=True)
                continue
            path.write_text(text.replace(old, new), encoding="utf-8")
            started = time.monotonic()
            code, said = tests(tree, which)
            path.write_text(text, encoding="utf-8")
            errors = sorted(set(re.findall(r"error CS\d+.*", said)))
            if errors:
                stale.append(name)
                print(f"{name:30} does not build: {errors[0]}", flush=True)
                continue
            how = re.search(r"Seed \d+: .*|\S+\.\w+ \[FAIL\]", said)
            if code == 0:
                survived.append(name)
            print(f"{name:30} {'NOT FOUND' if code == 0 else 'found'} by {which} in {time.monotonic() - started:.0f} s{'' if how is None else ': ' + how.group(0)[:160]}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(mutants) - len(survived) - len(stale)} of {len(mutants)} found")
    sys.exit(2 if stale else 1 if survived else 0)


if __name__ == "__main__":
    main()
