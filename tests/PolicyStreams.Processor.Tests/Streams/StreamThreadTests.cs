using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using Microsoft.Extensions.Logging.Abstractions;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Hosting;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Processor.Metrics;
using PolicyStreams.Processor.Policies;
using PolicyStreams.Processor.Streams;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Processor.Tests.Streams.Support;
using PolicyStreams.Processor.Tests.Topology;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Tests.Streams;

/// <summary>What makes it exactly once, line by line: each test fails where its line is taken out of the stream thread.</summary>
public sealed class StreamThreadTests : IAsyncLifetime
{
    private const string Raw = "raw.orders";
    private const string Policy = """
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: orders, owner: shop }
        bindings:
          - { name: orders, format: json, key_format: string, partitions: 2, identity: { topic: { id: shop, groups: [shop] } } }
        on_error: deny
        on_schema_mismatch: deny
        rules:
          - { id: large, when: value.amount > 1000.0, hold: { approvers: [risk], quorum: 1, expires: 1h, on_expiry: deny, reason: large } }
          - { id: closed, when: value.amount < 0.0, deny: { reason: negative } }
        """;

    private readonly TestClock _clock = new();
    private readonly ScriptedCluster _cluster;
    private readonly Health _health = new();
    private readonly ProcessorMetrics _metrics = new();
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("policystreams-thread-");
    private readonly StatementSigner _signer = StatementSigner.Generate();
    private readonly StatementVerifier _verifier;
    private readonly LogLines _log = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly ProcessorOptions _options = new() { Bootstrap = "scripted", Policies = "-", Group = "g", CommitInterval = TimeSpan.FromMilliseconds(100) };
    private readonly List<StreamThread> _threads = [];
    private PolicyStore _policies = null!;
    private StreamThread _thread = null!;

    public StreamThreadTests()
    {
        _cluster = new ScriptedCluster(_clock);
        _verifier = StatementVerifier.TryParse(_signer.PublicJwks(), out _)!;
    }

    public async ValueTask InitializeAsync()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder.FullName, "orders.policy.yaml"), Policy, TestContext.Current.CancellationToken);
        _policies = new PolicyStore(_folder.FullName, new KeyRing(), null, _health, _clock, NullLogger.Instance);
        Assert.Empty(await _policies.StartAsync(TestContext.Current.CancellationToken));
        _thread = Open();
    }

    public ValueTask DisposeAsync()
    {
        foreach (StreamThread thread in _threads) { thread.Dispose(); }
        _verifier.Dispose();
        _signer.Dispose();
        _stop.Dispose();
        _folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public void Assigned_ATaskWithoutACommittedOffset_GetsOneWithItsHeadBeforeAnyRecord()
    {
        _cluster.Assign(Raw, 0);
        Turn(10);

        ScriptedTransaction first = _cluster.Transactions[0];
        Assert.Equal([(Raw, 0L), ("approvals.orders", 0L)], first.Offsets.Select(offset => (offset.Topic, offset.Offset.Value)));
        Assert.Equal("head", Encoding.UTF8.GetString(Assert.Single(first.Records).Key!));
    }

    [Fact]
    public void Commit_EveryTouchedTask_SendsBothItsOffsetsChangedOrNot()
    {
        Start(0, 1);
        _cluster.Append(Raw, 0, "k", """{"amount":1}""");
        _cluster.Append(Raw, 1, "k", """{"amount":1}""");
        Turn(5);

        Assert.Equal(
            [("approvals.orders", 0, 0L), ("approvals.orders", 1, 0L), (Raw, 0, 1L), (Raw, 1, 1L)],
            _cluster.Transactions[^1].Offsets.Select(offset => (offset.Topic, offset.Partition.Value, offset.Offset.Value)).Order());
    }

    [Fact]
    public void Commit_OfTheClockAlone_SendsBothOffsets()
    {
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":5000}""");
        Turn(5);
        _clock.Advance(TimeSpan.FromHours(2));
        Turn(10);

        ScriptedTransaction expiry = _cluster.Transactions.Single(transaction => transaction.Records.Any(record => record.Topic == "rejected.orders"));
        Assert.Equal([(Raw, 1L), ("approvals.orders", 0L)], expiry.Offsets.Select(offset => (offset.Topic, offset.Offset.Value)));
    }

    [Fact]
    public void Commit_GroupMetadata_IsThatOfTheTransactionsBeginning()
    {
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":1}""");
        _thread.Step();
        _cluster.Metadata = new ScriptedMetadata(2);
        Turn(5);

        Assert.Equal(new ScriptedMetadata(1), _cluster.Transactions[^1].Group);
    }

    [Fact]
    public void Revoked_AnOpenTransaction_EndsInsideTheCallback()
    {
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":1}""");
        _thread.Step();
        _cluster.Calls.Clear();
        _cluster.Revoke(Raw, 0);
        _thread.Step();

        Assert.Equal(["commit", "revoked"], _cluster.Calls);
        Assert.Single(_cluster.Read("governed.orders"));
    }

    [Fact]
    public void Lost_AnOpenTransaction_IsAborted()
    {
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":1}""");
        _thread.Step();
        _cluster.Calls.Clear();
        _cluster.Revoke(Raw, 0, lost: true);
        _thread.Step();

        Assert.Equal(["abort", "revoked"], _cluster.Calls);
        Assert.Empty(_cluster.Read("governed.orders"));
    }

    [Fact]
    public void Restore_Order_IsCommittedThenEndsThenReading_AndPendingOffsetsAreWaitedFor()
    {
        _cluster.Append("state.orders", 0, "other", "x");
        _cluster.Append("held.orders", 0, "other", "x");
        _cluster.CommittedPending = 2;
        _cluster.Assign(Raw, 0);
        for (int i = 0; i < 8; i++)
        {
            _thread.Step();
            _clock.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(["committed", "committed", "committed", "ends", "assign state.orders", "assign held.orders"], _cluster.Calls.Where(call => call != "initialize" && !call.EndsWith(Raw, StringComparison.Ordinal)).Take(6));
    }

    [Theory]
    [InlineData("state.orders")]
    [InlineData("held.orders")]
    public void Restore_EndOfPartitionBeforeTheEnd_ProvesNothing(string topic)
    {
        // A transaction of the writer before is open: its hold and head lie behind the last stable offset.
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":5000}""");
        Turn(5);
        foreach (ScriptedRecord record in _cluster.Log(topic)) { record.IsPending = true; }
        StreamThread next = Open();
        _cluster.Assign(Raw, 0);
        Turn(10, next);
        Assert.Equal("restoring", _health.Reasons["task raw.orders-0"]);
        Assert.Contains(new TopicPartition(Raw, 0), _cluster.Member.Paused);

        foreach (ScriptedRecord record in _cluster.Log(topic)) { record.IsPending = false; }
        Turn(10, next);
        Assert.DoesNotContain("task raw.orders-0", _health.Reasons.Keys);
        Assert.Contains("policystreams_open_holds{topic=\"raw.orders\",partition=\"0\"} 1", _metrics.Write(), StringComparison.Ordinal);
        Approve(0, 0);
        Turn(10, next);
        Assert.Single(_cluster.Read("governed.orders"));
    }

    [Theory]
    [InlineData("state.orders")]
    [InlineData("held.orders")]
    public void Restore_BehindATransactionThatDoesNotEnd_SaysWhichAndHowToEndIt(string topic)
    {
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":5000}""");
        Turn(5);
        _cluster.Append(topic, 0, "another", "writer's");
        ScriptedRecord open = _cluster.Log(topic)[^1];
        open.IsPending = true;
        StreamThread next = Open();
        _cluster.Assign(Raw, 0);
        Turn(10, next);
        for (int i = 0; i < 40 && !_health.Reasons["task raw.orders-0"].Contains("does not end", StringComparison.Ordinal); i++)
        {
            Assert.True(i < 36, _health.Reasons["task raw.orders-0"]);
            _clock.Advance(TimeSpan.FromSeconds(1));
            Turn(1, next);
        }

        Assert.Contains($"abort --topic {topic} --partition 0 --start-offset {open.Offset}`", _health.Reasons["task raw.orders-0"], StringComparison.Ordinal);
        Assert.Contains("policystreams_runtime_events_total{event=\"alarms\"} 1", _metrics.Write(), StringComparison.Ordinal);

        (open.IsPending, open.IsAborted) = (false, true);
        Turn(10, next);
        Assert.DoesNotContain("task raw.orders-0", _health.Reasons.Keys);
    }

    [Fact]
    public void Restore_BehindATransactionThatKafkaCommittedInPart_DoesNotAdviseToAbortIt()
    {
        // The offsets are committed, and the head that goes with them stays open.
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":5000}""");
        Turn(5);
        _cluster.Log("state.orders")[^1].IsPending = true;
        StreamThread next = Open();
        _cluster.Assign(Raw, 0);
        for (int i = 0; i < 40; i++)
        {
            Turn(1, next);
            _clock.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Contains("Do not do that yet", _health.Reasons["task raw.orders-0"], StringComparison.Ordinal);
        Assert.DoesNotContain("kafka-transactions", _health.Reasons["task raw.orders-0"], StringComparison.Ordinal);
    }

    [Fact]
    public void Restore_TopicsThatAreNotCompacted_OnlyTheLastRecordOfAKeyCounts()
    {
        // Every hold in many versions: held, held again on other terms, and some ended.
        Start(0);
        for (int i = 0; i < 4; i++) { _cluster.Append(Raw, 0, "k", """{"amount":5000}"""); }
        Turn(5);
        for (int round = 0; round < 6; round++)
        {
            for (int i = 0; i < 4; i++) { Approve(0, i); }
            _policies.PutInForce(Compile(Policy.Replace("[risk]", round % 2 == 0 ? "[risk, board]" : "[risk]", StringComparison.Ordinal)));
            Turn(20);
        }

        Approve(0, 1);
        Turn(10);
        Assert.Equal(24, Decisions().Count(decision => decision.GetProperty("event").GetString() == "reheld"));
        StreamThread next = Open();
        _cluster.Assign(Raw, 0);
        Turn(20, next);
        Assert.Contains("policystreams_open_holds{topic=\"raw.orders\",partition=\"0\"} 3", _metrics.Write(), StringComparison.Ordinal);
        Assert.Equal(256L << 20, next.RestoreBudget.Left);

        Approve(0, 0);
        Turn(10, next);
        Assert.Equal(2, Decisions().Count(decision => decision.GetProperty("event").GetString() == "released"));
    }

    [Fact]
    public void Restore_HoldsThatFindNoRoom_AreReadASecondTime_AndNothingThatCameMeanwhile()
    {
        Start(0);
        for (int i = 0; i < 3; i++) { _cluster.Append(Raw, 0, "k", """{"amount":5000}"""); }
        Turn(5);
        Approve(0, 1);
        Turn(10);
        StreamThread next = RestoreToTheSecondPass();

        // A head and a hold that only the second reading sees: they came after the ends that the restore asked for.
        ScriptedRecord head = _cluster.Read("state.orders").First(record => Encoding.UTF8.GetString(record.Key!) == "head");
        _cluster.Append("state.orders", 0, head.Key, head.Value);
        _cluster.Append("state.orders", 0, "raw.orders-0-7", "no hold");
        Turn(20, next);
        Assert.DoesNotContain("task raw.orders-0", _health.Reasons.Keys);
        Assert.Contains("policystreams_open_holds{topic=\"raw.orders\",partition=\"0\"} 2", _metrics.Write(), StringComparison.Ordinal);
        Assert.Equal(0, next.RestoreBudget.Left);

        Approve(0, 0);
        Approve(0, 2);
        Turn(10, next);
        Assert.Equal(3, _cluster.Read("governed.orders").Count);
    }

    [Fact]
    public void Restore_AHoldThatIsNotThereAtTheSecondReading_StopsTheTask()
    {
        Start(0);
        for (int i = 0; i < 3; i++) { _cluster.Append(Raw, 0, "k", """{"amount":5000}"""); }
        Turn(5);
        StreamThread next = RestoreToTheSecondPass();
        _cluster.Read("state.orders").First(record => Encoding.UTF8.GetString(record.Key!) == "raw.orders-0-1").IsAborted = true;
        Turn(20, next);

        Assert.Contains("is not at the second", _health.Reasons["task raw.orders-0"], StringComparison.Ordinal);
        Assert.Empty(_cluster.Read("governed.orders"));
    }

    [Fact]
    public void Restore_WhileItGoesOn_PartitionsArePausedAndPollingGoesOn()
    {
        _cluster.Append(Raw, 0, "k", """{"amount":1}""");
        _cluster.EndsOverride = () => (5, 0);
        _cluster.Assign(Raw, 0);
        Turn(3);
        int before = _cluster.Member.Consumed;
        Turn(10);

        Assert.Contains(new TopicPartition(Raw, 0), _cluster.Member.Paused);
        Assert.True(_cluster.Member.Consumed >= before + 10);
        Assert.Empty(_cluster.Transactions);
    }

    [Fact]
    public void Restore_WhileItGoesOn_TellsItsProgressInLogMetricsAndHealth()
    {
        Start(0);
        for (int i = 0; i < 3; i++) { _cluster.Append(Raw, 0, "k", """{"amount":5000}"""); }
        Turn(5);
        int state = _cluster.Log("state.orders").Count, held = _cluster.Log("held.orders").Count;
        _cluster.EndsOverride = () => (state + 7, held);
        StreamThread next = Open();
        _cluster.Assign(Raw, 0);
        Turn(10, next);
        const string Left = "policystreams_restore_left_records{topic=\"raw.orders\",partition=\"0\"} ";
        Assert.Contains(Left + "7\n", _metrics.Write(), StringComparison.Ordinal);
        Assert.DoesNotContain("7 offsets to go", _log.ToString(), StringComparison.Ordinal);
        _clock.Advance(TimeSpan.FromSeconds(5));
        Turn(1, next);
        Assert.Contains($"{state + held} records read, 7 offsets to go", _log.ToString(), StringComparison.Ordinal);
        Assert.Contains("7 offsets of state.orders and held.orders to go", _health.Reasons["task raw.orders-0"], StringComparison.Ordinal);

        for (int i = 0; i < 7; i++) { _cluster.Append("state.orders", 0, "raw.orders-0-9", "ended"); }
        foreach (ScriptedRecord record in _cluster.Log("state.orders").Skip(state)) { record.IsAborted = true; }
        Turn(10, next);
        Assert.Contains(Left + "0\n", _metrics.Write(), StringComparison.Ordinal);
        Assert.Contains("policystreams_restore_seconds_count 2", _metrics.Write(), StringComparison.Ordinal);
        Assert.Contains("3 open holds from", _log.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Restored_TheClientDropsItsResume_GoesOnAllTheSame()
    {
        _cluster.Append(Raw, 0, "k", """{"amount":1}""");
        _cluster.Member.ResumesToDrop = 1;
        _cluster.Assign(Raw, 0);
        Turn(10);
        Assert.Contains(new TopicPartition(Raw, 0), _cluster.Member.Paused);
        Assert.Empty(Decided());

        _clock.Advance(TimeSpan.FromSeconds(2));
        Turn(5);
        Assert.Equal([$"{Raw}-0-0"], Decided());
    }

    [Fact]
    public void Restore_HeadAndGroupDisagree_StopsTheTaskAndTouchesNothing()
    {
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":1}""");
        Turn(5);
        _cluster.Committed[new TopicPartition(Raw, 0)] = 0;
        int transactions = _cluster.Transactions.Count;
        StreamThread next = Open();
        _cluster.Assign(Raw, 0);
        Turn(10, next);

        Assert.Contains("--adopt-offsets", _health.Reasons["task raw.orders-0"], StringComparison.Ordinal);
        Assert.Equal(transactions, _cluster.Transactions.Count);
    }

    [Fact]
    public void Restore_HeadAndGroupDisagreeOnApprovals_StopsTheTask()
    {
        Start(0);
        _cluster.Append("approvals.orders", 0, "raw.orders-0-0", "no statement");
        Turn(5);
        _cluster.Committed[new TopicPartition("approvals.orders", 0)] = 0;
        StreamThread next = Open();
        _cluster.Assign(Raw, 0);
        Turn(10, next);

        Assert.Contains("committed offset on approvals is 0, and the head's is 1", _health.Reasons["task raw.orders-0"], StringComparison.Ordinal);
    }

    [Fact]
    public void Restore_AdoptOffsets_GoesOnAndRecordsIt()
    {
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":1}""");
        Turn(5);
        _cluster.Committed[new TopicPartition(Raw, 0)] = 0;
        _options.AdoptOffsets = true;
        StreamThread next = Open();
        _cluster.Assign(Raw, 0);
        Turn(10, next);

        Assert.Contains(Decisions(), decision => decision.GetProperty("event").GetString() == "adopted");
        Assert.Equal(2, Decided().Count(id => id == "raw.orders-0-0"));
    }

    [Fact]
    public void Abort_EverythingOfTheTransaction_IsDroppedAndDoneAgainUnderTheSameNumbers()
    {
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":1}""");
        _cluster.Append(Raw, 0, "k", """{"amount":5000}""");
        _cluster.Outcomes.Enqueue(TransactionOutcome.Aborted);
        Turn(4);
        Assert.Empty(_cluster.Read("decisions"));
        Turn(10);

        Assert.Equal(["raw.orders-0-0", "raw.orders-0-1"], Decided());
        Assert.Equal([1L, 2L, 3L], Decisions().Where(decision => decision.TryGetProperty("seq", out _)).Select(decision => decision.GetProperty("seq").GetInt64()));
        Assert.Single(_cluster.Read("held.orders"));
        Approve(0, 1);
        Turn(10);
        Assert.Equal(2, _cluster.Read("governed.orders").Count);
    }

    [Fact]
    public void Abort_OfAHoldThatIsHeldAgain_ReadsItsRecordWhereItWasBefore()
    {
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":5000}""");
        Turn(5);
        Approve(0, 0);
        _policies.PutInForce(Compile(Policy.Replace("[risk]", "[risk, board]", StringComparison.Ordinal)));
        _cluster.Outcomes.Enqueue(TransactionOutcome.Aborted);
        Turn(20);
        Assert.Single(Decisions(), decision => decision.GetProperty("event").GetString() == "reheld");
        Approve(0, 0);
        Turn(20);

        Assert.Single(_cluster.Read("governed.orders"));
        Assert.Single(Decisions(), decision => decision.GetProperty("event").GetString() == "released");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void UnknownOutcome_TheProducerIsMadeAnewAndTheTasksRestore(bool committed)
    {
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":1}""");
        if (committed) { _cluster.CommitsAlthoughUnknown = true; }
        _cluster.Outcomes.Enqueue(TransactionOutcome.Unknown);
        Turn(3);
        Assert.Equal(2, _cluster.Producers.Count);
        Assert.True(_cluster.Producers[0].IsDisposed);
        Turn(10);

        Assert.Equal(["raw.orders-0-0"], Decided());
        Assert.Single(_cluster.Read("governed.orders"));
    }

    [Fact]
    public void Lost_AnAbortOfUnknownOutcome_MakesTheProducerAnewAndTheOtherTasksRestore()
    {
        Start(0, 1);
        _cluster.Append(Raw, 0, "k", """{"amount":1}""");
        _cluster.Append(Raw, 1, "k", """{"amount":1}""");
        _thread.Step();
        _cluster.AbortOutcome = TransactionOutcome.Unknown;
        _cluster.Revoke(Raw, 0, lost: true);
        _thread.Step();
        Assert.Equal(2, _cluster.Producers.Count);
        Assert.True(_cluster.Producers[0].IsDisposed);
        Turn(10);

        Assert.Equal([$"{Raw}-1-0"], Decided());
        Assert.Single(_cluster.Read("governed.orders", 1));
    }

    [Fact]
    public void Refused_ARecordIsFoundByHalvingAndAloneDenied()
    {
        Start(0);
        for (int i = 0; i < 16; i++) { _cluster.Append(Raw, 0, "k", $$"""{"amount":1,"n":{{i}}}"""); }
        _cluster.Refuses = record => record.Topic == "governed.orders" && Encoding.UTF8.GetString(record.Value!).Contains("\"n\":11}", StringComparison.Ordinal);
        Turn(60);

        Assert.Equal(16, Decided().Count);
        JsonElement denied = Assert.Single(Decisions(), decision => Outcome(decision) == "deny");
        Assert.Equal(("raw.orders-0-11", "ps:output-refused"), (denied.GetProperty("id").GetString(), denied.GetProperty("rules")[0].GetString()));
        Assert.Equal(15, _cluster.Read("governed.orders").Count);
        Assert.Single(_cluster.Read("rejected.orders"));
    }

    [Fact]
    public void Refused_ARecordBesideABusyPartition_IsFoundBeforeThatRunsDry()
    {
        Start(0, 1);
        for (int i = 0; i < 64; i++) { _cluster.Append(Raw, 0, "k", """{"amount":1}"""); }
        _cluster.Append(Raw, 1, "k", """{"amount":1,"n":7}""");
        _cluster.Refuses = record => record.Topic == "governed.orders" && record.Partition == 1;
        for (int turns = 0; turns < 20 && Decided().All(id => id != $"{Raw}-1-0"); turns++)
        {
            // More than the steps that are left to a transaction, so that there is hardly one without any of them.
            for (int i = 0; i < 1000; i++) { _cluster.Append(Raw, 0, "k", """{"amount":1}"""); }
            Turn(1);
        }

        Assert.Contains($"{Raw}-1-0", Decided());
        int before = _cluster.Read("governed.orders").Count;
        Turn(20);
        Assert.True(_cluster.Read("governed.orders").Count > before);
    }

    [Fact]
    public void Refused_AReleaseAlone_IsEndedAsDenied()
    {
        Start(0);
        for (int i = 0; i < 4; i++) { _cluster.Append(Raw, 0, "k", $$"""{"amount":5000,"n":{{i}}}"""); }
        Turn(5);
        _cluster.Refuses = record => record.Topic == "governed.orders" && Encoding.UTF8.GetString(record.Value!).Contains("\"n\":2}", StringComparison.Ordinal);
        for (int i = 0; i < 4; i++) { Approve(0, i); }
        Turn(80);

        Assert.Equal(3, _cluster.Read("governed.orders").Count);
        JsonElement refused = Assert.Single(Decisions(), decision => decision.GetProperty("event").GetString() == "refused");
        Assert.Equal(("raw.orders-0-2/end", "deny", "ps:output-refused"), (refused.GetProperty("id").GetString(), Outcome(refused), refused.GetProperty("rules")[0].GetString()));
        Assert.Equal("refused-by-broker", refused.GetProperty("errors")[0].GetProperty("code").GetString());
        Assert.Contains("policystreams_open_holds{topic=\"raw.orders\",partition=\"0\"} 0", _metrics.Write(), StringComparison.Ordinal);
    }

    [Fact]
    public void Refused_TheDenialItself_PausesItsTaskAloneUntilItsTopicIsMended()
    {
        Start(0, 1);
        _cluster.Append(Raw, 0, "k", """{"amount":1,"n":7}""");
        _cluster.Refuses = record => record.Topic is "governed.orders" or "rejected.orders" && record.Partition == 0;
        Turn(20);
        Assert.Contains("rejected.orders", _health.Reasons["task raw.orders-0"], StringComparison.Ordinal);
        Assert.Contains("max.message.bytes", _health.Reasons["task raw.orders-0"], StringComparison.Ordinal);
        _cluster.Append(Raw, 1, "k", """{"amount":1}""");
        Turn(5);
        Assert.Single(_cluster.Read("governed.orders", 1));

        _cluster.Refuses = _ => false;
        _clock.Advance(TimeSpan.FromMinutes(1));
        Turn(10);
        Assert.Single(Decided(), id => id == "raw.orders-0-0");
        Assert.DoesNotContain("task raw.orders-0", _health.Reasons.Keys);
    }

    [Fact]
    public void Refused_TheDenialsTimestamp_GoesOutWithTheTimeOfNow()
    {
        Start(0);
        _cluster.Append(Raw, 0, Encoding.UTF8.GetBytes("k"), Encoding.UTF8.GetBytes("""{"amount":1}"""), timestampMs: 99_999_999_999_999);
        _cluster.Refuses = record => record.TimestampMs == 99_999_999_999_999;
        Turn(20);

        Assert.Equal("deny", Outcome(Assert.Single(Decisions(), decision => decision.GetProperty("event").GetString() == "decided")));
        ScriptedRecord rejected = Assert.Single(_cluster.Read("rejected.orders"));
        Assert.Equal("99999999999999", Encoding.UTF8.GetString(rejected.Headers.Single(header => header.Name == "ps-timestamp").Value!));
    }

    [Fact]
    public void Expiry_WaitsForApprovalsToTheEndThatWasFetchedAfterIt()
    {
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":5000}""");
        Turn(5);
        byte[] statement = StatementOn(0, 0);
        _clock.Advance(TimeSpan.FromHours(2));

        // Said in time, and not read yet when the clock passes the expiry: it lies before the end that is fetched then.
        long appended = _clock.GetUtcNow().AddHours(-1.5).ToUnixTimeMilliseconds();
        _cluster.Reader.Pause([new TopicPartition("approvals.orders", 0)]);
        _cluster.Append("approvals.orders", 0, Encoding.UTF8.GetBytes("raw.orders-0-0"), statement, timestampMs: appended);
        Turn(10);
        Assert.DoesNotContain(Decisions(), decision => decision.GetProperty("event").GetString() == "expired");
        _cluster.Reader.Resume([new TopicPartition("approvals.orders", 0)]);
        Turn(10);

        Assert.Single(Decisions(), decision => decision.GetProperty("event").GetString() == "released");
        Assert.Single(_cluster.Read("governed.orders"));
    }

    [Fact]
    public void Expiry_WhileTheClockIsAhead_Waits_AndSaysSo()
    {
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":5000}""");
        Turn(5);
        _clock.Advance(TimeSpan.FromHours(2));
        _cluster.BrokerBehind = TimeSpan.FromHours(2);
        Turn(20);
        Assert.Contains("ahead of the broker's by 7200 s", _health.Reasons["clock"], StringComparison.Ordinal);
        Assert.DoesNotContain(Decisions(), decision => decision.GetProperty("event").GetString() == "expired");

        _cluster.BrokerBehind = TimeSpan.FromSeconds(59);
        _clock.Advance(TimeSpan.FromSeconds(30));
        Turn(20);
        Assert.Single(Decisions(), decision => decision.GetProperty("event").GetString() == "expired");
        Assert.DoesNotContain("clock", _health.Reasons.Keys);
    }

    [Fact]
    public void Expiry_WhereTheStateTopicDoesNotTellTheBrokersTime_Waits_AndSaysHowToMendIt()
    {
        _cluster.StateKeepsBrokerTime = false;
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":5000}""");
        Turn(5);
        _clock.Advance(TimeSpan.FromHours(2));
        Turn(20);

        Assert.Contains("message.timestamp.type", _health.Reasons["clock"], StringComparison.Ordinal);
        Assert.DoesNotContain(Decisions(), decision => decision.GetProperty("event").GetString() == "expired");
    }

    [Fact]
    public void Commit_ByCount_EndsATransactionAtItsRecords()
    {
        _options.CommitRecords = 3;
        Start(0);
        int before = _cluster.Transactions.Count;
        for (int i = 0; i < 9; i++) { _cluster.Append(Raw, 0, "k", """{"amount":1}"""); }
        _thread.Step();

        Assert.Equal([3L, 6L, 9L], _cluster.Transactions.Skip(before).Select(transaction => transaction.Offsets[0].Offset.Value));
    }

    [Fact]
    public void Commit_ByBytes_EndsATransactionAtItsOutput()
    {
        _options.CommitMebibytes = 1;
        Start(0);
        int before = _cluster.Transactions.Count;
        string value = $$"""{"amount":1,"note":"{{new string('x', 400_000)}}"}""";
        for (int i = 0; i < 6; i++) { _cluster.Append(Raw, 0, "k", value); }
        _thread.Step();

        Assert.Equal([3L, 6L], _cluster.Transactions.Skip(before).Select(transaction => transaction.Offsets[0].Offset.Value));
    }

    [Fact]
    public void Commit_ByBytes_CountsKeysAndHeaders()
    {
        _options.CommitMebibytes = 1;
        Start(0);
        int before = _cluster.Transactions.Count;
        for (int i = 0; i < 6; i++) { _cluster.Append(Raw, 0, new byte[200_000], """{"amount":1}"""u8.ToArray(), [("trace", new byte[200_000])]); }
        _thread.Step();

        Assert.Equal([3L, 6L], _cluster.Transactions.Skip(before).Select(transaction => transaction.Offsets[0].Offset.Value));
    }

    [Theory]
    [InlineData(100, 100, false)]
    [InlineData(20_000, 0, true)]
    [InlineData(0, 20_000, true)]
    public void Commit_WhereKeysOrHeadersAreLarge_FetchesNothingMeanwhile(int keyBytes, int headerBytes, bool holds)
    {
        Start(0);
        for (int i = 0; i < 5; i++) { _cluster.Append(Raw, 0, new byte[keyBytes], """{"amount":1}"""u8.ToArray(), [("trace", new byte[headerBytes])]); }
        bool paused = false;
        _cluster.Refuses = _ =>
        {
            paused |= _cluster.Member.Paused.Contains(new TopicPartition(Raw, 0));
            return false;
        };
        Turn(10);

        Assert.Equal(holds, paused);
        Assert.Equal(5, Decided().Count);
        Assert.Empty(_cluster.Member.Paused);
    }

    [Fact]
    public void Revoked_WhereHeadersAreLarge_CommitsAndTheOthersGoOn()
    {
        Start(0, 1);
        for (int i = 0; i < 4; i++) { _cluster.Append(Raw, i % 2, null, """{"amount":1}"""u8.ToArray(), [("trace", new byte[20_000])]); }
        _thread.Step();
        _cluster.Revoke(Raw, 0);
        Turn(10);

        Assert.Equal([$"{Raw}-0-0", $"{Raw}-0-1", $"{Raw}-1-0", $"{Raw}-1-1"], Decided().Order());
        Assert.Empty(_cluster.Member.Paused);
    }

    [Fact]
    public void Commit_ByInterval_EndsATransactionAtItsTime()
    {
        Start(0);
        int before = _cluster.Transactions.Count;
        _cluster.Append(Raw, 0, "k", """{"amount":1}""");
        _thread.Step();
        Assert.Equal(before, _cluster.Transactions.Count);
        _clock.Advance(TimeSpan.FromMilliseconds(100));
        _thread.Step();

        Assert.Equal(before + 1, _cluster.Transactions.Count);
    }

    /// <summary>So early that it is over at the interval, by a quarter of it at most, and with a tenth of it left for records.</summary>
    [Theory]
    [InlineData(0, 100)]
    [InlineData(22, 78)]
    [InlineData(60, 75)]
    [InlineData(95, 105)]
    public void Commit_OfAStreamOfRecords_BeginsEverySoManyMilliseconds(int takesMs, int everyMs)
    {
        Start(0);
        _cluster.CommitTakes = TimeSpan.FromMilliseconds(takesMs);
        for (int ms = 0; ms < 1000; ms++)
        {
            _cluster.Append(Raw, 0, "k", """{"amount":1}""");
            _thread.Step();
            _clock.Advance(TimeSpan.FromMilliseconds(1));
        }

        // Which millisecond sees that it is due depends on where in one the commit ended.
        long[] began = [.. _cluster.CommitsBegan.TakeLast(4)];
        foreach ((long earlier, long later) in began.Zip(began.Skip(1))) { Assert.InRange((later - earlier) / TimeSpan.TicksPerMillisecond, everyMs, everyMs + 1); }
    }

    /// <summary>Where more records wait than are taken: four times as long as a commit takes is for records between them, and never more than the interval.</summary>
    [Theory]
    [InlineData(0, 100)]
    [InlineData(20, 100)]
    [InlineData(24, 120)]
    [InlineData(60, 160)]
    public void Commit_OfAThreadThatIsBehind_LeavesTimeForRecords(int takesMs, int everyMs)
    {
        _options.CommitRecords = int.MaxValue;
        _thread = Open();
        Start(0);
        _cluster.CommitTakes = TimeSpan.FromMilliseconds(takesMs);
        for (int ms = 0; ms < 500; ms += 4)
        {
            for (int i = 0; i < 2000; i++) { _cluster.Append(Raw, 0, "k", """{"amount":1}"""); }
            _thread.Step();
            _clock.Advance(TimeSpan.FromMilliseconds(4));
        }

        long[] began = [.. _cluster.CommitsBegan.TakeLast(3)];
        foreach ((long earlier, long later) in began.Zip(began.Skip(1))) { Assert.InRange((later - earlier) / TimeSpan.TicksPerMillisecond, everyMs, everyMs + 4); }
    }

    /// <summary>A broker that still writes the end of the last transaction turns the next one away for 20 ms.</summary>
    [Theory]
    [InlineData(1, 100, "settle 3")]
    [InlineData(5, 100, null)]
    [InlineData(1, 3, "settle 2")]
    public void Begin_SoonAfterACommit_LetsTheBrokerFinish(int afterMs, int intervalMs, string? settles)
    {
        _options.CommitInterval = TimeSpan.FromMilliseconds(intervalMs);
        _thread = Open();
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":1}""");
        _thread.Step();
        _clock.Advance(_options.CommitInterval);
        _thread.Step();
        _cluster.Calls.Clear();
        _clock.Advance(TimeSpan.FromMilliseconds(afterMs));
        _cluster.Append(Raw, 0, "k", """{"amount":1}""");
        _thread.Step();

        Assert.Equal(settles is null ? [] : new[] { settles }, _cluster.Calls.Where(call => call.StartsWith("settle", StringComparison.Ordinal)));
    }

    [Fact]
    public void Step_OfAThreadThatIsNotBehind_SendsThreeTimesAnInterval()
    {
        Start(0);
        _cluster.Calls.Clear();
        var sentAt = new List<int>();
        for (int ms = 0; ms < 100; ms++)
        {
            _cluster.Append(Raw, 0, "k", """{"amount":1}""");
            _thread.Step();
            if (_cluster.Calls.Remove("send now")) { sentAt.Add(ms); }
            _clock.Advance(TimeSpan.FromMilliseconds(1));
        }

        // Where the first is depends on when the transaction opened.
        Assert.Equal(2, sentAt.Count);
        Assert.Equal(34, sentAt[1] - sentAt[0]);
    }

    [Fact]
    public void Begin_OfAThreadThatIsBehind_DoesNotWait()
    {
        _options.CommitRecords = 1000;
        _thread = Open();
        Start(0);
        _cluster.Calls.Clear();
        for (int i = 0; i < 6000; i++) { _cluster.Append(Raw, 0, "k", """{"amount":1}"""); }
        for (int i = 0; i < 3; i++) { _thread.Step(); }

        Assert.True(_cluster.Calls.Count(call => call == "commit") >= 5);
        Assert.DoesNotContain(_cluster.Calls, call => call == "send now" || call.StartsWith("settle", StringComparison.Ordinal));
    }

    [Fact]
    public void Commit_OfARecordAfterAPause_WaitsForATenthOfTheInterval()
    {
        Start(0);
        _clock.Advance(TimeSpan.FromSeconds(10));
        int before = _cluster.Transactions.Count;
        _cluster.Append(Raw, 0, "k", """{"amount":1}""");
        _thread.Step();
        _clock.Advance(TimeSpan.FromMilliseconds(9));
        _thread.Step();
        Assert.Equal(before, _cluster.Transactions.Count);
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        _thread.Step();

        Assert.Equal(before + 1, _cluster.Transactions.Count);
    }

    [Fact]
    public void Full_OneTask_WaitsAloneAndGoesOnOnceHoldsHaveEnded()
    {
        _options.HoldsMax = 2;
        _thread = Open();
        Start(0, 1);
        for (int i = 0; i < 3; i++) { _cluster.Append(Raw, 0, "k", """{"amount":5000}"""); }
        _cluster.Append(Raw, 0, "k", """{"amount":1}""");
        _cluster.Append(Raw, 1, "k", """{"amount":1}""");
        Turn(10);
        Assert.Contains("--holds-max", _health.Reasons["task raw.orders-0"], StringComparison.Ordinal);
        Assert.Contains(new TopicPartition(Raw, 0), _cluster.Member.Paused);
        Assert.Single(_cluster.Read("governed.orders", 1));
        Assert.Empty(_cluster.Read("governed.orders", 0));

        Approve(0, 0);
        Turn(10);
        Assert.Equal(2, _cluster.Read("governed.orders", 0).Count);
        Assert.DoesNotContain("task raw.orders-0", _health.Reasons.Keys);
        Assert.Equal(4, Decided().Count(id => id!.StartsWith("raw.orders-0-", StringComparison.Ordinal)));
    }

    private void StartAndRecreateTheTopicBehindThreeRecords()
    {
        Start(0);
        for (int i = 0; i < 3; i++) { _cluster.Append(Raw, 0, "k", """{"amount":1}"""); }
        Turn(5);
        _cluster.Recreate(Raw, "id-2");
    }

    [Fact]
    public void Topic_MadeAnewWhileItIsRead_StopsItsTaskBeforeAnythingOfTheNewOneIsCommitted()
    {
        StartAndRecreateTheTopicBehindThreeRecords();
        _clock.Advance(TimeSpan.FromSeconds(6));
        Turn(5);

        Assert.Contains("deleted and made anew (its id was id-1 and is id-2)", _health.Reasons["task raw.orders-0"], StringComparison.Ordinal);
        for (int i = 0; i < 6; i++) { _cluster.Append(Raw, 0, "k", """{"amount":1}"""); }
        Turn(5);
        Assert.Equal(3, Decided().Count);
    }

    [Fact]
    public void Topic_MadeAnewWithRecordsInTheOpenTransaction_TakesThemBack()
    {
        StartAndRecreateTheTopicBehindThreeRecords();
        for (int i = 0; i < 6; i++) { _cluster.Append(Raw, 0, "k", """{"amount":1}"""); }
        _clock.Advance(TimeSpan.FromSeconds(6));
        for (int i = 0; i < 3; i++) { _thread.Step(); }
        Assert.Contains("abort", _cluster.Calls);
        Turn(5);

        Assert.Contains("deleted and made anew", _health.Reasons["task raw.orders-0"], StringComparison.Ordinal);
        Assert.Equal(3, Decided().Count);
    }

    [Fact]
    public void Topic_Deleted_StopsItsTaskWithAnAlarm_OnlyWhereItIsMissingTwice()
    {
        Start(0);
        _cluster.TopicIds[Raw] = null;
        _clock.Advance(TimeSpan.FromSeconds(6));
        _thread.Step();
        _thread.Step();
        Assert.DoesNotContain("topic raw.orders", _health.Reasons.Keys);
        Turn(10);

        Assert.Contains("deleted", _health.Reasons["topic raw.orders"], StringComparison.Ordinal);
        Assert.Contains("--adopt-offsets", _health.Reasons["task raw.orders-0"], StringComparison.Ordinal);
        Assert.Contains("policystreams_runtime_events_total{event=\"alarms\"}", _metrics.Write(), StringComparison.Ordinal);
    }

    [Fact]
    public void Statement_BeforeItsHoldIsThere_IsADecisionAndMayBeMadeAgain()
    {
        Start(0);
        _cluster.Append("approvals.orders", 0, Encoding.UTF8.GetBytes("raw.orders-0-0"), _signer.Sign(Early()));
        Turn(10);
        Assert.Equal("unknown-hold", Assert.Single(Decisions(), decision => decision.GetProperty("event").GetString() == "approval").GetProperty("why").GetString());
        _cluster.Append(Raw, 0, "k", """{"amount":5000}""");
        Turn(5);
        Approve(0, 0);
        Turn(10);

        Assert.Single(_cluster.Read("governed.orders"));
    }

    [Fact]
    public void Policy_ChangedWhileHoldsAreOpen_JudgesThemAtTheirRelease()
    {
        Start(0);
        _cluster.Append(Raw, 0, "k", """{"amount":5000}""");
        Turn(5);
        Approve(0, 0);
        _policies.PutInForce(Compile(Policy.Replace("value.amount < 0.0", "value.amount > 4000.0", StringComparison.Ordinal)));
        Turn(10);

        JsonElement refused = Assert.Single(Decisions(), decision => decision.GetProperty("event").GetString() == "refused");
        Assert.Contains("closed", refused.GetProperty("rules").EnumerateArray().Select(rule => rule.GetString()));
        Assert.Empty(_cluster.Read("governed.orders"));
    }

    private static PolicySnapshot Compile(string text)
    {
        PolicySet set = PolicySet.Load([new PolicyFile("orders.policy.yaml", text)]).Set!;
        var subjects = new Dictionary<string, SubjectSchemas> { ["orders"] = new("", [new SchemaVersion(1, 0, Schemas.Json.SchemalessJson.Instance)]) };
        return new PolicySnapshot([CompiledPolicy.Compile(set.Policies[0], subjects, new KeyRing(), new List<Diagnostic>())!]);
    }

    private StreamThread Open()
    {
        var keys = new TaskKeys(default, Payments.HoldKey, _verifier);
        var thread = new StreamThread("g/slot/0", _options, _policies, keys, _health, _metrics, _clock, _log, _stop.Token, _cluster);
        thread.Open();
        _threads.Add(thread);
        return thread;
    }

    /// <summary>Tasks restored and committed for the first time.</summary>
    private void Start(params int[] partitions)
    {
        _cluster.Assign(Raw, partitions);
        Turn(10);
        Assert.DoesNotContain(_health.Reasons, reason => reason.Key.StartsWith("task", StringComparison.Ordinal));
    }

    /// <summary>A new thread whose restore has read state once, and has kept none of its bytes.</summary>
    private StreamThread RestoreToTheSecondPass()
    {
        StreamThread next = Open();
        next.RestoreBudget.Left = 0;
        _cluster.Assign(Raw, 0);
        for (int i = 0; !_cluster.Reader.Assignment.Contains(new TopicPartition("state.orders", 0)) || _cluster.Reader.Position("state.orders", 0) < _cluster.Log("state.orders").Count; i++)
        {
            Assert.True(i < 20, "state is not read");
            Turn(1, next);
        }

        return next;
    }

    private void Turn(int times, StreamThread? thread = null)
    {
        for (int i = 0; i < times; i++)
        {
            (thread ?? _thread).Step();
            _clock.Advance(TimeSpan.FromMilliseconds(60));
        }
    }

    private IReadOnlyList<JsonElement> Decisions() =>
        [.. _cluster.Read("decisions").Concat(_cluster.Read("decisions", 1)).Select(record => JsonDocument.Parse(record.Value!).RootElement)];

    private List<string?> Decided() => [.. Decisions().Where(decision => decision.GetProperty("event").GetString() == "decided").Select(decision => decision.GetProperty("id").GetString())];

    private static string? Outcome(JsonElement decision) => decision.TryGetProperty("outcome", out JsonElement outcome) ? outcome.GetString() : null;

    private void Approve(int partition, long offset) =>
        _cluster.Append("approvals.orders", partition, Encoding.UTF8.GetBytes($"raw.orders-{partition}-{offset}"), StatementOn(partition, offset));

    private byte[] StatementOn(int partition, long offset)
    {
        string id = $"raw.orders-{partition}-{offset}";
        ScriptedRecord state = _cluster.Read("state.orders", partition).Last(record => Encoding.UTF8.GetString(record.Key!) == id);
        return Payments.Statement(_signer, HoldState.TryParse(state.Value!, out _)!, "ana");
    }

    private static Statement Early() => new()
    {
        Hold = "raw.orders-0-0",
        Verdict = StatementVerdict.Approve,
        Issuer = "https://id.example.com",
        Subject = "ana",
        Groups = ["risk"],
        Reason = "in advance",
        Record = HoldState.DigestOf("record"u8),
        Policy = HoldState.DigestOf("policy"u8),
        View = HoldState.DigestOf("view"u8),
        IssuedAt = 1_767_323_045,
        Id = "early",
    };
}
