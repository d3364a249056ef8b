using System.Net.Http.Json;
using System.Text.Json;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Schemas.Tests;

/// <summary>What the client must find in any registry: the dev one and real ones. Subjects are the test's own.</summary>
internal static class RegistryScenario
{
    public static async Task RunAsync(string url, HttpClient http, bool guids)
    {
        string own = Guid.NewGuid().ToString("N")[..8];
        string address = $"address-{own}";
        string subject = $"raw.orders-{own}-value";
        string other = $"raw.others-{own}-value";
        string one = $$"""{"type":"record","name":"Address","namespace":"n{{own}}","fields":[{"name":"city","type":"string"}]}""";
        string two = $$"""{"type":"record","name":"Order","namespace":"n{{own}}","fields":[{"name":"to","type":"n{{own}}.Address"}]}""";
        string three = two[..^2] + ",{\"name\":\"n\",\"type\":\"long\",\"default\":0}]}";
        object[] references = [new { name = $"n{own}.Address", subject = address, version = 1 }];
        await Register(address, one, []);
        int first = await Register(subject, two, references);
        int second = await Register(subject, three, references);
        await Register(other, two, references);

        using var client = new RegistryClient(new RegistryClientOptions { Urls = [url] });
        RegistryAnswer<IReadOnlyList<RegisteredSchema>> versions = await client.GetSubjectAsync(subject, CancellationToken.None);
        Assert.Equal("", versions.Reason);
        Assert.Equal([(1, first), (2, second)], versions.Value!.Select(version => (version.Version, version.Id)));
        Assert.Equal("AVRO", versions.Value![0].Type);
        Assert.Equal($"n{own}.Address", Assert.Single(versions.Value![1].References).Name);

        RegisteredSchema byId = (await client.GetByIdAsync(second, subject, CancellationToken.None)).Value!;
        Assert.Equal(2, byId.Version);
        Assert.True(JsonElement.DeepEquals(JsonDocument.Parse(three).RootElement, JsonDocument.Parse(byId.Text).RootElement));
        Assert.Equal(1, (await client.GetByIdAsync(first, other, CancellationToken.None)).Value!.Version);
        RegisteredSchema foreign = (await client.GetByIdAsync(second, other, CancellationToken.None)).Value!;
        Assert.Equal(0, foreign.Version);
        Assert.Equal([new SubjectVersion(subject, 2)], foreign.Versions);

        Assert.Equal(RegistryAnswerKind.NotFound, (await client.GetByIdAsync(int.MaxValue, subject, CancellationToken.None)).Kind);
        Assert.Equal(RegistryAnswerKind.NotFound, (await client.GetSubjectAsync("none-" + own, CancellationToken.None)).Kind);
        Assert.Equal(2, (await client.GetVersionAsync(subject, null, CancellationToken.None)).Value!.Version);
        Assert.Equal(RegistryAnswerKind.NotFound, (await client.GetVersionAsync(subject, 9, CancellationToken.None)).Kind);
        Assert.Contains(subject, (await client.GetSubjectsAsync(CancellationToken.None)).Value!);
        Assert.Equal(RegistryAnswerKind.NotFound, (await client.GetByGuidAsync(Guid.NewGuid(), subject, CancellationToken.None)).Kind);
        if (guids) { Assert.Equal(second, (await client.GetByGuidAsync(byId.Guid!.Value, subject, CancellationToken.None)).Value!.Id); }
        Assert.Equal(0, client.Health.Conflicts);

        async Task<int> Register(string name, string schema, object[] refs)
        {
            using HttpResponseMessage response = await http.PostAsJsonAsync($"{url}/subjects/{name}/versions", new { schema, references = refs });
            string text = await response.Content.ReadAsStringAsync();
            Assert.True(response.IsSuccessStatusCode, text);
            return JsonDocument.Parse(text).RootElement.GetProperty("id").GetInt32();
        }
    }
}
