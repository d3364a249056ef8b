using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Protobuf;

namespace PolicyStreams.Rules.Tests.Protobuf;

/// <summary>Policies on Protobuf records: frames, conditions, masks, versions, unknown fields, and policy tests.</summary>
public sealed class ProtobufPolicyTests
{
    internal const string Order = """
        syntax = "proto3";
        package shop;
        import "google/protobuf/timestamp.proto";
        import "google/protobuf/wrappers.proto";
        import "confluent/meta.proto";
        message Order {
          string id = 1;
          Customer customer = 2;
          repeated Item items = 3;
          map<string, string> attributes = 4;
          Status status = 5;
          google.protobuf.Timestamp placed_at = 6;
          uint64 cents = 7;
          oneof payment { string card = 8 [(confluent.field_meta).tags = "PAN"]; Voucher voucher = 9; }
          google.protobuf.StringValue note = 10;
          repeated int32 points = 11;
          optional string channel = 12;
          message Voucher { string code = 1; }
        }
        message Customer { string name = 1 [(confluent.field_meta) = { tags: ["PII"] }]; string email = 2 [(confluent.field_meta) = { tags: ["PII"], doc: "x" }]; }
        message Item { string sku = 1; uint32 quantity = 2; double price = 3; }
        enum Status { UNKNOWN = 0; PLACED = 1; PAID = 2; }
        """;

    private static Wire Sample() => new Wire()
        .Text(1, "o-1").In(2, new Wire().Text(1, "Ada").Text(2, "ada@example.com"))
        .In(3, new Wire().Text(1, "tea").Int(2, 2).Double(3, 4.5)).In(4, new Wire().Text(1, "ip").Text(2, "10.0.0.1"))
        .In(3, new Wire().Text(1, "cup").Int(2, 0).Double(3, 9)).In(4, new Wire().Text(1, "os").Text(2, "ios"))
        .Int(5, 1).In(6, new Wire().Int(1, 1_767_225_600)).Int(7, 1_250).Text(8, "4111111111111111").In(10, new Wire().Text(1, "ring twice"));

    private static string Yaml(string rules, string binding = "") => Bench.Yaml(rules, binding).Replace("format: avro", "format: protobuf", StringComparison.Ordinal);

    private static Bench Of(string rules, string binding = "", params (int, string)[] schemas) => Bench.Of(Yaml(rules, binding), schemas.Length == 0 ? [(7, Order)] : schemas);

    [Theory]
    [InlineData("value.id == \"o-1\" && value.customer.email.endsWith(\".com\")", true)]
    [InlineData("value.items.exists(item, item.quantity == 0u)", true)]
    [InlineData("value.items.exists(item, item.quantity == 0) && value.items.size() == 2", true)]
    [InlineData("value.items[1].sku == \"cup\"", true)]
    [InlineData("value.items.map(i, i.price) == [4.5, 9.0]", true)]
    [InlineData("value.attributes[\"ip\"] == \"10.0.0.1\" && value.attributes.size() == 2", true)]
    [InlineData("\"os\" in value.attributes", true)]
    [InlineData("value.status == \"PLACED\"", true)]
    [InlineData("value.placed_at.getFullYear() == 2026", true)]
    [InlineData("value.cents == 1250u && value.cents > 1000", true)]
    [InlineData("value.card != null && value.card.startsWith(\"4111\") && value.voucher == null", true)]
    [InlineData("has(value.voucher) || has(value.channel)", false)]
    [InlineData("value.note != null && value.note == \"ring twice\"", true)]
    [InlineData("value.points.size() == 0", true)]
    [InlineData("value.customer == null", false)]
    public void Condition_OnAMessage_ReadsItsFields(string when, bool holds)
    {
        Verdict verdict = Of($"- {{ id: r, when: '{when}', deny: {{ reason: x }} }}").Decide(Wire.Framed(7, Sample()));
        Assert.Equal(holds ? ["r"] : [], verdict.Rules);
        Assert.Empty(verdict.Errors);
    }

    [Fact]
    public void Condition_AbsentFields_ReadTheirZeroOrNull()
    {
        Bench bench = Of("""
            - { id: zero, when: 'value.id == "" && value.cents == 0u && value.status == "UNKNOWN" && value.items.size() == 0 && value.attributes.size() == 0', tag: { a: b } }
            - { id: none, when: "value.customer == null && value.channel == null && value.placed_at == null && value.note == null && value.card == null", tag: { c: d } }
            """);
        Verdict verdict = bench.Decide(Wire.Framed(7, new Wire()));
        Assert.Equal(["zero", "none"], verdict.Rules);
        Assert.Empty(verdict.Errors);
    }

    [Fact]
    public void Condition_InsideAnAbsentMessage_IsAnErrorAndDenied()
    {
        Verdict verdict = Of("- { id: r, when: 'value.customer.name == \"x\"', tag: { a: b } }").Decide(Wire.Framed(7, new Wire()));
        Assert.Equal(Outcome.Deny, verdict.Outcome);
        Assert.Equal("r", Assert.Single(verdict.Errors).Rule);
    }

    [Fact]
    public void Mask_EveryKind_KeepsTheRestByteForByte()
    {
        Bench bench = Of("""
            - { id: pii, mask: { tag: PII, constant: "***" } }
            - { id: card, mask: { tag: PAN, keep_last: 4 } }
            - { id: sku, mask: { field: "items[*].sku", hmac: customer-key } }
            - { id: ip, mask: { field: 'attributes["ip"]', remove: true } }
            - { id: when, mask: { field: placed_at, date: year } }
            - { id: cents, mask: { field: cents, bucket: 1000 } }
            - { id: note, mask: { field: note, keep_first: 4 } }
            - { id: status, mask: { field: status, constant: PAID } }
            - { id: id, mask: { field: id, redact: true } }
            """);
        byte[] value = Wire.Framed(7, Sample());
        Verdict verdict = bench.Decide(value);
        Assert.Equal(Outcome.Allow, verdict.Outcome);
        Wire expected = new Wire().In(2, new Wire().Text(1, "***").Text(2, "***"))
            .In(3, new Wire().Text(1, Hmac("tea")).Int(2, 2).Double(3, 4.5))
            .In(3, new Wire().Text(1, Hmac("cup")).Int(2, 0).Double(3, 9)).In(4, new Wire().Text(1, "os").Text(2, "ios"))
            .Int(5, 2).In(6, new Wire().Int(1, 1_767_225_600)).Int(7, 1_000).Text(8, "************1111").In(10, new Wire().Text(1, "ring******"));
        Assert.Equal(Convert.ToHexString(Wire.Framed(7, expected)), Convert.ToHexString(verdict.Output.Slice(verdict.ValueStart, verdict.ValueLength)));
        Assert.Equal(["customer.email", "customer.name", "card", "items[*].sku", "attributes[\"ip\"]", "placed_at", "cents", "note", "status", "id"], verdict.Masked);

        static string Hmac(string text)
        {
            using var hmac = new System.Security.Cryptography.HMACSHA256(Encoding.UTF8.GetBytes(Bench.HmacKey));
            return Convert.ToHexStringLower(hmac.ComputeHash(Encoding.UTF8.GetBytes(text))[..16]);
        }
    }

    [Fact]
    public void Mask_PackedAndUnpackedElements_MasksEveryOne()
    {
        Bench bench = Of("- { id: r, mask: { field: \"points[*]\", bucket: 10 } }");
        byte[] value = Wire.Framed(7, new Wire().Data(11, [7, 150, 1]).Int(11, 23).Data(11, [99]).Text(1, "x"));
        Verdict verdict = bench.Decide(value);
        Wire expected = new Wire().Data(11, [0, 150, 1]).Int(11, 20).Data(11, [90]).Text(1, "x");
        Assert.Equal(Convert.ToHexString(Wire.Framed(7, expected)), Convert.ToHexString(verdict.Output.Slice(verdict.ValueStart, verdict.ValueLength)));
    }

    [Theory]
    [InlineData("00", null)]                                     // The short form of [0].
    [InlineData("0200", null)]                                   // Its long form.
    [InlineData("0202", "record-name")]                          // Another message: Customer.
    [InlineData("040000", "message-index")]                      // Voucher to clients who leave map entries out, the entry of a map to those who do not.
    [InlineData("0208", "message-index")]                        // Out of range.
    [InlineData("01", "message-index")]                          // A count that is negative.
    [InlineData("0201", "message-index")]                        // An index that is negative.
    [InlineData("ffffffffff01", "message-index")]                // A count without an end.
    [InlineData("80808080808080808080", "message-index")]
    [InlineData("", "message-index")]
    public void Decide_MessageIndexes_TellWhichMessageItIs(string indexes, string? code)
    {
        Verdict verdict = Of("- { id: r, tag: { a: b } }").Decide([0, 0, 0, 0, 7, .. Convert.FromHexString(indexes), .. indexes.Length == 0 ? [] : new Wire().Text(1, "o-1").Bytes]);
        if (code is null)
        {
            Assert.Equal(Outcome.Allow, verdict.Outcome);
            return;
        }

        Assert.Equal(code, Assert.Single(verdict.Errors).Code);
    }

    [Fact]
    public void Decide_HeaderFrame_TakesTheIndexesThere()
    {
        Bench bench = Of("- { id: r, when: value.id == \"o-1\", tag: { a: b } }");
        bench.Headers.Add("__value_schema_id"u8, [0, 0, 0, 0, 7, 0]);
        Assert.Equal(["r"], bench.Decide(new Wire().Text(1, "o-1").Bytes).Rules);

        Bench other = Of("- { id: r, tag: { a: b } }");
        other.Headers.Add("__value_schema_id"u8, [0, 0, 0, 0, 7]);
        Assert.Equal("message-index", Assert.Single(other.Decide(new Wire().Text(1, "o-1").Bytes).Errors).Code);

        Bench both = Of("- { id: r, tag: { a: b } }");
        both.Headers.Add("__value_schema_id"u8, [0, 0, 0, 0, 7, 2, 2]);
        Assert.Equal("frame-conflict", Assert.Single(both.Decide(Wire.Framed(7, new Wire().Text(1, "o-1"))).Errors).Code);
    }

    [Theory]
    [InlineData(7, "00", null)]
    [InlineData(7, "0202", "frame-conflict")]
    [InlineData(8, "00", "frame-conflict")]
    public void Decide_HeaderFrameOfAGuid_OverAnIdInFront_IsOfOneMessageOrRefused(int id, string indexes, string? code)
    {
        Bench bench = Of("- { id: r, when: value.id == \"o-1\", tag: { a: b } }");
        bench.Headers.Add("__value_schema_id"u8, [.. Bench.GuidFrame(id), .. Convert.FromHexString(indexes)]);
        Assert.Equal(code, bench.Decide(Wire.Framed(7, new Wire().Text(1, "o-1"))).Errors.Select(error => error.Code).SingleOrDefault());
    }

    [Fact]
    public void Decide_HeaderFrameOfAGuid_TakesTheIndexesThere()
    {
        Bench bench = Of("- { id: r, when: value.id == \"o-1\", tag: { a: b } }");
        bench.Headers.Add("__value_schema_id"u8, [.. Bench.GuidFrame(7), 0]);
        Assert.Equal(["r"], bench.Decide(new Wire().Text(1, "o-1").Bytes).Rules);
    }

    [Theory]
    [InlineData("07 0a05 4f72646572", null)]
    [InlineData("0c 0a0a 73686f702e4f72646572", null)]
    [InlineData("00", null)]
    [InlineData("06 0a04 4974656d", "record-name")]
    [InlineData("07 0a06 4f72646572", "message-index")]
    [InlineData("02 1001", "message-index")]
    [InlineData("ff", "message-index")]
    public void Decide_ApicurioFrame_NamesTheMessage(string reference, string? code)
    {
        Verdict verdict = Of("- { id: r, tag: { a: b } }", "framing: apicurio4").Decide([0, 0, 0, 0, 7, .. Convert.FromHexString(reference.Replace(" ", "", StringComparison.Ordinal)), .. code is null ? new Wire().Text(1, "o-1").Bytes : []]);
        Assert.Equal(code, verdict.Errors.Select(error => error.Code).SingleOrDefault());
    }

    [Fact]
    public void Message_Chosen_IsTheOneThatRecordsAre()
    {
        Bench bench = Of("- { id: r, mask: { field: email, redact: true } }", "message: shop.Customer");
        Verdict verdict = bench.Decide(Wire.Framed(7, new Wire().Text(1, "Ada").Text(2, "a@b"), 2, 2));
        Assert.Equal(Convert.ToHexString(Wire.Framed(7, new Wire().Text(1, "Ada"), 2, 2)), Convert.ToHexString(verdict.Output.Slice(verdict.ValueStart, verdict.ValueLength)));
        Assert.Equal("record-name", Assert.Single(bench.Decide(Wire.Framed(7, Sample())).Errors).Code);

        // The message keeps its name where another version has it in another place.
        Bench moved = Of("- { id: r, tag: { a: b } }", "message: shop.Customer", (7, Order), (8, "syntax = \"proto3\"; package shop; message Customer { string name = 1; string email = 2; }"));
        Assert.Equal(Outcome.Allow, moved.Decide(Wire.Framed(8, new Wire().Text(1, "Ada"))).Outcome);
        Assert.Equal(Outcome.Allow, moved.Decide(Wire.Framed(7, new Wire().Text(1, "Ada"), 2, 2)).Outcome);
    }

    [Fact]
    public void Message_NotThere_IsAnError()
    {
        Assert.Null(Bench.TryOf(Yaml("- { id: r, tag: { a: b } }", "message: shop.Ordr"), [(7, Order)], out IReadOnlyList<Diagnostic> said));
        Diagnostic error = Assert.Single(said, one => one.Severity == Severity.Error);
        Assert.Equal(DiagnosticCodes.SchemaUnusable, error.Code);
        Assert.Contains("did you mean `shop.Order`?", error.Help, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "unknown-field", null)]
    [InlineData("unknown_fields: deny", "unknown-field", null)]
    [InlineData("unknown_fields: keep", null, "kept")]
    [InlineData("unknown_fields: drop", null, "cut")]
    public void UnknownFields_AreWhatTheBindingSays(string binding, string? code, string? what)
    {
        Wire secret = new Wire().Tag(99, 3).Text(1, "secret").Tag(99, 4).Text(2000, "secret");
        byte[] value = Wire.Framed(7, new Wire().In(2, new Wire().Text(1, "Ada").Raw(secret.Bytes)).In(4, new Wire().Text(1, "k").Raw(secret.Bytes).Text(2, "v")).Raw(secret.Bytes).Text(1, "o-1"));
        Bench bench = Of("- { id: r, mask: { field: id, redact: true } }", binding);
        Verdict verdict = bench.Decide(value);
        Assert.Equal(code, verdict.Errors.Select(error => error.Code).SingleOrDefault());
        if (code is not null) { return; }
        byte[] kept = what == "kept" ? secret.Bytes : [];
        byte[] expected = Wire.Framed(7, new Wire().In(2, new Wire().Text(1, "Ada").Raw(kept)).In(4, new Wire().Text(1, "k").Raw(kept).Text(2, "v")).Raw(kept));
        Assert.Equal(Convert.ToHexString(expected), Convert.ToHexString(verdict.Output.Slice(verdict.ValueStart, verdict.ValueLength)));
    }

    [Fact]
    public void UnknownFields_DroppedWithoutAnyMask_AreStillCut()
    {
        Verdict verdict = Of("- { id: r, tag: { a: b } }", "unknown_fields: drop").Decide(Wire.Framed(7, new Wire().Text(1, "o-1").Text(77, "secret")));
        Assert.True(verdict.ValueRewritten);
        Assert.Equal(Convert.ToHexString(Wire.Framed(7, new Wire().Text(1, "o-1"))), Convert.ToHexString(verdict.Output.Slice(verdict.ValueStart, verdict.ValueLength)));
        Assert.Empty(verdict.Masked);
    }

    [Fact]
    public void UnknownFields_Kept_IsANote()
    {
        Bench.TryOf(Yaml("- { id: r, tag: { a: b } }", "unknown_fields: keep"), [(7, Order)], out IReadOnlyList<Diagnostic> said);
        Assert.Equal([DiagnosticCodes.FirstMessage, DiagnosticCodes.UnknownFieldsKept], said.Select(one => one.Code).Order(StringComparer.Ordinal).Reverse());
        Assert.All(said, one => Assert.Equal(Severity.Note, one.Severity));
    }

    [Fact]
    public void Tag_OnAFieldOfAnotherName_FollowsTheNumber()
    {
        const string V1 = "syntax = \"proto3\"; message P { string email = 3 [(confluent.field_meta).tags = \"PII\"]; string id = 1; }";
        const string V2 = "syntax = \"proto3\"; message P { string contact = 3; string id = 1; }";
        Bench bench = Of("- { id: r, mask: { tag: PII, constant: x } }", "", (1, V1), (2, V2));
        foreach (int id in (int[])[1, 2])
        {
            Verdict verdict = bench.Decide(Wire.Framed(id, new Wire().Text(3, "a@b")));
            Assert.Equal(Outcome.Allow, verdict.Outcome);
            Assert.Equal(Convert.ToHexString(Wire.Framed(id, new Wire().Text(3, "x"))), Convert.ToHexString(verdict.Output.Slice(verdict.ValueStart, verdict.ValueLength)));
        }
    }

    [Fact]
    public void Mask_OnAFieldThatWasCalledOtherwise_FollowsTheNumber()
    {
        const string V1 = "syntax = \"proto3\"; message P { string email = 3; In a = 4; } message In { string x = 1; }";
        const string V2 = "syntax = \"proto3\"; message P { string contact = 3; In b = 4; } message In { string y = 1; }";
        Bench bench = Of("- { id: r, mask: { field: contact, constant: x } }\n- { id: s, mask: { field: b.y, constant: x } }\n- { id: t, when: value.contact == \"a@b\", tag: { a: b } }", "", (1, V1), (2, V2));
        foreach (int id in (int[])[1, 2])
        {
            Verdict verdict = bench.Decide(Wire.Framed(id, new Wire().Text(3, "a@b").In(4, new Wire().Text(1, "secret"))));
            Assert.Equal(["r", "s", "t"], verdict.Rules);
            Assert.Equal(Convert.ToHexString(Wire.Framed(id, new Wire().Text(3, "x").In(4, new Wire().Text(1, "x")))), Convert.ToHexString(verdict.Output.Slice(verdict.ValueStart, verdict.ValueLength)));
        }
    }

    [Theory]
    [InlineData("syntax = \"proto3\"; message P { string x = 3; }", "value.email == \"a\"", "email")]                                     // By its number it is there.
    [InlineData("syntax = \"proto3\"; message P { int32 email = 3; }", "value.email == \"a\"", "email")]
    [InlineData("syntax = \"proto3\"; message P { string email = 4; }", "value.email == \"a\"", "email")]
    public void Version_ThatRetypesOrRenumbers_IsAMismatchOrTheSameField(string later, string when, string path)
    {
        const string V1 = "syntax = \"proto3\"; message P { string email = 3; }";
        Bench bench = Of($"- {{ id: r, when: '{when}', tag: {{ a: b }} }}", "", (2, later), (1, V1));
        Verdict verdict = bench.Decide(Wire.Framed(2, new Wire()));
        if (later.Contains(" x = 3", StringComparison.Ordinal)) { Assert.Equal(Outcome.Allow, verdict.Outcome); }
        else { Assert.Equal(new DecisionError("ps:schema-mismatch", path), Assert.Single(verdict.Errors)); }
    }

    [Fact]
    public void Version_InWhichAMessageBecameText_IsAMismatchWhereSomethingInsideIsMasked()
    {
        const string V1 = "syntax = \"proto3\"; message P { In a = 4; } message In { string x = 1; }";
        const string V2 = "syntax = \"proto3\"; message P { string b = 4; } message In { string x = 1; }";
        Bench bench = Of("- { id: r, mask: { field: a.x, constant: x } }", "", (2, V2), (1, V1));
        Assert.Equal("ps:schema-mismatch", Assert.Single(bench.Decide(Wire.Framed(2, new Wire().Text(4, "secret"))).Rules));
    }

    [Fact]
    public void Mask_ThatTheTypeCannotHold_IsAnError()
    {
        Assert.Null(Bench.TryOf(Yaml("- { id: r, mask: { field: cents, keep_last: 4 } }\n- { id: s, mask: { field: status, constant: GONE } }\n- { id: t, mask: { field: customer, constant: x } }"), [(7, Order)], out IReadOnlyList<Diagnostic> said));
        Assert.Equal([DiagnosticCodes.MaskType, DiagnosticCodes.MaskType, DiagnosticCodes.MaskType], said.Where(one => one.Severity == Severity.Error).Select(one => one.Code));
    }

    [Fact]
    public void Mask_RemoveOfAField_LeavesItOut()
    {
        Verdict verdict = Of("- { id: r, mask: { field: customer, remove: true } }\n- { id: s, mask: { field: items, remove: true } }").Decide(Wire.Framed(7, Sample()));
        using JsonDocument json = Json(verdict);
        Assert.Equal(JsonValueKind.Null, json.RootElement.GetProperty("customer").ValueKind);
        Assert.Equal(0, json.RootElement.GetProperty("items").GetArrayLength());
    }

    [Fact]
    public void Lint_EnumSymbols_AreKnown()
    {
        Bench.TryOf(Yaml("- { id: r, when: value.status == \"PAYED\", tag: { a: b } }"), [(7, Order)], out IReadOnlyList<Diagnostic> said);
        Assert.Contains(said, one => one.Code == DiagnosticCodes.NotASymbol && one.Help!.Contains("PLACED", StringComparison.Ordinal));
    }

    [Fact]
    public void Binding_ProtobufKeysOnAnotherFormat_AreErrors()
    {
        PolicyLoad load = PolicySet.Load([new PolicyFile("p", Bench.Yaml("- { id: r, tag: { a: b } }", "message: a.B\nunknown_fields: keep"))]);
        Assert.Equal(2, load.Diagnostics.Count(one => one.Code == DiagnosticCodes.BadValue));
    }

    [Fact]
    public void LocalSchemas_FindImportsBesideTheSchema()
    {
        PolicyLoad load = PolicySet.Load([new PolicyFile("p", Yaml("- { id: r, when: value.m != null && value.m.units > 3, tag: { a: b } }").Replace("subject: raw.payments-value", "schema: protos/order.proto", StringComparison.Ordinal))]);
        var said = new List<Diagnostic>();
        var files = new Dictionary<string, string>
        {
            ["protos/order.proto"] = "syntax = \"proto3\"; import \"common/money.proto\"; message O { common.Money m = 1; }",
            ["protos/common/money.proto"] = "syntax = \"proto3\"; package common; import \"deep.proto\"; message Money { int64 units = 1; Deep d = 2; }",
            ["deep.proto"] = "syntax = \"proto3\"; package common; message Deep { int32 x = 1; }",
        };
        IReadOnlyDictionary<string, SubjectSchemas> subjects = LocalSchemas.Load(load.Set!.Policies[0], path => files.GetValueOrDefault(path), said);
        CompiledPolicy? policy = CompiledPolicy.Compile(load.Set.Policies[0], subjects, Bench.Keys(), said);
        Assert.Empty(said);
        files["deep.proto"] += " ";
        Assert.NotEqual(policy!.Digest, CompiledPolicy.Compile(load.Set.Policies[0], LocalSchemas.Load(load.Set.Policies[0], path => files.GetValueOrDefault(path), said), Bench.Keys(), said)!.Digest);
    }

    [Fact]
    public void OfflineJudge_JsonAndHex_GiveOneAnswer()
    {
        Bench bench = Of("- { id: r, mask: { tag: PII, constant: x } }");
        using var judge = new OfflineJudge(bench.Binding);
        var answers = new Schemas.Capture.ByteBuffer();
        Assert.Null(judge.Judge("""{"id":"o-1","customer":{"name":"Ada"},"placedAt":"2026-01-02T03:04:05Z","cents":"12","status":"PAID"}"""u8, RecordLineFormat.Json, 0, answers));
        string json = Encoding.UTF8.GetString(answers.Written);
        Assert.Contains("\"outcome\":\"allow\"", json, StringComparison.Ordinal);
        Assert.Contains("\"customer\":{\"name\":\"x\",\"email\":\"\"}", json, StringComparison.Ordinal);
        Assert.Contains("\"cents\":\"12\"", json, StringComparison.Ordinal);
        answers.Clear();
        Assert.Null(judge.Judge(Encoding.ASCII.GetBytes(Convert.ToHexString(Wire.Framed(7, new Wire().Text(1, "o-1").In(2, new Wire().Text(1, "Ada")).Int(5, 2).In(6, new Wire().Int(1, 1_767_323_045)).Int(7, 12)))), RecordLineFormat.Hex, 0, answers));
        Assert.Equal(json, Encoding.UTF8.GetString(answers.Written));
        Assert.NotNull(judge.Judge("""{"idd":"o-1"}"""u8, RecordLineFormat.Json, 0, answers));
    }

    private static JsonDocument Json(Verdict verdict)
    {
        var text = new Schemas.Capture.ByteBuffer();
        using (var writer = new Utf8JsonWriter(text))
        {
            Assert.Equal(DecodeOutcome.Decoded, ProtobufSchema.Parse(Order, []).WriteJson(verdict.Output.Slice(verdict.ValueStart, verdict.ValueLength)[6..], writer));
        }

        return JsonDocument.Parse(text.Written.ToArray());
    }
}
