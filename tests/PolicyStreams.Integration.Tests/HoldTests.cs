using System.Text.Json;
using PolicyStreams.Integration.Tests.Support;

namespace PolicyStreams.Integration.Tests;

/// <summary>From a hold to its end, through the real approval service and the command that approvers use.</summary>
public sealed class HoldTests(KafkaFixture kafka, RegistryFixture registry)
{
    private const int HoldsInTheFile = 22;
    private static readonly TimeSpan s_deadline = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task Holds_ApprovedAndRejected_EndAsTheirApproversSay()
    {
        using PaymentsCase payments = await PaymentsCase.CreateAsync(kafka, registry);
        await using var issuer = new TestIssuer();
        string records = await ProduceAsync(payments);
        string[] keys = await KeysAsync(payments);
        await using ProcessorProcess processor = ProcessorProcess.Start(payments, more: keys);
        await processor.DrainedAsync(s_deadline);
        await using Desk desk = await Desk.OpenAsync(payments, issuer);

        JsonElement[] holds = await desk.HoldsAsync("rita", HoldsInTheFile, "risk");
        string byPhone = Id(holds, hold => Rules(hold).Contains("phone-order") && !Rules(hold).Contains("large-payment"));
        string large = Id(holds, hold => Rules(hold).Contains("large-payment") && !Rules(hold).Contains("phone-order"));
        string refused = Id(holds.Reverse(), hold => Rules(hold).Contains("phone-order"));
        Assert.NotEqual(byPhone, refused);
        // Nobody sees a record: what approvers see is masked.
        RunResult shown = await desk.AskAsync("rita", ["risk"], "show", byPhone, "--output", "json");
        Assert.Matches("\"card_number\":\\s*\"\\*{12}\\d{4}\"", shown.Succeeded());

        (await desk.SayAsync("fred", "fraud", "approve", byPhone)).Succeeded();
        await EndsAsync(payments, processor, byPhone, "released");

        // One person is not two, however often; another group is none.
        (await desk.SayAsync("rita", "risk", "approve", large)).Succeeded();
        Assert.NotEqual(0, (await desk.SayAsync("fred", "fraud", "approve", large)).ExitCode);
        await desk.SayAsync("rita", "risk", "approve", large);
        await EventAsync(payments, processor, large, "approval");
        Assert.DoesNotContain(await DecisionsAsync(payments), decision => Is(decision, large, "released"));
        (await desk.SayAsync("ralf", "risk", "approve", large)).Succeeded();
        await EndsAsync(payments, processor, large, "released");

        (await desk.SayAsync("rita", "risk", "reject", refused)).Succeeded();
        await EndsAsync(payments, processor, refused, "refused");
        Assert.Equal(HoldsInTheFile - 3, (await desk.HoldsAsync("rita", HoldsInTheFile - 3, "risk")).Length);

        await Clients.VerifyAsync(payments.Bootstrap, payments, records, payments.SchemaId);
    }

    [Fact]
    public async Task Holds_ProcessorKilledAndStartedAgain_AreThereAndCanBeReleased()
    {
        using PaymentsCase payments = await PaymentsCase.CreateAsync(kafka, registry);
        await using var issuer = new TestIssuer();
        string records = await ProduceAsync(payments);
        string[] options = [.. await KeysAsync(payments), "--instance", "holds"];
        await using (ProcessorProcess killed = ProcessorProcess.Start(payments, more: options))
        {
            await killed.DrainedAsync(s_deadline);
            await killed.KillAsync();
        }

        await using ProcessorProcess processor = ProcessorProcess.Start(payments, more: options);
        await processor.ReadyAsync(s_deadline);
        await using Desk desk = await Desk.OpenAsync(payments, issuer);
        foreach (JsonElement hold in (await desk.HoldsAsync("rita", HoldsInTheFile, "risk")).Where(hold => !Rules(hold).Contains("large-payment")))
        {
            string id = hold.GetProperty("id").GetString()!;
            (await desk.SayAsync("rita", "risk", "approve", id)).Succeeded();
            await EndsAsync(payments, processor, id, "released");
        }

        Assert.Equal(0, await processor.StopAsync());
        await Clients.VerifyAsync(payments.Bootstrap, payments, records, payments.SchemaId);
    }

    [Fact]
    public async Task Holds_NobodyDecides_ExpireAsThePolicySays()
    {
        using PaymentsCase payments = await PaymentsCase.CreateAsync(
            kafka, registry, text => text.Replace("expires: 4h", "expires: 2s", StringComparison.Ordinal).Replace("expires: 1h", "expires: 2s", StringComparison.Ordinal));
        string records = await ProduceAsync(payments);
        await using ProcessorProcess processor = ProcessorProcess.Start(payments);
        await processor.DrainedAsync(s_deadline);

        await Eventually.TrueAsync(
            async () => (await DecisionsAsync(payments)).Count(decision => decision.GetProperty("event").GetString() == "expired") == HoldsInTheFile, s_deadline, () => processor.Said);
        Assert.Equal(0, await processor.StopAsync());
        JsonElement report = await Clients.VerifyAsync(payments.Bootstrap, payments, records, payments.SchemaId);
        Assert.Equal(58 + HoldsInTheFile, report.GetProperty("written").GetProperty(payments.Rejected).GetInt32());
    }

    private static string[] Rules(JsonElement hold) => [.. hold.GetProperty("rules").EnumerateArray().Select(rule => rule.GetString()!)];

    private static string Id(IEnumerable<JsonElement> holds, Func<JsonElement, bool> which) => holds.First(which).GetProperty("id").GetString()!;

    private static async Task<string> ProduceAsync(PaymentsCase payments)
    {
        string records = Path.Combine(payments.Folder, "records.jsonl");
        await Clients.GenerateAsync(records, 332, seed: 20260102);
        await Clients.ProduceAsync(payments.Bootstrap, payments.Raw, records, payments.SchemaId);
        return records;
    }

    private static async Task<string[]> KeysAsync(PaymentsCase payments)
    {
        string publicKeys = Path.Combine(payments.Folder, "approval.jwks.json");
        (await Run.PolicyStreamsAsync("approvals", "keygen", "--out", Path.Combine(payments.Folder, "approval.pem"), "--public", publicKeys)).Succeeded();
        return ["--key", $"hold-key=file:{payments.HoldKeyFile}", "--hold-key", "hold-key", "--approval-keys", publicKeys];
    }

    private static async Task<IReadOnlyList<JsonElement>> DecisionsAsync(PaymentsCase payments) =>
        [.. (await Clients.ConsumeAsync(payments.Bootstrap, payments.Decisions)).Select(record => record.Json())];

    private static bool Is(JsonElement decision, string hold, string @event) =>
        decision.GetProperty("event").GetString() == @event && decision.GetProperty("id").GetString()!.StartsWith(hold + "/", StringComparison.Ordinal);

    private static Task EventAsync(PaymentsCase payments, ProcessorProcess processor, string hold, string @event) =>
        Eventually.TrueAsync(async () => (await DecisionsAsync(payments)).Any(decision => Is(decision, hold, @event)), s_deadline, () => $"no {@event} of {hold}\n{processor.Said}");

    private static async Task EndsAsync(PaymentsCase payments, ProcessorProcess processor, string hold, string @event)
    {
        await EventAsync(payments, processor, hold, @event);
        Assert.Equal($"{hold}/end", (await DecisionsAsync(payments)).Single(decision => Is(decision, hold, @event)).GetProperty("id").GetString());
    }

    /// <summary>The approval service of a case, and people who speak to it through <c>policystreams approvals</c>.</summary>
    private sealed class Desk : IAsyncDisposable
    {
        private readonly CommandProcess _service;
        private readonly TestIssuer _issuer;
        private readonly string _url;

        private Desk(CommandProcess service, TestIssuer issuer, string url)
        {
            _service = service;
            _issuer = issuer;
            _url = url;
        }

        public static async Task<Desk> OpenAsync(PaymentsCase payments, TestIssuer issuer)
        {
            string url = $"http://127.0.0.1:{ScriptedService.FreePorts()}";
            var service = new CommandProcess(
            [
                "approval-service", "--bootstrap", payments.Bootstrap, "--policies", payments.Policies, "--authority", issuer.Address, "--audience", TestIssuer.Audience,
                "--signing-key", Path.Combine(payments.Folder, "approval.pem"), "--http", url,
            ]);
            using var http = new HttpClient { BaseAddress = new Uri(url) };
            await Eventually.TrueAsync(
                async () =>
                {
                    if (service.HasExited) { Assert.Fail($"The approval service has ended:\n{service.Said}"); }
                    try
                    {
                        return (await http.GetAsync(new Uri("/ready", UriKind.Relative))).IsSuccessStatusCode;
                    }
                    catch (HttpRequestException)
                    {
                        return false;
                    }
                },
                s_deadline,
                () => service.Said);
            return new Desk(service, issuer, url);
        }

        public Task<RunResult> SayAsync(string person, string group, string verdict, string hold) =>
            AskAsync(person, [group], verdict, hold, "--reason", "called the customer");

        public Task<RunResult> AskAsync(string person, string[] groups, params string[] arguments) =>
            Run.PolicyStreamsAsync(new Dictionary<string, string> { ["POLICYSTREAMS_TOKEN"] = _issuer.Token(person, groups) }, ["approvals", .. arguments, "--url", _url]);

        /// <summary>Waits until the person sees this many holds.</summary>
        public async Task<JsonElement[]> HoldsAsync(string person, int count, params string[] groups)
        {
            JsonElement[] holds = [];
            string last = "";
            await Eventually.TrueAsync(
                async () =>
                {
                    last = (await AskAsync(person, groups, "list", "--output", "json")).Succeeded();
                    JsonElement answer = JsonDocument.Parse(last).RootElement;
                    holds = [.. (answer.ValueKind == JsonValueKind.Array ? answer : answer.GetProperty("holds")).EnumerateArray()];
                    return holds.Length == count;
                },
                s_deadline,
                () => $"{count} holds for {person}\n{_service.Said}\n{last}");
            return holds;
        }

        public ValueTask DisposeAsync() => _service.DisposeAsync();
    }
}
