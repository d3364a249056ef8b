using PolicyStreams.Faults.Tests.Lab;
using PolicyStreams.Integration.Tests.Support;

[assembly: AssemblyFixture(typeof(PolicyStreams.Faults.Tests.Kafka.SharedClusters))]

namespace PolicyStreams.Faults.Tests.Kafka;

/// <summary>
/// Faults on a real Kafka. Each ends with nothing lost, nothing twice, nothing undecided, and prints its row. POLICYSTREAMS_FAULTS picks: unset or <c>short</c> for what `make test`
/// runs, <c>all</c>, or names with spaces; what is picked so runs in full.
/// </summary>
public sealed class FaultTests
{
    private static readonly string s_picked = TestEnvironment.Variable("POLICYSTREAMS_FAULTS") ?? "short";

    public static TheoryData<string> Names { get; } = [.. FaultCatalogue.All.Where(Picked).Select(fault => fault.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Inject_OnARealKafka_LosesDoublesAndSkipsNothing(string name)
    {
        Fault fault = FaultCatalogue.All.Single(fault => fault.Name == name);
        for (int lost = 0; ; lost++)
        {
            var run = new FaultRun(fault, full: s_picked != "short");
            try
            {
                await fault.Inject(run);
                if (lost > 0) { run.Note = $"{run.Note}{(run.Note.Length > 0 ? "; " : "")}made again {lost} times, after Kafka itself lost the end of a transaction"; }
                FaultRun.Keep(run.Row(), run.Full);
                return;
            }
            catch (KafkaLostAnEndException) when (lost < 5)
            {
            }
            catch
            {
                // What a fault leaves behind when it goes wrong must not be the next one's.
                await Cluster.StopSharedAsync();
                throw;
            }
        }
    }

    private static bool Picked(Fault fault) => s_picked switch { "short" => fault.Short, "all" => true, _ => s_picked.Split(' ').Contains(fault.Name) };
}

/// <summary>Ends the brokers that faults share.</summary>
public sealed class SharedClusters : IAsyncLifetime
{
    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync() => await Cluster.StopSharedAsync();
}
