using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.JsonSchema;

namespace PolicyStreams.Schemas.Tests.JsonSchema;

/// <summary>What rules see of a JSON Schema, and what a walk gives them.</summary>
public class SchemaTypeTests
{
    private static SchemaType Field(string schema, string path = "f")
    {
        SchemaType type = ValidatedJson.Parse(schema).Type;
        foreach (string step in path.Split('.')) { type = step == "*" ? type.Element! : type.Field(step)!.Type; }
        return type;
    }

    private static string Object(string property, string more = "") => $$"""{"type":"object","properties":{"f":{{property}}}{{more}}}""";

    [Theory]
    [InlineData("""{"type":"integer"}""", ValueKind.Int, true)]
    [InlineData("""{"type":"number"}""", ValueKind.Double, true)]
    [InlineData("""{"type":["integer","number"]}""", ValueKind.Double, true)]
    [InlineData("""{"type":"boolean"}""", ValueKind.Bool, true)]
    [InlineData("""{"type":"string"}""", ValueKind.String, true)]
    [InlineData("""{"type":"string","format":"date-time"}""", ValueKind.Timestamp, true)]
    [InlineData("""{"type":"string","format":"date"}""", ValueKind.String, true)]
    [InlineData("""{"format":"date-time"}""", ValueKind.Dyn, true)]
    [InlineData("""{"type":"array","items":{"type":"integer"}}""", ValueKind.List, true)]
    [InlineData("""{"type":"object","additionalProperties":{"type":"string"}}""", ValueKind.Map, true)]
    [InlineData("""{"type":"object","properties":{"x":{}}}""", ValueKind.Record, true)]
    [InlineData("""{"properties":{"x":{}}}""", ValueKind.Dyn, true)]
    [InlineData("""{"const":"A"}""", ValueKind.String, true)]
    [InlineData("""{"oneOf":[{"type":"null"},{"type":"integer"}]}""", ValueKind.Int, true)]
    [InlineData("""{"anyOf":[{"type":"string"},{"type":"integer"}]}""", ValueKind.Dyn, true)]
    [InlineData("""{"type":["string","null"]}""", ValueKind.String, true)]
    [InlineData("""{"allOf":[{"type":["integer","string"]},{"type":"integer"}]}""", ValueKind.Int, true)]
    [InlineData("{}", ValueKind.Dyn, true)]
    public void Type_OfAProperty_IsWhatEveryValidRecordKeeps(string property, ValueKind kind, bool nullable)
    {
        SchemaType type = Field(Object(property));
        Assert.Equal(kind, type.Kind);
        Assert.Equal(nullable, type.Nullable || kind == ValueKind.Dyn);
        SchemaType required = Field(Object(property, ""","required":["f"]"""));
        bool mayBeNull = property.Contains("null", StringComparison.Ordinal);
        if (kind != ValueKind.Dyn) { Assert.Equal(mayBeNull, required.Nullable); }
    }

    [Fact]
    public void Type_Enum_HasItsSymbols()
    {
        SchemaType type = Field(Object("""{"enum":["A","B",null],"default":"B"}"""));
        Assert.Equal(["A", "B"], type.Symbols);
        Assert.Equal("B", type.DefaultSymbol);
    }

    [Fact]
    public void Type_Recursive_IsTheSameRecordAgain()
    {
        SchemaType type = ValidatedJson.Parse("""{"$id":"http://x/tree","type":"object","properties":{"name":{"type":"string"},"children":{"type":"array","items":{"$ref":"#"}}},"required":["children"]}""").Type;
        SchemaType child = type.Field("children")!.Type.Element!;
        Assert.Same(type.Fields, child.Fields);
    }

    [Fact]
    public void Type_BranchesOfObjects_LeadToTheirFieldsAndTags()
    {
        SchemaType type = Field(Object("""{"oneOf":[{"type":"object","properties":{"card":{"type":"string","tags":["PAN"]}}},{"type":"object","properties":{"iban":{"type":"string"}}}]}"""));
        Assert.Equal(ValueKind.Record, type.Kind);
        Assert.Equal(["PAN"], type.Field("card")!.Tags);
        Assert.Equal(ValueKind.Dyn, type.Field("iban")!.Type.Kind);
    }

    [Fact]
    public void Tags_OnADefinition_CountWhereItIsReferredTo()
    {
        SchemaType type = ValidatedJson.Parse("""{"type":"object","properties":{"mail":{"$ref":"#/definitions/mail"},"list":{"type":"array","items":{"$ref":"#/definitions/mail"}}},"definitions":{"mail":{"type":"string","confluent:tags":["PII"]}}}""").Type;
        Assert.Equal(["PII"], type.Field("mail")!.Tags);
        Assert.Equal(["PII"], type.Field("list")!.Type.Element!.Tags);
    }

    [Theory]
    [InlineData("12", ValueKind.Int, 12)]
    [InlineData("-9223372036854775808", ValueKind.Int, long.MinValue)]
    [InlineData("1.0", ValueKind.Int, 1)]
    [InlineData("1e3", ValueKind.Int, 1000)]
    [InlineData("9223372036854775808", ValueKind.Double, 0)]
    public void Walk_Integer_IsInt_AndUnreadableBeyond64Bits(string text, ValueKind kind, long bits)
    {
        var kit = new SchemaKit(Object("""{"type":"integer"}"""));
        int slot = kit.Capture(CaptureMode.Scalar, "f");
        Slot found = kit.Slot(slot, $$"""{"f":{{text}}}""");
        Assert.Equal(kind, found.Kind);
        if (kind == ValueKind.Int) { Assert.Equal(bits, found.Bits); }
        else { Assert.Equal(1, found.Aux); }
    }

    [Theory]
    [InlineData("2026-01-18T14:17:12Z", 1768745832L, 0)]
    [InlineData("2026-01-18T14:17:12.25+01:00", 1768742232L, 250_000_000)]
    [InlineData("1969-12-31T23:59:59.5z", -1L, 500_000_000)]
    public void Walk_Instant_IsATimestamp(string text, long seconds, int nanos)
    {
        var kit = new SchemaKit(Object("""{"type":"string","format":"date-time"}"""));
        Slot found = kit.Slot(kit.Capture(CaptureMode.Scalar, "f"), $$"""{"f":"{{text}}"}""");
        Assert.Equal((ValueKind.Timestamp, seconds, nanos), (found.Kind, found.Bits, found.Aux));
    }

    [Fact]
    public void Walk_TextThatIsNoInstant_IsUnreadableWhereFormatsAreAnnotations_AndRefusedWhereTheyAreAsserted()
    {
        var kit = new SchemaKit(Object("""{"type":"string","format":"date-time"}"""));
        Slot found = kit.Slot(kit.Capture(CaptureMode.Scalar, "f"), """{"f":"soon"}""");
        Assert.Equal((ValueKind.Double, 1), (found.Kind, found.Aux));
        Assert.Equal(DecodeOutcome.Invalid, new SchemaKit(Object("""{"type":"string","format":"date-time"}"""), formats: true).Walk("""{"f":"soon"}"""));
    }

    [Fact]
    public void Materialize_Record_HasTypedFieldsAndMissingOnes()
    {
        var kit = new SchemaKit(Object("""{"type":"object","properties":{"n":{"type":"integer"},"at":{"type":"string","format":"date-time"},"gone":{"type":"string"}}}"""));
        int slot = kit.Capture(CaptureMode.Raw, "f");
        RecordValue record = Assert.IsType<RecordValue>(kit.Plain(slot, """{"f":{"at":"1970-01-01T00:00:01Z","n":7,"more":true}}"""));
        Assert.Equal([7L, new Timestamp(1, 0), RecordValue.Missing], record.Values);
    }

    [Fact]
    public void Compile_LaterVersion_SaysWhatItLostAndRetyped()
    {
        const string First = """{"type":"object","required":["a","b"],"properties":{"a":{"type":"integer"},"b":{"type":"string"},"c":{"type":"string"}}}""";
        var gone = new SchemaKit(First, """{"type":"object","properties":{"a":{"type":"string"},"c":{"type":"integer"}}}""");
        gone.Capture(CaptureMode.Scalar, "a");
        gone.Capture(CaptureMode.Scalar, "b");
        gone.Select("b", "c");
        _ = gone.Program;
        Assert.Contains(gone.Mismatches, one => one.Path == "a" && one.Why.Contains("integer", StringComparison.Ordinal) && !one.OlderIsFine);
        Assert.Contains(gone.Mismatches, one => one.Path == "b" && one.Why.Contains("requires", StringComparison.Ordinal));
        Assert.Contains(gone.Mismatches, one => one.Path == "b" && one.Why.Contains("masked", StringComparison.Ordinal) && one.OlderIsFine);
        Assert.Contains(gone.Mismatches, one => one.Path == "c" && one.Why.Contains("masked", StringComparison.Ordinal));

        // A whole number is a number, and what need not be there may be missing.
        var fine = new SchemaKit("""{"type":"object","properties":{"a":{"type":"number"},"c":{"type":"string"}}}""", """{"type":"object","properties":{"a":{"type":"integer"}}}""");
        fine.Capture(CaptureMode.Scalar, "a");
        fine.Capture(CaptureMode.Scalar, "c");
        _ = fine.Program;
        Assert.Empty(fine.Mismatches);
    }
}
