using System.Text.Json;
using PolicyStreams.Faults.Tests.Simulation;
using PolicyStreams.Processor.Testing;

namespace PolicyStreams.Faults.Tests.Promises;

/// <summary>
/// P5: the same record (key, headers, value, timestamp, position), principal, policy, and keys give the same decision and the same bytes, but for <c>time</c> and <c>seq</c>, whoever decides, whenever, in
/// whatever company, after whatever happened before.
/// </summary>
public sealed class P5Determinism : IDisposable
{
    private readonly SimWorld _world = new(), _another = new();

    public void Dispose()
    {
        _world.Dispose();
        _another.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(3)]
    public void Decide_ByTwoProcessesWithDifferentHistories_IsTheSame(int policy)
    {
        var random = new Random(policy);
        SimRecord[] records = [.. Enumerable.Range(0, 600).Select(i => SimRecord.Make((SimKind)random.Next(Enum.GetValues<SimKind>().Length), i, i % 4, 999))];
        SimClock clock = new(), later = new();
        later.Advance(86_400_000L * 400);
        using var one = new TopologyDriver(_world.Policies[policy].Compiled, clock, _world.Keys);
        using var other = new TopologyDriver(_another.Policies[1].Compiled, later, _another.Keys) { AutoCommit = false };
        foreach (SimRecord record in records)
        {
            one.Pipe(SimPolicy.Ingress, record.KeyBytes, record.Value, record.Headers, 0, record.TimestampMs);
            other.Append(SimPolicy.Ingress, record.KeyBytes, record.Value, record.Headers, 0, record.TimestampMs);
        }

        // The other has decided something else by another policy before, and is interrupted in every way.
        other.Append(SimPolicy.Ingress, null, [1, 2, 3], [], 1);
        other.Deliver(SimPolicy.Ingress, 1);
        other.UsePolicy(_another.Policies[policy].Compiled);
        for (int i = 0; i < records.Length * 3; i++)
        {
            for (int batch = random.Next(9); batch > 0; batch--) { other.Deliver(SimPolicy.Ingress); }
            later.Advance(random.Next(1000));
            other.Commit((DriverCommit)random.Next(6));
        }

        while (other.Deliver(SimPolicy.Ingress)) { }
        other.Commit();
        Assert.Equal(Decided(one), Decided(other));
        foreach (string topic in (string[])[SimPolicy.Governed, SimPolicy.GovernedEu, SimPolicy.Rejected, SimPolicy.Held]) { Assert.Equal(Written(one, topic), Written(other, topic)); }
    }

    private static string[] Decided(TopologyDriver driver) =>
        [.. driver.Decisions().Where(decision => decision.GetProperty("id").GetString()!.StartsWith($"{SimPolicy.Ingress}-0-", StringComparison.Ordinal)).Select(SimModel.Plain)];

    private static string[] Written(TopologyDriver driver, string topic) =>
    [
        .. driver.Read(topic).Where(record => record.Partition == 0).Select(record =>
            $"{Hex(record.Key)} {Hex(record.Value)} {record.TimestampMs} {string.Join(' ', record.Headers.Select(header => header.Key + "=" + Hex(header.Value)))}"),
    ];

    private static string Hex(byte[]? bytes) => bytes is null ? "null" : Convert.ToHexString(bytes);
}
