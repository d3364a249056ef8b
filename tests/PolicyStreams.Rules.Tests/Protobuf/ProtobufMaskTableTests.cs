using System.Text;
using System.Text.Json;
using PolicyStreams.Rules.Tests.Masking;
using PolicyStreams.Schemas.Protobuf;

namespace PolicyStreams.Rules.Tests.Protobuf;

/// <summary>The table of Protobuf types and methods in <c>docs/reference/masks.md</c>, cell by cell, on bytes that are written by hand.</summary>
public sealed class ProtobufMaskTableTests
{
    // By row: how the schema declares field 2 and what it needs beside it, the field as a policy selects it, and its bytes.
    private static readonly Dictionary<string, Kind[]> Rows = new(StringComparer.Ordinal)
    {
        ["string, also in a oneof; `StringValue`"] =
        [
            new("string f = 2;", (wire, text) => wire.Text(2, text)), new("optional string f = 2;", (wire, text) => wire.Text(2, text)), new("oneof o { string f = 2; int32 g = 4; }", (wire, text) => wire.Text(2, text)),
            new("google.protobuf.StringValue f = 2;", (wire, text) => wire.In(2, new Wire().Text(1, text))),
        ],
        ["string, `required`"] = [new("required string f = 2;", (wire, text) => wire.Text(2, text))],
        ["element of `repeated string`, value of a map of strings"] =
        [
            new("repeated string f = 2;", (wire, text) => wire.Text(2, text), "'f[*]'"), new("map<string, string> f = 2;", (wire, text) => wire.In(2, new Wire().Text(1, "k").Text(2, text)), "'f[*]'"),
        ],
        ["enum"] = [new("E f = 2;", (wire, _) => wire.Int(2, 2)), new("optional E f = 2;", (wire, _) => wire.Int(2, 2))],
        ["integers, float, double, and their wrappers"] =
        [
            new("int32 f = 2;", (wire, _) => wire.Int(2, 127)), new("optional int64 f = 2;", (wire, _) => wire.Int(2, 127)), new("uint64 f = 2;", (wire, _) => wire.Int(2, 127)), new("sint32 f = 2;", (wire, _) => wire.Int(2, 254)),
            new("fixed32 f = 2;", (wire, _) => wire.Tag(2, 5).Raw(127, 0, 0, 0)), new("sfixed64 f = 2;", (wire, _) => wire.Tag(2, 1).Raw(127, 0, 0, 0, 0, 0, 0, 0)),
            new("double f = 2;", (wire, _) => wire.Double(2, 127.5)), new("float f = 2;", (wire, _) => wire.Tag(2, 5).Raw(BitConverter.GetBytes(127.5f))),
            new("google.protobuf.Int64Value f = 2;", (wire, _) => wire.In(2, new Wire().Int(1, 127))), new("google.protobuf.DoubleValue f = 2;", (wire, _) => wire.In(2, new Wire().Double(1, 127.5))),
        ],
        ["bool, bytes, and their wrappers"] =
        [
            new("bool f = 2;", (wire, _) => wire.Int(2, 1)), new("bytes f = 2;", (wire, _) => wire.Data(2, [1, 2])),
            new("google.protobuf.BoolValue f = 2;", (wire, _) => wire.In(2, new Wire().Int(1, 1))), new("google.protobuf.BytesValue f = 2;", (wire, _) => wire.In(2, new Wire().Data(1, [1]))),
        ],
        ["`Timestamp`"] = [new("google.protobuf.Timestamp f = 2;", (wire, _) => wire.In(2, new Wire().Int(1, 1_772_637_377)))],
        ["`Duration`"] = [new("google.protobuf.Duration f = 2;", (wire, _) => wire.In(2, new Wire().Int(1, 90)))],
        ["message, `repeated`, map"] =
        [
            new("M f = 2;", (wire, _) => wire.In(2, new Wire().Text(1, "a"))), new("repeated string f = 2;", (wire, _) => wire.Text(2, "a").Text(2, "b")),
            new("repeated int32 f = 2;", (wire, _) => wire.Data(2, [1, 2, 3])), new("map<string, string> f = 2;", (wire, _) => wire.In(2, new Wire().Text(1, "k").Text(2, "a"))),
        ],
    };

    public static TheoryData<string, string, string> Cells() => MaskTableTests.Cells("| Protobuf type | redact");

    [Fact]
    public void Table_HasEveryTypeAndEveryMethod()
    {
        var cells = Cells().Select(cell => cell.Data).ToList();
        Assert.Equal(Rows.Keys.Order(StringComparer.Ordinal), cells.Select(cell => cell.Item1).Distinct().Order(StringComparer.Ordinal));
        Assert.Equal(MaskDocument.Names, cells.Select(cell => cell.Item2).Distinct());
        Assert.Equal(Rows.Count * MaskTableTests.Methods.Count, cells.Count);
    }

    [Theory]
    [MemberData(nameof(Cells))]
    public void Mask_OnType_DoesWhatTheTableSays(string row, string method, string says)
    {
        foreach (Kind kind in Rows[row])
        {
            string rule = $"- {{ id: m, mask: {{ field: {kind.Path}, {method}: {(says == "symbol" ? "A" : MaskTableTests.Methods[method])} }} }}";
            Bench? bench = Bench.TryOf(Bench.Yaml(rule).Replace("format: avro", "format: protobuf", StringComparison.Ordinal), [(7, kind.Schema)], out IReadOnlyList<Diagnostic> said);
            if (says == "no")
            {
                Assert.True(bench is null, $"{kind.Field} {method} loads");
                Assert.Equal(DiagnosticCodes.MaskType, Assert.Single(said, one => one.Severity == Severity.Error).Code);
                continue;
            }

            Assert.True(bench is not null, $"{kind.Field} {method}: {string.Join("\n", said)}");
            Wire given = kind.Write(new Wire().Text(1, "b"), MaskTableTests.Given(method)).Int(3, 7);
            Verdict verdict = bench.Decide(Wire.Framed(7, given));
            Assert.Equal(Outcome.Allow, verdict.Outcome);
            Assert.Equal([kind.Path.Trim('\'')], verdict.Masked);
            byte[] published = verdict.Output.Slice(verdict.ValueStart, verdict.ValueLength).ToArray();
            using JsonDocument json = Read(kind, published.AsSpan(6));
            Assert.Equal(("b", "7"), (json.RootElement.GetProperty("before").GetString(), json.RootElement.GetProperty("after").GetString()));

            // A member of a oneof that is not there is not written either.
            Check(kind, row, method, json.RootElement.TryGetProperty("f", out JsonElement f) ? f : default, published[6..]);

            // What was published is a record of the schema, and the mask finds in it what it left.
            Assert.DoesNotContain("ps:undecodable", bench.Decide(published).Rules);
        }
    }

    private static void Check(Kind kind, string row, string method, JsonElement f, byte[] published)
    {
        byte[] without = new Wire().Text(1, "b").Int(3, 7).Bytes;
        bool inside = kind.Path != "f";
        switch (method)
        {
            case "remove":
            case "redact" when !inside && !kind.Field.StartsWith("required", StringComparison.Ordinal):
                Assert.Equal(without, published);
                break;
            case "redact":
                Assert.Contains(f.GetRawText(), (string[])["\"\"", "[\"\"]", "{\"k\":\"\"}"]);
                break;
            case "constant" when row == "enum":
                Assert.Equal("A", f.GetString());
                break;
            case "bucket":
                Assert.Equal("100", f.ValueKind == JsonValueKind.String ? f.GetString() : f.GetRawText());
                break;
            case "date" when row == "`Timestamp`":
                Assert.Equal("2026-01-01T00:00:00Z", f.GetString());
                break;
            default:
                MaskTableTests.Text(method, (f.ValueKind switch { JsonValueKind.Array => f[0], JsonValueKind.Object => f.GetProperty("k"), _ => f }).GetString()!);
                break;
        }
    }

    private static JsonDocument Read(Kind kind, ReadOnlySpan<byte> payload)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream)) { Assert.Equal(Schemas.DecodeOutcome.Decoded, ProtobufSchema.Parse(kind.Schema, []).WriteJson(payload, writer)); }
        return JsonDocument.Parse(Encoding.UTF8.GetString(stream.ToArray()));
    }

    /// <param name="Write">Appends the field with a text that the method takes, or with a value of its own.</param>
    private sealed record Kind(string Field, Func<Wire, string, Wire> Write, string Path = "f")
    {
        private bool Second => Field.StartsWith("required", StringComparison.Ordinal);

        public string Schema => $$"""
            syntax = "{{(Second ? "proto2" : "proto3")}}";
            import "google/protobuf/timestamp.proto";
            import "google/protobuf/duration.proto";
            import "google/protobuf/wrappers.proto";
            message T { {{(Second ? "required" : "")}} string before = 1; {{Field}} {{(Second ? "required" : "")}} int64 after = 3; }
            message M { optional string a = 1; }
            enum E { Z = 0; A = 1; B = 2; }
            """;
    }
}
