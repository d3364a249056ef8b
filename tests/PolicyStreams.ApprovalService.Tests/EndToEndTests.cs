using System.Text;
using System.Text.Json;
using Confluent.Kafka;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging.Abstractions;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Processor.Tests.Holds;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.ApprovalService.Tests;

public sealed class EndToEndTests
{
    [Fact]
    public async Task Approve_HoldOnTheStateTopic_IsAStatementThatTheTallyCounts()
    {
        using var broker = new MockBroker();
        await using Provider provider = await Provider.StartAsync();
        using StatementSigner signer = StatementSigner.Generate();
        var client = new HoldClientOptions { Topics = [new HoldTopics("state.payments", "approvals.payments")], Kafka = broker.Kafka };
        using var view = new HoldView(client, NullLogger<HoldView>.Instance);
        using var sink = new StatementSink(client, NullLogger<StatementSink>.Instance);
        var options = new ApprovalServiceOptions { Address = "http://127.0.0.1:0", Authority = provider.Issuer, Audience = Provider.Audience, RequestsBurst = 1000 };
        await using WebApplication app = ApprovalServiceApp.Build(options, view, sink, signer);
        await app.StartAsync();
        HoldState state = Samples.Hold().State;
        await broker.WriteAsync("state.payments", 3, state.Id, Bytes(state));
        view.Start();
        using var http = new HttpClient { BaseAddress = new Uri(app.Urls.Single()), DefaultRequestHeaders = { Authorization = new("Bearer", provider.Token("ben", ["risk"])) } };
        await MockBroker.Until(() => view.Status.Ready);

        JsonElement stated = await Service.Json(await http.PostAsync($"/holds/{state.Id}/approve", new StringContent("""{"reason":"fine"}""", null, "application/json")));
        long offset = long.Parse(stated.GetProperty("decision").GetString()!.Split("/a-")[1], null);
        ConsumeResult<byte[], byte[]> written = broker.Read("approvals.payments", 3, offset)!;
        using StatementVerifier verifier = StatementVerifier.TryParse(signer.PublicJwks(), out _)!;
        Assert.Equal(StatementOutcome.Valid, verifier.Verify(written.Message.Value, out Statement? statement));
        Assert.Equal(TallyOutcome.Counted, HoldTally.Check(state, statement!, Encoding.UTF8.GetString(written.Message.Key), state.DecidedMs + 1));

        // As the processor then has it: counted, and after the second person's word ended.
        await broker.WriteAsync("state.payments", 3, state.Id, Bytes(HoldTally.Add(state, statement!, offset, state.DecidedMs + 1)));
        await MockBroker.Until(() => view.Find(state.Id)!.State.Statements.Count == 1);
        Assert.Equal("repeat", await Service.Problem(await http.PostAsync($"/holds/{state.Id}/approve", new StringContent("""{"reason":"fine"}""", null, "application/json")), 409));
        await broker.WriteAsync("state.payments", 3, state.Id, null);
        await MockBroker.Until(() => view.Find(state.Id) is null);
        Assert.Equal("no-such-hold", await Service.Problem(await http.GetAsync($"/holds/{state.Id}"), 404));
    }

    private static byte[] Bytes(HoldState state)
    {
        var output = new ByteBuffer();
        state.Write(output);
        return output.Written.ToArray();
    }
}
