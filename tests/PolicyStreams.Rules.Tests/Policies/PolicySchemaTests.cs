using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using PolicyStreams.Rules.Yaml;

namespace PolicyStreams.Rules.Tests.Policies;

/// <summary>The published JSON Schema says of documents what the loader says of them: every example is valid, and what the loader refuses for its form is not.</summary>
public class PolicySchemaTests
{
    private static readonly JsonElement Schema = JsonDocument.Parse(PolicyJsonSchema.Text).RootElement;

    public static TheoryData<string> Documents()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(root, "PolicyStreams.sln"))) { root = Path.GetDirectoryName(root)!; }
        return new TheoryData<string>(Directory.EnumerateFiles(Path.Combine(root, "examples"), "*.policy.yaml", SearchOption.AllDirectories).Select(File.ReadAllText)
            .Concat(Regex.Matches(File.ReadAllText(Path.Combine(root, "docs", "reference", "policy.md")), "```yaml\n(apiVersion: policystreams/v1\nkind: Policy.*?)```", RegexOptions.Singleline).Select(match => match.Groups[1].Value))
            .Append(DigestPropertyTests.Document).Append(Decisions.ReferenceJobTests.Policy).Append(Bench.Yaml("[]")));
    }

    [Theory]
    [MemberData(nameof(Documents))]
    public void Schema_EveryExample_IsValid(string yaml)
    {
        Assert.NotNull(PolicySet.Load([new PolicyFile("p", yaml)]).Set);
        Assert.Equal("", Check(yaml));
    }

    [Theory]
    [InlineData("metadata: { name: payments", "metadata: { ownr: x, name: payments")]
    [InlineData("metadata: { name: payments", "metadata: { name: 'a b'")]
    [InlineData("mode: enforce", "mode: dark")]
    [InlineData("format: avro", "format: avor")]
    [InlineData("framing: apicurio4", "framing: magic")]
    [InlineData("schema_ids: content", "schema_ids: both")]
    [InlineData("key_format: string", "key_format: text")]
    [InlineData("headers: drop", "headers: some")]
    [InlineData("headers: drop", "headers: []")]
    [InlineData("stamp: none", "stamp: maybe")]
    [InlineData("tombstones: allow", "tombstones: maybe")]
    [InlineData("identity: { topic: { id: checkout, groups: [payments-producers] } }", "identity: { topic: { groups: [payments-producers] } }")]
    [InlineData("identity: { topic: { id: checkout, groups: [payments-producers] } }", "identity: everybody")]
    [InlineData("ingress: in.p", "ingress: 'in p'")]
    [InlineData("partitions: 6", "partitions: 0")]
    [InlineData("partitions: 6", "partitions: many")]
    [InlineData("record_bytes: 65536", "record_bytes: 0")]
    [InlineData("cost: 5000000", "cost: 0")]
    [InlineData("on_error: { hold: { approvers: [ops, risk], expires: 1h } }", "on_error: { hold: { expires: 1h } }")]
    [InlineData("on_error: { hold: { approvers: [ops, risk], expires: 1h } }", "on_error: allow")]
    [InlineData("quorum: 2, expires: 4h", "quorum: 17, expires: 4h")]
    [InlineData("expires: 4h", "expires: 4 hours")]
    [InlineData("approvers: [risk, fraud]", "approvers: []")]
    [InlineData("approvers: [risk, fraud]", "approvers: risk")]
    [InlineData("on_expiry: allow", "on_expiry: release")]
    [InlineData("own_group_may_approve: true, reason: large", "own_group_may_approve: maybe, reason: large")]
    [InlineData("mask: { tag: PAN, keep_last: 4 }", "mask: { tag: PAN }")]
    [InlineData("mask: { tag: PAN, keep_last: 4 }", "mask: { keep_last: 4 }")]
    [InlineData("mask: { tag: PAN, keep_last: 4 }", "mask: { tag: PAN, keep_last: -1 }")]
    [InlineData("mask: { tag: PAN, keep_last: 4 }", "mask: { tag: PAN, keep_last: 4, redact: true }")]
    [InlineData("mask: { tag: PAN, keep_last: 4 }", "mask: { tag: PAN, keep_lst: 4 }")]
    [InlineData("bucket: 50", "bucket: 0")]
    [InlineData("date: year", "date: week")]
    [InlineData("redact: true", "redact: false")]
    [InlineData("detect: [card, email], in: comment", "detect: [card, email]")]
    [InlineData("detect: [card, email], in: comment", "in: comment")]
    [InlineData("detect: [card, email], in: comment", "in: comment, redact: true")]
    [InlineData("detect: [card, email], in: comment", "detect: [card, email], field: comment")]
    [InlineData("detect: [card, email], in: comment", "detect: [card, crad], in: comment")]
    [InlineData("detect: [card, email], in: comment", "detect: [], in: comment")]
    [InlineData("detect: [card, email], in: comment", "detect: [card, email], in: comment, remove: true")]
    [InlineData("detect: [card, email], in: comment", "detect: [card, email], in: comment, redact: true, constant: x")]
    [InlineData("in: { tag: TEXT }", "in: { field: TEXT }")]
    [InlineData("token: token-key", "token: 'a b'")]
    [InlineData("token: token-key", "token: [token-key]")]
    [InlineData("token: { key: token-key, tweak: accounts }", "token: { tweak: accounts }")]
    [InlineData("token: { key: token-key, tweak: accounts }", "token: { key: token-key, twek: accounts }")]
    [InlineData("{ match: \"[0-9]+\", replace: \"#\" }", "{ match: \"[0-9]+\" }")]
    [InlineData("route: { to: eu.p }", "route: {}")]
    [InlineData("tag: { source: mobile, region: eu }", "tag: {}")]
    [InlineData("tag: { source: mobile, region: eu }", "tag: { source: 7 }")]
    [InlineData("deny: { reason: country is under embargo }", "deny: { reason: x }, hold: { approvers: [x] }")]
    [InlineData("deny: { reason: country is under embargo }, ", "")]
    [InlineData("id: sanctioned, ", "")]
    [InlineData("- { id: sanctioned", "- { id: 'ps:x'")]
    public void Schema_WhatTheLoaderRefuses_IsNotValid(string good, string bad)
    {
        string yaml = DigestPropertyTests.Document;
        int at = yaml.IndexOf(good, StringComparison.Ordinal);
        Assert.True(at >= 0, good);
        yaml = yaml[..at] + bad + yaml[(at + good.Length)..];
        Assert.Null(PolicySet.Load([new PolicyFile("p", yaml)]).Set);
        Assert.NotEqual("", Check(yaml));
    }

    // What an editor shows beside a completion.
    [Fact]
    public void Schema_EveryKey_HasADescription()
    {
        var without = new List<string>();
        Walk(Schema, "");
        Assert.Empty(without);

        void Walk(JsonElement at, string path)
        {
            if (at.ValueKind == JsonValueKind.Array)
            {
                foreach (JsonElement item in at.EnumerateArray()) { Walk(item, path); }
            }

            if (at.ValueKind != JsonValueKind.Object) { return; }
            foreach (JsonProperty member in at.EnumerateObject())
            {
                if (member.Name == "properties")
                {
                    foreach (JsonProperty key in member.Value.EnumerateObject())
                    {
                        if (!key.Value.TryGetProperty("description", out _)) { without.Add($"{path}/{key.Name}"); }
                        Walk(key.Value, $"{path}/{key.Name}");
                    }
                }
                else { Walk(member.Value, $"{path}/{member.Name}"); }
            }
        }
    }

    internal static string Check(string yaml)
    {
        var bag = new DiagnosticBag("p");
        JsonElement document = YamlJson.ToElement(YamlReader.Read(yaml, bag)!, bag);
        return Fault(Schema, document, "$") ?? "";
    }

    /// <summary>As much of draft 2020-12 as the schema uses; a keyword that is not known here fails the test.</summary>
    private static string? Fault(JsonElement schema, JsonElement value, string at)
    {
        foreach (JsonProperty keyword in schema.EnumerateObject())
        {
            JsonElement says = keyword.Value;
            bool isObject = value.ValueKind == JsonValueKind.Object, isArray = value.ValueKind == JsonValueKind.Array, isText = value.ValueKind == JsonValueKind.String, isNumber = value.ValueKind == JsonValueKind.Number;
            string? fault = keyword.Name switch
            {
                "$schema" or "$id" or "$defs" or "title" or "description" or "default" or "examples" => null,
                "$ref" => Fault(Schema.GetProperty("$defs").GetProperty(says.GetString()!["#/$defs/".Length..]), value, at),
                "type" => (says.ValueKind == JsonValueKind.Array ? says.EnumerateArray().ToArray() : [says]).Any(type => IsType(type.GetString()!, value)) ? null : "type",
                "const" => JsonElement.DeepEquals(says, value) ? null : "const",
                "enum" => says.EnumerateArray().Any(one => JsonElement.DeepEquals(one, value)) ? null : "enum",
                "required" => !isObject ? null : says.EnumerateArray().FirstOrDefault(name => !value.TryGetProperty(name.GetString()!, out _)) is { ValueKind: JsonValueKind.String } missing ? $"required {missing}" : null,
                "properties" => !isObject ? null : says.EnumerateObject().Select(property => value.TryGetProperty(property.Name, out JsonElement member) ? Fault(property.Value, member, $"{at}.{property.Name}") : null).FirstOrDefault(one => one is not null),
                "additionalProperties" => !isObject ? null : value.EnumerateObject().Where(member => !(schema.TryGetProperty("properties", out JsonElement known) && known.TryGetProperty(member.Name, out _)))
                    .Select(member => says.ValueKind == JsonValueKind.False ? $"additional {member.Name}" : says.ValueKind == JsonValueKind.True ? null : Fault(says, member.Value, $"{at}.{member.Name}")).FirstOrDefault(one => one is not null),
                "items" => !isArray ? null : value.EnumerateArray().Select((item, i) => Fault(says, item, $"{at}[{i}]")).FirstOrDefault(one => one is not null),
                "oneOf" => says.EnumerateArray().Count(one => Fault(one, value, at) is null) == 1 ? null : "oneOf",
                "anyOf" => says.EnumerateArray().Any(one => Fault(one, value, at) is null) ? null : "anyOf",
                "not" => Fault(says, value, at) is null ? "not" : null,
                "allOf" => says.EnumerateArray().Select(one => Fault(one, value, at)).FirstOrDefault(one => one is not null),
                "pattern" => !isText || Regex.IsMatch(value.GetString()!, says.GetString()!) ? null : "pattern",
                "minLength" => !isText || value.GetString()!.Length >= says.GetInt32() ? null : "minLength",
                "maxLength" => !isText || value.GetString()!.Length <= says.GetInt32() ? null : "maxLength",
                "minimum" => !isNumber || value.GetDouble() >= says.GetDouble() ? null : "minimum",
                "maximum" => !isNumber || value.GetDouble() <= says.GetDouble() ? null : "maximum",
                "exclusiveMinimum" => !isNumber || value.GetDouble() > says.GetDouble() ? null : "exclusiveMinimum",
                "minItems" => !isArray || value.GetArrayLength() >= says.GetInt32() ? null : "minItems",
                "maxItems" => !isArray || value.GetArrayLength() <= says.GetInt32() ? null : "maxItems",
                "uniqueItems" => !isArray || value.EnumerateArray().Select(item => item.GetRawText()).Distinct().Count() == value.GetArrayLength() ? null : "uniqueItems",
                "minProperties" => !isObject || value.EnumerateObject().Count() >= says.GetInt32() ? null : "minProperties",
                "maxProperties" => !isObject || value.EnumerateObject().Count() <= says.GetInt32() ? null : "maxProperties",
                _ => $"unknown keyword {keyword.Name}",
            };
            if (fault is not null) { return fault.StartsWith('$') ? fault : string.Create(CultureInfo.InvariantCulture, $"{at}: {fault}"); }
        }

        return null;
    }

    private static bool IsType(string type, JsonElement value) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "null" => value.ValueKind == JsonValueKind.Null,
        "number" => value.ValueKind == JsonValueKind.Number,
        "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _),
        _ => false,
    };
}
