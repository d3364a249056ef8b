namespace PolicyStreams.Rules.Tests.Lint;

/// <summary>The non-leak check: proven on a policy that keeps everything in, and failing for each way in which it may be let out.</summary>
public sealed class LeakCheckTests
{
    private const string Sensitive = "sensitive: [PAN, PII]";
    private const string Safe = "- { id: pan, mask: { tag: PAN, keep_last: 4 } }\n- { id: pii, mask: { tag: PII, redact: true } }";
    private const string Key = """{"type":"record","name":"K","fields":[{"name":"id","type":"string","tags":["PII"]},{"name":"region","type":"string"}]}""";

    private static string[] Leaks(string rules, string conventions = Sensitive, string binding = "", string top = "", string[]? schemas = null, string? keySchema = null) =>
        LintBench.Lint(Bench.Yaml(rules, binding, top).Replace("key_format: string", keySchema is null ? "key_format: string" : "key_format: avro", StringComparison.Ordinal), conventions, schemas: schemas, keySchema: keySchema).Of("PS0435");

    [Fact]
    public void Check_EverythingMasked_IsProven() => Assert.Empty(Leaks(Safe));

    [Fact]
    public void Check_MaskRemoved_NamesFieldTagAndTopic() => Assert.Equal(
        ["`card_number` (tag `PAN`) of binding `payments` may leave unmasked to `governed.payments`: no rule masks it (conventions `platform`)"],
        Leaks("- { id: pii, mask: { tag: PII, redact: true } }"));

    [Fact]
    public void Check_MaskInShadowMode_DoesNotCount() => Assert.Contains("rule `pan` masks it in shadow mode only", Assert.Single(Leaks(Safe.Replace("keep_last: 4 } }", "keep_last: 4 }, mode: shadow }", StringComparison.Ordinal))), StringComparison.Ordinal);

    [Fact]
    public void Check_PolicyInShadowMode_LeaksEverything() => Assert.Equal(3, Leaks(Safe, top: "mode: shadow").Length);

    // One version drops the tag: the field is what it was, and the union over versions says so.
    [Fact]
    public void Check_TagDroppedInALaterVersion_GoesOnCounting()
    {
        string[] schemas = [Bench.PaymentSchema, Bench.PaymentSchema.Replace(",\"confluent:tags\":[\"PAN\"]", "", StringComparison.Ordinal)];
        Assert.Empty(Leaks(Safe, schemas: schemas));
        Assert.StartsWith("`card_number` (tag `PAN`)", Assert.Single(Leaks("- { id: pii, mask: { tag: PII, redact: true } }", schemas: schemas)), StringComparison.Ordinal);
    }

    // A mask by path speaks of the name that the checked version has; older records have the other one.
    [Fact]
    public void Check_FieldRenamed_NamesTheVersionAndItsField()
    {
        string renamed = Bench.PaymentSchema.Replace("card_number", "pan", StringComparison.Ordinal);
        string rules = "- { id: pan, mask: { field: pan, redact: true } }\n- { id: pii, mask: { tag: PII, redact: true } }";
        Assert.Empty(Leaks(rules, schemas: [renamed]));
        Assert.Equal(
            ["`card_number` (tag `PAN`) of binding `payments` may leave unmasked to `governed.payments` in version 1 of subject `raw.payments-value`: no rule masks it (conventions `platform`)"],
            Leaks(rules, schemas: [Bench.PaymentSchema, renamed]));
        Assert.Empty(Leaks(Safe, schemas: [Bench.PaymentSchema, renamed]));
    }

    [Fact]
    public void Check_NewFieldWithATag_IsLookedForInEveryVersion() => Assert.Contains(
        "`ssn` (tag `SSN`) of binding `payments` may leave unmasked to `governed.payments` in version 2",
        Assert.Single(Leaks(Safe, "sensitive: [PAN, PII, SSN]", schemas: [Bench.PaymentSchema, Bench.PaymentSchema.Replace("{\"name\":\"merchant\"", "{\"name\":\"ssn\",\"type\":\"string\",\"default\":\"\",\"tags\":[\"SSN\"]},{\"name\":\"merchant\"", StringComparison.Ordinal)])),
        StringComparison.Ordinal);

    // A field that may be unmasked where only some may read: another route takes it elsewhere.
    [Fact]
    public void Check_RouteAdded_NamesItsTopic()
    {
        const string Conventions = "sensitive: [{ tag: PAN, unmasked_on: [vault] }, PII]";
        const string Rules = "- { id: pan, when: value.channel != \"POS\", mask: { tag: PAN, keep_last: 4 } }\n- { id: pii, mask: { tag: PII, redact: true } }\n- { id: to-vault, when: value.channel == \"POS\", route: { to: vault } }";
        Assert.Empty(Leaks(Rules, Conventions, "topics: { routes: [vault, eu] }"));
        string leak = Assert.Single(Leaks("- { id: to-eu, when: value.country == \"DE\", route: { to: eu } }\n" + Rules, Conventions, "topics: { routes: [vault, eu] }"));
        Assert.Equal("`card_number` (tag `PAN`) of binding `payments` may leave unmasked to `eu`: rule `pan` masks it only where `value.channel != \"POS\"` (conventions `platform`)", leak);

        // Behind the other it takes nothing away from it.
        Assert.Empty(Leaks(Rules + "\n- { id: to-eu, when: value.country == \"DE\", route: { to: eu } }", Conventions, "topics: { routes: [vault, eu] }"));
    }

    [Theory]
    [InlineData("value.country == \"DE\"", "", false)]
    [InlineData("value.country == \"DE\"", "- { id: rest, when: value.country != \"DE\", mask: { field: card_number, redact: true } }", true)]
    [InlineData("value.country == \"DE\"", "- { id: rest, when: value.country != \"FR\", mask: { field: card_number, redact: true } }", false)]
    [InlineData("value.country == \"DE\"", "- { id: rest, when: value.country == \"FR\", mask: { field: card_number, redact: true } }", false)]
    [InlineData("value.country == \"DE\"", "- { id: rest, when: value.country != \"DE\", deny: {} }", true)]
    [InlineData("value.country == \"DE\"", "- { id: rest, when: value.country != \"DE\", deny: {}, mode: shadow }", false)]
    [InlineData("value.country == \"DE\"", "- { id: rest, when: value.country != \"DE\", hold: { approvers: [x] } }", false)]
    [InlineData("value.amount > 1.0", "- { id: rest, when: value.amount <= 1.0, deny: {} }", false)]
    [InlineData("value.amount > 1.0", "- { id: rest, when: '!(value.amount > 1.0)', deny: {} }", true)]
    [InlineData("value.note == \"x\"", "- { id: rest, when: value.note != \"x\", deny: {} }", true)]
    [InlineData("value.channel in [\"WEB\", \"POS\", \"APP\", \"PHONE\"]", "", false)]
    [InlineData("true", "", true)]
    public void Check_MaskWithACondition_CountsWhereTheRestIsTakenToo(string when, string more, bool proven) =>
        Assert.Equal(proven, Leaks($"- {{ id: pan, when: '{when}', mask: {{ field: card_number, redact: true }} }}\n- {{ id: pii, mask: {{ tag: PII, redact: true }} }}\n{more}").Length == 0);

    // Where a deny fails to evaluate and `on_error` holds, people may let the record through; a mask that fails is never passed over.
    [Fact]
    public void Check_OnErrorThatHolds_LeavesFailedDenialsOpen()
    {
        const string Rules = "- { id: pan, when: value.note == \"x\", mask: { field: card_number, redact: true } }\n- { id: rest, when: value.note != \"x\", deny: {} }\n- { id: pii, mask: { tag: PII, redact: true } }";
        Assert.Empty(Leaks(Rules));
        Assert.Empty(Leaks(Rules, top: "on_error: { hold: { approvers: [x] } }"));
        const string Denies = "- { id: one, when: value.note == \"x\", deny: {} }\n- { id: two, when: value.note != \"x\", deny: {} }\n- { id: pii, mask: { tag: PII, redact: true } }";
        Assert.Empty(Leaks(Denies));
        Assert.Single(Leaks(Denies, top: "on_error: { hold: { approvers: [x] } }"));
    }

    [Theory]
    [InlineData("- { id: m, mask: { field: card_number, pattern: { match: '[0-9]', replace: x } } }", false)]
    [InlineData("- { id: m, mask: { field: card_number, pattern: { match: '[0-9]', replace: x } } }\n- { id: pan, mask: { tag: PAN, redact: true } }", false)]
    [InlineData("- { id: m, mask: { field: card_number, redact: true } }\n- { id: n, mask: { tag: PAN, pattern: { match: '[0-9]', replace: x } } }", true)]
    public void Check_MaskThatMayFindNothing_DoesNotCount(string rules, bool proven) => Assert.Equal(proven, Leaks(rules + "\n- { id: pii, mask: { tag: PII, redact: true } }").Length == 0);

    [Theory]
    [InlineData("- { id: c, mask: { field: customer, redact: true } }", true)]
    [InlineData("- { id: c, mask: { field: customer, redact: true }, mode: shadow }", false)]
    [InlineData("- { id: c, when: value.amount > 1.0, mask: { field: customer, redact: true } }", false)]
    [InlineData("- { id: c, mask: { field: customer.name, redact: true } }\n- { id: d, mask: { field: customer.email, redact: true } }", true)]
    [InlineData("- { id: c, mask: { field: customer.name, redact: true } }", false)]
    public void Check_MaskOfWhatAFieldLiesIn_Counts(string rules, bool proven) => Assert.Equal(proven, Leaks(rules + "\n- { id: pan, mask: { tag: PAN, keep_last: 4 } }").Length == 0);

    [Theory]
    [InlineData("- { id: t, mask: { tag: SET, redact: true } }", 0)]
    [InlineData("- { id: t, mask: { field: 'box.names[*]', constant: x } }", 1)]
    [InlineData("- { id: t, mask: { field: 'box.names[*]', constant: x } }\n- { id: u, mask: { field: box.size, redact: true } }", 0)]
    [InlineData("- { id: t, mask: { field: 'box.names[\"a\"]', constant: x } }", 2)]
    public void Check_TagOfAWholeRecord_SpeaksOfEverythingInIt(string rules, int leaks) => Assert.Equal(
        leaks,
        Leaks(rules, "sensitive: [SET]", schemas: ["""{"type":"record","name":"P","fields":[{"name":"box","tags":["SET"],"type":{"type":"record","name":"Box","fields":[{"name":"names","type":{"type":"map","values":"string"}},{"name":"size","type":"int"}]}}]}"""]).Length);

    // A record that holds itself: paths name a level, tags every one.
    [Theory]
    [InlineData("- { id: t, mask: { tag: PII, redact: true } }", true)]
    [InlineData("- { id: t, mask: { field: name, redact: true } }\n- { id: u, mask: { field: next.name, redact: true } }", false)]
    [InlineData("- { id: t, mask: { field: name, redact: true } }\n- { id: u, mask: { field: next, redact: true } }", true)]
    public void Check_RecordThatHoldsItself_IsMaskedAtEveryLevel(string rules, bool proven) => Assert.Equal(
        proven,
        Leaks(rules, schemas: ["""{"type":"record","name":"N","fields":[{"name":"name","type":"string","tags":["PII"]},{"name":"next","type":["null","N"],"default":null}]}"""]).Length == 0);

    [Fact]
    public void Check_KeyLeftOpen_NamesItsField()
    {
        Assert.Empty(Leaks(Safe, keySchema: Key));
        Assert.StartsWith("`key.id` (tag `PII`) of binding `payments` may leave unmasked to `governed.payments`: no rule masks it", Assert.Single(Leaks("- { id: pan, mask: { tag: PAN, keep_last: 4 } }\n- { id: c, mask: { field: customer, redact: true } }", keySchema: Key)), StringComparison.Ordinal);
        Assert.Empty(Leaks("- { id: pan, mask: { tag: PAN, keep_last: 4 } }\n- { id: c, mask: { field: customer, redact: true } }\n- { id: k, mask: { field: key.id, redact: true } }", keySchema: Key));
        Assert.Empty(Leaks("- { id: pan, mask: { tag: PAN, keep_last: 4 } }\n- { id: c, mask: { field: customer, redact: true } }\n- { id: k, mask: { field: key, redact: true } }", keySchema: Key));
    }

    [Theory]
    [InlineData("", "sensitive_keys: true", "", 1)]
    [InlineData("", "sensitive_keys: [payments]", "", 1)]
    [InlineData("", "sensitive_keys: [others]", "", 0)]
    [InlineData("- { id: k, mask: { field: key, hmac: k } }", "sensitive_keys: true", "", 0)]
    [InlineData("- { id: k, when: value.amount > 1.0, mask: { field: key, hmac: k } }", "sensitive_keys: true", "", 1)]
    [InlineData("- { id: k, when: value.flag == 1 || true, mask: { field: key, hmac: k } }", "sensitive_keys: true", "tombstones: allow", 1)]
    [InlineData("", "sensitive_headers: [email]", "", 1)]
    [InlineData("", "sensitive_headers: [email]", "headers: drop", 0)]
    [InlineData("", "sensitive_headers: [email]", "headers: [trace]", 0)]
    [InlineData("", "sensitive_headers: [email]", "headers: [email]", 1)]
    [InlineData("- { id: h, mask: { field: 'headers[\"email\"]', remove: true } }", "sensitive_headers: [email]", "", 0)]
    [InlineData("- { id: h, mask: { field: 'headers[\"mail\"]', remove: true } }", "sensitive_headers: [email]", "", 1)]
    public void Check_KeysAndHeaders_LeaveMasked(string rules, string conventions, string binding, int leaks) =>
        Assert.Equal(leaks, Leaks((rules.Length > 0 ? rules : "- { id: a, tag: { x: y } }").Replace("value.flag == 1", "value.amount == 1.0", StringComparison.Ordinal), conventions, binding).Length);

    // What is gone, deleted, or a mismatch writes nothing that comes out.
    [Fact]
    public void Check_VersionThatIsAMismatch_IsNoWayOut()
    {
        string gone = Bench.PaymentSchema.Replace("""{"name":"card_number","type":"string","confluent:tags":["PAN"]},""", """{"name":"card_number","type":"long","confluent:tags":["PAN"]},""", StringComparison.Ordinal);
        Assert.Empty(Leaks("- { id: p, mask: { field: card_number, keep_last: 4 } }\n- { id: pii, mask: { tag: PII, redact: true } }", schemas: [gone, Bench.PaymentSchema]));
    }
}
