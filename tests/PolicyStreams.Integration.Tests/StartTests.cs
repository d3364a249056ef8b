using System.Text.RegularExpressions;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Integration.Tests;

/// <summary>What <c>run</c> does where something is not as it should be when it starts, and when a policy changes under it.</summary>
public sealed partial class StartTests(KafkaFixture kafka, RegistryFixture registry)
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task Run_PolicyWithErrors_SaysAllOfThemAndStartsNothing()
    {
        using PaymentsCase payments = await PaymentsCase.CreateAsync(kafka, registry);
        payments.WritePolicy(text => PaymentsCase.Once(PaymentsCase.Once(text, "value.channel == \"APP\"", "value.chanel == \"APP\""), "id: sanctioned\n    when: value.country", "id: sanctioned\n    when: value.contry"));
        await using ProcessorProcess processor = ProcessorProcess.Start(payments);

        Assert.Equal(1, await processor.ExitAsync(s_deadline));
        string[] errors = [.. ErrorLine().Matches(processor.Said).Select(match => match.Groups["message"].Value)];
        Assert.Contains(errors, message => message.Contains("contry", StringComparison.Ordinal));
        Assert.Contains(errors, message => message.Contains("chanel", StringComparison.Ordinal));
        Assert.Equal(0, await processor.CommittedAsync());
    }

    [Fact]
    public async Task Run_OptionThatIsNotThere_Exits2AndNamesIt()
    {
        RunResult result = await Run.PolicyStreamsAsync("run", "--bootstap", "localhost:1");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("--bootstap", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_BrokerNotThereYet_SaysSoAndIsReadyOnceItComes()
    {
        using PaymentsCase payments = await PaymentsCase.CreateAsync(kafka, registry);
        string[] broker = payments.Bootstrap.Split(',')[0].Split(':');
        await using var way = new TcpForwarder(broker[0], int.Parse(broker[1], System.Globalization.CultureInfo.InvariantCulture));
        await using ProcessorProcess processor = ProcessorProcess.Start(payments, bootstrap: $"127.0.0.1:{way.Port}");
        await SaysAsync(processor, $"127.0.0.1:{way.Port}");
        await IsLiveAndNotReadyAsync(processor);

        way.Open();
        await processor.ReadyAsync(s_deadline);
        await DecidesAsync(payments, processor);
    }

    [Fact]
    public async Task Run_RegistryNotThereYet_SaysSoAndIsReadyOnceItComes()
    {
        using PaymentsCase payments = await PaymentsCase.CreateAsync(kafka, registry);
        var real = new Uri(payments.Registry);
        await using var way = new TcpForwarder(real.Host, real.Port);
        await using ProcessorProcess processor = ProcessorProcess.Start(payments, registry: $"http://127.0.0.1:{way.Port}{real.AbsolutePath}");
        await SaysAsync(processor, $"127.0.0.1:{way.Port}");
        await IsLiveAndNotReadyAsync(processor);

        way.Open();
        await processor.ReadyAsync(s_deadline);
        await DecidesAsync(payments, processor);
    }

    [Fact]
    public async Task Run_PolicyChanges_TakesEffectOnTheRunningStream()
    {
        using PaymentsCase payments = await PaymentsCase.CreateAsync(kafka, registry);
        string records = await OneCleanRecordAsync(payments);
        await using ProcessorProcess processor = ProcessorProcess.Start(payments);
        Assert.Equal("allow", await DecideNextAsync(payments, processor, records));

        payments.WritePolicy(text => PaymentsCase.Once(text, "when: value.country in [\"KP\", \"IR\", \"SY\", \"CU\"]", "when: value.amount > 0.0"));
        await Eventually.TrueAsync(async () => await DecideNextAsync(payments, processor, records) == "deny", s_deadline, () => processor.Said);

        string?[] digests = [.. (await Decided(payments)).Select(decision => decision.Json().GetProperty("digest").GetString()).Distinct()];
        Assert.Equal(2, digests.Length);
        // Before its first decision under a digest a task says which policy it is.
        IReadOnlyList<ConsumedRecord> all = await Clients.ConsumeAsync(payments.Bootstrap, payments.Decisions);
        foreach (string? digest in digests) { Assert.Contains(all, record => record.Key == $"policy/{digest}"); }
    }

    [Fact]
    public async Task Run_PolicyChangesToOneWithAnError_KeepsTheOldOneAndSaysSo()
    {
        using PaymentsCase payments = await PaymentsCase.CreateAsync(kafka, registry);
        string records = await OneCleanRecordAsync(payments);
        await using ProcessorProcess processor = ProcessorProcess.Start(payments);
        Assert.Equal("allow", await DecideNextAsync(payments, processor, records));

        payments.WritePolicy(text => PaymentsCase.Once(text, "when: value.country in [\"KP\", \"IR\", \"SY\", \"CU\"]", "when: value.amout > 0.0"));
        await SaysAsync(processor, "amout");
        Assert.Equal(503, await processor.StatusAsync("/ready"));
        Assert.Equal("allow", await DecideNextAsync(payments, processor, records));
        Assert.Single((await Decided(payments)).Select(decision => decision.Json().GetProperty("digest").GetString()).Distinct());

        payments.WritePolicy(text => text);
        await processor.ReadyAsync(s_deadline);
    }

    private static async Task<string> OneCleanRecordAsync(PaymentsCase payments)
    {
        string all = Path.Combine(payments.Folder, "all.jsonl"), one = Path.Combine(payments.Folder, "one.jsonl");
        await Clients.GenerateAsync(all, 332, seed: 11);
        await File.WriteAllTextAsync(one, (await File.ReadAllLinesAsync(all)).First(line => line.Contains("\"case\":\"clean\"", StringComparison.Ordinal)) + "\n");
        return one;
    }

    /// <summary>Produces the record once more, and says what became of it.</summary>
    private static async Task<string?> DecideNextAsync(PaymentsCase payments, ProcessorProcess processor, string records)
    {
        await Clients.ProduceAsync(payments.Bootstrap, payments.Raw, records, payments.SchemaId);
        await processor.DrainedAsync(s_deadline);
        return (await Decided(payments))[^1].Json().GetProperty("outcome").GetString();
    }

    private static async Task<IReadOnlyList<ConsumedRecord>> Decided(PaymentsCase payments) =>
        [.. (await Clients.ConsumeAsync(payments.Bootstrap, payments.Decisions)).Where(record => record.Json().GetProperty("event").GetString() == "decided")];

    private static async Task DecidesAsync(PaymentsCase payments, ProcessorProcess processor)
    {
        string records = Path.Combine(payments.Folder, "records.jsonl");
        await Clients.GenerateAsync(records, 332, seed: 3);
        await Clients.ProduceAsync(payments.Bootstrap, payments.Raw, records, payments.SchemaId);
        await processor.DrainedAsync(s_deadline);
        await Clients.VerifyAsync(payments.Bootstrap, payments, records, payments.SchemaId);
    }

    private static async Task IsLiveAndNotReadyAsync(ProcessorProcess processor)
    {
        await Eventually.TrueAsync(async () => await processor.StatusAsync("/live") == 200, s_deadline, () => $"not live\n{processor.Said}");
        Assert.Equal(503, await processor.StatusAsync("/ready"));
    }

    private static Task SaysAsync(ProcessorProcess processor, string text) =>
        Eventually.TrueAsync(() => processor.Said.Contains(text, StringComparison.Ordinal) || Ended(processor), s_deadline, () => $"no word of {text}\n{processor.Said}");

    private static bool Ended(ProcessorProcess processor)
    {
        if (processor.HasExited) { Assert.Fail($"The processor has ended:\n{processor.Said}"); }
        return false;
    }

    [GeneratedRegex(@"^\S*payments\.policy\.yaml:\d+:\d+: PS\d{4} error: (?<message>.+)$", RegexOptions.Multiline)]
    private static partial Regex ErrorLine();
}
