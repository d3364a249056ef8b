using System.Text.Json;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Integration.Tests;

/// <summary>Real broker, real registry, clients that are not ours on both sides; see tests/clients/verify.py for what must be so.</summary>
public sealed class EndToEndTests(KafkaFixture kafka, RegistryFixture registry)
{
    private static readonly TimeSpan s_drain = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task Run_TwentyThousandRecords_EachHasItsDecisionAndItsBytes()
    {
        using PaymentsCase payments = await PaymentsCase.CreateAsync(kafka, registry);
        (string records, int seed) = await RecordsAsync(payments, 20_000);
        await Clients.ProduceAsync(payments.Bootstrap, payments.Raw, records, payments.SchemaId);

        await using ProcessorProcess processor = ProcessorProcess.Start(payments, withHttp: false, more: ["--threads", "2"]);
        await processor.DrainedAsync(s_drain);
        Assert.Equal(0, await processor.StopAsync());

        JsonElement report = await Clients.VerifyAsync(payments.Bootstrap, payments, records, payments.SchemaId);
        Assert.Equal(20_000, report.GetProperty("decided").GetInt32());
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: {report}");
    }

    [Fact]
    public async Task Run_ProcessesJoinAndLeaveInMidStream_NothingIsLostOrDoubled()
    {
        using PaymentsCase payments = await PaymentsCase.CreateAsync(kafka, registry);
        (string records, int seed) = await RecordsAsync(payments, 12_000);
        Task producing = Clients.ProduceAsync(payments.Bootstrap, payments.Raw, records, payments.SchemaId, perSecond: 2000);

        // Two processes on one machine, without any further option than those of the first.
        await using ProcessorProcess first = ProcessorProcess.Start(payments);
        await CommittedAsync(first, 2000);
        await using ProcessorProcess second = ProcessorProcess.Start(payments);
        await second.ReadyAsync(s_drain);
        await CommittedAsync(first, 6000);
        Assert.Equal(0, await first.StopAsync());
        await producing;
        await second.DrainedAsync(s_drain);
        Assert.Equal(0, await second.StopAsync());

        JsonElement report = await Clients.VerifyAsync(payments.Bootstrap, payments, records, payments.SchemaId);
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: {report}");
    }

    [Fact]
    public async Task Run_TextThatIsNoAvro_IsRejectedWithADecisionAndTheNextRecordIsNotAffected()
    {
        using PaymentsCase payments = await PaymentsCase.CreateAsync(kafka, registry);
        (string records, int _) = await RecordsAsync(payments, 40);
        await Clients.KcatProduceAsync(payments.Bootstrap, payments.Raw, 1, "customer-001", "this is not Avro");
        await Clients.ProduceAsync(payments.Bootstrap, payments.Raw, records, payments.SchemaId);

        await using ProcessorProcess processor = ProcessorProcess.Start(payments);
        await processor.DrainedAsync(s_drain);

        string id = $"{payments.Raw}-1-0";
        ConsumedRecord rejected = Assert.Single(await Clients.ConsumeAsync(payments.Bootstrap, payments.Rejected), record => record.Header("ps-decision") == id);
        Assert.Equal("this is not Avro", System.Text.Encoding.UTF8.GetString(Convert.FromHexString(rejected.Value!)).TrimEnd('\n'));
        Assert.Equal("ps:undecodable", rejected.Header("ps-rules"));
        Assert.Equal("customer-001", rejected.Key);
        IReadOnlyList<ConsumedRecord> decisions = await Clients.ConsumeAsync(payments.Bootstrap, payments.Decisions);
        JsonElement decision = Assert.Single(decisions, record => record.Key == id).Json();
        Assert.Equal("not-framed", decision.GetProperty("errors")[0].GetProperty("code").GetString());
        Assert.Equal(41, decisions.Count(record => record.Json().GetProperty("event").GetString() == "decided"));
    }

    [Fact]
    public async Task Run_WithHttp_AnswersLiveReadyAndMetrics()
    {
        using PaymentsCase payments = await PaymentsCase.CreateAsync(kafka, registry);
        (string records, int _) = await RecordsAsync(payments, 332);
        await Clients.ProduceAsync(payments.Bootstrap, payments.Raw, records, payments.SchemaId);
        await using ProcessorProcess processor = ProcessorProcess.Start(payments);
        await processor.DrainedAsync(s_drain);
        await processor.ReadyAsync(s_drain);

        Assert.Equal(200, await processor.StatusAsync("/live"));
        string metrics = await processor.Http.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        ConsumedRecord decided = (await Clients.ConsumeAsync(payments.Bootstrap, payments.Decisions)).First(record => record.Json().GetProperty("event").GetString() == "decided");
        Assert.Contains(decided.Json().GetProperty("digest").GetString()!, metrics, StringComparison.Ordinal);
        foreach (string outcome in (string[])["allow", "deny", "hold"]) { Assert.Contains($"\"{outcome}\"", metrics, StringComparison.Ordinal); }
        foreach (string name in (string[])["process_cpu_seconds_total", "process_resident_memory_bytes", "dotnet_gc_heap_total_allocated_bytes_total"]) { Assert.Matches($@"(?m)^{name} (?!0$)[0-9.]+$", metrics); }
        // Clean records carry card numbers; no payload may show.
        Assert.DoesNotContain("customer-0", metrics, StringComparison.Ordinal);
    }

    private static async Task<(string File, int Seed)> RecordsAsync(PaymentsCase payments, int count)
    {
        int seed = Random.Shared.Next();
        string file = Path.Combine(payments.Folder, "records.jsonl");
        TestContext.Current.TestOutputHelper?.WriteLine($"records of seed {seed}");
        await Clients.GenerateAsync(file, count, seed);
        return (file, seed);
    }

    private static Task CommittedAsync(ProcessorProcess processor, long records) =>
        Eventually.TrueAsync(async () => await processor.CommittedAsync() >= records, s_drain, () => $"{records} records committed\n{processor.Said}");
}
