using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Registry;

namespace PolicyStreams.Cli.Tests;

/// <summary>The options of <c>policystreams decide</c>: where records, principal, time, keys, and schemas come from.</summary>
public sealed class DecideCommandTests : IDisposable
{
    private const string Key = "test-key-0123456789-0123456789-0123";

    private const string Policy = """
        apiVersion: policystreams/v1
        kind: Policy
        metadata: { name: orders, owner: tests }
        bindings:
          - { name: orders, format: json, identity: { topic: { id: checkout, groups: [producers] } } }
          - { name: tokens, format: json, identity: { oidc: { issuer: "https://id.example.com", audience: orders } } }
          - { name: open, format: json }
        rules:
          - { id: ada, when: 'principal.id == "ada" && principal.groups == ["g", "h"]', tag: { by: ada } }
          - { id: later, when: timestamp == timestamp("2026-02-03T04:05:06Z"), tag: { at: later } }
          - { id: card, mask: { field: card, hmac: k } }
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("decide-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("orders", "topic", """{"id":"checkout","groups":["producers"],"via":"topic"}""")]
    [InlineData("tokens", "oidc", """{"id":"","groups":[],"via":"none"}""")]
    [InlineData("open", "none", """{"id":"","groups":[],"via":"none"}""")]
    public async Task Decide_FromAFile_TakesKeyPrincipalGroupsAndTime(string binding, string via, string own)
    {
        string input = Write("records.jsonl", "{\"card\":\"4111\"}\n{\"card\":\"5500\"}\n"), key = Write("k.key", Key + "\n");
        string[] all = ["decide", "--policy", Write("p.policy.yaml", Policy), "--binding", binding, "--input", input, "--input-format", "json", "--key", $"k=file:{key}"];
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync([.. all, "--principal", "ada", "--groups", "g, h", "--time", "2026-02-03T04:05:06Z"]);
        Assert.Equal(0, ran.Code);
        JsonElement[] answers = Answers(ran);
        Assert.Equal([Hmac("4111"), Hmac("5500")], answers.Select(answer => answer.GetProperty("value").GetProperty("card").GetString()));
        Assert.All(answers, answer =>
        {
            JsonElement decision = answer.GetProperty("decision");
            Assert.Equal("2026-02-03T04:05:06.000Z", decision.GetProperty("time").GetString());
            Assert.Equal($$"""{"id":"ada","groups":["g","h"],"via":"{{via}}"}""", decision.GetProperty("principal").GetRawText());
            Assert.Equal("""{"by":"ada","at":"later"}""", decision.GetProperty("tags").GetRawText());
        });

        // Without them it is the binding's own principal, and now.
        DateTimeOffset before = TimeProvider.System.GetUtcNow();
        JsonElement plain = Answers(await BuiltCommand.RunAsync(all))[0].GetProperty("decision");
        Assert.Equal((own, "{}"), (plain.GetProperty("principal").GetRawText(), plain.GetProperty("tags").GetRawText()));
        Assert.InRange(plain.GetProperty("time").GetDateTimeOffset(), before.AddMilliseconds(-1), TimeProvider.System.GetUtcNow());

        static string Hmac(string text) => Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(Key), Encoding.UTF8.GetBytes(text)).AsSpan(0, 16));
    }

    [Theory]
    [InlineData("--groups g", "policystreams: --groups names the groups of --principal ID, and there is none\n")]
    [InlineData("--binding nobody", "policystreams: policy `orders` has no binding `nobody`; it has orders, tokens, open\n")]
    [InlineData("--input FOLDER/none.jsonl", "FOLDER/none.jsonl")]
    [InlineData("--key k=file:FOLDER/none.key", "FOLDER/none.key")]
    [InlineData("--schema FOLDER/none.json", "FOLDER/none.json")]
    [InlineData("--policy FOLDER/none.policy.yaml", "FOLDER/none.policy.yaml")]
    [InlineData("--policy FOLDER/bad.policy.yaml", "bad.policy.yaml:9:23: PS0203 error: ")]
    public async Task Decide_WhatCannotBeRun_SaysWhyAndAnswersNothing(string option, string says)
    {
        Write("bad.policy.yaml", Policy.Replace("principal.id ==", "person.id ==", StringComparison.Ordinal));
        var options = new Dictionary<string, string> { ["--policy"] = Write("p.policy.yaml", Policy), ["--binding"] = "orders", ["--input"] = Write("records.jsonl", "{}\n"), ["--input-format"] = "json", ["--key"] = "k=file:" + Write("k.key", Key) };
        string[] given = option.Replace("FOLDER", _folder, StringComparison.Ordinal).Split(' ');
        options[given[0]] = given[1];
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync(["decide", .. options.SelectMany(pair => (string[])[pair.Key, pair.Value])]);
        Assert.Equal((2, ""), (ran.Code, ran.Output));
        Assert.Contains(says.Replace("FOLDER", _folder, StringComparison.Ordinal), ran.Error, StringComparison.Ordinal);
    }

    // With a registry, records are framed: in `hex` as they are on the topic. Plain JSON is given without its frame, in `json` and in `hex`, and gets that of the subject's latest version.
    [Theory]
    [InlineData("avro", """{"type":"record","name":"O","fields":[{"name":"n","type":"int"},{"name":"card","type":"string","confluent:tags":["PAN"]}]}""", "02043431", "020278")]
    [InlineData("json", """{"type":"object","properties":{"n":{"type":"integer"},"card":{"type":"string","confluent:tags":["PAN"]}}}""", "7b226e223a312c2263617264223a223431227d", "7b226e223a312c2263617264223a2278227d")]
    public async Task Decide_WithARegistry_TakesHexFramedAndJsonsUnframed(string format, string schema, string payload, string masked)
    {
        await using DevRegistry registry = await DevRegistry.StartAsync(new DevRegistryOptions(), TestContext.Current.CancellationToken);
        using var http = new HttpClient();
        using HttpResponseMessage registered = await http.PostAsJsonAsync($"{registry.Url}/subjects/raw.orders-value/versions", new { schema, schemaType = format.ToUpperInvariant() }, TestContext.Current.CancellationToken);
        int id = JsonDocument.Parse(await registered.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement.GetProperty("id").GetInt32();
        string policy = Write("p.policy.yaml", $$"""
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: orders, owner: tests }
            bindings: [{ name: orders, format: {{format}}, subject: raw.orders-value }]
            rules: [{ id: card, mask: { tag: PAN, constant: x } }]
            """);
        string frame = $"00{id:x8}";
        (string good, string wrong, string code) = format == "avro" ? (frame + payload, payload, "not-framed") : (payload, frame + payload, "malformed");
        JsonElement[] answers = await Decide($"{good}\n{wrong}\n\n", "hex");
        Assert.Equal(["allow", $"deny {code}", "deny empty-value"], answers.Select(Summary));
        JsonElement decision = answers[0].GetProperty("decision");
        Assert.Equal(id, decision.GetProperty("schema").GetInt32());
        Assert.Equal("""{"n":1,"card":"x"}""", answers[0].GetProperty("value").GetRawText());

        // What would be published is framed, whatever it was made from; the decision speaks of those bytes.
        Assert.Equal(frame + masked, answers[0].GetProperty("hex").GetString());
        Assert.Equal(System.Buffers.Text.Base64Url.EncodeToString(SHA256.HashData(Convert.FromHexString(frame + masked))), decision.GetProperty("after").GetString());
        Assert.Equal(answers[0].GetRawText(), (await Decide("""{"n":1,"card":"41"}""", "json"))[0].GetRawText());

        async Task<JsonElement[]> Decide(string lines, string inputFormat)
        {
            BuiltCommand.Ran ran = await BuiltCommand.RunAsync("decide", "--policy", policy, "--binding", "orders", "--input", Write("records", lines), "--input-format", inputFormat, "--registry", registry.Url, "--time", "2026-02-03T04:05:06Z");
            Assert.Equal((0, ""), (ran.Code, ran.Error));
            return Answers(ran);
        }

        static string Summary(JsonElement answer)
        {
            JsonElement decision = answer.GetProperty("decision");
            return $"{decision.GetProperty("outcome")} {string.Join(",", decision.GetProperty("errors").EnumerateArray().Select(error => error.GetProperty("code")))}".TrimEnd();
        }
    }

    private static JsonElement[] Answers(BuiltCommand.Ran ran) => [.. ran.Lines.Select(line => JsonDocument.Parse(line).RootElement)];

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
