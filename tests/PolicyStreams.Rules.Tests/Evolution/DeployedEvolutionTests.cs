using System.Globalization;
using System.Text;
using System.Text.Json;
using PolicyStreams.Rules.Tests.Protobuf;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Avro;
using PolicyStreams.Schemas.JsonSchema;

namespace PolicyStreams.Rules.Tests.Evolution;

/// <summary>Versions that were there before the policy was loaded: whoever restarts the processor, or reloads a policy, must not unmask by it.</summary>
public class DeployedEvolutionTests
{
    private const string Tags = """
        - { id: pan, mask: { tag: PAN, keep_last: 4 } }
        - { id: pii, mask: { tag: PII, redact: true } }
        """;

    private const string Small = """{"type":"record","name":"R","fields":[{"name":"id","type":"string"},{"name":"card","type":"string","tags":["PAN"]}]}""";
    private const string Renamed = """{"type":"record","name":"R","fields":[{"name":"id","type":"string"},{"name":"pan","type":"string"}]}""";
    private const string Removed = """{"type":"record","name":"R","fields":[{"name":"id","type":"string"}]}""";
    private const string Mask = "- { id: pan, mask: { tag: PAN, keep_last: 4 } }";
    private const string Pan = """{"id":"p-1","pan":"4111111111111111"}""";

    /// <summary>What no record of these tests may be published with.</summary>
    private static readonly string[] s_secrets = ["4111111111111111", "NDExMQ==", "ada@example.com", "\"Ada\"", "\"n\""];

    public static TheoryData<string, string[], string[], string> Attacks => EvolutionTests.Attacks;

    [Theory]
    [MemberData(nameof(Attacks))]
    public void LatestVersion_ThatLostWhatThePolicyNames_IsNeverPublishedInClear(string what, string[] schema, string[] record, string path)
    {
        Assert.NotEmpty(path);
        Bench? bench = Bench.TryOf(Bench.Yaml(EvolutionTests.Rules), [(7, EvolutionTests.First), (8, EvolutionTests.Change(EvolutionTests.First, schema))], out IReadOnlyList<Diagnostic> said);
        if (bench is null)
        {
            Assert.Contains(said, one => one.Severity == Severity.Error);
            return;
        }

        byte[] value = bench.Encode(EvolutionTests.Change(EvolutionTests.Record, record));
        if (bench.Decide(value).Outcome == Outcome.Deny) { Assert.Contains(said, one => one.Severity == Severity.Warning); }
        else { NotInClear(bench, value, what); }
    }

    /// <summary>The same with masks by tag alone, so that no rule's own mistake stops the policy: the mismatch that is said, the code of the error, or what is published.</summary>
    public static TheoryData<string, string> ByTag => new()
    {
        { "renames a field masked by tag", "\"pan\":\"************1111\"" },
        { "renames it and drops its tag", "card" },
        { "renames it and leaves an alias", "\"pan\":\"************1111\"" },
        { "renames the record around it", "\"email\":null" },
        { "retypes it to bytes", DiagnosticCodes.MaskType },
        { "retypes it to a number", DiagnosticCodes.MaskType },
        { "moves it into a record", DiagnosticCodes.MaskType },
        { "moves it into a list", DiagnosticCodes.MaskType },
        { "moves it into a map", DiagnosticCodes.MaskType },
        { "moves it into a union", "\"card\":\"************1111\"" },
        { "makes the record around it a union", "customer.email" },
    };

    [Theory]
    [MemberData(nameof(ByTag))]
    public void LatestVersion_ThatLostATaggedField_IsSaidOrMasked(string what, string expected)
    {
        (_, string[] schema, string[] record, _) = EvolutionTests.Attacks.Single(row => row.Data.Item1 == what).Data;
        Bench? bench = Bench.TryOf(Bench.Yaml(Tags), [(7, EvolutionTests.First), (8, EvolutionTests.Change(EvolutionTests.First, schema))], out IReadOnlyList<Diagnostic> said);
        if (bench is null)
        {
            Assert.Contains(said, one => one.Severity == Severity.Error && one.Code == expected);
            return;
        }

        byte[] value = bench.Encode(EvolutionTests.Change(EvolutionTests.Record, record));
        if (bench.Decide(value).Outcome == Outcome.Deny) { IsMismatch(bench, said, expected, version: 2); }
        else { Assert.Contains(expected, bench.Published(value).GetRawText(), StringComparison.Ordinal); }
    }

    [Fact]
    public void Copy_ThatIsAnExplicitlyMaskedFieldByAlias_IsAMismatchOfTheCheckedVersionToo()
    {
        (_, string[] schema, string[] record, string path) = EvolutionTests.Attacks.Single(row => row.Data.Item1.StartsWith("adds a copy", StringComparison.Ordinal)).Data;
        Bench? bench = Bench.TryOf(Bench.Yaml(EvolutionTests.Rules), [(7, EvolutionTests.First), (8, EvolutionTests.Change(EvolutionTests.First, schema))], out IReadOnlyList<Diagnostic> said);
        bench!.Decide(EvolutionTests.Change(EvolutionTests.Record, record));
        IsMismatch(bench, said, path, version: 2);
    }

    /// <summary>The field is not at the top: path of what is lost, the version before, the later one, and its record.</summary>
    public static TheoryData<string, string, string, string> Inside => new()
    {
        { "parties[*].iban", """{"name":"parties","type":{"type":"map","values":{"type":"record","name":"P","fields":[{"name":"iban","type":"string","tags":["PAN"]}]}}}""", "iban=number", """{"parties":{"a":{"number":"4111111111111111"}}}""" },
        { "method.number", """{"name":"method","type":[{"type":"record","name":"Cash","fields":[{"name":"till","type":"int"}]},{"type":"record","name":"Card","fields":[{"name":"number","type":"string","tags":["PAN"]}]}]}""", "number=digits", """{"method":{"digits":"4111111111111111"}}""" },
        { "method.number", """{"name":"method","type":{"type":"record","name":"Card","fields":[{"name":"number","type":"string","tags":["PAN"]}]}}""",
            """{"name":"method","type":[{"type":"record","name":"Card2","fields":[{"name":"digits","type":"string"}]},{"type":"record","name":"Card","fields":[{"name":"number","type":"string","tags":["PAN"]}]}]}""", """{"method":{"digits":"4111111111111111"}}""" },
        { "tree.card", """{"name":"tree","type":{"type":"record","name":"T","fields":[{"name":"card","type":"string","tags":["PAN"]},{"name":"next","type":["null","T"]}]}}""", "card=label", """{"tree":{"label":"4111111111111111","next":null}}""" },
        { "cards[*][*].pan", """{"name":"cards","type":{"type":"array","items":{"type":"map","values":{"type":"record","name":"C","fields":[{"name":"pan","type":"string","tags":["PAN"]}]}}}}""", "pan=number", """{"cards":[{"a":{"number":"4111111111111111"}}]}""" },
    };

    [Theory]
    [MemberData(nameof(Inside))]
    public void LaterVersion_ThatLosesWhatIsInsideAMapAUnionOrItself_IsAMismatchBeforeAndAfterARestart(string path, string field, string later, string record)
    {
        string first = $$"""{"type":"record","name":"Root","fields":[{{field}}]}""";
        string second = $$"""{"type":"record","name":"Root","fields":[{{(later[0] == '{' ? later : Rename(field, later.Split('=')))}}]}""";
        Bench running = Bench.Of(Bench.Yaml(Mask), (7, first));
        SubjectSchemas subject = running.Policy.Subjects["payments"].With([new SchemaVersion(2, 8, AvroSchema.Parse(second))]);
        CompiledPolicy resolved = running.Policy.Resolved(new Dictionary<string, SubjectSchemas> { ["payments"] = subject }, Bench.Keys(), [])!;
        running = running.With(resolved);
        byte[] value = running.Encode(record, AvroSchema.Parse(second), 8);
        running.Decide(value);
        Assert.Equal(["ps:schema-mismatch"], running.Verdict.Rules);

        Bench deployed = Deploy(out IReadOnlyList<Diagnostic> said, Mask, first, second);
        deployed.Decide(value);
        IsMismatch(deployed, said, path, version: 2);

        static string Rename(string field, string[] names) => field.Replace($"\"name\":\"{names[0]}\",\"type\":\"string\",\"tags\":[\"PAN\"]", $"\"name\":\"{names[1]}\",\"type\":\"string\"", StringComparison.Ordinal);
    }

    [Fact]
    public void FieldRemovedForGood_IsAWarning_AndItsRecordsPass()
    {
        Bench bench = Deploy(out IReadOnlyList<Diagnostic> said, Mask, Small, Removed);
        Diagnostic warning = Assert.Single(said);
        Assert.Equal((Severity.Warning, DiagnosticCodes.VersionMismatch), (warning.Severity, warning.Code));
        Assert.Equal("version 2 of subject `raw.payments-value`, which is checked: `card` is masked, and gone since version 2", warning.Message);
        Assert.Equal(Outcome.Allow, bench.Decide("""{"id":"p-1"}""").Outcome);

        // What comes in a version of its own is a new field: nothing tells what it holds.
        bench = Deploy(out said, Mask, Small, Removed, Renamed);
        Assert.Contains("version 3 of subject `raw.payments-value`, which is checked: `card` is masked, and gone since version 2", Assert.Single(said).Message, StringComparison.Ordinal);
        Assert.Equal(Outcome.Allow, bench.Decide(Pan).Outcome);
    }

    [Fact]
    public void VersionThatLostAMaskedFieldAndBroughtAnother_SaysWhich()
    {
        Bench bench = Deploy(out IReadOnlyList<Diagnostic> said, Mask, Small, Renamed);
        bench.Decide(Pan);
        IsMismatch(bench, said, "card", version: 2);
        Diagnostic warning = Assert.Single(said);
        Assert.Equal("version 2 of subject `raw.payments-value`: `card` is masked, and not in this schema since version 2, which brought `pan` without a tag or mask", warning.Message);
        Assert.Equal("its records get what `on_schema_mismatch` says", warning.Help);
    }

    public static TheoryData<string, string, string[]> Mended => new()
    {
        { "a later version tags the new field as the old one was", Mask, [Small, Renamed, Renamed.Replace("\"pan\",\"type\":\"string\"", "\"pan\",\"type\":\"string\",\"tags\":[\"PAN\"]", StringComparison.Ordinal)] },
        { "a later version says that it is the old one", Mask, [Small, Renamed, Renamed.Replace("\"pan\",\"type\":\"string\"", "\"pan\",\"type\":\"string\",\"aliases\":[\"card\"]", StringComparison.Ordinal)] },
        { "the policy masks it by its path", Mask + "\n- { id: new, mask: { field: pan, keep_last: 4 } }", [Small, Renamed] },
    };

    [Theory]
    [MemberData(nameof(Mended))]
    public void VersionThatLostAMaskedField_OnceTheNewOneIsKnown_IsMasked(string what, string rules, string[] schemas)
    {
        Bench bench = Deploy(out IReadOnlyList<Diagnostic> said, rules, schemas);
        Assert.Empty(said);
        for (int id = 8; id < 7 + schemas.Length; id++)
        {
            byte[] value = bench.Encode(Pan, AvroSchema.Parse(schemas[id - 7]), id);
            Assert.True(bench.Decide(value).Outcome == Outcome.Allow, what);
            Assert.Equal("************1111", bench.Published(value).GetProperty("pan").GetString());
        }
    }

    [Fact]
    public void VersionThatLostAMaskedField_WhereTheNewOneHasATagOfItsOwn_IsAWarning()
    {
        // Somebody has said what it holds, and it is nothing that is masked.
        Bench bench = Deploy(out IReadOnlyList<Diagnostic> said, Mask, Small, Renamed.Replace("\"pan\",\"type\":\"string\"", "\"memo\",\"type\":\"string\",\"tags\":[\"PUBLIC\"]", StringComparison.Ordinal));
        Assert.Contains("gone since version 2", Assert.Single(said).Message, StringComparison.Ordinal);
        Assert.Equal(Outcome.Allow, bench.Decide("""{"id":"p-1","memo":"hello"}""").Outcome);
    }

    [Fact]
    public void VersionThatLostAMaskedField_BetweenTwoThatHaveIt_IsAMismatchAlone()
    {
        Bench bench = Deploy(out IReadOnlyList<Diagnostic> said, Mask, Small, Renamed, Small.Replace("\"R\"", "\"R3\"", StringComparison.Ordinal));
        IsMismatch(bench, said, "card", version: 2, bench.Encode(Pan, AvroSchema.Parse(Renamed), 8));
        Assert.Equal("************1111", bench.Mask("""{"id":"p-1","card":"4111111111111111"}""").GetProperty("card").GetString());
        Assert.Single(said);
    }

    [Fact]
    public void VersionThatLostAMaskedField_IsAMismatchUntilWhatItBroughtIsGone()
    {
        Bench bench = Deploy(out IReadOnlyList<Diagnostic> said, Mask, Small, Renamed, Renamed.Replace("\"R\"", "\"R3\"", StringComparison.Ordinal), Removed, Renamed.Replace("\"R\"", "\"R5\"", StringComparison.Ordinal));
        Assert.Equal([2, 3], said.Where(one => one.Message.Contains("brought", StringComparison.Ordinal)).Select(one => int.Parse(one.Message.Split(' ')[1], CultureInfo.InvariantCulture)));
        Assert.Equal(Outcome.Allow, bench.Decide(Pan).Outcome);
    }

    [Fact]
    public void EarlierVersion_DeletedSoftly_GoesOnCounting()
    {
        Bench bench = Deploy(out _, Mask, Small, Renamed);
        SubjectSchemas all = bench.Policy.Subjects["payments"];
        SubjectSchemas deleted = all with { Versions = [all.Versions[0] with { Deleted = true }, all.Versions[1]] };
        var said = new List<Diagnostic>();
        bench.Binding = CompiledPolicy.Compile(bench.Policy.Document, new Dictionary<string, SubjectSchemas> { ["payments"] = deleted }, Bench.Keys(), said)!.Bindings["payments"];
        bench.Decide(Pan);
        IsMismatch(bench, said, "card", version: 2);

        // A removal that is meant is said as long as records with the field may still be written.
        said.Clear();
        deleted = all with { Versions = [all.Versions[0] with { Deleted = true }, all.Versions[1] with { Schema = AvroSchema.Parse(Removed) }] };
        Assert.NotNull(CompiledPolicy.Compile(bench.Policy.Document, new Dictionary<string, SubjectSchemas> { ["payments"] = deleted }, Bench.Keys(), said));
        Assert.Empty(said);
    }

    [Fact]
    public void TagThatMovedWithItsField_IsNoLoss_WhateverElseIsNew()
    {
        Bench bench = Deploy(out IReadOnlyList<Diagnostic> said, Mask, Small, """{"type":"record","name":"R","fields":[{"name":"memo","type":"string"},{"name":"pan","type":"string","tags":["PAN"]}]}""");
        Assert.Empty(said);
        Assert.Equal("************1111", bench.Mask("""{"memo":"m","pan":"4111111111111111"}""").GetProperty("pan").GetString());
    }

    [Fact]
    public void TagThatMovedForOneOfTwoFields_IsALoss()
    {
        const string two = """{"type":"record","name":"R","fields":[{"name":"a","type":"string","tags":["PAN"]},{"name":"b","type":"string","tags":["PAN"]}]}""";
        const string later = """{"type":"record","name":"R","fields":[{"name":"c","type":"string","tags":["PAN"]},{"name":"d","type":"string"}]}""";
        Bench bench = Deploy(out IReadOnlyList<Diagnostic> said, Mask, two, later);
        bench.Decide("""{"c":"4111111111111111","d":"4111111111111111"}""");
        IsMismatch(bench, said, "a", version: 2);
        IsMismatch(bench, said, "b", version: 2);
    }

    [Fact]
    public void NewField_OutOfSight_IsALossAllTheSame()
    {
        // More paths than are looked at, and deeper than paths go.
        string fields = string.Join(',', Enumerable.Range(0, 150).Select(i => string.Create(CultureInfo.InvariantCulture, $$"""{"name":"f{{i}}","type":"int"}""")));
        string wide = string.Join(',', Enumerable.Range(0, 150).Select(i => string.Create(CultureInfo.InvariantCulture, $$"""{"name":"r{{i}}","type":{{(i == 0 ? $$"""{"type":"record","name":"W","fields":[{{fields}}]}""" : "\"W\"")}}}""")));
        var deep = new StringBuilder("\"string\"");
        for (int i = 0; i < 40; i++) { deep.Insert(0, string.Create(CultureInfo.InvariantCulture, $$"""{"type":"record","name":"D{{i}}","fields":[{"name":"x","type":""")).Append("}]}"); }
        foreach (string hidden in (string[])[wide + """,{"name":"pan","type":"string"}""", $$"""{"name":"deep","type":{{deep}}}"""])
        {
            Deploy(out IReadOnlyList<Diagnostic> said, Mask, Small, $$"""{"type":"record","name":"R","fields":[{{hidden}}]}""");
            Assert.Contains(said, one => one.Code == DiagnosticCodes.VersionMismatch && one.Message.Contains("`card` is masked, and not in this schema since version 2", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void Key_ThatLostAMaskedField_IsAMismatchAfterARestart()
    {
        const string first = """{"type":"record","name":"K","fields":[{"name":"id","type":"string","tags":["PII"]}]}""";
        KeyBench bench = KeyBench.Of("- { id: m, mask: { tag: PII, constant: x } }", "", first, """{"type":"record","name":"K","fields":[{"name":"ident","type":"string"}]}""");
        bench.Decide(bench.Encode("""{"ident":"c-1"}""", 2));
        Assert.Equal([new DecisionError("ps:schema-mismatch", "key.id")], bench.Verdict.Errors);
        Assert.Contains(bench.Said, one => one.Code == DiagnosticCodes.VersionMismatch && one.Message == "version 2 of keys of subject `raw.payments-key`: `key.id` is masked, and not in this schema since version 2, which brought `key.ident` without a tag or mask");

        bench = KeyBench.Of("- { id: m, mask: { tag: PII, constant: x } }", "", first, """{"type":"record","name":"K","fields":[]}""");
        Assert.Contains(bench.Said, one => one.Message == "version 2 of keys of subject `raw.payments-key`, which is checked: `key.id` is masked, and gone since version 2");
    }

    [Fact]
    public void Protobuf_FieldWithAnotherNumber_IsAMismatch_AndOneWithAnotherNameIsNot()
    {
        const string v1 = "syntax = \"proto3\"; message P { string email = 3 [(confluent.field_meta).tags = \"PII\"]; string id = 1; }";
        foreach ((string later, string mask) in ((string, string)[])[("contact = 3", "tag: PII"), ("contact = 4", "tag: PII"), ("email = 4", "tag: PII")])
        {
            Bench bench = Bench.Of(
                Bench.Yaml($"- {{ id: m, mask: {{ {mask}, constant: x }} }}").Replace("format: avro", "format: protobuf", StringComparison.Ordinal),
                (7, v1), (8, v1.Replace("email = 3 [(confluent.field_meta).tags = \"PII\"]", later, StringComparison.Ordinal)));
            Verdict verdict = bench.Decide(Wire.Framed(8, new Wire().Text(later[^1] - '0', "a@b")));
            Assert.Equal(later == "contact = 4" ? ["ps:schema-mismatch"] : ["m"], verdict.Rules);
        }

        // An explicit path follows the number as well, in a version between.
        string renamed = v1.Replace("email = 3", "contact = 3", StringComparison.Ordinal);
        Bench between = Bench.Of(Bench.Yaml("- { id: m, mask: { field: email, constant: x } }").Replace("format: avro", "format: protobuf", StringComparison.Ordinal), (7, v1), (8, renamed), (9, v1));
        Assert.Equal(["m"], between.Decide(Wire.Framed(8, new Wire().Text(3, "a@b"))).Rules);
    }

    [Fact]
    public void JsonSchema_ThatLostAMaskedProperty_IsAMismatch_AndMasksItAllTheSameWhereNothingIsNew()
    {
        const string first = """{"type":"object","properties":{"card":{"type":"string","confluent:tags":["PAN"]}}}""";
        PolicyDocument document = PolicySet.Load([new PolicyFile("p", Bench.JsonYaml(Mask).Replace("format: json", "format: json\n    subject: raw.payments-value", StringComparison.Ordinal))]).Set!.Policies[0];
        foreach ((string later, string value, string expected) in ((string, string, string)[])
        [
            ("""{"type":"object","properties":{"pan":{"type":"string"}}}""", """{"pan":"4111111111111111"}""", ""),
            ("""{"type":"object","properties":{"id":{"type":"string"}}}""", """{"id":"x"}""", ""),
            ("""{"type":"object","properties":{}}""", """{"card":"4111111111111111"}""", """{"card":"************1111"}"""),
        ])
        {
            var subject = new SubjectSchemas("raw.payments-value", [new SchemaVersion(1, 7, ValidatedJson.Parse(first)), new SchemaVersion(2, 8, ValidatedJson.Parse(later))]);
            var said = new List<Diagnostic>();
            CompiledPolicy? policy = CompiledPolicy.Compile(document, new Dictionary<string, SubjectSchemas> { ["payments"] = subject }, Bench.Keys(), said);
            Assert.True(policy is not null, string.Join("\n", said));
            Bench bench = Bench.Of(Bench.JsonYaml("- { id: t, tag: { a: b } }"));
            bench.Binding = policy.Bindings["payments"];
            Verdict verdict = bench.Decide(Bench.Framed(8, Encoding.UTF8.GetBytes(value)));
            if (expected.Length == 0)
            {
                IsMismatch(bench, said, "card", version: 2);
                continue;
            }

            Assert.Equal(Outcome.Allow, verdict.Outcome);
            Assert.Equal(expected, Encoding.UTF8.GetString(verdict.Output.Slice(verdict.ValueStart, verdict.ValueLength)[5..]));
        }
    }

    /// <summary>Versions 1, 2, … with ids 7, 8, …, as they are when the processor starts.</summary>
    private static Bench Deploy(out IReadOnlyList<Diagnostic> said, string rules, params string[] schemas)
    {
        Bench? bench = Bench.TryOf(Bench.Yaml(rules), [.. schemas.Select((schema, i) => (7 + i, schema))], out said);
        Assert.True(bench is not null, string.Join("\n", said));
        return bench;
    }

    private static void IsMismatch(Bench bench, IReadOnlyList<Diagnostic> said, string path, int version, byte[]? value = null)
    {
        if (value is not null) { bench.Decide(value); }
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal(["ps:schema-mismatch"], bench.Verdict.Rules);
        Assert.Contains(new DecisionError("ps:schema-mismatch", path), bench.Verdict.Errors);
        Assert.Contains(said, one => one is { Severity: Severity.Warning, Code: DiagnosticCodes.VersionMismatch } && one.Message.StartsWith($"version {version} of subject `raw.payments-value`: `{path}` is ", StringComparison.Ordinal));
    }

    private static void NotInClear(Bench bench, byte[] value, string what)
    {
        string published = bench.Published(value).GetRawText();
        foreach (string secret in s_secrets) { Assert.False(published.Contains(secret, StringComparison.Ordinal), $"{what}: {published}"); }
    }
}
