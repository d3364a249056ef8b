using System.Text.Json;
using PolicyStreams.Schemas.Avro;

namespace PolicyStreams.Rules.Tests.Evolution;

/// <summary>Versions of a subject against a policy that was loaded before them: what an honest producer adds, and what somebody tries who may write to the registry.</summary>
public class EvolutionTests
{
    internal const string First = """
        {"type":"record","name":"Payment","namespace":"shop","fields":[
          {"name":"id","type":"string"},
          {"name":"amount","type":"double"},
          {"name":"country","type":"string"},
          {"name":"card","type":"string","confluent:tags":["PAN"]},
          {"name":"customer","type":{"type":"record","name":"Customer","fields":[
            {"name":"email","type":["null","string"],"default":null,"confluent:tags":["PII"]},
            {"name":"name","type":"string"}]}},
          {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[{"name":"note","type":"string"}]}}}]}
        """;

    internal const string Record = """{"id":"p-1","amount":10.0,"country":"DE","card":"4111111111111111","customer":{"email":"ada@example.com","name":"Ada"},"lines":[{"note":"n"}]}""";

    internal const string Rules = """
        - { id: country, when: 'value.country == "KP"', deny: {} }
        - { id: large, when: value.amount > 1000.0, deny: {} }
        - { id: pan, mask: { tag: PAN, keep_last: 4 } }
        - { id: pii, mask: { tag: PII, redact: true } }
        - { id: name, mask: { field: customer.name, constant: "***" } }
        - { id: notes, mask: { field: "lines[*].note", constant: "***" } }
        """;

    /// <summary>What each attack does to the schema and to the record, and the path that the decision names.</summary>
    public static TheoryData<string, string[], string[], string> Attacks => new()
    {
        { "renames a field masked by tag", ["\"name\":\"card\"", "\"name\":\"pan\""], ["\"card\"", "\"pan\""], "card" },
        { "renames it and drops its tag", ["\"name\":\"card\",\"type\":\"string\",\"confluent:tags\":[\"PAN\"]", "\"name\":\"pan\",\"type\":\"string\""], ["\"card\"", "\"pan\""], "card" },
        { "renames a field masked by path", ["\"name\":\"name\",\"type\"", "\"name\":\"fullname\",\"type\""], ["\"name\"", "\"fullname\""], "customer.name" },
        { "renames it and leaves an alias", ["\"name\":\"card\"", "\"name\":\"pan\",\"aliases\":[\"card\"]"], ["\"card\"", "\"pan\""], "card" },
        { "renames the record around it", ["\"name\":\"customer\"", "\"name\":\"client\""], ["\"customer\"", "\"client\""], "customer.name" },
        { "retypes it to bytes", ["\"card\",\"type\":\"string\"", "\"card\",\"type\":\"bytes\""], ["\"4111111111111111\"", "{\"$bytes\":\"NDExMQ==\"}"], "card" },
        { "retypes it to a number", ["\"card\",\"type\":\"string\"", "\"card\",\"type\":\"long\""], ["\"4111111111111111\"", "4111111111111111"], "card" },
        { "moves it into a record", ["\"card\",\"type\":\"string\"", "\"card\",\"type\":{\"type\":\"record\",\"name\":\"Card\",\"fields\":[{\"name\":\"number\",\"type\":\"string\"}]}"], ["\"4111111111111111\"", "{\"number\":\"4111111111111111\"}"], "card" },
        { "moves it into a list", ["\"card\",\"type\":\"string\"", "\"card\",\"type\":{\"type\":\"array\",\"items\":\"string\"}"], ["\"4111111111111111\"", "[\"4111111111111111\"]"], "card" },
        { "moves it into a map", ["\"card\",\"type\":\"string\"", "\"card\",\"type\":{\"type\":\"map\",\"values\":\"string\"}"], ["\"4111111111111111\"", "{\"x\":\"4111111111111111\"}"], "card" },
        { "moves it into a union", ["\"card\",\"type\":\"string\"", "\"card\",\"type\":[\"string\",\"long\"]"], [], "card" },
        { "makes the record around it a union", ["\"customer\",\"type\":{", "\"customer\",\"type\":[\"string\",{", "\"name\":\"name\",\"type\":\"string\"}]}", "\"name\":\"name\",\"type\":\"string\"}]}]"], ["{\"email\":\"ada@example.com\",\"name\":\"Ada\"}", "\"ada@example.com\""], "customer" },
        { "makes the list around it a map", ["\"type\":\"array\",\"items\"", "\"type\":\"map\",\"values\""], ["[{\"note\":\"n\"}]", "{\"x\":{\"note\":\"n\"}}"], "lines" },
        { "drops a field that a condition names", ["{\"name\":\"country\",\"type\":\"string\"},", ""], ["\"country\":\"DE\",", ""], "country" },
        { "retypes a field that a condition names", ["\"amount\",\"type\":\"double\"", "\"amount\",\"type\":\"string\""], ["10.0", "\"2000000\""], "amount" },
        { "makes a field that a condition names nullable", ["\"country\",\"type\":\"string\"", "\"country\",\"type\":[\"null\",\"string\"]"], ["\"DE\"", "null"], "country" },
        { "adds a copy that is the masked field by alias", ["{\"name\":\"customer\"", "{\"name\":\"copy\",\"type\":{\"type\":\"record\",\"name\":\"Copy\",\"fields\":[{\"name\":\"name\",\"type\":\"string\"}]},\"aliases\":[\"customer\"]},{\"name\":\"customer\""], ["\"customer\"", "\"copy\":{\"name\":\"Ada\"},\"customer\""], "copy.name" },
    };

    [Theory]
    [MemberData(nameof(Attacks))]
    public void LaterVersion_ThatLosesWhatThePolicyNames_IsNeverPublished(string what, string[] schema, string[] record, string path)
    {
        Bench bench = Bench.Of(Bench.Yaml(Rules), (7, First));
        string later = Change(First, schema);
        Assert.NotEqual(First, later);
        byte[] value = bench.Encode(Change(Record, record), AvroSchema.Parse(later), 8);

        foreach (Bench each in (Bench[])[Told(bench, later), Resolved(bench, later)])
        {
            each.Decide(value);
            Assert.True(each.Verdict.Outcome == Outcome.Deny, what);
            Assert.Equal(["ps:schema-mismatch"], each.Verdict.Rules);
            Assert.Contains(new DecisionError("ps:schema-mismatch", path), each.Verdict.Errors);
        }
    }

    /// <summary>What changes nothing that the policy names: the record is read and masked as before.</summary>
    public static TheoryData<string, string[], string[]> Harmless => new()
    {
        { "drops the tags", [",\"confluent:tags\":[\"PAN\"]", "", ",\"confluent:tags\":[\"PII\"]", ""], [] },
        { "changes the namespace", ["\"namespace\":\"shop\"", "\"namespace\":\"evil\""], [] },
        { "changes the record's name", ["\"name\":\"Payment\"", "\"name\":\"Payments\""], [] },
        { "changes a default", ["[\"null\",\"string\"],\"default\":null", "[\"string\",\"null\"],\"default\":\"none\""], [] },
        { "changes the order of fields", ["{\"name\":\"id\",\"type\":\"string\"},", "", "{\"name\":\"card\"", "{\"name\":\"id\",\"type\":\"string\"},{\"name\":\"card\""], [] },
        { "adds a field", ["{\"name\":\"id\"", "{\"name\":\"extra\",\"type\":\"string\",\"default\":\"\"},{\"name\":\"id\""], ["{\"id\"", "{\"extra\":\"x\",\"id\""] },
        { "makes a masked field nullable", ["\"card\",\"type\":\"string\"", "\"card\",\"type\":[\"null\",\"string\"]"], [] },
        { "tags a field of another type so that its mask cannot be applied", ["\"name\":\"id\",\"type\":\"string\"", "\"name\":\"id\",\"type\":\"string\",\"confluent:tags\":[\"NEW\"]"], [] },
    };

    [Theory]
    [MemberData(nameof(Harmless))]
    public void LaterVersion_ThatKeepsWhatThePolicyNames_IsMaskedAsBefore(string what, string[] schema, string[] record)
    {
        Bench bench = Bench.Of(Bench.Yaml(Rules), (7, First));
        string later = Change(First, schema);
        Assert.NotEqual(First, later);
        AvroSchema parsed = AvroSchema.Parse(later);
        byte[] value = bench.Encode(Change(Record, record), parsed, 8);
        Bench resolved = Resolved(bench, later);
        resolved.Decide(value);
        Assert.True(resolved.Verdict.Outcome == Outcome.Allow, what + ": " + string.Join(",", resolved.Verdict.Errors));
        JsonElement published = Read(resolved, parsed);
        Assert.Equal("************1111", published.GetProperty("card").GetString());
        Assert.Equal(JsonValueKind.Null, published.GetProperty("customer").GetProperty("email").ValueKind);
        Assert.Equal("***", published.GetProperty("customer").GetProperty("name").GetString());
        Assert.Equal("***", published.GetProperty("lines")[0].GetProperty("note").GetString());
    }

    [Fact]
    public void NewTag_OfALaterVersion_MasksRecordsOfEarlierVersionsOnceResolved()
    {
        Bench bench = Bench.Of(Bench.Yaml(Rules), (7, First));
        byte[] before = bench.Encode(Record);
        bench.Decide(before);
        Assert.Equal("p-1", bench.Published(before).GetProperty("id").GetString());

        Bench resolved = Resolved(bench, Change(First, ["\"name\":\"id\",\"type\":\"string\"", "\"name\":\"id\",\"type\":\"string\",\"confluent:tags\":[\"PAN\"]"]));
        resolved.Decide(before);
        Assert.Equal(Outcome.Allow, resolved.Verdict.Outcome);
        Assert.Contains("id", resolved.Verdict.Masked);
        Assert.NotEqual(bench.Policy.Digest, resolved.Policy.Digest);
        Assert.Equal(bench.Policy.CanonicalDigest, resolved.Policy.CanonicalDigest);
    }

    [Fact]
    public void NewField_WithATag_IsMaskedFromItsFirstRecord()
    {
        Bench bench = Bench.Of(Bench.Yaml(Rules), (7, First));
        string later = Change(First, ["{\"name\":\"id\"", "{\"name\":\"iban\",\"type\":\"string\",\"default\":\"\",\"confluent:tags\":[\"PII\"]},{\"name\":\"id\""]);
        AvroSchema parsed = AvroSchema.Parse(later);
        Bench resolved = Resolved(bench, later);
        resolved.Decide(bench.Encode(Record.Replace("{\"id\"", "{\"iban\":\"DE00\",\"id\"", StringComparison.Ordinal), parsed, 8));
        Assert.Contains("iban", resolved.Verdict.Masked);
        Assert.Equal("", Read(resolved, parsed).GetProperty("iban").GetString());
    }

    [Fact]
    public void NewTag_WhereItsMaskCannotBeApplied_DeniesTheRecordsItTouchesAndStopsNothing()
    {
        Bench bench = Bench.Of(Bench.Yaml(Rules), (7, First));
        string later = Change(First, ["\"name\":\"amount\",\"type\":\"double\"", "\"name\":\"amount\",\"type\":\"double\",\"confluent:tags\":[\"PAN\"]"]);
        var said = new List<Diagnostic>();
        Bench resolved = Resolved(bench, later, said);
        Assert.Contains(said, diagnostic => diagnostic is { Severity: Severity.Warning, Code: DiagnosticCodes.MaskType });
        resolved.Decide(bench.Encode(Record));
        Assert.Equal(Outcome.Deny, resolved.Verdict.Outcome);
        Assert.Equal(["ps:mask"], resolved.Verdict.Rules.Where(rule => rule.StartsWith("ps:", StringComparison.Ordinal)));
    }

    [Fact]
    public void TagOfARenamedField_FollowsItsAlias_BothWays()
    {
        string renamed = Change(First, ["\"name\":\"card\",\"type\":\"string\",\"confluent:tags\":[\"PAN\"]", "\"name\":\"pan\",\"type\":\"string\",\"aliases\":[\"card\"]"]);

        // Deployed with the new version as the checked one, which has no tag of its own: the alias carries it forward.
        Bench bench = Bench.Of(Bench.Yaml("- { id: pan, mask: { tag: PAN, keep_last: 4 } }"), (7, First), (8, renamed));
        Assert.Equal("************1111", bench.Mask(Record.Replace("\"card\"", "\"pan\"", StringComparison.Ordinal)).GetProperty("pan").GetString());

        // And back: only the later name is tagged, records of the earlier one are masked too.
        string bare = First.Replace(",\"confluent:tags\":[\"PAN\"]", "", StringComparison.Ordinal);
        string tagged = renamed.Replace("\"aliases\":[\"card\"]", "\"aliases\":[\"card\"],\"confluent:tags\":[\"PAN\"]", StringComparison.Ordinal);
        Bench back = Bench.Of(Bench.Yaml("- { id: pan, mask: { tag: PAN, keep_last: 4 } }"), (7, bare), (8, tagged));
        back.Decide(back.Encode(Record, AvroSchema.Parse(bare), 7));
        Assert.Equal(["card"], back.Verdict.Masked);
    }

    [Fact]
    public void OlderVersion_WithTheMaskedFieldUnderItsFormerName_IsAMismatch()
    {
        string renamed = Change(First, ["\"name\":\"name\",\"type\"", "\"name\":\"fullname\",\"aliases\":[\"name\"],\"type\""]);
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { field: customer.fullname, constant: x } }"), (7, First), (8, renamed));
        bench.Decide(bench.Encode(Record, AvroSchema.Parse(First), 7));
        Assert.Equal([new DecisionError("ps:schema-mismatch", "customer.name")], bench.Verdict.Errors);
    }

    [Fact]
    public void DeletedVersion_KeepsItsTags_AndMayNotWrite()
    {
        string untagged = First.Replace(",\"confluent:tags\":[\"PAN\"]", "", StringComparison.Ordinal);
        Bench bench = Bench.Of(Bench.Yaml("- { id: pan, mask: { tag: PAN, keep_last: 4 } }"), (7, First), (8, untagged));
        SubjectSchemas all = bench.Policy.Subjects["payments"];
        SubjectSchemas deleted = all with { Versions = [all.Versions[0] with { Deleted = true }, all.Versions[1]] };
        CompiledPolicy policy = CompiledPolicy.Compile(bench.Policy.Document, new Dictionary<string, SubjectSchemas> { ["payments"] = deleted }, Bench.Keys(), [])!;
        bench.Binding = policy.Bindings["payments"];
        Assert.Equal("************1111", bench.Mask(Record).GetProperty("card").GetString());
        bench.Decide(bench.Encode(Record, AvroSchema.Parse(First), 7));
        Assert.Equal([new DecisionError("ps:schema-not-admitted", "not-a-version")], bench.Verdict.Errors);
    }

    [Fact]
    public void Remembering_AVersionThatIsGone_KeepsItsTags()
    {
        SubjectSchemas before = Bench.Of(Bench.Yaml(Rules), (7, First)).Policy.Subjects["payments"];
        var after = new SubjectSchemas(before.Subject, [new SchemaVersion(2, 8, AvroSchema.Parse(First.Replace("PAN", "none", StringComparison.Ordinal)))]);
        SubjectSchemas merged = after.Remembering(before);
        Assert.Equal([(1, true), (2, false)], merged.Versions.Select(version => (version.Version, version.Deleted)));
        Assert.Equal(2, merged.CheckedVersion.Version);
        Assert.Same(merged, merged.Remembering(before));
    }

    [Theory]
    [InlineData("shop.Payment.card", true)]
    [InlineData("**.card", true)]
    [InlineData("shop.*.card", true)]
    [InlineData("shop.Payment.c?rd", true)]
    [InlineData("**", true)]
    [InlineData("card", false)]
    [InlineData("*.card", false)]
    [InlineData("shop.Payment.CARD", false)]
    public void MetadataTags_MaskTheFieldsTheyName(string pattern, bool masked)
    {
        AvroSchema schema = AvroSchema.Parse(First.Replace(",\"confluent:tags\":[\"PAN\"]", "", StringComparison.Ordinal));
        PolicyLoad load = PolicySet.Load([new PolicyFile("p", Bench.Yaml("- { id: m, mask: { tag: SECRET, redact: true } }"))]);
        var version = new SchemaVersion(1, 7, schema) { Tags = new Dictionary<string, IReadOnlyList<string>> { [pattern] = ["SECRET"] } };
        var said = new List<Diagnostic>();
        CompiledPolicy? policy = CompiledPolicy.Compile(load.Set!.Policies[0], new Dictionary<string, SubjectSchemas> { ["payments"] = new("raw.payments-value", [version]) }, Bench.Keys(), said);
        if (!masked)
        {
            Assert.Contains(said, diagnostic => diagnostic.Code == DiagnosticCodes.UnknownTag);
            return;
        }

        Assert.True(policy is not null, string.Join("\n", said));
        Bench bench = Bench.Of(Bench.Yaml(Rules), (7, First));
        bench.Binding = policy.Bindings["payments"];
        bench.Decide(bench.Encode(Record));
        Assert.Contains("card", bench.Verdict.Masked);
    }

    [Fact]
    public void Resolved_AVersionOfNoUse_DeniesItsRecordsAndKeepsTheRest()
    {
        Bench bench = Bench.Of(Bench.Yaml(Rules, "subject: { naming: record, record: shop.Payment }").Replace("    subject: raw.payments-value\n", "", StringComparison.Ordinal), (7, First));
        string other = First.Replace("\"name\":\"Payment\"", "\"name\":\"Refund\"", StringComparison.Ordinal);
        Bench resolved = Resolved(bench, other);
        resolved.Decide(bench.Encode(Record, AvroSchema.Parse(other), 8));
        Assert.Equal([new DecisionError("ps:schema-not-admitted", "record-name")], resolved.Verdict.Errors);
        resolved.Decide(bench.Encode(Record));
        Assert.Equal(Outcome.Allow, resolved.Verdict.Outcome);
    }

    internal static string Change(string text, string[] changes)
    {
        for (int i = 0; i < changes.Length; i += 2)
        {
            Assert.Contains(changes[i], text, StringComparison.Ordinal);
            text = text.Replace(changes[i], changes[i + 1], StringComparison.Ordinal);
        }

        return text;
    }

    /// <summary>A bench whose binding was told of the version alone, as long as nothing resolves it anew.</summary>
    private static Bench Told(Bench bench, string later)
    {
        Bench told = Bench.Of(Bench.Yaml(Rules), (7, First));
        told.Binding.AddWriter(8, WriterAdmission.Admitted, new SchemaVersion(2, 8, AvroSchema.Parse(later)));
        return told;
    }

    private static Bench Resolved(Bench bench, string later, List<Diagnostic>? said = null)
    {
        SubjectSchemas subject = bench.Policy.Subjects["payments"].With([new SchemaVersion(2, 8, AvroSchema.Parse(later))]);
        said ??= [];
        CompiledPolicy? policy = bench.Policy.Resolved(new Dictionary<string, SubjectSchemas> { ["payments"] = subject }, Bench.Keys(), said);
        Assert.True(policy is not null, string.Join("\n", said));
        return bench.With(policy);
    }

    [Fact]
    public void UntaggedCopy_WithoutAlias_IsPublished_AndTheLockNamesIt()
    {
        // Nothing tells what a new field holds: what is left is that somebody looks at it.
        Bench bench = Bench.Of(Bench.Yaml(Rules), (7, First));
        string later = Change(First, ["{\"name\":\"customer\"", "{\"name\":\"copy\",\"type\":\"string\",\"default\":\"\"},{\"name\":\"customer\""]);
        AvroSchema parsed = AvroSchema.Parse(later);
        Bench resolved = Resolved(bench, later);
        resolved.Decide(bench.Encode(Change(Record, ["\"customer\"", "\"copy\":\"4111111111111111\",\"customer\""]), parsed, 8));
        Assert.Equal(Outcome.Allow, resolved.Verdict.Outcome);
        Assert.Equal("4111111111111111", Read(resolved, parsed).GetProperty("copy").GetString());

        string locked = PolicyLock.Write(bench.Policy, [])!;
        string[] found = [.. PolicyLinter.Lint([new PolicyFile("payments.policy.yaml", Bench.Yaml(Rules))], (_, _) => resolved.Policy.Subjects, locks: policy => new PolicyFile(PolicyLock.PathOf(policy.Path), locked))
            .Where(one => one.Severity == Severity.Error).Select(one => $"{one.Code} {one.Message}")];
        Assert.Equal(["PS0441 field `copy` (string) of version 2 of subject `raw.payments-value` is not in the lock: nobody has looked at it"], found);
    }

    private static JsonElement Read(Bench bench, AvroSchema schema)
    {
        var json = new PolicyStreams.Schemas.Capture.ByteBuffer();
        using (var writer = new Utf8JsonWriter(json)) { Assert.Equal(PolicyStreams.Schemas.DecodeOutcome.Decoded, schema.WriteJson(bench.Output.Written[5..], writer)); }
        return JsonDocument.Parse(json.Written.ToArray()).RootElement;
    }
}
