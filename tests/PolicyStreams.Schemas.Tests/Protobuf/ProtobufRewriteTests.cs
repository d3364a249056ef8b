using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Protobuf;
using PolicyStreams.Schemas.Tests.Avro;

namespace PolicyStreams.Schemas.Tests.Protobuf;

/// <summary>Masked bytes, one by one: lengths around a value, odd spellings that stay, and what each type is redacted to.</summary>
public sealed class ProtobufRewriteTests
{
    [Theory]
    [InlineData("optional string s = 1;", "s", "0a03616263", "0a0178")]
    [InlineData("optional In i = 1;", "i.s", "0a050a03616263", "0a030a0178")]
    [InlineData("optional In i = 1;", "i.s", "0a87800a8300616263", null)]                                                   // A length that runs past the end.
    [InlineData("optional In i = 1;", "i.s", "0a8680000a8300616263", "0a030a0178")]                                         // Lengths longer than they need be, set anew where they change.
    [InlineData("optional In i = 1; optional string t = 2;", "t", "0a8680000a83006162631201ff", null)]                      // Not UTF-8.
    [InlineData("optional In i = 1; optional string t = 2;", "t", "0a8680000a8300616263120161", "0a8680000a8300616263120178")]   // And kept where they do not.
    [InlineData("optional group G = 1 { optional string s = 1; }", "g.s", "0b0a036162630c", "0b0a01780c")]
    [InlineData("repeated string s = 1;", "s[*]", "0a000a036162638a0000", "0a01780a01788a000178")]                                  // A tag longer than it need be stays.
    [InlineData("map<string, string> m = 1;", "m[*]", "0a080a016b1203616263", "0a060a016b120178")]
    [InlineData("map<string, string> m = 1;", "m[*]", "0a0812036162630a016b", "0a061201780a016b")]                          // The value before its key.
    [InlineData("map<string, string> m = 1;", "m[*]", "0a030a016b", "0a060a016b120178")]                                    // An entry without a value: its text is empty.
    [InlineData("map<string, string> m = 1;", "m[\"k\"]", "0a030a016b0a030a016c", "0a060a016b1201780a030a016c")]
    [InlineData("oneof o { string a = 1; string b = 2; }", "b", "1203616263", "120178")]
    public void Text_IsWrittenWithItsLengths(string fields, string path, string hex, string? expected) => Assert.Equal(expected, Mask(fields, path, hex, new SiteResult(SiteAction.Text)));

    [Theory]
    [InlineData("string s = 1;", "", "120179")]                     // As good as absent, where the two are the same.
    [InlineData("string s = 1;", "\u00e9", "0a02c3a9120179")]
    [InlineData("optional string s = 1;", "", "0a00120179")]
    public void Text_OfProto3_IsLeftOutWhereItIsTheZero(string field, string text, string expected)
    {
        ProtobufSchema schema = ProtobufSchema.Parse("syntax = \"proto3\"; message M { " + field + " string t = 2; }", []);

        byte[]? masked = AvroFixture.MaskText(schema, Convert.FromHexString("0a03616263120179"), text, "s");

        Assert.Equal(expected, Convert.ToHexStringLower(masked!));
    }

    [Fact]
    public void Text_ThatIsNotUtf8_Fails()
    {
        ProtobufSchema schema = Schema("optional string s = 1;");
        byte[] value = Convert.FromHexString("0a0161");
        RecordProgram program = schema.Compile(AvroFixture.Masks(schema, "s"));
        var masker = new AvroFixture.Masker(static (_, _, replacement) =>
        {
            replacement.Append(0xFF);
            return new SiteResult(SiteAction.Text);
        });

        Assert.Equal(RewriteOutcome.MaskFailed, program.Rewrite(value, program.Walked(value), masker, new ByteBuffer()));
    }

    [Theory]
    [InlineData("optional In i = 1;", "i", "0a050a03616263", "")]
    [InlineData("required string s = 1;", "s", "0a03616263", "0a00")]
    [InlineData("required int32 n = 1 [default = 7];", "n", "0805", "0807")]
    [InlineData("required R r = 1;", "r", "0a04080910ff", null)]
    [InlineData("required R r = 1;", "r", "0a04080910ff01", null)]
    [InlineData("required R r = 1;", "r", "0a020809", "0a020800")]
    [InlineData("repeated R r = 1;", "r[*]", "0a0208090a020808", "0a0208000a020800")]
    [InlineData("repeated string s = 1;", "s[*]", "0a0161", "0a00")]
    [InlineData("repeated string s = 1;", "s", "0a01610a0162", "")]
    [InlineData("repeated int32 n = 1 [packed = true];", "n[*]", "0a0309960108070a00", "0a0200000800" + "0a00")]
    [InlineData("repeated double d = 1;", "d[*]", "09000000000000f03f", "090000000000000000")]
    [InlineData("map<int32, string> m = 1;", "m[*]", "0a0508011201610a020802", "0a0208010a020802")]
    [InlineData("map<int32, string> m = 1;", "m", "0a0508011201610a020802", "")]
    [InlineData("repeated group G = 1 { optional string s = 1; }", "g[*]", "0b0a01610c", "0b0c")]
    [InlineData("optional E e = 1;", "e", "0801", "")]
    [InlineData("repeated E e = 1;", "e[*]", "0802", "0801")]
    public void Redact_LeavesOutOrWritesTheZero(string fields, string path, string hex, string? expected) => Assert.Equal(expected, Mask(fields, path, hex, new SiteResult(SiteAction.Redact)));

    [Theory]
    [InlineData("map<string, string> m = 1;", "m[\"k\"]", "0a060a016b1201610a060a016c120162", "0a060a016c120162")]
    [InlineData("map<string, string> m = 1;", "m[*]", "0a030a016b", "")]
    [InlineData("repeated int32 n = 1 [packed = true];", "n[*]", "0a030901020802", "0a00")]
    [InlineData("required string s = 1;", "s", "0a0161", null)]
    [InlineData("optional In i = 1;", "i.s", "0a050a03616263", "0a00")]
    public void Remove_TakesItOut(string fields, string path, string hex, string? expected) => Assert.Equal(expected, Mask(fields, path, hex, new SiteResult(SiteAction.Remove)));

    [Theory]
    [InlineData("optional sint32 n = 1;", 5, "0804", "080a")]
    [InlineData("optional sint64 n = 1;", -5, "0804", "0809")]
    [InlineData("optional int32 n = 1;", -1, "0804", "08ffffffffffffffffff01")]
    [InlineData("optional int32 n = 1;", 1L << 40, "0804", null)]
    [InlineData("optional uint32 n = 1;", -1, "0804", null)]
    [InlineData("optional fixed32 n = 1;", 258, "0d00000000", "0d02010000")]
    [InlineData("optional sfixed64 n = 1;", -2, "090000000000000000", "09feffffffffffffff")]
    [InlineData("optional google.protobuf.Timestamp n = 1;", 60, "0a06080110" + "80897a", "0a02083c")]
    [InlineData("optional google.protobuf.Int64Value n = 1;", 60, "0a00", "0a02083c")]
    [InlineData("optional bool n = 1;", 1, "0800", null)]
    public void Number_IsWrittenAsItsType(string fields, long number, string hex, string? expected) => Assert.Equal(expected, Mask(fields, "n", hex, new SiteResult(SiteAction.Number, number)));

    [Fact]
    public void Text_OfEveryLength_KeepsEnclosingLengthsRight()
    {
        ProtobufSchema schema = Schema("optional A a = 1;");
        foreach (int before in (int[])[0, 1, 100, 116, 117, 118, 119, 120, 121, 122, 123, 124, 125, 126, 127, 128, 129, 16_376, 16_384, 20_000])
        {
            foreach (int after in (int[])[0, 100, 116, 119, 121, 123, 125, 127, 128, 16_380, 16_384])
            {
                byte[]? masked = AvroFixture.MaskText(schema, Of(before), new string('y', after), "a.b.s");
                Assert.Equal(Convert.ToHexString(Of(after, 'y')), Convert.ToHexString(masked!));
            }
        }

        static byte[] Of(int length, char what = 'x') => Framed(1, Framed(1, [.. Framed(1, [.. Enumerable.Repeat((byte)what, length)]), 0x10, 1]));

        static byte[] Framed(int number, byte[] content)
        {
            var bytes = new List<byte> { (byte)((number << 3) | 2) };
            int length = content.Length;
            for (; length >= 0x80; length >>= 7) { bytes.Add((byte)(length | 0x80)); }
            return [.. bytes, (byte)length, .. content];
        }
    }

    private static ProtobufSchema Schema(string fields) => ProtobufSchema.Parse(
        "import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/wrappers.proto\"; message M { " + fields
        + " } message In { optional string s = 1; } message R { required int32 n = 1; optional int32 o = 2; } message A { optional B b = 1; } message B { optional string s = 1; optional int32 n = 2; } enum E { ONE = 1; TWO = 2; }", []);

    /// <summary>Null where the record is refused, or the mask fails.</summary>
    private static string? Mask(string fields, string path, string hex, SiteResult answer)
    {
        ProtobufSchema schema = Schema(fields);
        byte[] value = Convert.FromHexString(hex);
        if (schema.Decode(value, out object? _) != DecodeOutcome.Decoded) { return null; }
        byte[]? masked = AvroFixture.Mask(schema, value, answer, "x", path);
        return masked is null ? null : Convert.ToHexStringLower(masked);
    }
}
