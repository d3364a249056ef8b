using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Schemas.Tests;

/// <summary>The client against the registry that POLICYSTREAMS_TEST_REGISTRY names: a URL, or a script with `start DIR [--port N]` and `stop DIR`.</summary>
public class RealRegistryTests
{
    [Fact]
    public Task Client_AgainstARealRegistry_FindsEverything() => OnRegistryAsync((url, http) => RegistryScenario.RunAsync(url, http, guids: false));

    [Fact]
    public Task Client_AgainstARealApicurio_KnowsItsTwoIdsApart() => OnRegistryAsync(ApicurioIds);

    /// <summary>Serializers that register what is there already use up content ids: the two kinds drift apart, until one's number is another version's of the same subject.</summary>
    private static async Task ApicurioIds(string url, HttpClient http)
    {
        string core = url.Replace("/ccompat/v7", "/registry/v2", StringComparison.Ordinal);
        Assert.SkipWhen(core == url, "The registry is not Apicurio's.");
        string own = Guid.NewGuid().ToString("N")[..8], subject = $"raw.drift-{own}-value", other = $"raw.other-{own}-value";
        string Text(int version) => $$"""{"type":"record","name":"Drift{{own}}","fields":[{"name":"f{{version}}","type":"string","default":""}]}""";
        async Task<int> Register(int version) => await RegistryScenario.RegisterAsync(url, http, subject, Text(version), []);
        List<int> byConfluent = [await Register(1)];
        for (int i = 0; i < 3; i++) { await RegisterAsApicurioAsync(core, http, subject, Text(1)); }
        await RegistryScenario.RegisterAsync(url, http, other, Text(1), []);
        byConfluent.Add(await Register(2));

        using var client = new RegistryClient(new RegistryClientOptions { Urls = [url], NegativeTtl = TimeSpan.Zero });
        int ahead = (await Ids(SchemaIds.Content))[1] - (await Ids(SchemaIds.Global))[1];
        Assert.SkipWhen(ahead is < 1 or > 100, $"The registry's content ids are {ahead} ahead.");
        for (int version = 3; version <= ahead + 2; version++) { byConfluent.Add(await Register(version)); }
        List<int> globals = await Ids(SchemaIds.Global), contents = await Ids(SchemaIds.Content);

        // The last version's global id is the second's content id: as the wrong kind it is another version, and nothing about it is amiss.
        Assert.Equal(globals[^1], contents[1]);
        Assert.Equal(globals.Count, (await client.By(SchemaIds.Global).GetByIdAsync(globals[^1], subject, CancellationToken.None)).Value!.Version);
        Assert.Equal(2, (await client.By(SchemaIds.Content).GetByIdAsync(globals[^1], subject, CancellationToken.None)).Value!.Version);
        Assert.Equal(2, (await client.GetByIdAsync(globals[^1], subject, CancellationToken.None)).Value!.Version);

        Assert.Equal(byConfluent, contents);
        for (int i = 0; i < globals.Count; i++)
        {
            // What Apicurio reads by the two numbers, as its deserializers ask it.
            Assert.Equal(Text(i + 1), await http.GetStringAsync(new Uri($"{core}/ids/globalIds/{globals[i]}")));
            Assert.Equal(Text(i + 1), await http.GetStringAsync(new Uri($"{core}/ids/contentIds/{contents[i]}")));
        }

        IReadOnlyList<RegisteredSchema> untold = (await client.By(SchemaIds.Either).GetSubjectAsync(subject, CancellationToken.None)).Value!;
        Assert.Equal(globals.Zip(contents, (global, content) => global == content), untold.Select(version => version.Unusable is null));

        // By its text the other subject's record may write here, by its version not.
        RegisteredSchema foreign = (await client.By(SchemaIds.Global).GetSubjectAsync(other, CancellationToken.None)).Value![0];
        Assert.Equal(0, (await client.By(SchemaIds.Global).GetByIdAsync(foreign.Id, subject, CancellationToken.None)).Value!.Version);
        Assert.Equal(contents[0], (await client.By(SchemaIds.Content).GetSubjectAsync(other, CancellationToken.None)).Value![0].Id);
        foreach (SchemaIds ids in (SchemaIds[])[SchemaIds.Global, SchemaIds.Content, SchemaIds.Either])
        {
            Assert.Equal(RegistryAnswerKind.NotFound, (await client.By(ids).GetByIdAsync(int.MaxValue, subject, CancellationToken.None)).Kind);
        }

        // A version that is deleted softly keeps its tags, and so has to be listed still.
        using HttpResponseMessage deleted = await http.DeleteAsync(new Uri($"{url}/subjects/{subject}/versions/2"));
        Assert.True(deleted.IsSuccessStatusCode);
        foreach (SchemaIds ids in (SchemaIds[])[SchemaIds.Global, SchemaIds.Content])
        {
            RegistryAnswer<IReadOnlyList<RegisteredSchema>> left = await client.By(ids).GetSubjectAsync(subject, CancellationToken.None);
            Assert.Equal("", left.Reason);
            Assert.Equal([2], left.Value!.Where(version => version.Deleted).Select(version => version.Version));
            int gone = left.Value![1].Id;
            Assert.NotEqual(2, (await client.By(ids).GetByIdAsync(gone, subject, CancellationToken.None)).Value?.Version);
        }

        Assert.Equal(0, client.Health.Conflicts);

        async Task<List<int>> Ids(SchemaIds ids)
        {
            RegistryAnswer<IReadOnlyList<RegisteredSchema>> listed = await client.By(ids).GetSubjectAsync(subject, CancellationToken.None);
            Assert.Equal("", listed.Reason);
            return [.. listed.Value!.Select(version => version.Id)];
        }
    }

    /// <summary>As Apicurio's serializers register.</summary>
    private static async Task RegisterAsApicurioAsync(string core, HttpClient http, string artifact, string schema)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{core}/groups/default/artifacts?ifExists=RETURN_OR_UPDATE") { Content = new StringContent(schema, null, "application/json") };
        request.Headers.Add("X-Registry-ArtifactId", artifact);
        request.Headers.Add("X-Registry-ArtifactType", "AVRO");
        using HttpResponseMessage response = await http.SendAsync(request);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
    }

    private static async Task OnRegistryAsync(Func<string, HttpClient, Task> test)
    {
        string? registry = Environment.GetEnvironmentVariable("POLICYSTREAMS_TEST_REGISTRY");
        if (string.IsNullOrEmpty(registry) && Environment.GetEnvironmentVariable("CI") == "true") { Assert.Fail("POLICYSTREAMS_TEST_REGISTRY is not set."); }
        Assert.SkipWhen(string.IsNullOrEmpty(registry), "POLICYSTREAMS_TEST_REGISTRY is not set.");
        using var http = new HttpClient();
        if (registry!.StartsWith("http", StringComparison.Ordinal))
        {
            await test(registry.TrimEnd('/'), http);
            return;
        }

        DirectoryInfo folder = Directory.CreateTempSubdirectory("policystreams-");
        try
        {
            string url = await RunAsync(registry, "start", folder.FullName, "--port", FreePort().ToString(System.Globalization.CultureInfo.InvariantCulture));
            await test(url.Trim(), http);
        }
        finally
        {
            await RunAsync(registry, "stop", folder.FullName);
            folder.Delete(recursive: true);
        }
    }

    /// <summary>The first line of what the script prints; what it starts may keep its output open.</summary>
    private static async Task<string> RunAsync(string script, params string[] arguments)
    {
        using var process = new Process { StartInfo = new ProcessStartInfo(script, arguments) { RedirectStandardOutput = true } };
        process.Start();
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        string line = await process.StandardOutput.ReadLineAsync(deadline.Token) ?? "";
        await process.WaitForExitAsync(deadline.Token);
        Assert.Equal(0, process.ExitCode);
        return line;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
