using System.Text;
using PolicyStreams.Faults.Tests.Simulation;

namespace PolicyStreams.Faults.Tests.Promises;

/// <summary>
/// P3: records of a partition come out in their order, but for those that a hold keeps back; with <c>scope: key</c> all records of a key come out in their order. Looked at from
/// outside, in what is on the topics at the end, and not by what the simulation's model makes of queues.
/// </summary>
public sealed class P3Order : IDisposable
{
    private const int Schedules = 400;
    private readonly SimWorld _world = new();

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    public void Outputs_OfOneKey_UnderAHoldByKey_AreInTheOrderOfItsRecords(int policy)
    {
        int released = 0;
        for (int seed = 1; seed <= Schedules; seed++)
        {
            // One policy throughout: what an earlier one let pass without a queue has no order to keep.
            SimStep[] steps = [new(SimAct.RegistryUp, policy, 0, 0), .. Schedule.Draw(seed).Where(step => step.Act != SimAct.Policy)];
            SimResult result = Simulator.Run(_world, steps, false, seed % 2 == 0, driver =>
            {
                // Where a record came out is the offset of its transaction: topics are compared by that, records of one topic by their place.
                var last = new Dictionary<(int Partition, string Key), (int Transaction, int Record)>();
                foreach (var record in Outputs(driver).OrderBy(record => record.Transaction).ThenBy(record => record.Number))
                {
                    (int Partition, string Key) key = (record.Partition, record.Key);
                    (int transaction, int number) = last.GetValueOrDefault(key, (0, -1));
                    Assert.True(number < record.Number, $"seed {seed}: record {record.Number} of {key} came out after record {number} (transactions {record.Transaction} and {transaction})");
                    last[key] = (record.Transaction, record.Number);
                    released++;
                }
            });
            Assert.True(result.Broken is null, $"seed {seed}: {result.Broken}");
        }

        Assert.True(released > Schedules, $"only {released} records came out");
    }

    [Fact]
    public void Outputs_OfOneTopicAndPartition_AreInTheOrderOfTheirRecords()
    {
        for (int seed = 1; seed <= Schedules; seed++)
        {
            SimResult result = Simulator.Run(_world, Schedule.Draw(seed), false, false, driver =>
            {
                HashSet<string> held = [.. driver.Decisions().Where(decision => decision.GetProperty("outcome").GetString() == "hold").Select(decision => decision.GetProperty("id").GetString()!)];
                foreach (string topic in (string[])[SimPolicy.Governed, SimPolicy.GovernedEu, SimPolicy.Rejected])
                {
                    foreach (var partition in driver.Read(topic).Where(record => !held.Contains(record.Header("ps-decision")!)).GroupBy(record => record.Partition))
                    {
                        int[] offsets = [.. partition.Select(record => Offset(record.Header("ps-decision")!))];
                        Assert.Equal(offsets.Order(), offsets);
                    }
                }
            });
            Assert.True(result.Broken is null, $"seed {seed}: {result.Broken}");
        }
    }

    // A record's own number stands in its header `trace`: it grows along each partition. Within a transaction and topic the order is that of the log.
    private static IEnumerable<(int Partition, string Key, int Transaction, int Number)> Outputs(Processor.Testing.TopologyDriver driver)
    {
        // A hold of the record's own keeps nothing behind it: what it held comes out when it may.
        HashSet<string> alone =
        [
            .. driver.Decisions().Where(decision => decision.TryGetProperty("rules", out var rules) && rules.EnumerateArray().Any(rule => rule.GetString() == "phone") && rules.EnumerateArray().All(rule => rule.GetString() != "large"))
                .Select(decision => decision.GetProperty("id").GetString()!),
        ];
        Dictionary<string, byte[]?> keys = driver.Read(SimPolicy.Ingress).ToDictionary(record => $"{SimPolicy.Ingress}-{record.Partition}-{record.Offset}", record => record.Key);
        foreach (string topic in (string[])[SimPolicy.Governed, SimPolicy.GovernedEu, SimPolicy.Rejected])
        {
            foreach (var record in driver.Read(topic))
            {
                string id = record.Header("ps-decision")!;
                if (keys[id] is { } key && !alone.Contains(id)) { yield return (record.Partition, Encoding.UTF8.GetString(key), record.Transaction, Offset(id)); }
            }
        }
    }

    private static int Offset(string id) => int.Parse(id.AsSpan(id.LastIndexOf('-') + 1), System.Globalization.CultureInfo.InvariantCulture);
}
