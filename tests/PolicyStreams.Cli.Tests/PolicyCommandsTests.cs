using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace PolicyStreams.Cli.Tests;

/// <summary>The commands that work on policies offline: what they print, where, and their exit codes.</summary>
public sealed partial class PolicyCommandsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("policies-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Lint_Example_IsClean()
    {
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("lint", BuiltCommand.Payments);
        Assert.Equal((0, ""), (ran.Code, ran.Output));
        Assert.Contains("0 error(s)", ran.Error);
    }

    [Fact]
    public async Task Lint_TwoMistakes_SaysBothWithTheirPlaces()
    {
        string policy = CopyExample(("value.country in [\"KP\"", "value.contry in [\"KP\""), ("value.amount > 10000.0", "value.amount > \"x\""));
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("lint", _folder);
        Assert.Equal(1, ran.Code);
        string[] found = [.. ran.Lines.Where(line => !line.StartsWith(' '))];
        Assert.Equal(2, found.Length);
        Assert.All(found, line => Assert.Matches(DiagnosticLine(), line));
        Assert.StartsWith($"{policy}:{LineOf(policy, "value.contry")}:", found[0]);
        Assert.StartsWith($"{policy}:{LineOf(policy, "> \"x\"")}:", found[1]);
        Assert.Contains("did you mean `value.country`?", ran.Output);
    }

    [Fact]
    public async Task Lint_TwoMistakesOfStructure_SaysBoth()
    {
        string policy = CopyExample(("owner: risk-platform", "ownr: risk-platform"), ("keep_last: 4", "keep_lst: 4"));
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("lint", policy);
        Assert.Equal(1, ran.Code);
        Assert.Contains("`ownr`", ran.Output);
        Assert.Contains("did you mean `keep_last`?", ran.Output);
    }

    [Fact]
    public async Task Lint_WhatThisVersionDoesNotRun_IsAWarningAtItsPlace()
    {
        string text = File.ReadAllText(Path.Combine(BuiltCommand.Payments, "payments.policy.yaml"));
        string policy = CopyExample((text.Split('\n').First(line => line.TrimStart().StartsWith("identity:", StringComparison.Ordinal)), "    identity: { oidc: { issuer: \"https://id.example.com\", audience: payments } }"));
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("lint", policy);
        Assert.Equal(0, ran.Code);
        Assert.Contains($"{policy}:{LineOf(policy, "identity:")}:15: PS0116 warning: `identity: oidc` of binding `payments`", ran.Output);
        Assert.Equal(1, (await BuiltCommand.RunAsync("lint", policy, "--strict")).Code);
    }

    [Fact]
    public async Task Lint_MistakesOfStructureAndOfConditions_SaysBoth()
    {
        string policy = CopyExample(("owner: risk-platform", "ownr: risk-platform"), ("value.country in [\"KP\"", "value.contry in [\"KP\""));
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("lint", policy);
        Assert.Equal(1, ran.Code);
        Assert.Contains("`ownr`", ran.Output);
        Assert.Contains("did you mean `value.country`?", ran.Output);
    }

    [Fact]
    public async Task Lint_ExpiryThatAllows_NeedsConventionsBesideThePolicy()
    {
        CopyExample(("on_expiry: deny", "on_expiry: allow"));
        BuiltCommand.Ran refused = await BuiltCommand.RunAsync("lint", _folder);
        Assert.Equal(1, refused.Code);
        Assert.Contains("PS0403 error", refused.Output);
        string conventions = Path.Combine(_folder, "platform.conventions.yaml");
        await File.WriteAllTextAsync(conventions, "apiVersion: policystreams/v1\nkind: Conventions\nmetadata: { name: platform }\npermit: { on_expiry_allow: [payments] }\n");
        Assert.Equal(0, (await BuiltCommand.RunAsync("lint", _folder)).Code);
        await File.WriteAllTextAsync(conventions, "apiVersion: policystreams/v1\nkind: Conventions\nmetadata: { name: platform }\npermit: [payments]\n");
        BuiltCommand.Ran broken = await BuiltCommand.RunAsync("lint", _folder);
        Assert.Equal(1, broken.Code);
        Assert.Contains($"{conventions}:4:9: PS0102 error", broken.Output);
    }

    [Fact]
    public async Task Lint_Conventions_AreHeldTo()
    {
        CopyExample();
        string conventions = Path.Combine(_folder, "platform.conventions.yaml");
        await File.WriteAllTextAsync(conventions, "apiVersion: policystreams/v1\nkind: Conventions\nmetadata: { name: platform }\nrequire: { owner: true, tests: true }\nsensitive: [PAN, PII]\ngroups: { risk: 5, fraud: 2, data-platform: 3 }\n");
        BuiltCommand.Ran good = await BuiltCommand.RunAsync("lint", _folder);
        Assert.Equal((0, ""), (good.Code, good.Output));
        string policy = CopyExample(("  - id: card-number\n    mask: { tag: PAN, keep_last: 4 }    # a field that is tagged PAN in a later schema is masked from its first record\n", "  - id: never-tested\n    when: value.country == \"XX\"\n    tag: { x: y }\n"));
        BuiltCommand.Ran bad = await BuiltCommand.RunAsync("lint", policy);
        Assert.Equal(1, bad.Code);
        Assert.Contains("PS0434 error: rule `never-tested` fires in no test", bad.Output);
        Assert.Contains("PS0435 error: `card_number` (tag `PAN`) of binding `payments` may leave unmasked to `governed.payments`, `governed.payments.eu`: no rule masks it", bad.Output);
    }

    [Fact]
    public async Task Lock_ThenAFieldThatNobodySaw_FailsLintAndIsNamed()
    {
        string policy = CopyExample();
        BuiltCommand.Ran without = await BuiltCommand.RunAsync("lint", _folder, "--locked");
        Assert.Equal(1, without.Code);
        Assert.Contains("PS0440 error", without.Output);
        string file = Path.Combine(_folder, "payments.policy.lock");
        BuiltCommand.Ran locked = await BuiltCommand.RunAsync("lock", _folder);
        Assert.Equal((0, file, ""), (locked.Code, locked.Output.Trim(), locked.Error));
        Assert.Equal(0, (await BuiltCommand.RunAsync("lint", _folder, "--locked")).Code);

        // Nothing new: nothing written.
        Assert.Equal((0, ""), ((await BuiltCommand.RunAsync("lock", policy)).Code, (await BuiltCommand.RunAsync("lock", policy)).Output));
        string schema = Path.Combine(_folder, "raw.payments-value.avsc");
        await File.WriteAllTextAsync(schema, (await File.ReadAllTextAsync(schema)).Replace("{\"name\": \"merchant\", \"type\": \"string\"},", "{\"name\": \"merchant\", \"type\": \"string\"}, {\"name\": \"iban\", \"type\": \"string\", \"default\": \"\"},", StringComparison.Ordinal));
        BuiltCommand.Ran grown = await BuiltCommand.RunAsync("lint", _folder, "--locked");
        Assert.Equal(1, grown.Code);
        Assert.Contains("PS0441 error: field `iban` (string) of the schema of binding `payments` is not in the lock", grown.Output);
        Assert.Equal(0, (await BuiltCommand.RunAsync("lint", _folder)).Code);
    }

    [Fact]
    public async Task Lock_PolicyWithErrors_WritesNothing()
    {
        string policy = CopyExample(("value.country in [\"KP\"", "value.contry in [\"KP\""));
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("lock", policy);
        Assert.Equal((1, ""), (ran.Code, ran.Output));
        Assert.Contains("PS0107 error", ran.Error);
        Assert.False(File.Exists(Path.Combine(_folder, "payments.policy.lock")));
    }

    [Fact]
    public async Task Test_Mutants_AreShownAndFailBelowTheLeast()
    {
        CopyExample(("value.amount > 10000.0", "value.amount > 10000.004"));
        string json = Path.Combine(_folder, "report.json");
        BuiltCommand.Ran shown = await BuiltCommand.RunAsync("test", _folder, "--mutate", "--json", json);
        Assert.Equal(0, shown.Code);
        Assert.Contains("SURVIVED large-payment/10000.004 -> 10000.005", shown.Output);
        Assert.Contains("+ when: value.amount > 10000.005", shown.Output);
        JsonElement mutation = JsonDocument.Parse(await File.ReadAllTextAsync(json)).RootElement.GetProperty("mutation");
        Assert.True(mutation.GetProperty("survived").GetInt32() > 0);
        BuiltCommand.Ran few = await BuiltCommand.RunAsync("test", _folder, "--min-mutation", "100");
        Assert.Equal(1, few.Code);
        Assert.Contains("is below 100.0 %", few.Error);
        Assert.Equal(0, (await BuiltCommand.RunAsync("test", _folder, "--min-mutation", "50")).Code);
    }

    [Fact]
    public async Task Test_MutantsOfAPolicyWhoseTestsFail_AreNotTried()
    {
        CopyExample(("value.amount > 10000.0", "value.amount > 99999.0"));
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("test", _folder, "--mutate");
        Assert.Equal(1, ran.Code);
        Assert.Contains("no mutant was tried", ran.Error);
    }

    [Theory]
    [InlineData("policy", "\"const\": \"Policy\"")]
    [InlineData("conventions", "\"const\": \"Conventions\"")]
    public async Task Schema_OfEachKind_IsPrinted(string kind, string holds)
    {
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("schema", "--kind", kind);
        Assert.Equal(0, ran.Code);
        Assert.Contains(holds, ran.Output);
        Assert.Equal(2, (await BuiltCommand.RunAsync("schema", "--kind", "nothing")).Code);
    }

    [Theory]
    [InlineData("lint")]
    [InlineData("lock")]
    [InlineData("test")]
    [InlineData("fmt")]
    public async Task Command_PathThatIsNotThere_CouldNotRun(string command)
    {
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync(command, "/no/such/path");
        Assert.Equal((2, ""), (ran.Code, ran.Output));
        Assert.StartsWith("policystreams: `/no/such/path` ", ran.Error);
    }

    [Fact]
    public async Task Test_Example_PassesAndWritesJUnitAndJson()
    {
        string junit = Path.Combine(_folder, "junit.xml"), json = Path.Combine(_folder, "report.json");
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("test", BuiltCommand.Payments, "--junit", junit, "--json", json, "--min-coverage", "100");
        Assert.Equal(0, ran.Code);
        Match count = Summary().Match(ran.Lines[^1]);
        Assert.Equal("0", count.Groups[2].Value);
        int passed = int.Parse(count.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(passed, XDocument.Load(junit).Descendants("testcase").Count());
        JsonElement report = JsonDocument.Parse(await File.ReadAllTextAsync(json)).RootElement;
        Assert.Equal(passed, report.GetProperty("passed").GetInt32());
        Assert.Equal(passed, report.GetProperty("tests").GetArrayLength());
    }

    [Fact]
    public async Task Test_FailingCase_SaysWhatWasExpectedAndWhatCame()
    {
        CopyExample();
        string tests = Path.Combine(_folder, "payments.policy.tests.yaml");
        await File.WriteAllTextAsync(tests, (await File.ReadAllTextAsync(tests)).Replace("outcome: hold", "outcome: allow", StringComparison.Ordinal));
        string junit = Path.Combine(_folder, "junit.xml");
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("test", _folder, "--junit", junit);
        Assert.Equal(1, ran.Code);
        Assert.Contains("outcome: expected allow, got hold", ran.Output);
        Assert.Contains("large-payment", ran.Output);
        Assert.Matches(@"at \S+payments\.policy\.tests\.yaml:\d+", ran.Output);
        Assert.NotEmpty(XDocument.Load(junit).Descendants("failure"));
    }

    [Fact]
    public async Task Test_JsonToStandardOutput_IsJsonAlone()
    {
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("test", BuiltCommand.Payments, "--json", "-");
        Assert.Equal(0, ran.Code);
        Assert.Equal(0, JsonDocument.Parse(ran.Output).RootElement.GetProperty("failed").GetInt32());
        Assert.Matches(Summary(), ran.Error.TrimEnd());
    }

    [Theory]
    [InlineData("")]
    [InlineData("policy: payments.policy.yaml\ntests: []\n")]
    public async Task Test_FileWithoutATest_Fails(string content)
    {
        CopyExample();
        await File.WriteAllTextAsync(Path.Combine(_folder, "payments.policy.tests.yaml"), content);
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("test", _folder);
        Assert.Equal(1, ran.Code);
        Assert.Matches(@"payments\.policy\.tests\.yaml:\d+:\d+: PS\d{4} error: ", ran.Output + ran.Error);
    }

    [Fact]
    public async Task Test_FolderWithoutTests_CouldNotRun()
    {
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("test", _folder);
        Assert.Equal(2, ran.Code);
        Assert.Contains(".tests.yaml", ran.Error);
    }

    [Fact]
    public async Task Test_CoverageBelowTheLeast_Fails()
    {
        CopyExample();
        string tests = Path.Combine(_folder, "payments.policy.tests.yaml");
        string text = await File.ReadAllTextAsync(tests);
        await File.WriteAllTextAsync(tests, text[..text.IndexOf("  - name: what goes through", StringComparison.Ordinal)]);
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("test", _folder, "--min-coverage", "90");
        Assert.Equal(1, ran.Code);
        Assert.Contains("0 failed", ran.Output);
        Assert.Contains("is below 90.0 %", ran.Error);
    }

    [Fact]
    public async Task Decide_Hex_AnswersEveryLineInOrder()
    {
        string[] values = [.. File.ReadLines(Path.Combine(BuiltCommand.Payments, "records.jsonl")).Take(40)
            .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("value").GetString() ?? "")];
        string[] lines = [.. Enumerable.Range(0, 2000).Select(i => i % 41 == 40 ? "" : values[i % 41])];
        BuiltCommand.Ran ran = await Decide(string.Join('\n', lines) + "\n", "hex");
        Assert.Equal((0, ""), (ran.Code, ran.Error));
        JsonElement[] answers = Answers(ran);
        Assert.Equal(lines.Length, answers.Length);
        for (int i = 0; i < lines.Length; i++)
        {
            JsonElement decision = answers[i].GetProperty("decision");
            Assert.Equal($"raw.payments-0-{i}", decision.GetProperty("id").GetString());
            Assert.All((string[])["rules", "shadow", "reasons", "errors", "masked", "keys"], list => Assert.Equal(JsonValueKind.Array, decision.GetProperty(list).ValueKind));
            Assert.Equal(decision.GetProperty("outcome").GetString() == "allow", answers[i].GetProperty("hex").ValueKind == JsonValueKind.String);

            // The same bytes get the same verdict, wherever they stand.
            if (i >= 41) { Assert.Equal(answers[i - 41].GetProperty("hex").ToString(), answers[i].GetProperty("hex").ToString()); }
        }

        Assert.Equal("deny", answers[40].GetProperty("decision").GetProperty("outcome").GetString());
    }

    [Fact]
    public async Task Decide_Json_IsJudgedAsItsBytesAre()
    {
        string hex = JsonDocument.Parse(File.ReadLines(Path.Combine(BuiltCommand.Payments, "records.jsonl")).First()).RootElement.GetProperty("value").GetString()!;
        JsonElement first = Assert.Single(Answers(await Decide(hex + "\n", "hex")));
        JsonElement again = Assert.Single(Answers(await Decide(first.GetProperty("value").GetRawText() + "\n", "json")));
        Assert.Equal("allow", again.GetProperty("decision").GetProperty("outcome").GetString());
        Assert.StartsWith("************", again.GetProperty("value").GetProperty("card_number").GetString());
        Assert.Equal(first.GetProperty("decision").GetProperty("to").GetString(), again.GetProperty("decision").GetProperty("to").GetString());
    }

    [Fact]
    public async Task Decide_LineThatIsNoRecord_IsAnsweredAndTheRestIsJudged()
    {
        string hex = JsonDocument.Parse(File.ReadLines(Path.Combine(BuiltCommand.Payments, "records.jsonl")).First()).RootElement.GetProperty("value").GetString()!;
        BuiltCommand.Ran ran = await Decide($"{hex}\nSECRET\n{hex}\n", "hex");
        Assert.Equal(0, ran.Code);
        JsonElement[] answers = Answers(ran);
        Assert.Equal(["allow", "deny", "allow"], answers.Select(answer => answer.GetProperty("decision").GetProperty("outcome").GetString()));
        Assert.Equal("ps:undecodable", answers[1].GetProperty("decision").GetProperty("rules")[0].GetString());
        Assert.Equal("raw.payments-0-2", answers[2].GetProperty("decision").GetProperty("id").GetString());
        Assert.Contains("line 2: not hexadecimal", ran.Error);
        Assert.DoesNotContain("SECRET", ran.Output + ran.Error);
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    public async Task Decide_LineEndings_AreNoPartOfARecord(string ending)
    {
        string hex = JsonDocument.Parse(File.ReadLines(Path.Combine(BuiltCommand.Payments, "records.jsonl")).First()).RootElement.GetProperty("value").GetString()!;

        // The last line ends without one.
        BuiltCommand.Ran ran = await Decide($"{hex}{ending}{ending}{hex.ToUpperInvariant()}{ending}{hex}", "hex");
        Assert.Equal((0, ""), (ran.Code, ran.Error));
        Assert.Equal(["allow", "deny", "allow", "allow"], Answers(ran).Select(answer => answer.GetProperty("decision").GetProperty("outcome").GetString()));
        BuiltCommand.Ran json = await Decide($"{Answers(ran)[0].GetProperty("value").GetRawText()}{ending}{ending}{Answers(ran)[0].GetProperty("value").GetRawText()}", "json");
        Assert.Equal(0, json.Code);
        Assert.Equal(["allow", "deny", "allow"], Answers(json).Select(answer => answer.GetProperty("decision").GetProperty("outcome").GetString()));
        Assert.Equal((0, ""), ((await Decide("", "hex")).Code, (await Decide("", "hex")).Output));
    }

    [Fact]
    public async Task Decide_EnormousLines_AreAnsweredAndTheRestIsJudged()
    {
        string hex = JsonDocument.Parse(File.ReadLines(Path.Combine(BuiltCommand.Payments, "records.jsonl")).First()).RootElement.GetProperty("value").GetString()!;
        BuiltCommand.Ran ran = await Decide($"{hex}\n{new string('0', 20_000_000)}\n{hex}\n", "hex");
        Assert.Equal((0, ""), (ran.Code, ran.Error));
        Assert.Equal(["allow", "deny record-bytes", "allow"], Answers(ran).Select(Summary));

        // JSON is not parsed beyond what a record within the limit may take.
        BuiltCommand.Ran json = await Decide($"{{\"payment_id\":\"{new string('x', 20_000_000)}\"}}\n{Answers(ran)[0].GetProperty("value").GetRawText()}", "json");
        Assert.Equal(0, json.Code);
        Assert.Equal(["deny record-bytes", "allow"], Answers(json).Select(Summary));
        Assert.Contains("line 1: the line is longer", json.Error);

        static string Summary(JsonElement answer)
        {
            JsonElement decision = answer.GetProperty("decision");
            return $"{decision.GetProperty("outcome")} {string.Join(",", decision.GetProperty("errors").EnumerateArray().Select(error => error.GetProperty("code")))}".TrimEnd();
        }
    }

    [Fact]
    public async Task Decide_JsonOfEveryType_IsTypedByTheSchema()
    {
        string policy = Path.Combine(_folder, "types.policy.yaml"), schema = Path.Combine(_folder, "types.avsc");
        await File.WriteAllTextAsync(policy, """
            apiVersion: policystreams/v1
            kind: Policy
            metadata: { name: types }
            bindings: [{ name: t, format: avro }]
            rules:
              - id: typed
                when: >-
                  value.day == timestamp("2026-01-02T00:00:00Z") && value.at == timestamp("2026-01-02T03:04:05.678Z") && value.micros == timestamp("2026-01-02T03:04:05.678901Z")
                  && value.local == timestamp("2026-01-02T03:04:05.678Z") && value.clock == duration("3h4m5.678s") && value.price == decimal("12.50") && value.price2 == decimal("-0.01")
                  && value.id == "2f1c1c56-8f3a-4c1b-9d53-0a51c3d4e5f6" && value.raw == b"\\x00\\xff" && value.fixed4 == b"abcd" && value.span.months == 1 && value.kind == "B"
                  && branch(value.either) == "string" && value.maybe != null && value.maybe == 7 && value.big == 9223372036854775807 && value.map["k"] == 1.5 && value.list == [1, 2]
                tag: { typed: "yes" }
            """.Replace("\\\\", "\\", StringComparison.Ordinal));
        await File.WriteAllTextAsync(schema, """
            {"type":"record","name":"T","fields":[
              {"name":"day","type":{"type":"int","logicalType":"date"}},
              {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
              {"name":"micros","type":{"type":"long","logicalType":"timestamp-micros"}},
              {"name":"local","type":{"type":"long","logicalType":"local-timestamp-millis"}},
              {"name":"clock","type":{"type":"int","logicalType":"time-millis"}},
              {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
              {"name":"price2","type":{"type":"fixed","name":"D","size":8,"logicalType":"decimal","precision":9,"scale":2}},
              {"name":"id","type":{"type":"string","logicalType":"uuid"}},
              {"name":"raw","type":"bytes"},
              {"name":"fixed4","type":{"type":"fixed","name":"F","size":4}},
              {"name":"span","type":{"type":"fixed","name":"S","size":12,"logicalType":"duration"}},
              {"name":"kind","type":{"type":"enum","name":"K","symbols":["A","B"]}},
              {"name":"either","type":["null","int","string"]},
              {"name":"maybe","type":["null","int"]},
              {"name":"big","type":"long"},
              {"name":"map","type":{"type":"map","values":"double"}},
              {"name":"list","type":{"type":"array","items":"int"}}]}
            """);
        const string Rest = "\"id\":\"2f1c1c56-8f3a-4c1b-9d53-0a51c3d4e5f6\",\"raw\":{\"$bytes\":\"AP8=\"},\"fixed4\":{\"$bytes\":\"YWJjZA==\"},\"kind\":\"B\",\"either\":\"x\",\"maybe\":7,\"big\":9223372036854775807,\"map\":{\"k\":1.5},\"list\":[1,2]}";
        string[] lines =
        [
            "{\"day\":\"2026-01-02\",\"at\":\"2026-01-02T03:04:05.678Z\",\"micros\":\"2026-01-02T03:04:05.678901Z\",\"local\":\"2026-01-02T03:04:05.678\",\"clock\":\"03:04:05.678\",\"price\":\"12.50\",\"price2\":\"-0.01\",\"span\":\"P1M\"," + Rest,
            "{\"day\":20455,\"at\":1767323045678,\"micros\":1767323045678901,\"local\":1767323045678,\"clock\":11045678,\"price\":12.50,\"price2\":-0.01,\"span\":{\"months\":1,\"days\":0,\"millis\":0}," + Rest,
            "{\"day\":20455,\"at\":1767323045678,\"micros\":1767323045678901,\"local\":1767323045678,\"clock\":11045678,\"price\":{\"$bytes\":\"BOI=\"},\"price2\":{\"$bytes\":\"//////////8=\"},\"span\":{\"$bytes\":\"AQAAAAAAAAAAAAAA\"}," + Rest,
        ];
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync(
            new BuiltCommand.Given(string.Join('\n', lines)), "decide", "--policy", policy, "--binding", "t", "--schema", schema, "--input", "-", "--input-format", "json", "--time", "2026-01-02T03:04:05Z");
        Assert.Equal((0, ""), (ran.Code, ran.Error));
        JsonElement[] answers = Answers(ran);
        Assert.All(answers, answer => Assert.Equal("""{"typed":"yes"}""", answer.GetProperty("decision").GetProperty("tags").GetRawText()));

        // However a value was written, its bytes are the same; and what comes out goes in again.
        Assert.Single(answers.Select(answer => answer.GetProperty("hex").GetString()).Distinct());
        BuiltCommand.Ran again = await BuiltCommand.RunAsync(
            new BuiltCommand.Given(answers[0].GetProperty("value").GetRawText()), "decide", "--policy", policy, "--binding", "t", "--schema", schema, "--input", "-", "--input-format", "json", "--time", "2026-01-02T03:04:05Z");
        Assert.Equal(answers[0].GetProperty("hex").GetString(), Answers(again)[0].GetProperty("hex").GetString());
        BuiltCommand.Ran hex = await BuiltCommand.RunAsync(
            new BuiltCommand.Given(answers[0].GetProperty("hex").GetString()!), "decide", "--policy", policy, "--binding", "t", "--schema", schema, "--input", "-", "--input-format", "hex", "--time", "2026-01-02T03:04:05Z");
        Assert.Equal(again.Output, hex.Output);
    }

    [Theory]
    [InlineData("--policy")]
    [InlineData("--binding")]
    [InlineData("--input")]
    [InlineData("--input-format")]
    public async Task Decide_OptionLeftOut_CouldNotRun(string option)
    {
        string[] all = ["--policy", "p", "--binding", "b", "--input", "-", "--input-format", "hex"];
        int at = Array.IndexOf(all, option);
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync(["decide", .. all[..at], .. all[(at + 2)..]]);
        Assert.Equal((2, ""), (ran.Code, ran.Output));
        Assert.Contains($"'{option}' is required", ran.Error);
        Assert.Contains("policystreams decide --help", ran.Error);
    }

    [Fact]
    public async Task Decide_KeyThatIsNotSupplied_SaysWhich()
    {
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync(
            new BuiltCommand.Given(Input: ""), "decide", "--policy", Path.Combine(BuiltCommand.Payments, "payments.policy.yaml"), "--binding", "payments", "--input", "-", "--input-format", "hex");
        Assert.Equal((2, ""), (ran.Code, ran.Output));
        Assert.Contains("--key customer-key=file:PATH", ran.Error);
    }

    [Fact]
    public async Task Cost_OfThePaymentsPolicy_TellsBoundAndTimeOfEachRule()
    {
        string policy = Path.Combine(BuiltCommand.Payments, "payments.policy.yaml"), schema = Path.Combine(BuiltCommand.Payments, "raw.payments-value.avsc");
        string[] ids = [.. Regex.Matches(await File.ReadAllTextAsync(policy, TestContext.Current.CancellationToken), "(?m)^  - id: ([a-z-]+)").Select(match => match.Groups[1].Value)];
        BuiltCommand.Ran table = await BuiltCommand.RunAsync("cost", policy);
        Assert.Equal((0, ""), (table.Code, table.Error));
        Assert.StartsWith($"binding payments: {ids.Length} rules, at most ", table.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("ns a record", table.Output, StringComparison.Ordinal);
        Assert.Equal(ids, table.Lines.Where(line => line.StartsWith("  ", StringComparison.Ordinal)).Skip(1).Select(line => line.Trim().Split(' ')[0]));

        string records = Path.Combine(_folder, "records.hex");
        await File.WriteAllLinesAsync(records, File.ReadLines(Path.Combine(BuiltCommand.Payments, "records.jsonl")).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("value").GetString()).OfType<string>().Where(value => value.Length > 0).Take(20), TestContext.Current.CancellationToken);
        BuiltCommand.Ran json = await BuiltCommand.RunAsync("cost", policy, records, "--schema", schema, "--input-format", "hex", "--seconds", "0.1", "--json");
        Assert.Equal((0, ""), (json.Code, json.Error));
        JsonElement binding = JsonDocument.Parse(json.Output).RootElement.GetProperty("bindings")[0];
        Assert.Equal((20, 10_000_000_000), (binding.GetProperty("records").GetInt32(), binding.GetProperty("limit").GetInt64()));
        JsonElement[] rules = [.. binding.GetProperty("rules").EnumerateArray()];
        Assert.Equal(ids, rules.Select(rule => rule.GetProperty("rule").GetString()));
        Assert.All(rules, rule => Assert.True(rule.GetProperty("units").GetDouble() > 0 && rule.GetProperty("ns").GetDouble() >= 0));
        Assert.Equal(binding.GetProperty("units").GetDouble(), rules.Sum(rule => rule.GetProperty("condition").GetDouble() + rule.GetProperty("mask").GetDouble()), 3);
        Assert.True(binding.GetProperty("all_ns").GetDouble() >= binding.GetProperty("anyway_ns").GetDouble());

        await File.WriteAllTextAsync(records, "00ff\nzz\n", TestContext.Current.CancellationToken);
        BuiltCommand.Ran wrong = await BuiltCommand.RunAsync("cost", policy, records, "--schema", schema, "--input-format", "hex");
        Assert.Equal((2, "", $"policystreams: {records}: line 2: not hexadecimal\n"), (wrong.Code, wrong.Output, wrong.Error));
        Assert.Equal(2, (await BuiltCommand.RunAsync("cost", policy, "--binding", "nobody")).Code);
        Assert.Equal(2, (await BuiltCommand.RunAsync("cost", policy, records, "--seconds", "0")).Code);
        Assert.Equal(2, (await BuiltCommand.RunAsync("cost", Path.Combine(_folder, "none.policy.yaml"))).Code);
        BuiltCommand.Ran folder = await BuiltCommand.RunAsync("cost", _folder);
        Assert.Equal((2, $"policystreams: `{_folder}` is a folder: name a file in it.\n"), (folder.Code, folder.Error));
    }

    [Fact]
    public async Task Detokenize_WithTheKey_GivesBackWhatTokenMasked()
    {
        string hex = JsonDocument.Parse(File.ReadLines(Path.Combine(BuiltCommand.Payments, "records.jsonl")).First()).RootElement.GetProperty("value").GetString()!;
        var given = new Dictionary<string, string> { ["OLD"] = "test-key-0123456789-0123456789-0123", ["NEW"] = "next-key-0123456789-0123456789-0123" };
        string card = Regex.Match(System.Text.Encoding.Latin1.GetString(Convert.FromHexString(hex)), "[0-9]{13,19}").Value;
        string policy = CopyExample(("keep_last: 4", "token: { key: customer-key, tweak: cards }"));
        JsonElement masked = Answers(await BuiltCommand.RunAsync(
            new BuiltCommand.Given(hex, Environment: given), "decide", "--policy", policy, "--binding", "payments", "--input", "-", "--input-format", "hex", "--key", "customer-key=env:OLD"))[0];
        string token = masked.GetProperty("value").GetProperty("card_number").GetString()!;
        Assert.Matches("^[0-9]+$", token);
        Assert.NotEqual(card, token);
        Task<BuiltCommand.Ran> Detokenize(string value, params string[] arguments) => BuiltCommand.RunAsync(new BuiltCommand.Given(value, Environment: given), ["detokenize", .. arguments]);
        string[] both = ["--key", "customer-key=env:OLD", "--key", "customer-key@2=env:NEW"], old = ["--tweak", "cards", "--key-version", "1", .. both];

        BuiltCommand.Ran text = await Detokenize($"{token}\n\nAda\n", old);
        Assert.Equal((1, $"{card}\n\nAda\n", "policystreams: line 3: the line is no token\n"), (text.Code, text.Output, text.Error));
        BuiltCommand.Ran json = await Detokenize(masked.GetProperty("value").GetRawText(), ["--input-format", "json", "--field", "card_number", .. old]);
        Assert.Equal((0, masked.GetProperty("value").GetRawText().Replace(token, card, StringComparison.Ordinal)), (json.Code, json.Output));
        BuiltCommand.Ran bytes = await Detokenize(masked.GetProperty("hex").GetString()!, ["--input-format", "hex", "--schema", Path.Combine(_folder, "raw.payments-value.avsc"), "--field", "card_number", .. old]);
        Assert.Equal((0, json.Output), (bytes.Code, bytes.Output));

        // Without the version, the current one is taken, and nothing can tell that it is the wrong one.
        BuiltCommand.Ran current = await Detokenize(token, ["--tweak", "cards", .. both]);
        Assert.Equal((0, false), (current.Code, current.Output == card));
        foreach (string[] wrong in (string[][])[[], ["--input-format", "json", .. both], ["--field", "a", .. both], ["--key-version", "3", .. both], ["--key", "a=env:OLD", "--key", "b=env:OLD"], ["--input-format", "json", "--field", "a..b", .. both]])
        {
            BuiltCommand.Ran refused = await Detokenize("", wrong);
            Assert.Equal((2, ""), (refused.Code, refused.Output));
            Assert.StartsWith("policystreams: ", refused.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Decrypt_WithTheKey_GivesBackWhatEncryptMasked()
    {
        string policy = CopyExample(("hmac: customer-key", "encrypt: customer-key"));
        string hex = JsonDocument.Parse(File.ReadLines(Path.Combine(BuiltCommand.Payments, "records.jsonl")).First()).RootElement.GetProperty("value").GetString()!;
        var given = new Dictionary<string, string> { ["OLD"] = "test-key-0123456789-0123456789-0123", ["NEW"] = "next-key-0123456789-0123456789-0123", ["SHORT"] = "short" };
        Task<BuiltCommand.Ran> DecideWith(string value, params string[] keys) => BuiltCommand.RunAsync(
            new BuiltCommand.Given(value, Environment: given), ["decide", "--policy", policy, "--binding", "payments", "--input", "-", "--input-format", "hex", .. keys]);
        Task<BuiltCommand.Ran> Decrypt(string value, params string[] arguments) => BuiltCommand.RunAsync(new BuiltCommand.Given(value, Environment: given), ["decrypt", .. arguments]);
        JsonElement plain = Answers(await Decide(hex, "hex"))[0];
        JsonElement before = Answers(await DecideWith(hex, "--key", "customer-key=env:OLD"))[0], after = Answers(await DecideWith(hex, "--key", "customer-key=env:OLD", "--key", "customer-key@2=env:NEW"))[0];
        Assert.Equal("customer-key@1 customer-key@2", $"{before.GetProperty("decision").GetProperty("keys")[0]} {after.GetProperty("decision").GetProperty("keys")[0]}");
        string[] both = ["--key", "customer-key=env:OLD", "--key", "customer-key@2=env:NEW"];

        BuiltCommand.Ran json = await Decrypt($"{before.GetProperty("value").GetRawText()}\n{after.GetProperty("value").GetRawText()}\n", ["--input-format", "json", .. both]);
        Assert.Equal((0, ""), (json.Code, json.Error));
        Assert.Equal(2, json.Lines.Length);
        Assert.Equal(json.Lines[0], json.Lines[1]);
        Assert.Contains("@", JsonDocument.Parse(json.Lines[0]).RootElement.GetProperty("customer").GetProperty("email").GetString());
        Assert.NotEqual(plain.GetProperty("value").GetRawText(), json.Lines[0]);

        BuiltCommand.Ran bytes = await Decrypt(after.GetProperty("hex").GetString()!, ["--input-format", "hex", "--schema", Path.Combine(_folder, "raw.payments-value.avsc"), .. both]);
        Assert.Equal((0, json.Lines[0]), (bytes.Code, bytes.Output));

        string masked = before.GetProperty("value").GetProperty("customer").GetProperty("email").GetString()!;
        BuiltCommand.Ran without = await Decrypt($"x {masked} y", "--key", "customer-key@2=env:NEW");
        Assert.Equal((1, $"x {masked} y"), (without.Code, without.Output));
        Assert.Equal("policystreams: line 1: key `customer-key@1` is not supplied\n", without.Error);
        Assert.Equal(1, (await Decrypt("{", ["--input-format", "json", .. both])).Code);
        Assert.Equal(2, (await Decrypt("", "--key", "customer-key=env:SHORT")).Code);
        Assert.Equal(2, (await Decrypt("")).Code);
        Assert.Equal(2, (await Decrypt("", ["--input-format", "hex", .. both])).Code);
    }

    [Fact]
    public async Task Fmt_Check_NamesWhatIsNotCanonicalAndChangesNothing()
    {
        BuiltCommand.Ran clean = await BuiltCommand.RunAsync("fmt", "--check", BuiltCommand.Payments);
        Assert.Equal((0, ""), (clean.Code, clean.Output));

        string policy = CopyExample(("metadata: { name", "metadata:   {name"));
        string before = await File.ReadAllTextAsync(policy);
        BuiltCommand.Ran found = await BuiltCommand.RunAsync("fmt", "--check", policy);
        Assert.Equal((1, policy + "\n"), (found.Code, found.Output));
        Assert.Equal(before, await File.ReadAllTextAsync(policy));

        Assert.Equal(0, (await BuiltCommand.RunAsync("fmt", policy)).Code);
        Assert.Equal(await File.ReadAllTextAsync(Path.Combine(BuiltCommand.Payments, "payments.policy.yaml")), await File.ReadAllTextAsync(policy));
    }

    [Fact]
    public async Task Schema_IsAJsonSchemaThatKnowsTheDocument()
    {
        BuiltCommand.Ran ran = await BuiltCommand.RunAsync("schema");
        Assert.Equal((0, ""), (ran.Code, ran.Error));
        JsonElement schema = JsonDocument.Parse(ran.Output).RootElement;
        Assert.Equal("https://json-schema.org/draft/2020-12/schema", schema.GetProperty("$schema").GetString());
        Assert.All((string[])["bindings", "rules", "on_error"], name => Assert.True(schema.GetProperty("properties").TryGetProperty(name, out _), name));
    }

    private static Task<BuiltCommand.Ran> Decide(string input, string format) => BuiltCommand.RunAsync(
        new BuiltCommand.Given(input, Environment: new() { ["CUSTOMER_KEY"] = "test-key-0123456789-0123456789-0123" }),
        "decide", "--policy", Path.Combine(BuiltCommand.Payments, "payments.policy.yaml"), "--binding", "payments", "--schema", Path.Combine(BuiltCommand.Payments, "raw.payments-value.avsc"),
        "--input", "-", "--input-format", format, "--key", "customer-key=env:CUSTOMER_KEY", "--time", "2026-01-02T03:04:05Z");

    private static JsonElement[] Answers(BuiltCommand.Ran ran) => [.. ran.Lines.Select(line => JsonDocument.Parse(line).RootElement)];

    /// <summary>The example in a folder of its own, its policy changed; gives the policy's path.</summary>
    private string CopyExample(params (string From, string To)[] changes)
    {
        foreach (string file in (string[])["payments.policy.yaml", "payments.policy.tests.yaml", "raw.payments-value.avsc"]) { File.Copy(Path.Combine(BuiltCommand.Payments, file), Path.Combine(_folder, file), overwrite: true); }
        string policy = Path.Combine(_folder, "payments.policy.yaml");
        string text = File.ReadAllText(policy);
        foreach ((string from, string to) in changes)
        {
            Assert.Contains(from, text);
            text = text.Replace(from, to, StringComparison.Ordinal);
        }

        File.WriteAllText(policy, text);
        return policy;
    }

    private static int LineOf(string path, string text) => 1 + File.ReadLines(path).TakeWhile(line => !line.Contains(text, StringComparison.Ordinal)).Count();

    [GeneratedRegex(@"^.+:\d+:\d+: PS\d{4} error: .+$")]
    private static partial Regex DiagnosticLine();

    [GeneratedRegex(@"(\d+) passed, (\d+) failed$")]
    private static partial Regex Summary();
}
