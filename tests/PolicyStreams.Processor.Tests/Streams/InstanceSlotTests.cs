using PolicyStreams.Processor.Streams;

namespace PolicyStreams.Processor.Tests.Streams;

public sealed class InstanceSlotTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("policystreams-slot-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Take_WithoutAName_GivesTheLowestFreeNumber()
    {
        using InstanceSlot first = InstanceSlot.Take(_folder.FullName, "g", "");
        InstanceSlot second = InstanceSlot.Take(_folder.FullName, "g", "");
        using InstanceSlot third = InstanceSlot.Take(_folder.FullName, "g", "");
        Assert.EndsWith("-0", first.Name, StringComparison.Ordinal);
        Assert.EndsWith("-1", second.Name, StringComparison.Ordinal);
        Assert.EndsWith("-2", third.Name, StringComparison.Ordinal);
        second.Dispose();

        using InstanceSlot again = InstanceSlot.Take(_folder.FullName, "g", "");
        Assert.Equal(second.Name, again.Name);
    }

    [Fact]
    public void Take_ANameThatIsTaken_SaysSo()
    {
        using InstanceSlot held = InstanceSlot.Take(_folder.FullName, "g", "blue");

        IOException taken = Assert.Throws<IOException>(() => InstanceSlot.Take(_folder.FullName, "g", "blue"));
        Assert.Contains("`blue`", taken.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Take_TheSameNameInAnotherGroup_IsAnotherSlot()
    {
        using InstanceSlot one = InstanceSlot.Take(_folder.FullName, "g1", "blue");
        using InstanceSlot other = InstanceSlot.Take(_folder.FullName, "g2", "blue");

        Assert.Equal(one.Name, other.Name);
    }
}
