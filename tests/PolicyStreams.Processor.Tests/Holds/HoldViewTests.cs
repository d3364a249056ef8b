using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using PolicyStreams.Processor.Holds;

namespace PolicyStreams.Processor.Tests.Holds;

public sealed class HoldViewTests : IDisposable
{
    private readonly MockBroker _broker = new();

    [Fact]
    public async Task Start_StateWithEndedHolds_ShowsTheOpenOnesAndFollows()
    {
        await Write(Hold(0, 1));
        await Write(Hold(0, 2));
        await Write(Hold(1, 1));
        await _broker.WriteAsync("state.payments", 0, "head", "{}"u8.ToArray());
        await _broker.WriteAsync("state.payments", 0, "raw.payments-0-1", null);
        using HoldView view = Started();
        await MockBroker.Until(() => view.Status.Ready);
        Assert.Equal(["raw.payments-0-2", "raw.payments-1-1"], Ids(view));
        Assert.Equal(0, view.Unreadable);
        Assert.Equal(1, view.Find("raw.payments-1-1")!.Partition);

        await Write(Hold(1, 7));
        await _broker.WriteAsync("state.payments", 0, "raw.payments-0-2", null);
        await MockBroker.Until(() => Ids(view).SequenceEqual(["raw.payments-1-1", "raw.payments-1-7"]));
    }

    [Fact]
    public async Task Start_UnreadableStates_AreCountedAndNotShown()
    {
        HoldState hold = Hold(0, 1);
        await Write(hold);
        await _broker.WriteAsync("state.payments", 0, "raw.payments-0-1", "{\"v\":2}"u8.ToArray());
        await _broker.WriteAsync("state.payments", 0, "raw.payments-0-2", HoldSamples.Bytes(hold));
        await _broker.WriteAsync("state.payments", 0, "raw.payments-0-3", HoldSamples.Bytes(Hold(0, 3) with { View = "{}"u8.ToArray() }));
        await _broker.WriteAsync("state.payments", 1, "raw.payments-0-4", HoldSamples.Bytes(Hold(0, 4)));
        using HoldView view = Started();
        await MockBroker.Until(() => view.Status.Ready);
        Assert.Empty(Ids(view));
        Assert.Equal(3, view.Unreadable);
    }

    [Fact]
    public async Task Start_MoreHoldsThanTheBound_SaysSoAndShowsThemWhenOthersEnd()
    {
        for (int offset = 0; offset < 7; offset++) { await Write(Hold(0, offset)); }
        using HoldView view = Started(holdsMax: 5);
        await MockBroker.Until(() => view.Status.Ready);
        Assert.Equal(5, Ids(view).Count);
        Assert.Contains("some are not shown", view.Status.Reasons.Single());
        await _broker.WriteAsync("state.payments", 0, "raw.payments-0-0", null);
        await _broker.WriteAsync("state.payments", 0, "raw.payments-0-1", null);
        await MockBroker.Until(() => view.Status is { Ready: true, Reasons.Count: 0 });
        Assert.Equal(["raw.payments-0-2", "raw.payments-0-3", "raw.payments-0-4", "raw.payments-0-5", "raw.payments-0-6"], Ids(view));
    }

    [Fact]
    public async Task Start_NoBroker_IsNotReadyAndSaysWhyAndStops()
    {
        var options = new HoldClientOptions { Topics = [Topics], Kafka = new Dictionary<string, string> { ["bootstrap.servers"] = "127.0.0.1:1" }, Timeout = TimeSpan.FromMilliseconds(200) };
        using var view = new HoldView(options, NullLogger<HoldView>.Instance);
        view.Start();
        await MockBroker.Until(() => view.Status.Reasons.Single() != "the state topics have not been read yet");
        Assert.False(view.Status.Ready);
    }

    [Fact]
    public async Task WriteAsync_Statement_IsOnTheHoldsPartitionUnderItsId()
    {
        using var signer = StatementSigner.Generate();
        using var sink = new StatementSink(Options(), NullLogger<StatementSink>.Instance);
        HoldState state = Hold(2, 5);
        byte[] jws = signer.Sign(HoldSamples.Says(state, "ann"));
        long offset = await sink.WriteAsync(new OpenHold(state, Topics, 2), jws, TestContext.Current.CancellationToken);
        var read = _broker.Read("approvals.payments", 2, offset)!;
        Assert.Equal("raw.payments-2-5", Encoding.UTF8.GetString(read.Message.Key));
        Assert.Equal(jws, read.Message.Value);
    }

    [Fact]
    public async Task WriteAsync_NoBroker_SaysThatItWasNotWritten()
    {
        var options = new HoldClientOptions { Topics = [Topics], Kafka = new Dictionary<string, string> { ["bootstrap.servers"] = "127.0.0.1:1" }, Timeout = TimeSpan.FromMilliseconds(300) };
        using var sink = new StatementSink(options, NullLogger<StatementSink>.Instance);
        await Assert.ThrowsAsync<StatementNotWrittenException>(() => sink.WriteAsync(new OpenHold(Hold(0, 1), Topics, 0), [1], TestContext.Current.CancellationToken));
    }

    public void Dispose() => _broker.Dispose();

    private static HoldTopics Topics { get; } = new("state.payments", "approvals.payments");

    private static HoldState Hold(int partition, long offset) => HoldSamples.Hold() with { Id = $"raw.payments-{partition}-{offset}" };

    private static List<string> Ids(HoldView view) => [.. view.Page(null, 100, _ => true).Select(hold => hold.State.Id)];

    private Task Write(HoldState state) => _broker.WriteAsync("state.payments", int.Parse(state.Id.Split('-')[1], null), state.Id, HoldSamples.Bytes(state));

    private HoldClientOptions Options(int holdsMax = 100) => new() { Topics = [Topics], Kafka = _broker.Kafka, HoldsMax = holdsMax };

    private HoldView Started(int holdsMax = 100)
    {
        var view = new HoldView(Options(holdsMax), NullLogger<HoldView>.Instance);
        view.Start();
        return view;
    }
}
