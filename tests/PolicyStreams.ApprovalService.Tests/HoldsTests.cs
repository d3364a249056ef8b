using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using PolicyStreams.Processor.Holds;

namespace PolicyStreams.ApprovalService.Tests;

public sealed class HoldsTests(Service service) : IClassFixture<Service>
{
    private static int _ids;

    // Each test has holds, a group, and a person of its own: the service is shared.
    private readonly string _id = $"raw.payments-3-{Interlocked.Increment(ref _ids)}";
    private readonly string _group = $"group-{_ids}";

    private Provider Provider => service.Provider;

    [Fact]
    public async Task List_Caller_SeesTheHoldsOfTheirGroupsAlone()
    {
        Add(_id, _group);
        Add(_id + "0", _group + "-others");
        JsonElement page = await Service.Json(await service.Get("/holds", Token()));
        Assert.Equal([_id], Ids(page));
        Assert.False(page.TryGetProperty("next", out _));
        JsonElement hold = page.GetProperty("holds")[0];
        Assert.Equal("2026-01-02T03:04:05.678+00:00", hold.GetProperty("decided").GetString());
        Assert.Equal(2, hold.GetProperty("terms")[0].GetProperty("quorum").GetInt32());
        Assert.Equal("deny", hold.GetProperty("terms")[0].GetProperty("on_expiry").GetString());
        Assert.False(hold.TryGetProperty("view", out _));
    }

    [Fact]
    public async Task Show_ForeignHold_IsNotThere()
    {
        Add(_id, _group);
        Assert.Equal("no-such-hold", await Service.Problem(await service.Get($"/holds/{_id}", Provider.Token(groups: [_group + "-others"])), 404));
        Assert.Equal("no-such-hold", await Service.Problem(await Approve(_id, Provider.Token(groups: [_group + "-others"])), 404));
        Assert.Equal("no-such-hold", await Service.Problem(await service.Get("/holds/raw.none-0-1", Token()), 404));
    }

    [Fact]
    public async Task Show_Viewer_SeesButDoesNotDecide()
    {
        Add(_id, _group);
        string token = Provider.Token("val", roles: ["policystreams-viewer"]);
        Assert.False((await Service.Json(await service.Get($"/holds/{_id}", token))).GetProperty("may_decide").GetBoolean());
        Assert.Contains(_id, Ids(await Service.Json(await service.Get("/holds?limit=500", token))));
        Assert.Equal("unentitled", await Service.Problem(await Approve(_id, token), 403));
        Assert.Equal(0, Written(_id));
    }

    [Fact]
    public async Task Show_View_IsPassedOnByteForByte()
    {
        const string view = """{"a" : [1, 2.50, 1e400, "\u00e9\ud800"], "a":{"b":"<é>"}}""";
        Add(_id, _group, view: view);
        HttpResponseMessage response = await service.Get($"/holds/{_id}", Token());
        string text = await response.Content.ReadAsStringAsync();
        Assert.Contains("\"view\":" + view + ",\"view_digest\":\"" + HoldState.DigestOf(System.Text.Encoding.UTF8.GetBytes(view)), text);
        Assert.Contains("no-store", response.Headers.CacheControl!.ToString());
    }

    [Fact]
    public async Task List_FilterAndPages_WalkAllHoldsOnce()
    {
        for (int i = 0; i < 7; i++) { Add($"{_id}{i}", _group, decidedMs: 1000 - i % 3, binding: i == 6 ? "refunds" : "payments"); }
        var seen = new List<string>();
        string? next = null;
        do
        {
            JsonElement page = await Service.Json(await service.Get($"/holds?binding=payments&group={_group}&limit=2" + (next is null ? "" : $"&after={next}"), Token()));
            seen.AddRange(Ids(page));
            next = page.TryGetProperty("next", out JsonElement text) ? text.GetString() : null;
        }
        while (next is not null);
        Assert.Equal(6, seen.Count);
        Assert.Equal(6, seen.Distinct().Count());
    }

    [Theory]
    [InlineData("limit=0", "limit-range")]
    [InlineData("limit=501", "limit-range")]
    [InlineData("limit=x", "query-malformed")]
    [InlineData("after=!!", "after-unknown")]
    [InlineData("after=AAAA", "after-unknown")]
    public async Task List_BadQuery_IsAProblem(string query, string code) => Assert.Equal(code, await Service.Problem(await service.Get("/holds?" + query, Token()), 400));

    [Fact]
    public async Task Approve_Entitled_WritesASignedStatementOfWhatWasSeen()
    {
        OpenHold hold = Add(_id, _group);
        JsonElement stated = await Service.Json(await service.Post($"/holds/{_id}/approve", Provider.Token("ann", [_group, "staff"]), """{"reason":"  called the customer: it is fine  "}"""));
        (OpenHold written, byte[] jws) = service.Sink.Written.Single(statement => statement.Hold.State.Id == _id);
        Assert.Equal((3, "approvals.payments"), (written.Partition, written.Topics.Approvals));
        Assert.Equal(StatementOutcome.Valid, service.Verifier.Verify(jws, out Statement? statement));
        Assert.Equal((_id, StatementVerdict.Approve, Provider.Issuer, "ann", "called the customer: it is fine"), (statement!.Hold, statement.Verdict, statement.Issuer, statement.Subject, statement.Reason));
        Assert.Equal([_group], statement.Groups);
        Assert.Equal((hold.State.Record, hold.State.Digest, hold.State.ViewDigest), (statement.Record, statement.Policy, statement.View));
        Assert.Equal(statement.Id, stated.GetProperty("statement").GetString());
        Assert.StartsWith(_id + "/a-", stated.GetProperty("decision").GetString());
        Assert.Equal(TallyOutcome.Counted, HoldTally.Check(hold.State, statement, _id, hold.State.DecidedMs));
    }

    [Fact]
    public async Task Reject_Entitled_WritesAReject()
    {
        Add(_id, _group);
        HttpResponseMessage response = await service.Post($"/holds/{_id}/reject", Token(), """{"reason":"no"}""");
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal("/holds/" + _id, response.Headers.Location!.ToString());
        service.Verifier.Verify(service.Sink.Written.Single(statement => statement.Hold.State.Id == _id).Jws, out Statement? statement);
        Assert.Equal(StatementVerdict.Reject, statement!.Verdict);
    }

    [Theory]
    [InlineData("{}", 400, "reason-missing")]
    [InlineData("""{"reason":null}""", 400, "reason-missing")]
    [InlineData("""{"reason":"  \n "}""", 400, "reason-missing")]
    [InlineData("""{"reason":1}""", 400, "body-malformed")]
    [InlineData("""{"reason":"a","verdict":"approve"}""", 400, "body-malformed")]
    [InlineData("""{"reason":"a","reason":"b"}""", 400, "body-malformed")]
    [InlineData("""{"reason":"a\u0000b"}""", 400, "reason-not-text")]
    [InlineData("""{"reason":"a\u001b[2Jb"}""", 400, "reason-not-text")]
    [InlineData("""{"reason":"a\ud800b"}""", 400, "body-malformed")]
    [InlineData("", 400, "body-malformed")]
    [InlineData("null", 400, "body-malformed")]
    [InlineData("[]", 400, "body-malformed")]
    [InlineData("reason: SECRET", 400, "body-malformed")]
    public async Task Approve_BadBody_IsAProblemAndWritesNothing(string body, int status, string code)
    {
        Add(_id, _group);
        HttpResponseMessage response = await service.Post($"/holds/{_id}/approve", Token(), body);
        Assert.Equal(code, await Service.Problem(response, status));
        Assert.DoesNotContain("SECRET", await response.Content.ReadAsStringAsync());
        Assert.Equal(0, Written(_id));
    }

    [Theory]
    [InlineData(1000, 202)]
    [InlineData(1001, 400)]
    public async Task Approve_ReasonAroundTheBound_IsTakenToAThousandCharacters(int length, int status)
    {
        Add(_id, _group);
        HttpResponseMessage response = await service.Post($"/holds/{_id}/approve", Token(), JsonSerializer.Serialize(new { reason = new string('é', length) }));
        Assert.Equal(status, (int)response.StatusCode);
        if (status == 400) { Assert.Equal("reason-too-long", await Service.Problem(response, 400)); }
    }

    [Fact]
    public async Task Approve_OversizedBody_IsNotRead()
    {
        Add(_id, _group);
        Assert.Equal("body-too-large", await Service.Problem(await service.Post($"/holds/{_id}/approve", Token(), "{\"reason\":\"" + new string('x', 20_000) + "\"}"), 413));
    }

    [Fact]
    public async Task Approve_NotSentAsJson_IsAProblem()
    {
        Add(_id, _group);
        Assert.Equal("not-json", await Service.Problem(await service.Post($"/holds/{_id}/approve", Token(), "reason=x", "application/x-www-form-urlencoded"), 415));
    }

    [Fact]
    public async Task Approve_MemberOfTheProducersGroup_IsRefusedUnlessTheTermsAllowIt()
    {
        Add(_id, _group);
        Add(_id + "0", _group, own: true);
        string token = Provider.Token("pat", [_group, "payments-producers"]);
        Assert.Equal("own-group", await Service.Problem(await Approve(_id, token), 403));
        await Service.Json(await Approve(_id + "0", token));
        service.Verifier.Verify(service.Sink.Written.Single(statement => statement.Hold.State.Id == _id + "0").Jws, out Statement? statement);
        Assert.Equal(["payments-producers", _group], statement!.Groups);
    }

    [Fact]
    public async Task Approve_CountedAlready_IsARepeatButRejectIsNot()
    {
        OpenHold hold = Add(_id, _group);
        var counted = new CountedStatement(1, StatementVerdict.Approve, Provider.Issuer, "ann", [_group], hold.State.DecidedMs);
        service.View.Holds[_id] = hold with { State = hold.State with { Statements = [counted] } };
        Assert.Equal("repeat", await Service.Problem(await Approve(_id, Token()), 409));
        JsonElement shown = await Service.Json(await service.Get($"/holds/{_id}", Token()));
        Assert.Equal(1, shown.GetProperty("terms")[0].GetProperty("approved").GetInt32());
        Assert.Equal("ann", shown.GetProperty("statements")[0].GetProperty("subject").GetString());
        await Service.Json(await service.Post($"/holds/{_id}/reject", Token(), """{"reason":"on second thoughts"}"""));
    }

    [Fact]
    public async Task Approve_OtherViewThanSeen_IsRefused()
    {
        OpenHold hold = Add(_id, _group);
        string other = HoldState.DigestOf("other"u8);
        Assert.Equal("view-changed", await Service.Problem(await service.Post($"/holds/{_id}/approve", Token(), $$"""{"reason":"ok","view":"{{other}}"}"""), 409));
        Assert.Equal("version-changed", await Service.Problem(await service.Post($"/holds/{_id}/approve", Token(), """{"reason":"ok"}""", ifMatch: $"\"{other}\""), 412));
        Assert.Equal(0, Written(_id));
        string tag = (await service.Get($"/holds/{_id}", Token())).Headers.ETag!.ToString();
        await Service.Json(await service.Post($"/holds/{_id}/approve", Token(), $$"""{"reason":"ok","view":"{{hold.State.ViewDigest}}"}""", ifMatch: tag));
    }

    [Fact]
    public async Task Show_HeldAgainUnderAnotherPolicy_HasAnotherTag()
    {
        OpenHold hold = Add(_id, _group);
        string before = (await service.Get($"/holds/{_id}", Token())).Headers.ETag!.ToString();
        service.View.Holds[_id] = new OpenHold(hold.State with { Digest = HoldState.DigestOf("newer"u8), Reheld = 1 }, hold.Topics, hold.Partition);
        Assert.NotEqual(before, (await service.Get($"/holds/{_id}", Token())).Headers.ETag!.ToString());
        Assert.Equal("version-changed", await Service.Problem(await service.Post($"/holds/{_id}/approve", Token(), """{"reason":"ok"}""", ifMatch: before), 412));
    }

    [Theory]
    [InlineData("GET", "/nothing", 404, "not-found")]
    [InlineData("DELETE", "/holds", 405, "method")]
    public async Task Send_NoSuchEndpoint_IsAProblem(string method, string path, int status, string code) =>
        Assert.Equal(code, await Service.Problem(await service.Send(new HttpRequestMessage(new HttpMethod(method), path), Token()), status));

    [Fact]
    public async Task OpenApi_Document_NamesEveryEndpointAndTheBearer()
    {
        JsonElement document = await Service.Json(await service.Get("/openapi/v1.json", null));
        string[] paths = [.. document.GetProperty("paths").EnumerateObject().Select(path => path.Name).Order(StringComparer.Ordinal)];
        Assert.Equal(["/holds", "/holds/{id}", "/holds/{id}/approve", "/holds/{id}/reject", "/live", "/ready"], paths);
        Assert.Equal("bearer", document.GetProperty("components").GetProperty("securitySchemes").GetProperty("bearer").GetProperty("scheme").GetString());
        JsonElement approve = document.GetProperty("paths").GetProperty("/holds/{id}/approve").GetProperty("post");
        Assert.True(approve.GetProperty("security")[0].TryGetProperty("bearer", out _));
        Assert.All(["202", "400", "401", "403", "404", "409", "412", "413", "415", "429", "503"], status => Assert.True(approve.GetProperty("responses").TryGetProperty(status, out _), status));
        Assert.True(document.GetProperty("components").GetProperty("schemas").GetProperty("HoldDetail").GetProperty("properties").TryGetProperty("view_digest", out _));
    }

    private OpenHold Add(string id, string approvers, string binding = "payments", bool own = false, long decidedMs = 1_767_323_045_678, string view = """{"amount":12000.0}""") =>
        service.View.Holds[id] = Samples.Hold(id, approvers, binding, own: own, decidedMs: decidedMs, view: view);

    private string Token() => Provider.Token(groups: [_group]);

    private Task<HttpResponseMessage> Approve(string id, string token) => service.Post($"/holds/{id}/approve", token, """{"reason":"ok"}""");

    private int Written(string id) => service.Sink.Written.Count(statement => statement.Hold.State.Id == id);

    private static string[] Ids(JsonElement page) => [.. page.GetProperty("holds").EnumerateArray().Select(hold => hold.GetProperty("id").GetString()!)];
}
