using System.Text.Json;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Integration.Tests;

/// <summary>SIGKILL at moments that nobody chose, while records keep coming.</summary>
public sealed class KillTests(KafkaFixture kafka, RegistryFixture registry)
{
    /// <summary>At least; each may be followed by another at once.</summary>
    private const int Kills = 5;
    private const int RecordsMax = 60_000;
    private const int RecordsAtATime = 500;
    private static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task Run_KilledInMidStream_NothingIsUndecidedLostOrDoubled()
    {
        using PaymentsCase payments = await PaymentsCase.CreateAsync(kafka, registry);
        int seed = Random.Shared.Next();
        TestContext.Current.TestOutputHelper?.WriteLine($"records and moments of seed {seed}");
        var random = new Random(seed);
        string all = Path.Combine(payments.Folder, "all.jsonl");
        await Clients.GenerateAsync(all, RecordsMax, seed);
        string records = Path.Combine(payments.Folder, "records.jsonl");
        using var enough = new CancellationTokenSource();
        Task<int> producing = ProduceUntilAsync(payments, all, records, enough.Token);

        ProcessorProcess processor = Start(payments);
        long committed = 0;
        for (int kill = 1; kill <= Kills; kill++)
        {
            // Some way on that differs from run to run, and then a moment within a transaction that differs as well.
            long past = committed + random.Next(1, 3 * RecordsAtATime);
            await Eventually.TrueAsync(async () => (committed = await processor.CommittedAsync()) > past, s_deadline, () => $"kill {kill}: {past} records committed\n{processor.Said}");
            Assert.False(producing.IsCompleted, "The records ran out before the last kill.");
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
        await enough.CancelAsync();
        int produced = await producing;
        await last.DrainedAsync(s_deadline);
        Assert.Equal(0, await last.StopAsync());

        JsonElement report = await Clients.VerifyAsync(payments.Bootstrap, payments, records, payments.SchemaId);
        Assert.Equal(produced, report.GetProperty("decided").GetInt32());
        TestContext.Current.TestOutputHelper?.WriteLine(report.ToString());
    }

    /// <summary>Keeps records coming, a handful at a time, until it is enough; what was produced is in <paramref name="records"/>.</summary>
    private static async Task<int> ProduceUntilAsync(PaymentsCase payments, string all, string records, CancellationToken enough)
    {
        int produced = 0;
        string part = records + ".part";
        foreach (string[] lines in File.ReadLines(all).Chunk(RecordsAtATime))
        {
            if (enough.IsCancellationRequested) { return produced; }
            await File.WriteAllLinesAsync(part, lines, CancellationToken.None);
            await Clients.ProduceAsync(payments.Bootstrap, payments.Raw, part, payments.SchemaId, perSecond: 1000);
            await File.AppendAllLinesAsync(records, lines, CancellationToken.None);
            produced += lines.Length;
        }

        return produced;
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
