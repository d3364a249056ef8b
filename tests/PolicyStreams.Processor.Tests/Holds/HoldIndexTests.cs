using PolicyStreams.Processor.Holds;

namespace PolicyStreams.Processor.Tests.Holds;

public sealed class HoldIndexTests
{
    private static readonly HoldTopics Topics = new("state.payments", "approvals.payments");

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Page_WalkedByCursorWhileHoldsEnd_SeesEveryHoldThatStayed(int seed)
    {
        var random = new Random(seed);
        var index = new HoldIndex(1000, long.MaxValue);
        var kept = new List<string>();
        for (int i = 0; i < 300; i++)
        {
            string id = $"raw.payments-0-{i}";
            kept.Add(id);
            Assert.True(index.Put(Open(id, random.Next(20)), 1));
        }
        var seen = new List<string>();
        HoldCursor? after = null;
        while (true)
        {
            IReadOnlyList<OpenHold> page = index.Page(after, 7, _ => true);
            if (page.Count == 0) { break; }
            Assert.True(page.Count <= 7, $"seed {seed}");
            seen.AddRange(page.Select(hold => hold.State.Id));
            Assert.True(HoldCursor.TryParse(HoldCursor.Of(page[^1]).ToString(), out HoldCursor last));
            after = last;
            foreach (string ended in new[] { page[^1].State.Id, kept[random.Next(kept.Count)] })
            {
                index.Remove(ended);
                kept.Remove(ended);
            }
        }
        Assert.Equal(seen.Distinct(), seen);
        Assert.True(kept.TrueForAll(seen.Contains), $"seed {seed}");
    }

    [Fact]
    public void Put_AtABound_IsRefusedAndLeavesNoOldVersion()
    {
        var index = new HoldIndex(10, 100);
        Assert.True(index.Put(Open("raw.payments-0-1", 1), 60));
        Assert.False(index.Put(Open("raw.payments-0-2", 1), 60));
        Assert.True(index.Put(Open("raw.payments-0-1", 2), 90));
        Assert.False(index.Put(Open("raw.payments-0-1", 3), 101));
        Assert.Null(index.Find("raw.payments-0-1"));
        Assert.Empty(index.Page(null, 10, _ => true));
        Assert.True(index.HasRoom);
    }

    [Fact]
    public void Page_CursorBehindTheLast_IsEmpty()
    {
        var index = new HoldIndex(10, 100);
        index.Put(Open("raw.payments-0-1", 1), 1);
        Assert.Empty(index.Page(new HoldCursor(long.MaxValue, ""), 10, _ => true));
        Assert.Single(index.Page(new HoldCursor(long.MinValue, ""), 10, _ => true));
    }

    [Theory]
    [InlineData("")]
    [InlineData("!")]
    [InlineData("AAAA")]
    [InlineData("MTIz")]
    public void CursorTryParse_OtherText_IsRefused(string text) => Assert.False(HoldCursor.TryParse(text, out _));

    [Theory]
    [InlineData("state.payments", "state.payments", "approvals.payments")]
    [InlineData("a=b", "a", "b")]
    public void TopicsTryParse_Names_AreRead(string text, string state, string approvals) => Assert.Equal(new HoldTopics(state, approvals), HoldTopics.TryParse(text, out _));

    [Theory]
    [InlineData("")]
    [InlineData("payments")]
    [InlineData("state.pay ments")]
    [InlineData("a=")]
    [InlineData("a=b=c")]
    public void TopicsTryParse_NoNames_SaysWhatIsExpected(string text)
    {
        Assert.Null(HoldTopics.TryParse(text, out string? error));
        Assert.Contains("STATE=APPROVALS", error);
    }

    private static OpenHold Open(string id, long decidedMs) => new(HoldSamples.Hold() with { Id = id, DecidedMs = decidedMs }, Topics, 0);
}
