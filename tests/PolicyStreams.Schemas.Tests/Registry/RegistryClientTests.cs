using System.Text;
using Microsoft.AspNetCore.Http;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Schemas.Tests;

public class RegistryClientTests
{
    private const string A = """{"schema":"\"string\"","guid":"01020304-0506-0708-090a-0b0c0d0e0f10"}""";
    private static readonly CancellationToken _never = CancellationToken.None;

    [Fact]
    public async Task GetById_Found_IsNeverAskedAgain()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(Serve);
        var time = new ShiftedTime();
        using RegistryClient client = Client(time, peer.Url);
        RegistryAnswer<RegisteredSchema> first = await client.GetByIdAsync(7, "s", _never);
        time.Advance(TimeSpan.FromDays(400));
        RegistryAnswer<RegisteredSchema> second = await client.GetByIdAsync(7, "s", _never);

        Assert.True(first.IsFound && second.IsFound);
        Assert.Equal(("\"string\"", 7, 3, "AVRO"), (first.Value.Text, first.Value.Id, first.Value.Version, first.Value.Type));
        Assert.Equal(["/schemas/ids/7", "/schemas/ids/7/versions"], peer.Requests);
        Assert.True(client.Health.Reachable);
    }

    [Fact]
    public async Task GetById_FiftyAtOnce_AreOneRequest()
    {
        var gate = new TaskCompletionSource();
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(async context =>
        {
            await gate.Task;
            await Serve(context);
        });
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        Task<RegistryAnswer<RegisteredSchema>>[] all = [.. Enumerable.Range(0, 50).Select(_ => client.GetByIdAsync(7, null, _never))];
        gate.SetResult();
        RegistryAnswer<RegisteredSchema>[] answers = await Task.WhenAll(all);
        Assert.All(answers, answer => Assert.True(answer.IsFound));
        Assert.Single(peer.Requests);
    }

    [Fact]
    public async Task GetById_CallerCancels_OthersStillGetTheAnswer()
    {
        var gate = new TaskCompletionSource();
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(async context =>
        {
            await gate.Task;
            await Serve(context);
        });
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        using var cancel = new CancellationTokenSource();
        Task<RegistryAnswer<RegisteredSchema>> leaver = client.GetByIdAsync(7, null, cancel.Token);
        Task<RegistryAnswer<RegisteredSchema>> stayer = client.GetByIdAsync(7, null, _never);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaver);
        gate.SetResult();
        Assert.True((await stayer).IsFound);
        Assert.Single(peer.Requests);
    }

    [Fact]
    public async Task GetById_RegistrySaysUnknown_IsNotFoundAndBelievedForSeconds()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => ScriptedPeer.NotFound(context, 40403));
        var time = new ShiftedTime();
        using RegistryClient client = Client(time, peer.Url);
        Assert.Equal(RegistryAnswerKind.NotFound, (await client.GetByIdAsync(9, "s", _never)).Kind);
        Assert.Equal(RegistryAnswerKind.NotFound, (await client.GetByIdAsync(9, "s", _never)).Kind);
        Assert.Single(peer.Requests);

        peer.Script = Serve;
        time.Advance(TimeSpan.FromSeconds(6));
        Assert.True((await client.GetByIdAsync(9, "s", _never)).IsFound);
    }

    [Theory]
    [InlineData(404, "")]
    [InlineData(404, "<html>nothing here</html>")]
    [InlineData(404, "{\"error_code\":404,\"message\":\"HTTP 404 Not Found\"}")]
    [InlineData(404, "{\"error_code\":\"40403\"}")]
    [InlineData(500, "{\"error_code\":40403}")]
    [InlineData(503, "")]
    [InlineData(401, "{\"error_code\":40403}")]
    [InlineData(403, "")]
    [InlineData(302, "")]
    [InlineData(204, "")]
    [InlineData(200, "")]
    [InlineData(200, "<html>log in first</html>")]
    [InlineData(200, "[]")]
    [InlineData(200, "{}")]
    [InlineData(200, "{\"schema\":7}")]
    [InlineData(200, "{\"schema\":\"\\ud800\"}")]
    [InlineData(200, "{\"schema\":\"x\",\"id\":8}")]
    [InlineData(200, "{\"schema\":\"x\",\"id\":99999999999}")]
    [InlineData(200, "{\"schema\":\"x\",\"references\":7}")]
    public async Task GetById_AnyOtherAnswer_IsUnreachableNeverAVerdict(int status, string body)
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => status is 204 or 302 ? Status(context, status) : ScriptedPeer.Json(context, body, status));
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        RegistryAnswer<RegisteredSchema> answer = await client.GetByIdAsync(7, null, _never);
        Assert.Equal(RegistryAnswerKind.Unreachable, answer.Kind);
        Assert.NotEqual("", answer.Reason);
        Assert.False(client.Health.Reachable);
        Assert.Equal(answer.Reason, client.Health.Reason);

        static Task Status(HttpContext context, int code)
        {
            context.Response.StatusCode = code;
            context.Response.Headers.Location = "/elsewhere";
            return Task.CompletedTask;
        }
    }

    [Fact]
    public async Task GetById_Hangs_IsUnreachableWithinItsTimeout()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => Task.Delay(Timeout.Infinite, context.RequestAborted));
        using var client = new RegistryClient(new RegistryClientOptions { Urls = [peer.Url], RequestTimeout = TimeSpan.FromMilliseconds(100), Retries = 1, BackoffBase = TimeSpan.FromMilliseconds(1) });
        RegistryAnswer<RegisteredSchema> answer = await client.GetByIdAsync(7, null, _never).WaitAsync(TimeSpan.FromSeconds(20), _never);
        Assert.Equal(RegistryAnswerKind.Unreachable, answer.Kind);
        Assert.Equal(2, peer.Requests.Count);
    }

    [Fact]
    public async Task GetById_BodyNeverEnds_IsUnreachableWithinItsTimeout()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(async context =>
        {
            await context.Response.WriteAsync("{\"schema\":\"");
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        using var client = new RegistryClient(new RegistryClientOptions { Urls = [peer.Url], RequestTimeout = TimeSpan.FromMilliseconds(100), Retries = 0 });
        Assert.Equal(RegistryAnswerKind.Unreachable, (await client.GetByIdAsync(7, null, _never).WaitAsync(TimeSpan.FromSeconds(20), _never)).Kind);
    }

    [Fact]
    public async Task GetById_AnswerTooLarge_IsUnreachable()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => ScriptedPeer.Json(context, $$"""{"schema":"{{new string('x', 5000)}}"}"""));
        using var client = new RegistryClient(new RegistryClientOptions { Urls = [peer.Url], Retries = 0, ResponseBytesMax = 4000 });
        Assert.Equal(RegistryAnswerKind.Unreachable, (await client.GetByIdAsync(7, null, _never)).Kind);
    }

    [Fact]
    public async Task GetById_NobodyListens_IsUnreachable()
    {
        string url;
        await using (ScriptedPeer peer = await ScriptedPeer.StartAsync(Serve)) { url = peer.Url; }
        using RegistryClient client = Client(TimeProvider.System, url);
        Assert.Equal(RegistryAnswerKind.Unreachable, (await client.GetByIdAsync(7, null, _never)).Kind);
    }

    [Fact]
    public async Task GetById_FailsTwiceThenAnswers_IsFound()
    {
        int count = 0;
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => Interlocked.Increment(ref count) <= 2 ? ScriptedPeer.Json(context, "", 503) : Serve(context));
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        Assert.True((await client.GetByIdAsync(7, null, _never)).IsFound);
        Assert.True(client.Health.Reachable);
    }

    [Fact]
    public async Task GetById_Retries_PauseLongerEachTimeAndNeverInStep()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => ScriptedPeer.Json(context, "{}", 503));
        var first = new List<TimeSpan>();
        for (int i = 0; i < 20; i++)
        {
            var time = new HurriedTime();
            using var client = new RegistryClient(
                new RegistryClientOptions { Urls = [peer.Url], Retries = 4, BackoffBase = TimeSpan.FromMilliseconds(100), BackoffMax = TimeSpan.FromMilliseconds(400), RequestTimeout = TimeSpan.FromSeconds(30) }, time);
            Assert.Equal(RegistryAnswerKind.Unreachable, (await client.GetByIdAsync(7, null, _never)).Kind);
            double[] pauses = [.. time.Pauses.Select(pause => pause.TotalMilliseconds)];
            Assert.Equal(4, pauses.Length);
            foreach ((double pause, int most) in pauses.Zip((int[])[100, 200, 400, 400])) { Assert.InRange(pause, most / 2.0, most); }
            first.Add(time.Pauses[0]);
        }

        Assert.True(first.Distinct().Count() > 5, "Clients that start together would retry together.");
    }

    [Fact]
    public async Task GetSubject_DeletedVersions_AreMarkedWhereTheRegistryShowsThem()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => (context.Request.Path.Value, context.Request.QueryString.Value) switch
        {
            ("/subjects/s/versions", "") => ScriptedPeer.Json(context, "[2]"),
            ("/subjects/s/versions", _) => ScriptedPeer.Json(context, "[1,2]"),
            ("/subjects/s/versions/1", "?deleted=true") => ScriptedPeer.Json(context, """{"version":1,"id":1,"schema":"\"string\""}"""),
            ("/subjects/s/versions/2", _) => ScriptedPeer.Json(context, """{"version":2,"id":2,"schema":"\"bytes\""}"""),
            _ => ScriptedPeer.NotFound(context, 40402),
        });
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        Assert.Equal([(1, true), (2, false)], (await client.GetSubjectAsync("s", _never)).Value!.Select(version => (version.Version, version.Deleted)));
    }

    [Fact]
    public async Task GetSubject_TagsOfMetadata_AreAddedAndNeverTakenAway()
    {
        string tags = """{"a":["x"]}""";
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => context.Request.Path.Value == "/subjects/s/versions"
            ? ScriptedPeer.Json(context, "[1]")
            : ScriptedPeer.Json(context, $$$"""{"version":1,"id":1,"schema":"x","metadata":{"tags":{{{tags}}}}}"""));
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        await client.GetSubjectAsync("s", _never);
        tags = """{"a":["y"],"b":["z"]}""";
        IReadOnlyDictionary<string, IReadOnlyList<string>> found = (await client.GetSubjectAsync("s", _never)).Value![0].Tags;
        Assert.Equal(["x", "y"], found["a"]);
        Assert.Equal(["z"], found["b"]);
        Assert.Equal(0, client.Health.Conflicts);
    }

    [Fact]
    public async Task GetById_FirstUrlFails_SecondAnswersAndIsPreferred()
    {
        await using ScriptedPeer broken = await ScriptedPeer.StartAsync(context => ScriptedPeer.Json(context, "", 500));
        await using ScriptedPeer sound = await ScriptedPeer.StartAsync(Serve);
        using RegistryClient client = Client(TimeProvider.System, broken.Url, sound.Url);
        Assert.True((await client.GetByIdAsync(7, null, _never)).IsFound);
        Assert.True((await client.GetByIdAsync(8, null, _never)).IsFound);
        Assert.Single(broken.Requests);
        Assert.Equal(2, sound.Requests.Count);
    }

    [Fact]
    public async Task GetById_UnderOtherSubjects_IsFoundWithoutVersionAndAskedAgainLater()
    {
        string places = """[{"subject":"other","version":1}]""";
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => context.Request.Path.Value!.EndsWith("/versions", StringComparison.Ordinal)
            ? ScriptedPeer.Json(context, places) : ScriptedPeer.Json(context, A));
        var time = new ShiftedTime();
        using RegistryClient client = Client(time, peer.Url);
        RegistryAnswer<RegisteredSchema> answer = await client.GetByIdAsync(7, "s", _never);
        Assert.True(answer.IsFound);
        Assert.Equal(0, answer.Value.Version);
        Assert.Equal([new SubjectVersion("other", 1)], answer.Value.Versions);
        await client.GetByIdAsync(7, "s", _never);
        Assert.Equal(2, peer.Requests.Count);

        places = """[{"subject":"other","version":1},{"subject":"s","version":2}]""";
        time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(2, (await client.GetByIdAsync(7, "s", _never)).Value!.Version);
        Assert.Equal(3, peer.Requests.Count);
    }

    [Fact]
    public async Task GetById_NoVersionsEndpoint_ListsTheSubject()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => context.Request.Path.Value switch
        {
            "/schemas/ids/7" => ScriptedPeer.Json(context, A),
            "/subjects/s/versions" => ScriptedPeer.Json(context, "[1,2]"),
            "/subjects/s/versions/1" => ScriptedPeer.Json(context, """{"subject":"s","version":1,"id":6,"schema":"\"int\""}"""),
            "/subjects/s/versions/2" => ScriptedPeer.Json(context, """{"subject":"s","version":2,"id":7,"schema":"\"string\""}"""),
            _ => ScriptedPeer.Json(context, """{"error_code":404}""", 404),
        });
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        Assert.Equal(2, (await client.GetByIdAsync(7, "s", _never)).Value!.Version);
    }

    [Fact]
    public async Task GetSubject_SchemaOfKnownIdChanged_IsConflictAndCounted()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => context.Request.Path.Value switch
        {
            "/schemas/ids/7" => ScriptedPeer.Json(context, A),
            "/subjects/s/versions" => ScriptedPeer.Json(context, "[1]"),
            _ => ScriptedPeer.Json(context, """{"subject":"s","version":1,"id":7,"schema":"\"bytes\""}"""),
        });
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        Assert.True((await client.GetByIdAsync(7, null, _never)).IsFound);
        RegistryAnswer<IReadOnlyList<RegisteredSchema>> answer = await client.GetSubjectAsync("s", _never);
        Assert.Equal(RegistryAnswerKind.Conflict, answer.Kind);
        Assert.Equal(1, client.Health.Conflicts);
        Assert.Equal("\"string\"", (await client.GetByIdAsync(7, null, _never)).Value!.Text);
    }

    [Fact]
    public async Task GetSubject_SpacedDifferently_IsTheSameSchema()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => context.Request.Path.Value switch
        {
            "/schemas/ids/7" => ScriptedPeer.Json(context, """{"schema":"{\"type\": \"string\"}"}"""),
            "/subjects/s/versions" => ScriptedPeer.Json(context, "[1]"),
            _ => ScriptedPeer.Json(context, """{"subject":"s","version":1,"id":7,"schema":"{\"type\":\"string\"}"}"""),
        });
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        Assert.True((await client.GetByIdAsync(7, null, _never)).IsFound);
        Assert.True((await client.GetSubjectAsync("s", _never)).IsFound);
    }

    [Fact]
    public async Task GetSubject_References_ComeDeepestFirstAndOnce()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => context.Request.Path.Value switch
        {
            "/subjects/s/versions" => ScriptedPeer.Json(context, "[1]"),
            "/subjects/s/versions/1" => ScriptedPeer.Json(context, """{"version":1,"id":1,"schema":"top","schemaType":"JSON","references":[{"name":"b","subject":"b","version":1},{"name":"c","subject":"c","version":4}]}"""),
            "/subjects/b/versions/1" => ScriptedPeer.Json(context, """{"version":1,"id":2,"schema":"b","references":[{"name":"c","subject":"c","version":4}]}"""),
            "/subjects/c/versions/4" => ScriptedPeer.Json(context, """{"version":4,"id":3,"schema":"c"}"""),
            _ => ScriptedPeer.NotFound(context, 40401),
        });
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        RegisteredSchema schema = Assert.Single((await client.GetSubjectAsync("s", _never)).Value!);
        Assert.Equal(["c", "b"], schema.References.Select(reference => reference.Text));
        Assert.Equal("JSON", schema.Type);
        Assert.Null(schema.Unusable);
        Assert.Equal(5, peer.Requests.Count);
    }

    [Theory]
    [InlineData("""[{"name":"x","subject":"gone","version":1}]""")]
    [InlineData("""[{"name":"x","subject":"s","version":-1}]""")]
    public async Task GetSubject_ReferenceThatLeadsNowhere_IsFoundButUnusable(string references)
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => context.Request.Path.Value switch
        {
            "/subjects/s/versions" => ScriptedPeer.Json(context, "[1]"),
            "/subjects/s/versions/1" => ScriptedPeer.Json(context, $$"""{"version":1,"id":1,"schema":"top","references":{{references}}}"""),
            _ => ScriptedPeer.NotFound(context, 40401),
        });
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        Assert.NotNull(Assert.Single((await client.GetSubjectAsync("s", _never)).Value!).Unusable);
    }

    [Fact]
    public async Task GetSubject_ReferencesWithoutEnd_AreBounded()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context =>
        {
            if (context.Request.Path.Value!.EndsWith("/s/versions", StringComparison.Ordinal)) { return ScriptedPeer.Json(context, "[1]"); }
            int number = int.Parse(context.Request.Path.Value.Split('/')[^1], System.Globalization.CultureInfo.InvariantCulture);
            return ScriptedPeer.Json(context, $$"""{"version":{{number}},"id":{{number}},"schema":"x","references":[{"name":"x","subject":"s","version":{{number + 1}}}]}""");
        });
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        Assert.NotNull(Assert.Single((await client.GetSubjectAsync("s", _never)).Value!).Unusable);
        Assert.InRange(peer.Requests.Count, 2, 300);
    }

    [Fact]
    public async Task GetSubject_Unknown_IsNotFound()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => ScriptedPeer.NotFound(context, 40401));
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        Assert.Equal(RegistryAnswerKind.NotFound, (await client.GetSubjectAsync("s", _never)).Kind);
    }

    [Fact]
    public async Task GetSubject_Tags_AreReadFromMetadata()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => context.Request.Path.Value == "/subjects/s/versions"
            ? ScriptedPeer.Json(context, "[1]")
            : ScriptedPeer.Json(context, """{"version":1,"id":1,"schema":"x","metadata":{"tags":{"Customer.email":["PII","GDPR"]},"properties":{"owner":"x"}}}"""));
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        Assert.Equal(["PII", "GDPR"], (await client.GetSubjectAsync("s", _never)).Value![0].Tags["Customer.email"]);
    }

    [Fact]
    public async Task GetById_Context_IsAskedForAndKeptApart()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => context.Request.Path.Value!.EndsWith("/versions", StringComparison.Ordinal)
            ? ScriptedPeer.Json(context, """[{"subject":":.eu:s","version":1}]""")
            : ScriptedPeer.Json(context, context.Request.QueryString.HasValue ? """{"schema":"\"int\""}""" : """{"schema":"\"string\""}"""));
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        Assert.Equal("\"int\"", (await client.GetByIdAsync(7, ":.eu:s", _never)).Value!.Text);
        Assert.Equal("\"string\"", (await client.GetByIdAsync(7, null, _never)).Value!.Text);
        Assert.Equal(["/schemas/ids/7?subject=%3A.eu%3A", "/schemas/ids/7/versions?subject=%3A.eu%3A", "/schemas/ids/7"], peer.Requests);
        Assert.Equal(0, client.Health.Conflicts);
    }

    [Fact]
    public async Task GetByGuid_VersionOfTheSubject_TellsItsId()
    {
        var guid = Guid.Parse("01020304-0506-0708-090a-0b0c0d0e0f10");
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => context.Request.Path.Value switch
        {
            "/subjects/s/versions" => ScriptedPeer.Json(context, "[1]"),
            "/subjects/s/versions/1" => ScriptedPeer.Json(context, $$"""{"version":1,"id":5,"guid":"{{guid}}","schema":"x"}"""),
            "/schemas/ids/5/versions" => ScriptedPeer.Json(context, """[{"subject":"s","version":1}]"""),
            "/schemas/guids/01020304-0506-0708-090a-0b0c0d0e0f10" => ScriptedPeer.Json(context, """{"schema":"x"}"""),
            "/schemas/guids/01020304-0506-0708-090a-0b0c0d0e0fff" => ScriptedPeer.Json(context, """{"schema":"y"}"""),
            _ => ScriptedPeer.NotFound(context, 40403),
        });
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        RegisteredSchema schema = (await client.GetByGuidAsync(guid, "s", _never)).Value!;
        Assert.Equal((5, 1), (schema.Id, schema.Version));
        Assert.Equal((5, 1), ((await client.GetByGuidAsync(guid, "s", _never)).Value!.Id, 1));
        Assert.Equal(RegistryAnswerKind.NotFound, (await client.GetByGuidAsync(Guid.NewGuid(), "s", _never)).Kind);

        RegisteredSchema stranger = (await client.GetByGuidAsync(Guid.Parse("01020304-0506-0708-090a-0b0c0d0e0fff"), "s", _never)).Value!;
        Assert.Equal((0, 0, "y"), (stranger.Id, stranger.Version, stranger.Text));
        int asked = peer.Requests.Count;
        await client.GetByGuidAsync(Guid.Parse("01020304-0506-0708-090a-0b0c0d0e0fff"), "s", _never);
        Assert.Equal(asked, peer.Requests.Count);
    }

    [Fact]
    public async Task GetByGuid_RegistryWithoutGuids_IsNotFound()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context => context.Request.Path.Value switch
        {
            "/subjects/s/versions" => ScriptedPeer.Json(context, "[1]"),
            "/subjects/s/versions/1" => ScriptedPeer.Json(context, """{"version":1,"id":5,"schema":"x"}"""),
            _ => ScriptedPeer.Json(context, """{"error_code":0}""", 404),
        });
        using RegistryClient client = Client(TimeProvider.System, peer.Url);
        Assert.Equal(RegistryAnswerKind.NotFound, (await client.GetByGuidAsync(Guid.NewGuid(), "s", _never)).Kind);
        int asked = peer.Requests.Count;
        for (int i = 0; i < 20; i++) { Assert.Equal(RegistryAnswerKind.NotFound, (await client.GetByGuidAsync(Guid.NewGuid(), "s", _never)).Kind); }
        Assert.Equal(asked, peer.Requests.Count);
    }

    [Fact]
    public async Task Requests_CarryCredentials()
    {
        string? seen = null;
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context =>
        {
            seen = context.Request.Headers.Authorization;
            return Serve(context);
        });
        using (var client = new RegistryClient(new RegistryClientOptions { Urls = [peer.Url], BasicUser = "ann", BasicPassword = "s:ecret" }))
        {
            await client.GetByIdAsync(7, null, _never);
            Assert.Equal("Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes("ann:s:ecret")), seen);
        }

        using (var client = new RegistryClient(new RegistryClientOptions { Urls = [peer.Url.Replace("//", "//bob:p%40ss@", StringComparison.Ordinal)] }))
        {
            Assert.True((await client.GetByIdAsync(7, null, _never)).IsFound);
            Assert.Equal("Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes("bob:p@ss")), seen);
        }

        using (var client = new RegistryClient(new RegistryClientOptions { Urls = [peer.Url], BearerToken = _ => ValueTask.FromResult("t0ken") }))
        {
            await client.GetByIdAsync(7, null, _never);
            Assert.Equal("Bearer t0ken", seen);
        }
    }

    [Fact]
    public async Task GetById_TokenSourceThrows_IsUnreachableWithoutItsMessage()
    {
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(Serve);
        using var client = new RegistryClient(new RegistryClientOptions { Urls = [peer.Url], Retries = 0, BearerToken = _ => throw new NotSupportedException("secret") });
        RegistryAnswer<RegisteredSchema> answer = await client.GetByIdAsync(7, null, _never);
        Assert.Equal(RegistryAnswerKind.Unreachable, answer.Kind);
        Assert.DoesNotContain("secret", answer.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Requests_SubjectWithSlash_IsEscaped()
    {
        string? target = null;
        await using ScriptedPeer peer = await ScriptedPeer.StartAsync(context =>
        {
            target = context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpRequestFeature>()!.RawTarget;
            return ScriptedPeer.NotFound(context, 40401);
        });
        using RegistryClient client = Client(TimeProvider.System, peer.Url + "/apis/ccompat/v7/");
        await client.GetSubjectAsync("a/../b ü?", _never);
        Assert.Equal("/apis/ccompat/v7/subjects/a%2F..%2Fb%20%C3%BC%3F/versions", target);
    }

    private static Task Serve(HttpContext context) => context.Request.Path.Value!.EndsWith("/versions", StringComparison.Ordinal)
        ? ScriptedPeer.Json(context, """[{"subject":"s","version":1},{"subject":"s","version":3},{"subject":"other","version":9}]""")
        : ScriptedPeer.Json(context, A);

    /// <summary>Pauses end at once, and are kept; the time-out of a request is left to run.</summary>
    private sealed class HurriedTime : TimeProvider
    {
        public List<TimeSpan> Pauses { get; } = [];

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            bool pause = dueTime > TimeSpan.Zero && dueTime < TimeSpan.FromSeconds(10);
            if (pause) { Pauses.Add(dueTime); }
            return base.CreateTimer(callback, state, pause ? TimeSpan.Zero : dueTime, period);
        }
    }

    private static RegistryClient Client(TimeProvider time, params string[] urls) =>
        new(new RegistryClientOptions { Urls = urls, BackoffBase = TimeSpan.FromMilliseconds(1) }, time);
}
