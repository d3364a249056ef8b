#!/usr/bin/env python3
"""Takes one line after the other out of the runtime, in a copy of the work tree, and sees that a test fails each time.

    mutants.py [NAME...]     all, or those named

First the tests run on the tree as it is: one that fails there finds nothing. What found each mutant goes into the table of docs/reliability.md; rows of mutants that were not run stay.
A mutant that no test finds is a promise that nothing proves: exit 1. One whose line is not there any more, or a tree whose tests fail as it is, must be put right: exit 2.

    POLICYSTREAMS_TEST_KAFKA     a script with start, stop, kill, revive; without it the mutants that only a real Kafka shows are left out, by name
"""
import datetime
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- mutants: written by make mutants -->", "<!-- mutants end -->"
SIMULATION, THREADS, ERRORS, KAFKA = "simulation", "stream threads", "error codes", "a real Kafka"
FAULTS, UNITS = "tests/PolicyStreams.Faults.Tests", "tests/PolicyStreams.Processor.Tests"

# Which tests, and in which project.
GROUPS = {
    SIMULATION: (FAULTS, ["-method", "*.Schedules_OfAnySeed_KeepThePromises"]),
    THREADS: (UNITS, ["-class", "*.Tests.Streams.*", "-class", "*.KafkaClientsTests"]),
    ERRORS: (FAULTS, ["-class", "*.ErrorCodeTests"]),
    KAFKA: (FAULTS, ["-class", "*.FaultTests"]),
}
TASK, HOLDS, CHANGES, OUTPUTS = (f"processor/Tasks/StreamTask{part}.cs" for part in ("", ".Holds", ".Changes", ".Outputs"))
COMMIT, TASKS, ENDS, TOPICS = (f"processor/Streams/StreamThread.{part}.cs" for part in ("Commit", "Tasks", "Holds", "Topics"))
RESTORE, CLIENTS, KAFKA_CLIENTS, SLOT = "processor/Streams/TaskRestore.cs", "processor/Streams/StreamClients.cs", "processor/Kafka/KafkaClients.cs", "processor/Streams/InstanceSlot.cs"
TRANSACTIONS = "processor/Kafka/TransactionalOutput.cs"

GROUP_SETTINGS = "AutoOffsetReset = AutoOffsetReset.Error,\n            ClientId = memberId,\n        };\n        bool classic"
ASSIGNED_SETTINGS = "AutoOffsetReset = AutoOffsetReset.Error,\n            EnablePartitionEof = true"
BETWEEN = "            EnableAutoCommit = false,\n            EnableAutoOffsetStore = false,\n            "
COMMITTED, UNCOMMITTED = "IsolationLevel = IsolationLevel.ReadCommitted,\n", "IsolationLevel = IsolationLevel.ReadUncommitted,\n"
UNANSWERED = "            LastError = e.Error.Reason;\n            return {};\n        }}\n    }}\n\n    public override TransactionOutcome Abort()"

# name, what is not so any more, file, what is taken out, what stands in its place, the tests that must find it
MUTANTS = [
    ("seq-after-abort", "after an abort, numbers of decisions go back", "processor/Audit/AuditChain.cs", "        _now = _committed;\n        _tree.Clear();", "        _tree.Clear();", SIMULATION),
    ("leaves-after-abort", "after an abort, the checkpoint's leaves go back", "processor/Audit/AuditChain.cs", "        _now = _committed;\n        _tree.Clear();", "        _now = _committed;", SIMULATION),
    ("offsets-after-abort", "after an abort, a task's offsets go back", TASK, "        _now = _committed;\n        _chain.Rollback();", "        _chain.Rollback();", SIMULATION),
    ("holds-after-abort", "after an abort, changes of holds are undone", CHANGES, "for (int i = _journal.Count - 1; i >= 0; i--) { Undo(_journal[i]); }", "", SIMULATION),
    ("record-twice", "a record that is behind the task's offset is passed over", TASK, "if (input.Offset < _now.NextIngress) { return TaskStep.Skipped; }", "", SIMULATION),
    ("statement-twice", "a statement that is behind the task's offset is passed over", HOLDS, "if (offset < _now.NextApprovals) { return TaskStep.Skipped; }", "", SIMULATION),
    ("end-twice", "a hold that has ended is gone", HOLDS, "        _holds.Remove(hold.State.Id);\n        DropView(hold);", "        DropView(hold);", SIMULATION),
    ("end-without-tombstone", "a hold's end writes a tombstone on state", HOLDS, "        SendState(key, default, nowMs, tombstone: true);\n", "", SIMULATION),
    ("held-without-tombstone", "a hold's end writes a tombstone on held", HOLDS, "        _context.Sink.Send(new Kafka.OutputRecord { Topic = _topics.Held, Partition = Partition, HasKey = true, Key = key, TimestampMs = nowMs, OwnTime = true });\n", "", SIMULATION),
    ("transaction-without-head", "every transaction writes the head of each task that it touches", TASK, "        SendHead(now.ToUnixTimeMilliseconds(), HeadAt);\n", "", SIMULATION),
    ("end-in-its-own-transaction", "a hold that was taken in the open transaction ends in a later one", HOLDS, "            if (hold.HeldAt is not null)", "            if (false && hold.HeldAt is not null)", SIMULATION),
    ("place-of-held-record", "a hold knows where its held record is", CHANGES, "            if (hold.HeldAt is { } held) { hold.HeldOffset = held.Offset; }\n", "", SIMULATION),
    ("met-before-a-crash", "a hold that was met before a crash ends after it", CHANGES, "            if (!hold.Waits && HoldTally.Standing(hold.State) != HoldStanding.Open) { _ending[hold.Offset] = hold.State.Id; }\n", "", SIMULATION),
    ("out-of-turn", "a hold that waits behind another of its key does not end", HOLDS, "if (!_holds.TryGetValue(id, out TaskHold? hold) || hold.Waits)", "if (!_holds.TryGetValue(id, out TaskHold? hold))", SIMULATION),
    ("next-in-turn", "the next hold of a key follows once its turn has come", HOLDS, "        if (next is not null && (HoldTally.Standing(next.State) != HoldStanding.Open || next.State.ExpiresMs <= _expiredMs)) { AddEnding(next); }\n", "", SIMULATION),
    ("queue-of-key", "later records of a held key wait", TASK, "if (queue is not null) { verdict.HoldBehind(_topics.Held); }", "", SIMULATION),
    ("stale-statement", "a statement on other terms does not count", "processor/Holds/HoldTally.cs", "        if (statement.Record != hold.Record || statement.Policy != hold.Digest || statement.View != hold.ViewDigest) { return TallyOutcome.DigestMismatch; }\n", "", SIMULATION),
    ("late-statement", "a statement after the expiry does not count", "processor/Holds/HoldTally.cs", "        if (appendedMs >= hold.ExpiresMs) { return TallyOutcome.Late; }\n", "", SIMULATION),
    ("statement-of-another-hold", "a statement on another hold does not count", "processor/Holds/HoldTally.cs", "        if (statement.Hold != hold.Id || key != hold.Id) { return TallyOutcome.WrongHold; }\n", "", SIMULATION),
    ("original-value", "a masked value goes out masked", OUTPUTS, "verdict.ValueRewritten ? context.Output.Slice(verdict.ValueStart, verdict.ValueLength) : input.Value", "input.Value", SIMULATION),
    ("original-key", "a masked key goes out masked", OUTPUTS, "Key = verdict.KeyRewritten ? context.Output.Slice(verdict.KeyStart, verdict.KeyLength) : input.Key", "Key = input.Key", SIMULATION),
    ("forged-header", "headers with our prefix do not come in from outside", "processor/Kafka/ConfluentMessages.cs", "            if (header.Key.StartsWith(HeaderNames.Prefix, StringComparison.Ordinal)) { continue; }\n", "", SIMULATION),
    ("group-of-the-beginning", "the group's metadata is that of the transaction's beginning", COMMIT, "_producer!.Commit(offsets, _group!)", "_producer!.Commit(offsets, _consumer.ConsumerGroupMetadata)", THREADS),
    ("approvals-offset", "a transaction sends the approvals offset of every task it touches", COMMIT, "            offsets.Add(new TopicPartitionOffset(runner.Approvals, runner.Task.NextApprovals));\n", "", THREADS),
    ("revoke-ends-the-transaction", "on revoke the transaction ends inside the callback", TASKS, "if (_open && partitions.Any(p => _tasks.TryGetValue(p.TopicPartition, out TaskRunner? runner) && runner.Task.Touched)) { CommitTransaction(); }", "", THREADS),
    ("loss-aborts", "on loss the transaction is aborted", TASKS, '        Forget(partitions.Select(p => p.TopicPartition), " (lost)");\n        AbortTransaction();', '        Forget(partitions.Select(p => p.TopicPartition), " (lost)");', THREADS),

    # The lines of DESIGN, What makes it exactly once, that the ones above do not have.
    ("ingress-offset", "a transaction sends the ingress offset of every task it touches", COMMIT, "            offsets.Add(new TopicPartitionOffset(runner.Ingress, runner.Task.NextIngress));\n", "", THREADS),
    ("first-offsets", "a task without a committed offset gets one before its first record", TASKS, "            EnsureTransaction();\n            runner.Task.Touch();\n        }\n", "        }\n", THREADS),
    ("ends-before-offsets", "restore asks for committed offsets first, for the ends after them", TASKS, "                // On a read-committed consumer this waits out", "                restore.Ends ??= _clients.EndOffsetsAsync(_assigned, restore.State, restore.Held);\n                // On a read-committed consumer this waits out", THREADS),
    ("group-reads-committed", "the group's consumer is read-committed: it waits out pending offset commits", KAFKA_CLIENTS, COMMITTED + BETWEEN + GROUP_SETTINGS, UNCOMMITTED + BETWEEN + GROUP_SETTINGS, THREADS),
    ("restore-reads-committed", "restores and approvals are read-committed", KAFKA_CLIENTS, COMMITTED + BETWEEN + ASSIGNED_SETTINGS, UNCOMMITTED + BETWEEN + ASSIGNED_SETTINGS, THREADS),
    ("ends-count-open-transactions", "the ends of state and held count open transactions in", CLIENTS, "IsolationLevel = IsolationLevel.ReadUncommitted", "IsolationLevel = IsolationLevel.ReadCommitted", KAFKA),
    ("end-of-partition-on-state", "an end-of-partition on state before its end proves nothing", TASKS, "restore.StateRead || stable >= restore.StateEnd", "true", THREADS),
    ("end-of-partition-on-held", "an end-of-partition on held before its end proves nothing", TASKS, "restore.HeldRead || stable >= restore.HeldEnd", "true", THREADS),
    ("head-and-group", "a head whose ingress offset is not the group's stops the task", RESTORE, "                : checkOffsets && CommittedIngress >= 0 && CommittedIngress != _head.NextIngress ?", "                : CommittedIngress < -9 ?", THREADS),
    ("head-and-group-on-approvals", "a head whose approvals offset is not the group's stops the task", RESTORE, "                : checkOffsets && CommittedApprovals >= 0 && CommittedApprovals != _head.NextApprovals ?", "                : CommittedApprovals < -9 ?", THREADS),
    ("head-of-another-group", "a head of another group stops the task", RESTORE, "_head.Group != group ?", "_head.Group.Length == 0 ?", THREADS),
    ("head-of-another-topic", "a head of an ingress topic that was made anew stops the task", RESTORE, "bool anew = _head.TopicId.Length > 0 && topicId.Length > 0 && _head.TopicId != topicId;", "bool anew = false;", THREADS),
    ("head-of-another-partition", "a head of another partition stops the task", RESTORE, "_head.Topic != Runner.Ingress.Topic || _head.Partition != Runner.Ingress.Partition.Value ?", "_head.Partition < 0 ?", THREADS),
    ("state-lost", "offsets without a head stop the task", RESTORE, "if (checkOffsets && CommittedIngress >= 0 && !adopt)", "if (CommittedIngress < -9)", THREADS),
    ("deleted-before-read", "records that were deleted before they were read stop the task", RESTORE, "if (nextIngress < LowIngress && !adopt)", "if (nextIngress < -9)", THREADS),
    ("heads-next", "without a committed offset the head's next is used", RESTORE, "nextIngress = adopted && CommittedIngress >= 0 ? CommittedIngress : _head.NextIngress;", "nextIngress = CommittedIngress >= 0 ? CommittedIngress : LowIngress;", THREADS),
    ("ended-on-state", "of a state topic that is not compacted only the last record of a key counts", RESTORE, "        if (_states.Remove(offset, out StateRecord before)) { _budget.Left += before.Value?.Length ?? 0; }\n        if (value is null) { return null; }\n", "        if (value is null) { return null; }\n", THREADS),
    ("room-of-earlier-versions", "earlier versions of a hold give back the room they took in a restore", RESTORE, "if (_states.Remove(offset, out StateRecord before)) { _budget.Left += before.Value?.Length ?? 0; }", "_states.Remove(offset);", THREADS),
    ("second-pass", "holds whose bytes found no room in a restore are read a second time", TASKS, "                    restore.StateRead = false;\n                    _assigned.Seek(new TopicPartitionOffset(restore.State, restore.SecondPassFrom));\n", "                    restore.StateRead = false;\n", THREADS),
    ("second-pass-is-short", "a hold that is not there at the second reading stops the task", TASKS, "else if (restore.StateRead && restore.NeedsSecondPass)", "else if (restore.Left < 0)", THREADS),
    ("second-pass-takes-nothing-new", "the second reading takes what the first one missed, and nothing else", RESTORE, "        if (_open is not null) { return TakeAgain(record.Offset.Value, value); }\n", "        if (_open is not null && _missing.ContainsKey(record.Offset.Value)) { return TakeAgain(record.Offset.Value, value); }\n", THREADS),
    ("paused-while-restoring", "partitions stay paused while their tasks restore", TASKS, "        _consumer.Pause(_toPause.Where(partition => _tasks.TryGetValue(partition, out TaskRunner? runner) && runner.Phase != TaskPhase.Running));\n", "", THREADS),
    ("seek-after-abort", "after an abort, records are read again", COMMIT, "                Seek(runner);\n                SeekApprovals(runner);", "                SeekApprovals(runner);", THREADS),
    ("seek-approvals-after-abort", "after an abort, statements are read again", COMMIT, "                Seek(runner);\n                SeekApprovals(runner);", "                Seek(runner);", THREADS),
    ("producer-anew", "after an unknown outcome the producer is closed and made anew", COMMIT, "        _producer.Dispose();\n        OpenProducer();\n", "", THREADS),
    ("restore-after-unknown", "after an unknown outcome the tasks restore", COMMIT, "            if (runner.Phase != TaskPhase.Stopped) { RestoreAnew(runner); }\n", "", THREADS),
    ("unanswered-is-unknown", "a commit without an answer is neither committed nor aborted", TRANSACTIONS, UNANSWERED.format("TransactionOutcome.Unknown"), UNANSWERED.format("TransactionOutcome.Aborted"), ERRORS),
    ("offsets-given-up", "offsets that the group's coordinator never takes are given up", TRANSACTIONS, "TryJoin(Timeout + Grace)", "TryJoin(System.Threading.Timeout.InfiniteTimeSpan)", ERRORS),
    ("first-head-of-another", "a transaction that begins with a head begins with the last one's", TASK, "        Touched = true;\n        SendHead(nowMs);\n", "        Touched = true;\n        _now = _now with { NextIngress = _now.NextIngress + 1 };\n        SendHead(nowMs);\n", SIMULATION),
    ("ends-at-interval", "a transaction's end is over at the interval", COMMIT, " - Math.Min(_endTook, interval / EarlyShareMax)", "", THREADS),
    ("behind-ends-at-interval", "a thread that is behind leaves time for records between ends", COMMIT, "(_behind ? _dueBehindAt : _dueAt)", "_dueAt", THREADS),
    ("settle", "a thread that is not behind lets the broker finish before the next transaction", COMMIT, "        LetSettle();\n", "", THREADS),
    ("timed-out-is-not-sent", "a record that timed out locally does not count as sent", TRANSACTIONS, "            if (Undelivered > 0 || LastError.Length > 0) { return Abort(); }\n", "", ERRORS),
    ("no-offset-is-an-error", "the group's consumer never chooses where to begin", KAFKA_CLIENTS, GROUP_SETTINGS, GROUP_SETTINGS.replace("Reset.Error", "Reset.Earliest"), THREADS),
    ("no-offset-is-an-error-assigned", "nor do the consumers of restores and approvals", KAFKA_CLIENTS, ASSIGNED_SETTINGS, ASSIGNED_SETTINGS.replace("Reset.Error", "Reset.Earliest"), THREADS),
    ("slot-lock", "a slot is one process's at a time", SLOT, "FileShare.None", "FileShare.ReadWrite", THREADS),
    ("transactional-id", "the transactional id is that of group, slot, and thread", KAFKA_CLIENTS, "config.TransactionalId = transactionalId;", "config.TransactionalId = transactionalId + Environment.ProcessId;", THREADS),
    ("static-member", "with the classic protocol the member is static", KAFKA_CLIENTS, "            if (!Embedded) { config.GroupInstanceId = memberId; }\n", "", THREADS),
    ("consumer-protocol-member", "with the consumer protocol it is dynamic", KAFKA_CLIENTS, "        if (classic)\n", "        if (classic || _options.Threads > 0)\n", THREADS),
    ("transaction-timeout", "a transaction times out after 10 s", KAFKA_CLIENTS, "            config.TransactionTimeoutMs = 10_000;\n", "", THREADS),
    ("session-timeout", "a session times out after 6 s", KAFKA_CLIENTS, '            Default(config, "session.timeout.ms", "6000");\n', "", THREADS),
    ("refused-in-company", "only what is refused alone in its transaction is denied as refused", COMMIT, "        if (_steps > 1)\n", "        if (_steps > 1_000_000)\n", THREADS),
    ("searched-alone", "while a refused record is looked for, a busier partition does not take its place", "processor/Streams/StreamThread.cs", "        if (_searched >= 0 && !StillSearched()) { EndSearch(); }\n", "        EndSearch();\n", THREADS),
    ("resume-again", "a partition whose resume the client dropped is resumed again", ENDS, "            if (runner.Phase == TaskPhase.Running) { _consumer.Resume([runner.Ingress]); }\n", "", THREADS),
    ("unknown-abort", "after an abort of unknown outcome the producer is made anew", COMMIT, "        if (outcome == TransactionOutcome.Unknown) { AfterUnknown(); }\n        else { RollBack(); }\n", "        RollBack();\n", THREADS),
    ("bytes-of-headers", "headers count towards a transaction's bytes", "processor/Kafka/OutputProducer.cs", " + (record.Headers?.Bytes ?? 0)", "", THREADS),
    ("fetching-held", "nothing is fetched while the thread waits for the broker, where keys and headers are large", "processor/Streams/StreamThread.cs", "        if (record.Key.Length + _headers.Bytes > UncountedMax) { _holdFetchingUntil = After(HoldFetchingFor); }\n", "", THREADS),
    ("topic-made-anew", "what is open of an ingress topic that was made anew is not committed", TOPICS, "            if (runner.Task.Touched) { AbortTransaction(); }\n", "", THREADS),
]


def run(arguments, folder, seconds=900, more=None):
    try:
        done = subprocess.run(arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, check=False, env={**os.environ, **(more or {})})
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as e:
        said = e.stdout or b""
        return 1, (said.decode(errors="replace") if isinstance(said, bytes) else said) + "\ndid not end"


def build(tree, project, *more):
    # How the code is written is not what is tried here.
    return run(["dotnet", "build", project, "-c", "Release", "--no-restore", "--nologo", "-v", "quiet", "-p:TreatWarningsAsErrors=false", "-p:RunAnalyzers=false", *more], tree, 1800)


def build_mutant(tree):
    """The processor alone, put beside the tests that were built on it: nothing that they see of it has changed."""
    code, said = build(tree, "processor", "--no-dependencies")
    if code == 0:
        made = next((tree / "processor/bin/Release").glob("*/PolicyStreams.Processor.dll"))
        for project in (FAULTS, UNITS, "cli"):
            for old in (tree / project / "bin/Release").glob("*/PolicyStreams.Processor.dll"):
                shutil.copy2(made, old)
    return code, said


def tests(tree, group):
    project, arguments = GROUPS[group]
    more = {"POLICYSTREAMS_FAULTS": "hanging-transaction"} if group == KAFKA else {}
    return run(["dotnet", "run", "--project", project, "-c", "Release", "--no-build", "--no-restore", "--", "-noLogo", "-noColor", *arguments], tree, more=more)


def failed(said):
    """The test that failed, or the seed of a schedule and the promise it broke."""
    if seed := re.search(r"Seed \d+: .*", said):
        return seed.group(0)
    how = re.search(r"(\S+)\.(\w+)(\(.*\))? \[FAIL\]", said)
    if how is None:
        return "did not end" if said.endswith("did not end") else ""
    return f"{how.group(1).rsplit('.', 1)[-1]}.{how.group(2)}"


def cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;")


def rows_of(page):
    """The table's rows by name."""
    table = page.split(BEGIN, 1)[1].split(END, 1)[0]
    return {match.group(1): match.group(0) for match in re.finditer(r"^\| `([a-z-]+)` \|.*$", table, re.M)}


def write(rows):
    page = PAGE.read_text(encoding="utf-8")
    rows = {**rows_of(page), **rows}
    table = ["| mutant | what is not so any more | found by | measured |", "|---|---|---|---|", *(rows[mutant[0]] for mutant in MUTANTS if mutant[0] in rows)]
    before, rest = page.split(BEGIN, 1)
    PAGE.write_text(before + BEGIN + "\n\n" + "\n".join(table) + "\n\n" + END + rest.split(END, 1)[1], encoding="utf-8")


def stop(why, said):
    print(f"{said[-6000:]}\n{why}".strip(), flush=True)
    sys.exit(2)


def base(tree, groups):
    """Builds the tree as it is, and runs each group once."""
    code, said = run(["dotnet", "restore", "PolicyStreams.sln", "--nologo", "-v", "quiet"], tree)
    if code:
        stop("the tree does not restore", said)
    for project in (FAULTS, UNITS):
        code, said = build(tree, project)
        if code:
            stop(f"{project} does not build as it is", said)
    for group in groups:
        started = time.monotonic()
        code, said = tests(tree, group)
        ran = re.search(r"Total: (\d+).*Skipped: (\d+)", said)
        if code or ran is None or int(ran.group(1)) == int(ran.group(2)):
            stop(f"{group}: fails, or runs nothing, on the tree as it is: what it finds would say nothing", said)
        print(f"{'as it is':30} {group}: {ran.group(1)} tests pass in {time.monotonic() - started:.0f} s", flush=True)


def main():
    wanted = set(sys.argv[1:])
    if unknown := wanted - {mutant[0] for mutant in MUTANTS}:
        stop(f"no such mutant: {', '.join(sorted(unknown))}", "")
    mutants = [mutant for mutant in MUTANTS if not wanted or mutant[0] in wanted]
    if not pathlib.Path(os.environ.get("POLICYSTREAMS_TEST_KAFKA", "-")).is_file():
        for mutant in mutants:
            if mutant[5] == KAFKA:
                print(f"{mutant[0]:30} left out: POLICYSTREAMS_TEST_KAFKA names no script")
        mutants = [mutant for mutant in mutants if mutant[5] != KAFKA]
    stale = [mutant[0] for mutant in mutants if (ROOT / mutant[2]).read_text(encoding="utf-8").count(mutant[3]) != 1]
    if stale:
        stop(f"not there exactly once any more: {', '.join(stale)}", "")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="policystreams-mutants-"))
    survived, today = [], datetime.date.today().isoformat()
    try:
        tree = folder / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".git", "TestResults", "artifacts"), symlinks=True)
        base(tree, sorted({mutant[5] for mutant in mutants}, key=list(GROUPS).index))
        for name, what, file, old, new, group in mutants:
            path = tree / file
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace(old, new), encoding="utf-8")
            started = time.monotonic()
            code, said = build_mutant(tree)
            if code == 0:
                code, said = tests(tree, group)
                how = failed(said)
                if code == 0:
                    survived.append(name)
                found = "NOT FOUND" if code == 0 else f"found by {group}: {how}"
                print(f"{name:30} {found[:200]} ({time.monotonic() - started:.0f} s)", flush=True)
                seen = "**not found**" if code == 0 else f"{group}: `{how[:160]}`" if group != SIMULATION else f"{group}: {how[:160]}"
                write({name: f"| `{name}` | {cell(what)} | {cell(seen)} | {today} |"})
            else:
                stale.append(name)
                error = re.search(r"error [A-Z]+\d+.*", said)
                print(f"{name:30} does not build: {error.group(0) if error else said[-300:]}", flush=True)
            path.write_text(text, encoding="utf-8")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(mutants) - len(survived) - len(stale)} of {len(mutants)} found")
    sys.exit(2 if stale else 1 if survived else 0)


if __name__ == "__main__":
    main()
