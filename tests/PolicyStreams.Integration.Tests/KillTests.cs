using System.Text.Json;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Integration.Tests;

/// <summary>SIGKILL at moments that nobody chose, while records keep coming.</summary>
public sealed class KillTests(KafkaFixture kafka, RegistryFixture registry)
{
    /// <summary>At least; each may be followed by another at once.</summary>
    private const int Kills = 5;
    private const int Records = 24_000;
    private static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task Run_KilledInMidStream_NothingIsUndecidedLostOrDoubled()
    {
        using PaymentsCase payments = await PaymentsCase.CreateAsync(kafka, registry);
        int seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"records and moments of seed {seed}");
        var random = new Random(seed);
        string records = Path.Combine(payments.Folder, "records.jsonl");
        await Clients.GenerateAsync(records, Records, seed);
        Task producing = Clients.ProduceAsync(payments.Bootstrap, payments.Raw, records, payments.SchemaId, perSecond: 700);

        ProcessorProcess processor = Start(payments);
        for (int kill = 1; kill <= Kills; kill++)
        {
            // A share of the way that differs from run to run, and then a moment within a transaction that differs as well.
            long past = (long)(Records * (kill - random.NextDouble()) / (Kills + 1));
            await Eventually.TrueAsync(async () => await processor.CommittedAsync() > past, s_deadline, () => $"kill {kill}: {past} records committed\n{processor.Said}");
            Assert.False(producing.IsCompleted, "The stream ended before the last kill; it has to be slower.");
            for (int spins = random.Next(2_000_000); spins > 0; spins--) { Thread.SpinWait(1); }
            processor = await KilledAndStartedAsync(payments, processor);
            if (random.Next(2) == 0)
            {
                // Once more without waiting for anything: while it starts, joins, or restores.
                await Task.Delay(random.Next(2000));
                processor = await KilledAndStartedAsync(payments, processor);
            }
        }

        await using ProcessorProcess last = processor;
        await producing;
        await last.DrainedAsync(s_deadline);
        Assert.Equal(0, await last.StopAsync());

        JsonElement report = await Clients.VerifyAsync(payments.Bootstrap, payments, records, payments.SchemaId);
        Assert.Equal(Records, report.GetProperty("decided").GetInt32());
        TestContext.Current.TestOutputHelper?.WriteLine(report.ToString());
    }

    private static async Task<ProcessorProcess> KilledAndStartedAsync(PaymentsCase payments, ProcessorProcess processor)
    {
        await processor.KillAsync();
        await processor.DisposeAsync();
        return Start(payments);
    }

    private static ProcessorProcess Start(PaymentsCase payments) =>
        ProcessorProcess.Start(payments, more: ["--instance", "kill-test", "--threads", "2", "--commit-interval", "50ms"]);
}
