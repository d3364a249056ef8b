using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Tests.Masking;

public class MaskTests
{
    private static JsonElement Masked(string mask, string json = Bench.Payment) => Bench.Of(Bench.Yaml($"- {{ id: m, mask: {{ {mask} }} }}")).Mask(json);

    [Fact]
    public void Constant_OnText_ReplacesIt() => Assert.Equal("***", Masked("field: card_number, constant: \"***\"").GetProperty("card_number").GetString());

    [Theory]
    [InlineData("4111111111111111", 4, "************1111")]
    [InlineData("1234", 4, "****")]
    [InlineData("12", 4, "**")]
    [InlineData("", 4, "")]
    [InlineData("äöü€𝄞", 2, "***€𝄞")]
    [InlineData("abc", 0, "***")]
    public void KeepLast_CountsCodePoints(string text, int keep, string expected) =>
        Assert.Equal(expected, Masked($"field: card_number, keep_last: {keep}", Bench.Payment.Replace("4111111111111111", text, StringComparison.Ordinal)).GetProperty("card_number").GetString());

    [Theory]
    [InlineData("4111111111111111", 6, "411111**********")]
    [InlineData("𝄞ab", 1, "𝄞**")]
    [InlineData("ab", 2, "**")]
    public void KeepFirst_CountsCodePoints(string text, int keep, string expected) =>
        Assert.Equal(expected, Masked($"field: card_number, keep_first: {keep}", Bench.Payment.Replace("4111111111111111", text, StringComparison.Ordinal)).GetProperty("card_number").GetString());

    [Fact]
    public void Hmac_IsFirstSixteenBytesInLowerCaseHex()
    {
        byte[] digest = HMACSHA256.HashData(Encoding.UTF8.GetBytes(Bench.HmacKey), "ada@example.com"u8);
        Assert.Equal(Convert.ToHexStringLower(digest.AsSpan(0, 16)), Masked("field: customer.email, hmac: customer-key").GetProperty("customer").GetProperty("email").GetString());
    }

    [Fact]
    public void AnyMask_OnNull_LeavesNull()
    {
        string json = Bench.Payment.Replace("\"ada@example.com\"", "null", StringComparison.Ordinal);
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { field: customer.email, hmac: customer-key } }"));
        Assert.Equal(JsonValueKind.Null, bench.Mask(json).GetProperty("customer").GetProperty("email").ValueKind);
        Assert.Empty(bench.Verdict.Rules);
        Assert.Empty(bench.Verdict.Masked);
        Assert.False(bench.Verdict.ValueRewritten);
    }

    [Fact]
    public void Redact_WritesNullWhereItMayBe_ElseTheEmptyValue()
    {
        Assert.Equal(JsonValueKind.Null, Masked("field: customer.email, redact: true").GetProperty("customer").GetProperty("email").ValueKind);
        Assert.Equal("", Masked("field: card_number, redact: true").GetProperty("card_number").GetString());
        Assert.Equal(0, Masked("field: amount, redact: true").GetProperty("amount").GetDouble());
        Assert.Equal("", Masked("field: customer, redact: true").GetProperty("customer").GetProperty("name").GetString());
        Assert.Equal(0, Masked("field: items, redact: true").GetProperty("items").GetArrayLength());
    }

    [Fact]
    public void Remove_OnArrayElements_TakesThemOut() => Assert.Equal(0, Masked("field: 'items[*]', remove: true").GetProperty("items").GetArrayLength());

    [Fact]
    public void Path_ThroughArray_MasksEveryElement()
    {
        JsonElement items = Masked("field: 'items[*].sku', constant: x").GetProperty("items");
        Assert.Equal(["x", "x"], items.EnumerateArray().Select(item => item.GetProperty("sku").GetString()!));
    }

    [Theory]
    [InlineData("email: {}", "ada@example.com", "***@example.com")]
    [InlineData("email: { keep_first: 1 }", "ada@example.com", "a**@example.com")]
    [InlineData("email: { keep_domain: false }", "ada@ex.com", "***@******")]
    [InlineData("email: { keep_first: 3 }", "ada@example.com", "***@example.com")]
    [InlineData("email: {}", "nobody", "******")]
    [InlineData("email: {}", "a@b@c", "***@c")]
    public void Email_KeepsWhatItIsTold(string mask, string text, string expected) =>
        Assert.Equal(expected, Masked($"field: customer.email, {mask}", Bench.Payment.Replace("ada@example.com", text, StringComparison.Ordinal)).GetProperty("customer").GetProperty("email").GetString());

    [Theory]
    [InlineData("[0-9]", "#", "call 555-12 now", "call ###-## now")]
    [InlineData("[a-z]+@[a-z.]+", @"<\\0>", "mail ada@example.com", "mail <ada@example.com>")]
    [InlineData(@"\d", "#", "٣4", "٣#")]
    [InlineData("a.c", "x", "a𝄞c", "x")]
    [InlineData("(?i)k$", "#", "Kk", "K#")]
    [InlineData("z", "#", "nothing here", "nothing here")]
    public void Pattern_ReplacesEveryMatch(string match, string replace, string text, string expected) =>
        Assert.Equal(expected, Masked($$"""field: note, pattern: { match: '{{match}}', replace: "{{replace}}" }""", Bench.Payment.Replace("\"note\":null", $"\"note\":\"{text}\"", StringComparison.Ordinal)).GetProperty("note").GetString());

    // As RE2's own tests of GlobalReplace have it (BSD licence, Copyright The RE2 Authors), and what policies do with groups.
    [Theory]
    [InlineData("(qu|[b-df-hj-np-tv-z]*)([a-z]+)", @"\\2\\1ay", "the quick brown fox jumps over the lazy dogs.", "ethay ickquay ownbray oxfay umpsjay overay ethay azylay ogsday.")]
    [InlineData(@"\w+", @"\\0-NOSPAM", "abcd.efghi@google.com", "abcd-NOSPAM.efghi-NOSPAM@google-NOSPAM.com-NOSPAM")]
    [InlineData("^", "(START)", "foo", "(START)foo")]
    [InlineData("$", "(END)", "foo", "foo(END)")]
    [InlineData("b", "bb", "ababababab", "abbabbabbabbabb")]
    [InlineData("b+", "bb", "bbbbbb", "bb")]
    [InlineData("b*", "bb", "bbbbbb", "bb")]
    [InlineData("b*", "bb", "aaaaa", "bbabbabbabbabbabb")]
    [InlineData("a*", @"(\\0)", "baaab", "()b(aaa)b()")]
    [InlineData("x*", "-", "a𝄞b", "-a-𝄞-b-")]
    [InlineData("<.+?>", "<>", "<a><bc>", "<><>")]
    [InlineData("(?U)<.+>", "<>", "<a><bc>", "<><>")]
    [InlineData(@"\b[0-9]{4}\b", "####", "1234 12345 1234", "#### 12345 ####")]
    [InlineData(@"\Bb", "#", "bab ab", "ba# a#")]
    [InlineData("([a-z])([0-9])?", @"[\\1\\2]", "a1b", "[a1][b]")]
    [InlineData("(?P<user>[^@]+)@(?<host>.+)", @"\\2!\\1", "ada@example.com", "example.com!ada")]
    [InlineData("a|ab", "#", "abab", "#b#b")]
    [InlineData("(a+)(b+)?", @"\\\\\\1", "aabb", @"\aa")]
    public void Pattern_GroupsLazinessAndBoundaries_AreRe2s(string match, string replace, string text, string expected) =>
        Assert.Equal(expected, Masked($$"""field: note, pattern: { match: '{{match}}', replace: "{{replace}}" }""", Bench.Payment.Replace("\"note\":null", $"\"note\":\"{text}\"", StringComparison.Ordinal)).GetProperty("note").GetString());

    [Fact]
    public void Pattern_TextThatTakesTooMuchWork_DeniesTheRecord()
    {
        // Every match is one character, and each looks to the end of the text for a longer one.
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { field: note, pattern: { match: '(?:a.*z|a)', replace: x } } }"));
        Assert.Equal("xb", bench.Mask(Bench.Payment.Replace("\"note\":null", "\"note\":\"ab\"", StringComparison.Ordinal)).GetProperty("note").GetString());
        bench.Decide(Bench.Payment.Replace("\"note\":null", $"\"note\":\"{new string('a', 100_000)}\"", StringComparison.Ordinal));
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal([new DecisionError("m", "mask-value")], bench.Verdict.Errors);
    }

    [Fact]
    public void Pattern_WithoutMatch_ChangesNothing()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { field: merchant, pattern: { match: '[0-9]', replace: '#' } } }"));
        bench.Mask(Bench.Payment);
        Assert.Equal(["m"], bench.Verdict.Rules);
        Assert.Empty(bench.Verdict.Masked);
        Assert.False(bench.Verdict.ValueRewritten);
    }

    [Theory]
    [InlineData("120.5", 50, 100.0)]
    [InlineData("-0.5", 10, -10.0)]
    [InlineData("100", 50, 100.0)]
    public void Bucket_IsTheGreatestMultipleNotAbove(string amount, int width, double expected) =>
        Assert.Equal(expected, Masked($"field: amount, bucket: {width}", Bench.Payment.Replace("120.5", amount, StringComparison.Ordinal)).GetProperty("amount").GetDouble());

    [Fact]
    public void Bucket_OnInteger_StaysAnInteger() => Assert.Equal(30, Masked("field: customer.age, bucket: 10").GetProperty("customer").GetProperty("age").GetInt32());

    [Theory]
    [InlineData("0.5")]
    [InlineData("1.5")]
    [InlineData("2.5")]
    [InlineData("1e30")]
    [InlineData("9223372036854775808")]
    public void Bucket_OfAnIntegerWithoutAWholeWidth_DoesNotLoad(string width)
    {
        foreach (string yaml in (string[])[LongKey(width), Bench.Yaml($"- {{ id: m, mask: {{ field: customer.age, bucket: {width} }} }}")])
        {
            Assert.Null(Bench.TryOf(yaml, [], out IReadOnlyList<Diagnostic> diagnostics));
            Assert.Equal(DiagnosticCodes.MaskType, Assert.Single(diagnostics).Code);
        }
    }

    [Theory]
    [InlineData("10", 17, 10L)]
    [InlineData("10", -5, -10L)]
    [InlineData("10", 0, 0L)]
    [InlineData("1e3", 1_999, 1_000L)]
    [InlineData("10", long.MaxValue, 9_223_372_036_854_775_800)]
    [InlineData("10", long.MinValue, null)]
    [InlineData("9223372036854774784", -1, -9_223_372_036_854_774_784)]
    [InlineData("9223372036854774784", long.MinValue, null)]
    public void Bucket_OfALongKey_IsTheGreatestMultipleNotAbove(string width, long key, long? expected)
    {
        Bench bench = Bench.Of(LongKey(width));
        bench.Key = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bench.Key, key);
        bench.Decide(Bench.Payment);
        if (expected is { } bucket)
        {
            Assert.Equal(Outcome.Allow, bench.Verdict.Outcome);
            Assert.Equal(bucket, BinaryPrimitives.ReadInt64BigEndian(bench.Verdict.Output.Slice(bench.Verdict.KeyStart, bench.Verdict.KeyLength)));
            return;
        }

        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal([new DecisionError("m", "mask-type")], bench.Verdict.Errors);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(9)]
    public void Bucket_OfAKeyThatIsNoLong_DeniesTheRecord(int bytes)
    {
        Bench bench = Bench.Of(LongKey("10"));
        bench.Key = new byte[bytes];
        bench.Decide(Bench.Payment);
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal([new DecisionError("m", "mask-type")], bench.Verdict.Errors);
    }

    private static string LongKey(string width) => Bench.Yaml($"- {{ id: m, mask: {{ field: key, bucket: {width} }} }}").Replace("key_format: string", "key_format: long", StringComparison.Ordinal);

    [Theory]
    [InlineData("hour", 1767366000000)]
    [InlineData("day", 1767312000000)]
    [InlineData("month", 1767225600000)]
    [InlineData("year", 1767225600000)]
    public void Date_CutsBack(string part, long expected)
    {
        // 2026-01-02T15:04:05.678Z
        Bench bench = Bench.Of(Bench.Yaml($"- {{ id: m, mask: {{ field: created_at, date: {part} }} }}"));
        bench.Mask(Bench.Payment.Replace("1767225600000", "1767366245678", StringComparison.Ordinal));
        ReadOnlySpan<byte> published = bench.Output.Written;
        var plain = (RecordValueReader)published[5..].ToArray();
        Assert.Equal(expected, plain.CreatedAt);
    }

    [Theory]
    [InlineData("2026-03-04T05:06:07.891Z", "hour", "2026-03-04T05:00:00Z")]
    [InlineData("2026-03-04T05:06:07.891Z", "day", "2026-03-04T00:00:00Z")]
    [InlineData("2026-03-04T05:06:07.891Z", "month", "2026-03-01T00:00:00Z")]
    [InlineData("2026-03-04T05:06:07.891Z", "year", "2026-01-01T00:00:00Z")]
    [InlineData("2026-01-01T00:30:00+02:00", "year", "2026-01-01T00:00:00+02:00")]
    [InlineData("2026-01-01T00:30:00+02:00", "day", "2026-01-01T00:00:00+02:00")]
    [InlineData("2025-12-31T23:59:60.123456789-23:59", "hour", "2025-12-31T23:00:00-23:59")]
    [InlineData("2026-03-04t05:06:07z", "hour", "2026-03-04t05:00:00z")]
    [InlineData("2026-03-04 05:06:07", "hour", "2026-03-04 05:00:00")]
    [InlineData("2026-03-04T05:06", "day", "2026-03-04T00:00:00")]
    [InlineData("2026-03-04", "hour", "2026-03-04")]
    [InlineData("2026-03-04", "day", "2026-03-04")]
    [InlineData("2026-03-04", "month", "2026-03-01")]
    [InlineData("2024-02-29", "year", "2024-01-01")]
    [InlineData("0001-01-01", "year", "0001-01-01")]
    public void Date_OfAText_CutsBackInItsOwnZone(string text, string part, string expected) =>
        Assert.Equal(expected, Masked($"field: merchant, date: {part}", Bench.Payment.Replace("Books", text, StringComparison.Ordinal)).GetProperty("merchant").GetString());

    // What is no RFC 3339 date, or has anything behind one, is not let through in part.
    [Theory]
    [InlineData("")]
    [InlineData("yesterday")]
    [InlineData("2026-3-4")]
    [InlineData("2026-02-29")]
    [InlineData("2026-13-01")]
    [InlineData("2026-00-01")]
    [InlineData("2026-01-00")]
    [InlineData("0000-01-01")]
    [InlineData("+123-01-01")]
    [InlineData("-123-01-01")]
    [InlineData("20260304")]
    [InlineData("2026-03-04T")]
    [InlineData("2026-03-04T05")]
    [InlineData("2026-03-04T24:00:00Z")]
    [InlineData("2026-03-04T05:60:00Z")]
    [InlineData("2026-03-04T05:06:61Z")]
    [InlineData("2026-03-04T05-06-07Z")]
    [InlineData("2026-03-04T05:06:7Z")]
    [InlineData("2026-03-04T05:06:07.Z")]
    [InlineData("2026-03-04T05:06:07+0200")]
    [InlineData("2026-03-04T05:06:07+24:00")]
    [InlineData("2026-03-04T05:06:07+02:60")]
    [InlineData("2026-03-04T05:06:07Z card 4111111111111111")]
    [InlineData("2026-03-04T05:06:07 -4111111111111111")]
    [InlineData("2026-03-04, card 4111111111111111")]
    [InlineData(" 2026-03-04")]
    public void Date_OfATextThatIsNone_DeniesTheRecord(string text)
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { field: merchant, date: year } }"));
        bench.Decide(Bench.Payment.Replace("Books", text, StringComparison.Ordinal));
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal([new DecisionError("m", "mask-value")], bench.Verdict.Errors);
    }

    [Fact]
    public void Encrypt_TwiceAtOnePlace_IsTheSame_AndTheKeyReadsIt()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { field: customer.name, encrypt: other-key } }"));
        string once = bench.Mask(Bench.Payment).GetProperty("customer").GetProperty("name").GetString()!;
        string twice = bench.Mask(Bench.Payment).GetProperty("customer").GetProperty("name").GetString()!;
        Assert.Equal(once, twice);
        Assert.Equal(["other-key@3"], bench.Verdict.Keys);
        Assert.True(MaskedText.TryDecrypt(once, Bench.Keys(), out string text));
        Assert.Equal("Ada Lovelace", text);
        Assert.False(MaskedText.TryDecrypt(once, KeyRing.Empty, out _));
        Assert.False(MaskedText.TryDecrypt(once[..^1] + (once[^1] == 'A' ? 'B' : 'A'), Bench.Keys(), out _));
        Assert.False(MaskedText.TryDecrypt("psenc1:other-key@3:", Bench.Keys(), out _));
    }

    [Fact]
    public void Explicit_BeatsTag_WhateverTheOrder()
    {
        Bench bench = Bench.Of(Bench.Yaml("""
            - { id: tagged, mask: { tag: PII, constant: tag } }
            - { id: named, mask: { field: customer.email, constant: path } }
            """));
        JsonElement customer = bench.Mask(Bench.Payment).GetProperty("customer");
        Assert.Equal("path", customer.GetProperty("email").GetString());
        Assert.Equal("tag", customer.GetProperty("name").GetString());
        Assert.Equal(["tagged", "named"], bench.Verdict.Rules);
        Assert.Equal(["customer.name", "customer.email"], bench.Verdict.Masked);
    }

    [Fact]
    public void FirstExplicit_Wins()
    {
        Bench bench = Bench.Of(Bench.Yaml("""
            - { id: a, mask: { field: merchant, constant: one } }
            - { id: b, mask: { field: merchant, constant: two } }
            """));
        Assert.Equal("one", bench.Mask(Bench.Payment).GetProperty("merchant").GetString());
    }

    [Fact]
    public void EnclosingRedact_Wins()
    {
        Bench bench = Bench.Of(Bench.Yaml("""
            - { id: inside, mask: { field: customer.email, hmac: customer-key } }
            - { id: around, mask: { field: customer, redact: true } }
            """));
        JsonElement customer = bench.Mask(Bench.Payment).GetProperty("customer");
        Assert.Equal("", customer.GetProperty("id").GetString());
        Assert.Equal(JsonValueKind.Null, customer.GetProperty("email").ValueKind);
        Assert.Equal(["inside", "around"], bench.Verdict.Rules);
        Assert.Equal(["customer"], bench.Verdict.Masked);
        Assert.Empty(bench.Verdict.Keys);
    }

    [Fact]
    public void ShadowMask_IsRecordedAndChangesNothing()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { field: merchant, constant: x }, mode: shadow }"));
        Assert.Equal("Books", bench.Mask(Bench.Payment).GetProperty("merchant").GetString());
        Assert.Equal(["m"], bench.Verdict.Shadow);
        Assert.Empty(bench.Verdict.Rules);
        Assert.False(bench.Verdict.ValueRewritten);
    }

    [Fact]
    public void KeyMasks_ChangeTheKey()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { field: key, constant: k } }"));
        bench.Decide(Bench.Payment);
        Assert.True(bench.Verdict.KeyRewritten);
        Assert.Equal("k", bench.KeyText());
        Assert.Equal(["key"], bench.Verdict.Masked);
        bench.Key = null;
        bench.Decide(Bench.Payment);
        Assert.False(bench.Verdict.KeyRewritten);
        Assert.Empty(bench.Verdict.Rules);
    }

    [Fact]
    public void RedactedKey_IsNull()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { field: key, redact: true } }"));
        bench.Decide(Bench.Payment);
        Assert.True(bench.Verdict.KeyNulled);
        Assert.False(bench.Verdict.KeyRewritten);
    }

    [Fact]
    public void KeyThatIsNoText_UnderATextMask_DeniesTheRecord()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { field: key, keep_last: 2 } }"));
        bench.Key = [0xFF, 0xFE];
        bench.Decide(Bench.Payment);
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal(["m", "ps:mask"], bench.Verdict.Rules);
        Assert.Equal([new DecisionError("m", "mask-value")], bench.Verdict.Errors);
        Assert.Equal(0, bench.Output.Length);
    }

    [Fact]
    public void HeaderMasks_ChangeEveryHeaderOfTheName()
    {
        Bench bench = Bench.Of(Bench.Yaml("""
            - { id: m, mask: { field: 'headers["x-user"]', keep_last: 1 } }
            - { id: n, mask: { field: 'headers["gone"]', remove: true } }
            """));
        bench.Headers.Add("x-user"u8, "ada"u8);
        bench.Headers.Add("other"u8, "kept"u8);
        bench.Headers.Add("x-user"u8, "bob"u8);
        bench.Headers.Add("gone"u8, "1"u8);
        bench.Headers.Add("ps-decision"u8, "forged"u8);
        bench.Decide(Bench.Payment);
        Assert.Equal(["x-user=**a", "other=kept", "x-user=**b"], HeaderTests.Texts(bench.Verdict.Headers));
        Assert.Equal(["m", "n"], bench.Verdict.Rules);
        Assert.Equal(["headers[\"x-user\"]", "headers[\"gone\"]"], bench.Verdict.Masked);
    }

    // Every header of the name is masked on its own; what looks at text denies where one of them is none.
    [Theory]
    [InlineData("date: year", "2026-03-04", "2027-12-31", "h=2026-01-01,h null,h=2027-01-01")]
    [InlineData("pattern: { match: '[0-9]', replace: '#' }", "a1", "b", "h=a#,h null,h=b")]
    [InlineData("token: customer-key", "123456", "12-34-56", "h=TOKEN,h null,h=TO-KE-N.")]
    [InlineData("bucket: 5", "12", "12", "PS0305")]
    [InlineData("date: year", "2026-03-04", "soon", "mask-value")]
    [InlineData("token: customer-key", "123456", "12345", "mask-value")]
    [InlineData("constant: x", "a", "\u00ff", "h=x,h null,h=x")]
    [InlineData("keep_last: 1", "ab", "\u00ff", "mask-value")]
    [InlineData("detect: [email]", "mail ada@example.com", "none", "h=mail [EMAIL],h null,h=none")]
    [InlineData("detect: [email]", "none", "\u00ff", "mask-value")]
    public void HeaderMask_OfARepeatedHeader_MasksEachValue(string mask, string one, string two, string expected)
    {
        string place = mask.StartsWith("detect", StringComparison.Ordinal) ? "in" : "field";
        Bench? bench = Bench.TryOf(Bench.Yaml($"- {{ id: m, mask: {{ {place}: 'headers[\"h\"]', {mask} }} }}"), [], out IReadOnlyList<Diagnostic> said);
        if (expected.StartsWith("PS", StringComparison.Ordinal))
        {
            Assert.Equal(expected, Assert.Single(said).Code);
            return;
        }

        bench!.Headers.Add("h"u8, Encoding.Latin1.GetBytes(one));
        bench.Headers.Add("h"u8, default, isNull: true);
        bench.Headers.Add("h"u8, Encoding.Latin1.GetBytes(two));
        bench.Decide(Bench.Payment);
        if (expected == "mask-value")
        {
            Assert.Equal([new DecisionError("m", "mask-value")], bench.Verdict.Errors);
            Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
            return;
        }

        string got = string.Join(",", HeaderTests.Texts(bench.Verdict.Headers));
        if (expected.Contains("TOKEN", StringComparison.Ordinal))
        {
            // The token of the digits, whatever separates them.
            string token = got[2..8];
            Assert.Matches("^[0-9]{6}$", token);
            Assert.NotEqual("123456", token);
            expected = $"h={token},h null,h={token[..2]}-{token[2..4]}-{token[4..]}";
        }

        Assert.Equal(expected, got);
    }

    [Fact]
    public void TextMask_OnJsonNumber_DeniesTheRecord()
    {
        Bench bench = Bench.Of(Bench.JsonYaml("- { id: m, mask: { field: card, keep_last: 4 } }"));
        bench.Decide("""{"card":4111111111111111}""");
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal(["m", "ps:mask"], bench.Verdict.Rules);
        Assert.Equal([new DecisionError("m", "mask-type")], bench.Verdict.Errors);
        Assert.Equal("rejected.payments", bench.Verdict.To);
    }

    [Fact]
    public void Json_EveryByteOutsideTheMaskIsKept()
    {
        Bench bench = Bench.Of(Bench.JsonYaml("""
            - { id: m, mask: { field: card, keep_last: 4 } }
            - { id: r, mask: { field: secret, remove: true } }
            - { id: d, mask: { field: born, date: year } }
            """));
        bench.Decide("""{ "card" : "41111111" , "n":1.50, "secret":{"a":1}, "born":"1990-05-17" }""");
        Assert.Equal("""{ "card" : "****1111" , "n":1.50, "born":"1990-01-01" }""", Encoding.UTF8.GetString(bench.Output.Written));
    }
}

/// <summary>Reads the second field of a payment: a timestamp in milliseconds.</summary>
internal readonly record struct RecordValueReader(long CreatedAt)
{
    public static explicit operator RecordValueReader(byte[] payload)
    {
        int at = 1 + (payload[0] >> 1);
        ulong raw = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte b = payload[at++];
            raw |= (ulong)(b & 0x7F) << shift;
            if (b < 0x80) { break; }
        }

        return new((long)(raw >> 1) ^ -(long)(raw & 1));
    }
}
