using System.Text;
using Confluent.Kafka;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Kafka;
using PolicyStreams.Processor.Metrics;
using PolicyStreams.Processor.Streams;
using PolicyStreams.Processor.Tasks;
using PolicyStreams.Processor.Testing;
using PolicyStreams.Processor.Tests.Topology;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Tests.Streams;

/// <summary>What a task does where its head, the group, and the topics disagree: it stops, unless an operator says otherwise.</summary>
public sealed class TaskRestoreTests : IDisposable
{
    private readonly TopologyDriver _driver = new(Payments.Policy(), new TestClock());
    private readonly TaskContext _context;
    private readonly StreamTask _task;
    private readonly TaskRestore _restore;

    public TaskRestoreTests()
    {
        _driver.Pipe(Payments.Ingress, null, Payments.Value());
        var log = new DriverLog();
        CompiledBinding binding = Payments.Policy().Bindings["payments"];
        _context = new TaskContext(log, log, new TestClock(), TaskKeys.None, log, "driver", "writer");
        _task = new StreamTask(_context, binding, 0, "driver-topic-id");
        _restore = new TaskRestore(new TaskRunner(new TopicPartition(Payments.Ingress, 0), _task, new TaskGauges()), binding.Document.Topics);
    }

    public void Dispose()
    {
        _driver.Dispose();
        _task.Dispose();
        _context.Dispose();
    }

    [Fact]
    public void Finish_HeadAndGroupAgree_GoesOnFromThere()
    {
        TakeAll();
        _restore.CommittedIngress = 1;
        _restore.CommittedApprovals = 0;

        Assert.Null(Finish());
        Assert.Equal((1L, 0L), (_task.NextIngress, _task.NextApprovals));
    }

    [Fact]
    public void Finish_WithoutCommittedOffsets_UsesTheHeads()
    {
        TakeAll();

        Assert.Null(Finish());
        Assert.Equal(1, _task.NextIngress);
    }

    [Fact]
    public void Finish_WithoutHeadAndOffsets_StartsAtTheBeginning()
    {
        _restore.LowIngress = 5;

        Assert.Null(Finish());
        Assert.Equal(5, _task.NextIngress);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Finish_GroupDisagreesWithTheHead_StopsAndNamesTheWayOn(long committed)
    {
        TakeAll();
        _restore.CommittedIngress = committed;

        Assert.Contains("--adopt-offsets", Finish(), StringComparison.Ordinal);
        Assert.Null(_restore.Finish("driver", "driver-topic-id", adopt: true, checkOffsets: true, out bool adopted));
        Assert.True(adopted);
        Assert.Equal(committed, _task.NextIngress);
    }

    [Fact]
    public void Finish_HeadOfAnotherGroup_Stops()
    {
        TakeAll();

        Assert.Contains("group `driver`", _restore.Finish("other", "driver-topic-id", adopt: false, checkOffsets: true, out _), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"partition\":0", "\"partition\":1", "raw.payments-1")]
    [InlineData("\"topic\":\"raw.payments\"", "\"topic\":\"raw.other\"", "raw.other-0")]
    public void Finish_HeadOfAnotherPartition_Stops(string of, string another, string named)
    {
        DriverRecord head = _driver.Read("state.payments").Last(record => Encoding.UTF8.GetString(record.Key!) == "head");
        string text = Encoding.UTF8.GetString(head.Value!);
        Assert.Contains(of, text, StringComparison.Ordinal);
        Assert.Null(Take(0, "head", text.Replace(of, another, StringComparison.Ordinal)));

        Assert.Contains($"the head is of {named}", Finish(), StringComparison.Ordinal);
    }

    [Fact]
    public void Finish_TopicMadeAnew_Stops()
    {
        TakeAll();

        Assert.Contains("made anew", _restore.Finish("driver", "another-id", adopt: false, checkOffsets: true, out _), StringComparison.Ordinal);
    }

    [Fact]
    public void Finish_RecordsDeletedBeforeTheyWereRead_Stops()
    {
        TakeAll();
        _restore.LowIngress = 10;

        Assert.Contains("deleted before they were read", Finish(), StringComparison.Ordinal);
    }

    [Fact]
    public void Finish_OffsetsWithoutAHead_Stops()
    {
        _restore.CommittedIngress = 3;

        Assert.Contains("state was lost", Finish(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("head", "{}")]
    [InlineData("head", "{\"v\":2}")]
    [InlineData("head", "nonsense")]
    [InlineData("head", null)]
    [InlineData("raw.payments-0-3", "{\"v\":1}")]
    [InlineData("raw.payments-0-3", "")]
    [InlineData("raw.payments-1-3", "{}")]
    [InlineData("raw.payments-0-03", "{}")]
    [InlineData("other", "{}")]
    [InlineData(null, "{}")]
    public void TakeState_WhatCannotBeRead_StopsTheTaskWithItsPosition(string? key, string? value)
    {
        string? why = Take(17, key, value) ?? Finish();

        Assert.Contains("state.payments-0-17", why, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("head", "nonsense")]
    [InlineData("raw.payments-0-3", "nonsense")]
    public void TakeState_WhatCannotBeReadAndIsNoMore_DoesNotMatter(string key, string value)
    {
        Assert.Null(Take(0, key, value));
        if (key != "head") { Assert.Null(Take(1, key, null)); }
        TakeAll();

        Assert.Null(Finish());
    }

    [Fact]
    public void Finish_DamagedHead_IsPassedOnlyByAdoptingTheGroupsOffset()
    {
        Assert.Null(Take(17, "head", "nonsense"));
        _restore.CommittedIngress = 5;

        Assert.Contains("--adopt-offsets", Finish(), StringComparison.Ordinal);
        Assert.Null(_restore.Finish("driver", "driver-topic-id", adopt: true, checkOffsets: true, out bool adopted));
        Assert.True(adopted);
        Assert.Equal(5, _task.NextIngress);
    }

    [Fact]
    public void Finish_AdoptedTopicMadeAnew_BeginsWhereTheNewOneDoes()
    {
        TakeAll();
        _restore.CommittedIngress = 1;
        _restore.LowIngress = 0;

        Assert.Null(_restore.Finish("driver", "another-id", adopt: true, checkOffsets: true, out bool adopted));
        Assert.True(adopted);
        Assert.Equal(0, _task.NextIngress);
    }

    private string? Finish() => _restore.Finish("driver", "driver-topic-id", adopt: false, checkOffsets: true, out _);

    private string? Take(long offset, string? key, string? value) =>
        _restore.TakeState(DriverLog.Result(new DriverRecord("state.payments", 0, offset, key is null ? null : Encoding.UTF8.GetBytes(key), value is null ? null : Encoding.UTF8.GetBytes(value), [], 0)));

    private void TakeAll()
    {
        foreach (DriverRecord record in _driver.Read("state.payments")) { Assert.Null(_restore.TakeState(DriverLog.Result(record))); }
        Assert.NotNull(_restore.Head);
    }
}
