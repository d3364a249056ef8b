using System.Text;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Processor.Testing;

namespace PolicyStreams.Faults.Tests.Simulation;

/// <summary>What simulations of one thread share: policies, and keys that sign statements.</summary>
internal sealed class SimWorld : IDisposable
{
    private static int s_unknownSchema = 1_000_000;

    public IReadOnlyList<SimPolicy> Policies { get; } = SimPolicy.MakeAll();

    public StatementSigner Signer { get; } = StatementSigner.Generate();

    public StatementSigner Forger { get; } = StatementSigner.Generate();

    public StatementVerifier Verifier { get; }

    public SimWorld() => Verifier = StatementVerifier.TryParse(Signer.PublicJwks(), out _)!;

    /// <summary>A schema id that no policy here has been asked about: what one run learns must not change another.</summary>
    public static int UnknownSchema() => Interlocked.Increment(ref s_unknownSchema);

    public DriverKeys Keys => new("audit-key-0123456789-0123456789-0"u8.ToArray(), "hold-key-0123456789-0123456789-01"u8.ToArray(), Verifier);

    public void Dispose()
    {
        Verifier.Dispose();
        Signer.Dispose();
        Forger.Dispose();
    }
}

/// <summary>What a run of a schedule came to.</summary>
/// <param name="Broken">How a promise was broken; null where all were kept.</param>
internal sealed record SimResult(string? Broken, int Records, int Transactions, IReadOnlyDictionary<string, int> Seen);

/// <summary>Runs one schedule on a driver, and holds everything that becomes visible against the model.</summary>
internal sealed class Simulator : IDisposable
{
    private const int Partitions = 3;
    private static readonly string[] s_people = ["ana", "ben", "cy", "dee"];
    private static readonly string[] s_groups = ["risk", "fraud", "board", "risk", "outsiders", "payments-producers"];
    private static readonly SimKind[] s_kinds =
    [
        SimKind.Clean, SimKind.Clean, SimKind.Clean, SimKind.Eu, SimKind.Sanctioned, SimKind.Large, SimKind.Large, SimKind.Large, SimKind.Phone, SimKind.Phone, SimKind.LargePhone,
        SimKind.NoteMissing, SimKind.Truncated, SimKind.Trailing, SimKind.NotFramed, SimKind.Empty, SimKind.Tombstone, SimKind.UnknownSchema, SimKind.TooBig, SimKind.TooManyHeaders,
    ];

    private readonly SimWorld _world;
    private readonly SimClock _clock = new();
    private readonly TopologyDriver _driver;
    private readonly SimModel _model;
    private readonly int _unknownSchema = SimWorld.UnknownSchema();
    private int _numbers;

    private Simulator(SimWorld world, SimPolicy first, bool small)
    {
        _world = world;
        _driver = new TopologyDriver(first.Compiled, _clock, world.Keys) { AutoCommit = false };
        if (small) { _driver.Limits = new TaskLimits(100_000, 0); }
        _model = new SimModel(Partitions, first);
        MoveClock(0);
    }

    /// <param name="checkDeterminism">P5 too: every decision once more, by a process that nothing ever happened to.</param>
    /// <param name="small">Memory for no view: each is read back when its hold changes.</param>
    /// <param name="look">Looks at the driver once all is settled.</param>
    public static SimResult Run(SimWorld world, IReadOnlyList<SimStep> steps, bool checkDeterminism, bool small, Action<TopologyDriver>? look = null)
    {
        using var simulator = new Simulator(world, world.Policies[steps.Count > 0 ? steps[0].A % world.Policies.Count : 0], small);
        string? broken = null;
        try
        {
            foreach (SimStep step in steps)
            {
                simulator.Do(step);
                simulator.Check();
            }

            simulator.Settle();
            if (checkDeterminism) { simulator.DecideAgain(); }
            look?.Invoke(simulator._driver);
        }
        catch (PromiseBrokenException e)
        {
            broken = e.Message;
        }
        catch (Exception e) when (e is not OutOfMemoryException and not Xunit.Sdk.XunitException)
        {
            broken = $"the task stopped: {e.GetType().Name}: {e.Message}\n{e.StackTrace}";
        }

        return new SimResult(broken, simulator._numbers, simulator._model.Transactions, simulator._model.Seen);
    }

    public void Dispose() => _driver.Dispose();

    private void Do(SimStep step)
    {
        int partition = step.A % Partitions;
        switch (step.Act)
        {
            case SimAct.Append: Append(partition, s_kinds[step.B % s_kinds.Length], step.C % 4); break;
            case SimAct.Deliver: for (int i = 0; i <= step.B % 4; i++) { _driver.Deliver(SimPolicy.Ingress, partition); } break;
            case SimAct.DeliverAgain: _driver.Deliver(SimPolicy.Ingress, partition, back: 1 + (step.B % 3)); break;
            case SimAct.State: State(step); break;
            case SimAct.DeliverStatement: for (int i = 0; i <= step.B % 3; i++) { _driver.DeliverStatement(SimPolicy.Ingress, partition); } break;
            case SimAct.DeliverStatementAgain: _driver.DeliverStatement(SimPolicy.Ingress, partition, back: 1 + (step.B % 3)); break;
            case SimAct.Punctuate: _driver.Punctuate(step.B % 3 == 0 ? 1 : int.MaxValue); break;
            case SimAct.Commit: _driver.Commit(); break;
            case SimAct.CommitUnknownDone: _driver.Commit(DriverCommit.UnknownCommitted); break;
            case SimAct.CommitUnknownNotDone: _driver.Commit(DriverCommit.UnknownAborted); break;
            case SimAct.CommitAborted: _driver.Commit(DriverCommit.Aborted); break;
            case SimAct.CommitCrashBefore: _driver.Commit(DriverCommit.CrashBefore); break;
            case SimAct.CommitCrashAfter: _driver.Commit(DriverCommit.CrashAfter); break;
            case SimAct.Abort: _driver.Abort(); break;
            case SimAct.Crash: _driver.Crash(); break;
            case SimAct.CrashAfterSends: _driver.CrashAfter(step.A % 12); break;
            case SimAct.Revoke: _driver.Revoke(SimPolicy.Ingress, partition); break;
            case SimAct.Lose: _driver.Lose(SimPolicy.Ingress, partition); break;
            case SimAct.Clock: MoveClock(step.A % 4 == 0 ? 2_000_000L : step.A % 4 == 1 ? 700_000 : step.B % 3000); break;
            case SimAct.ClockBack: MoveClock(-(step.B % 300_000)); break;
            case SimAct.Policy: UsePolicy(_world.Policies[step.A % _world.Policies.Count]); break;
            case SimAct.RegistryDown: _driver.RegistryAnswers = false; break;
            case SimAct.RegistryUp: _driver.RegistryAnswers = true; break;
            case SimAct.HeldDown: _driver.HeldReadable = false; break;
            case SimAct.HeldUp: _driver.HeldReadable = true; break;
            case SimAct.Compact: _driver.Compact(step.A % 2 == 0 ? SimPolicy.State : SimPolicy.Held, dropTombstones: step.B % 2 == 0); break;
            case SimAct.ReportsLate: _driver.ReportsLate = true; break;
            case SimAct.ReportsSoon: _driver.ReportsLate = false; break;
        }
    }

    private void Append(int partition, SimKind kind, int key)
    {
        SimRecord record = SimRecord.Make(kind, _numbers++, key, _unknownSchema);
        _driver.Append(SimPolicy.Ingress, record.KeyBytes, record.Value, record.Headers, partition, record.TimestampMs);
        _model.Appended(partition, record);
    }

    private void State(SimStep step)
    {
        IReadOnlyList<SimHold> open = _model.OpenHolds;
        int kind = step.B % 16;
        int partition = step.C % Partitions;
        string id;
        (string? Record, string Policy, string View) seen = (null, HoldState.DigestOf("policy"u8), HoldState.DigestOf("view"u8));
        string group = s_groups[step.A / 8 % s_groups.Length];
        if (kind != 15)
        {
            if (open.Count == 0) { return; }
            SimHold hold = open[step.A % open.Count];
            (partition, id, seen) = (hold.Partition, hold.Id, hold.Seen);

            // Mostly somebody who may decide, or nothing would ever be met.
            if (kind < 9 && hold.Terms.Count > 0) { group = hold.Terms[step.A / 64 % hold.Terms.Count].Approvers.Split(' ')[0]; }
        }
        else
        {
            // A hold that is not visible yet, or has ended: nobody could know its digests.
            id = $"{SimPolicy.Ingress}-{partition}-{step.A % (_model.DecidedNext(partition) + 3)}";
        }

        string says = kind == 12 ? id + "0" : id;
        string person = s_people[step.C / 8 % s_people.Length];
        bool approves = step.B / 16 % 5 != 0;
        if (kind == 13) { seen.View = HoldState.DigestOf("another view"u8); }
        string form = kind switch { 10 => "unknown-key", 11 => "malformed", _ => "" };
        var statement = new SimStatement(id, says, form, approves, person, group, seen, _model.NowMs, _model.ClockMax);
        byte[] jws = form == "malformed" ? Encoding.UTF8.GetBytes($"approve {SimRecord.Canary}") : (form.Length > 0 ? _world.Forger : _world.Signer).Sign(new Statement
        {
            Hold = says,
            Verdict = approves ? StatementVerdict.Approve : StatementVerdict.Reject,
            Issuer = "https://id.example.com",
            Subject = person,
            Groups = [group],
            Reason = "looked at it",
            Record = seen.Record,
            Policy = seen.Policy,
            View = seen.View,
            IssuedAt = 1,
            Id = "jti",
        });
        for (int i = 0; i <= (kind == 14 ? 1 : 0); i++)
        {
            _driver.AppendStatement(SimPolicy.Ingress, id, jws, partition);
            _model.Appended(partition, statement);
        }
    }

    private void MoveClock(long ms)
    {
        _clock.Advance(ms);
        _model.NowMs = _clock.GetUtcNow().ToUnixTimeMilliseconds();
        _model.ClockMax = Math.Max(_model.ClockMax, _model.NowMs);
    }

    private void UsePolicy(SimPolicy policy)
    {
        _driver.UsePolicy(policy.Compiled);
        Check();
        _model.Policy = policy;
    }

    private void Check() => _model.Take(_driver.TakeCommitted(), partition => _driver.CommittedOffsets(SimPolicy.Ingress, partition));

    /// <summary>Everything works again, and all that waits is done.</summary>
    private void Settle()
    {
        (_driver.RegistryAnswers, _driver.HeldReadable) = (true, true);
        _driver.CrashAfter(-1);
        int before = -1;
        for (int round = 0; round < 40 && before != _model.Transactions; round++)
        {
            before = _model.Transactions;
            for (int partition = 0; partition < Partitions; partition++)
            {
                while (_driver.Deliver(SimPolicy.Ingress, partition)) { }
                while (_driver.DeliverStatement(SimPolicy.Ingress, partition)) { }
            }

            _driver.Commit();
            Check();
            _driver.Punctuate();
            _driver.Commit();
            Check();
        }

        _model.RequireSettled();
        _model.RequireState(_driver.Read(SimPolicy.State), _driver.Read(SimPolicy.Held));
        int holds = _model.OpenHolds.Count;
        if (_driver.OpenHolds != holds) { throw new PromiseBrokenException("P1", $"{_driver.OpenHolds} holds are open where {holds} must be"); }
        _driver.Crash();
        if (_driver.OpenHolds != holds) { throw new PromiseBrokenException("P1", $"{_driver.OpenHolds} holds are open after a restore where {holds} must be"); }
    }

    private void DecideAgain()
    {
        // Behind whom a record waits is not its own: policies that hold by key are left out.
        foreach (var version in _model.Decided.Where(decision => !decision.Text.Contains("behind=", StringComparison.Ordinal)).GroupBy(decision => decision.Version))
        {
            if (_world.Policies[version.Key].ByKey) { continue; }
            using var clean = new TopologyDriver(_world.Policies[version.Key].Compiled, _clock, _world.Keys) { AutoCommit = false };
            for (int partition = 0; partition < Partitions; partition++)
            {
                foreach (SimRecord record in _model.Ingress(partition))
                {
                    clean.Append(SimPolicy.Ingress, record.KeyBytes, record.Value, record.Headers, partition, record.TimestampMs);
                    clean.Deliver(SimPolicy.Ingress, partition);
                }
            }

            clean.Commit();
            Dictionary<string, string> again = clean.Decisions().ToDictionary(decision => decision.GetProperty("id").GetString()!, SimModel.Plain);
            foreach ((int partition, int offset, _, string text) in version)
            {
                string id = $"{SimPolicy.Ingress}-{partition}-{offset}";
                if (again[id] != text) { throw new PromiseBrokenException("P5", $"{id} under the same policy:\n{text}\nand by another process:\n{again[id]}"); }
            }
        }
    }
}

/// <summary>The clock of a simulation.</summary>
internal sealed class SimClock : TimeProvider
{
    private DateTimeOffset _now = new(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero);

    public override DateTimeOffset GetUtcNow() => _now;

    public override long GetTimestamp() => _now.UtcTicks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public void Advance(long ms) => _now += TimeSpan.FromMilliseconds(ms);
}
