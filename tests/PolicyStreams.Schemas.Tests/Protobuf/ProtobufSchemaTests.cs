using PolicyStreams.Schemas.Protobuf;

namespace PolicyStreams.Schemas.Tests.Protobuf;

/// <summary>What a schema's text comes to: types as rules see them, and mistakes with their place.</summary>
public sealed class ProtobufSchemaTests
{
    [Fact]
    public void Parse_Proto3_HasTypesAsRulesSeeThem()
    {
        SchemaType type = ProtobufSchema.Parse("""
            // A comment; and /* another */ one.
            syntax = "proto3"; package a.b;
            import "google/protobuf/timestamp.proto"; import "google/protobuf/duration.proto"; import public "google/protobuf/wrappers.proto";
            option java_package = "x"; option (some.thing).deep = { list: [1, 2.5, "s"] inner { x: -1 } };
            message M {
              option deprecated = true;
              int32 i = 1; optional int64 o = 2 [deprecated = true, json_name = "oo"]; uint64 u = 3; float f = 4; bytes b = 5; E e = 6;
              google.protobuf.Timestamp at = 7; google.protobuf.Duration d = 8; google.protobuf.UInt32Value w = 9; repeated string list = 10; map<int32, Inner> map = 11;
              oneof which { string x = 12; .a.b.M.Inner y = 13; }
              message Inner { E e = 1; }
              enum E { ZERO = 0; ONE = 1; TWO = 2; UNO = 1; option allow_alias = true; reserved 5 to max; }
              reserved 100 to 200, 500; reserved "gone";
            }
            service S { rpc Call(M) returns (stream M) { option (x) = { a: "}" }; } }
            """, []).Type;
        Assert.Equal("a.b.M", type.FullName);
        (string, ValueKind, bool)[] expected =
        [
            ("i", ValueKind.Int, false), ("o", ValueKind.Int, true), ("u", ValueKind.UInt, false), ("f", ValueKind.Double, false), ("b", ValueKind.Bytes, false), ("e", ValueKind.String, false),
            ("at", ValueKind.Timestamp, true), ("d", ValueKind.Duration, true), ("w", ValueKind.UInt, true), ("list", ValueKind.List, false), ("map", ValueKind.Map, false), ("x", ValueKind.String, true), ("y", ValueKind.Record, true),
        ];
        Assert.Equal(expected, type.Fields.Select(field => (field.Name, field.Type.Kind, field.Type.Nullable)));
        Assert.Equal(["ZERO", "ONE", "TWO"], type.Field("e")!.Type.Symbols);
        Assert.Equal(ValueKind.Int, type.Field("map")!.Type.MapKey!.Kind);
        Assert.Equal(ValueKind.Record, type.Field("map")!.Type.Element!.Kind);
    }

    [Fact]
    public void Parse_Proto2_HasPresenceRequiredDefaultsAndGroups()
    {
        SchemaType type = ProtobufSchema.Parse("""
            message M {
              required string r = 1; optional int32 o = 2; optional int32 d = 3 [default = -7]; optional string s = 4 [default = "a\x62\u00e9"]; optional E e = 5; optional bool b = 6 [default = true];
              repeated group Line = 7 { optional int32 x = 1; } optional double n = 8 [default = -inf]; extensions 100 to max;
            }
            enum E { FIVE = 5; ZERO = 0; }
            extend M { optional int32 more = 100; }
            """, []).Type;
        Assert.Equal([false, true, false, false, true, false, false, false], type.Fields.Select(field => field.Type.Nullable));
        Assert.Equal([null, null, -7L, "abé", null, true], type.Fields.Take(6).Select(field => field.Default));
        Assert.Equal(double.NegativeInfinity, type.Field("n")!.Default);
        Assert.Equal(("line", "M.Line"), (type.Fields[6].Name, type.Fields[6].Type.Element!.FullName));
        Assert.False(type.Fields[0].HasDefault);
        Assert.Equal("FIVE", type.Field("e")!.Type.DefaultSymbol);
    }

    [Fact]
    public void Parse_NamesInScopes_ResolveFromTheInnermost()
    {
        SchemaType type = ProtobufSchema.Parse("syntax = \"proto3\"; package p.q; message A { message B { int32 inner = 1; } B one = 1; .p.q.B two = 2; q.B three = 3; C.B four = 4; } message B { string outer = 1; } message C { message B { bytes deep = 1; } }", []).Type;
        Assert.Equal(["p.q.A.B", "p.q.B", "p.q.B", "p.q.C.B"], type.Fields.Select(field => field.Type.FullName));
    }

    [Fact]
    public void Parse_Imports_AreVisibleAsProtocHasIt()
    {
        SchemaReferenceText[] references =
        [
            new("a.proto", "syntax = \"proto3\"; package a; import public \"b.proto\"; import \"c.proto\"; message A { c.C c = 1; }"),
            new("b.proto", "syntax = \"proto3\"; package b; message B {}"),
            new("c.proto", "syntax = \"proto3\"; package c; message C {}"),
        ];
        ProtobufSchema.Parse("syntax = \"proto3\"; import \"a.proto\"; message M { a.A a = 1; b.B b = 2; }", references);
        SchemaException fault = Assert.Throws<SchemaException>(() => ProtobufSchema.Parse("syntax = \"proto3\"; import \"a.proto\"; message M { c.C c = 1; }", references));
        Assert.Equal("1:50: type `c.C` of `c` is not defined, neither here nor in a file that is imported", fault.Message);
    }

    [Fact]
    public void Tags_AreReadInEverySpelling()
    {
        SchemaType type = ProtobufSchema.Parse("""
            syntax = "proto3"; import "confluent/meta.proto";
            message M {
              string a = 1 [(confluent.field_meta).tags = "PII", (confluent.field_meta).tags = "X"];
              string b = 2 [(.confluent.field_meta) = { doc: "d" tags: ["PII", 'Y'] params: { key: "k", value: "v" } }];
              map<string, string> c = 3 [(confluent.field_meta) = { tags: "Z" }];
              string d = 4 [(other.field_meta).tags = "no"];
            }
            """, []).Type;
        Assert.Equal(["PII,X", "PII,Y", "Z", ""], type.Fields.Select(field => string.Join(',', field.Tags)));
    }

    [Theory]
    [InlineData("edition = \"2023\"; message M {}", "1:1: editions are not supported: write syntax = \"proto2\" or \"proto3\"")]
    [InlineData("syntax = \"proto4\";", "1:10: the syntax is \"proto2\" or \"proto3\"")]
    [InlineData("syntax = \"proto3\";", "1:1: the schema has no message: a record is one")]
    [InlineData("syntax = \"proto3\";\nmessage M {\n  int32 a = 1;\n  int32 b = 1;\n}", "4:3: field number 1 of `b` is `a`'s already, in `M`")]
    [InlineData("syntax = \"proto3\"; message M { int32 a = 1; string a = 2; }", "1:45: field `a` is defined twice in `M`")]
    [InlineData("syntax = \"proto3\"; message M { int32 a = 0; }", "1:42: the number of field `a` is 1 to 536870911, without 19000 to 19999")]
    [InlineData("syntax = \"proto3\"; message M { int32 a = 536870912; }", "1:42: the number of field `a` is 1 to 536870911, without 19000 to 19999")]
    [InlineData("syntax = \"proto3\"; message M { int32 a = 19500; }", "1:42: the number of field `a` is 1 to 536870911, without 19000 to 19999")]
    [InlineData("syntax = \"proto3\"; message M { reserved 3; int32 a = 3; }", "1:44: number 3 of field `a` is reserved in `M`")]
    [InlineData("syntax = \"proto3\"; message M { required int32 a = 3; }", "1:32: `required` is proto2's: leave it out")]
    [InlineData("syntax = \"proto3\"; message M { repeated group G = 1 {} }", "1:32: groups are proto2's: use a message")]
    [InlineData("message M { int32 a = 1; }", "1:13: a field of proto2 without a label: write `optional`, `required`, or `repeated` (or syntax = \"proto3\" at the top of the file)")]
    [InlineData("syntax = \"proto3\"; message M { N a = 1; }", "1:32: type `N` of `a` is not defined, neither here nor in a file that is imported")]
    [InlineData("syntax = \"proto3\"; message M {} message M {}", "1:33: `M` is defined twice")]
    [InlineData("syntax = \"proto3\"; message M { map<float, int32> m = 1; }", "1:36: a map's key is an integer, a bool, or a string")]
    [InlineData("syntax = \"proto3\"; message M { enum E { A = 1; } }", "1:41: the first value of enum `M.E` is 0 in proto3")]
    [InlineData("syntax = \"proto3\"; message M { enum E { A = 0; B = 0; } }", "1:48: the number of `B` is another value's already: give it one of its own, or write option allow_alias = true")]
    [InlineData("syntax = \"proto3\"; message M { oneof o { } }", "1:38: oneof `o` has no field")]
    [InlineData("syntax = \"proto3\"; message M { oneof o { repeated int32 a = 1; } }", "1:42: `repeated` in a oneof: its fields have no label")]
    [InlineData("message M { option message_set_wire_format = true; extensions 4 to max; }", "1:13: message_set_wire_format is not supported")]
    [InlineData("message M { optional int32 a = 1 [default = \"x\"]; }", "1:13: the default of `a` is none of its type")]
    [InlineData("syntax = \"proto3\"; message M { string a = 1 [(confluent.field_meta).tags = 7]; }", "1:46: tags are strings: [(confluent.field_meta).tags = \"PII\"]")]
    [InlineData("message M { extensions 4; } extend M { optional int32 e = 4 [(confluent.field_meta).tags = \"PII\"]; }", "1:29: an extension of `M` carries tags: extensions are not read, so its tags could not be kept; make it a field")]
    [InlineData("syntax = \"proto3\"; message M { int32 a = 1 }", "1:44: `}` where `;` belongs")]
    [InlineData("syntax = \"proto3\"; message M { int32 a = 1;", "1:44: the end of the file where a field, a nested type, or `}` belongs")]
    [InlineData("syntax = \"proto3\"; message M { /* no end", "1:32: a comment without an end")]
    [InlineData("syntax = \"proto3\"; message M { string a = 1 [json_name = \"x]; }", "1:58: a string without an end")]
    [InlineData("syntax = \"proto3\"; message M { # }", "1:32: a character that the language does not have")]
    [InlineData("syntax = \"proto3\"; import \"x.proto\"; message M {}", "1:27: import `x.proto` is not among the schema's references: register it, and refer to it by this name")]
    public void Parse_Mistake_SaysWhereAndHowToMend(string text, string expected) => Assert.Equal(expected, Assert.Throws<SchemaException>(() => ProtobufSchema.Parse(text, [])).Message);

    [Fact]
    public void Parse_MistakeInAnImport_NamesItsFile()
    {
        SchemaException fault = Assert.Throws<SchemaException>(() => ProtobufSchema.Parse("syntax = \"proto3\"; import \"a.proto\"; message M {}", [new SchemaReferenceText("a.proto", "syntax = \"proto3\";\nmessage A { B b = 1; }")]));
        Assert.StartsWith("a.proto:2:13: type `B`", fault.Message, StringComparison.Ordinal);
        fault = Assert.Throws<SchemaException>(() => ProtobufSchema.Parse("syntax = \"proto3\"; import \"a.proto\"; message M {}", [new SchemaReferenceText("a.proto", "import \"b.proto\";"), new SchemaReferenceText("b.proto", "import \"a.proto\";")]));
        Assert.Equal("b.proto:1:8: `a.proto` imports itself, by way of other files", fault.Message);
    }

    [Theory]
    [InlineData(100_000)]
    [InlineData(1_000_000)]
    public void Parse_NestedWithoutEnd_IsRefused(int depth)
    {
        foreach (string open in (string[])["message A {", "option a = {x:", "option a = ["])
        {
            int times = Math.Min(depth, 1_000_000 / open.Length);
            string text = "syntax = \"proto3\"; " + (open[0] == 'm' ? string.Concat(Enumerable.Repeat(open, times)) : "option a = " + string.Concat(Enumerable.Repeat(open[11..], times)));
            Assert.Contains("nested deeper than 64", Assert.Throws<SchemaException>(() => ProtobufSchema.Parse(text, [])).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Parse_TooLarge_IsRefused()
    {
        Assert.Contains("larger than 1 MiB", Assert.Throws<SchemaException>(() => ProtobufSchema.Parse(new string(' ', 10_000_000), [])).Message, StringComparison.Ordinal);
        string fields = string.Concat(Enumerable.Range(1, 10_001).Select(number => $"int32 f{number}={number};"));
        Assert.Contains("more than 10000 fields", Assert.Throws<SchemaException>(() => ProtobufSchema.Parse("syntax = \"proto3\"; message M {" + fields + "}", [])).Message, StringComparison.Ordinal);
    }
}
