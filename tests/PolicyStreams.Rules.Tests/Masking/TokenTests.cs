using System.Text;
using PolicyStreams.Rules.Masking;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Tests;

namespace PolicyStreams.Rules.Tests.Masking;

public class TokenTests
{
    private const string Rule = "- { id: m, mask: { field: card_number, token: customer-key } }";

    private static Bench Of(string rule = Rule, KeyRing? keys = null) => Bench.Of(Bench.Yaml(rule), keys ?? Bench.Keys());

    private static string With(string card) => Bench.Payment.Replace("4111111111111111", card, StringComparison.Ordinal);

    private static string Token(string text, string rule = Rule, KeyRing? keys = null) => Of(rule, keys).Mask(With(text)).GetProperty("card_number").GetString()!;

    private static string Undone(string token, KeyRing keys, string key = "customer-key", int? version = null, string tweak = "")
    {
        using Detokenizer? detokenizer = Detokenizer.Create(keys, key, version, tweak, [], out string fault);
        Assert.True(detokenizer is not null, fault);
        var output = new ByteBuffer();
        detokenizer.Text(Encoding.UTF8.GetBytes(token), output);
        Assert.Empty(detokenizer.Faults);
        return Encoding.UTF8.GetString(output.Written);
    }

    [Theory]
    [InlineData("4111111111111111")]
    [InlineData("4111-1111-1111-1111")]
    [InlineData("+1 (415) 555-2671")]
    [InlineData("000000")]
    [InlineData(" 1/2.3-4 5 6 ")]
    [InlineData("012345678901234567890123456789012345678901234567890123456789012345678901")]
    public void Token_OfDigitsAndSeparators_KeepsTheFormAndIsReadBack(string text)
    {
        string token = Token(text);
        Assert.NotEqual(text, token);
        Assert.Equal(string.Concat(text.Select(c => char.IsAsciiDigit(c) ? '#' : c)), string.Concat(token.Select(c => char.IsAsciiDigit(c) ? '#' : c)));
        Assert.Equal(text, Undone(token, Bench.Keys()));
    }

    // The token of one text under one key is known for good: the derivation of the cipher's key, the tweak, and FF1 must not change.
    [Fact]
    public void Token_IsAsItWas() => Assert.Equal("3471553791846223", Token("4111111111111111"));

    [Fact]
    public void Token_SameDigits_AreJoinableAcrossSpellingsFieldsRulesAndPolicies()
    {
        string token = Token("4111111111111111");
        Assert.Equal(token, Token("4111-1111 1111-1111").Replace("-", "", StringComparison.Ordinal).Replace(" ", "", StringComparison.Ordinal));
        Bench other = Bench.Of(Bench.JsonYaml("- { id: x, mask: { field: 'cards[*].pan', token: { key: customer-key } } }"));
        Assert.Equal($"{{\"cards\":[{{\"pan\":\"{token}\"}}]}}", other.Mask("{\"cards\":[{\"pan\":\"4111111111111111\"}]}").GetRawText());
        Bench keyed = Bench.Of(Bench.Yaml("- { id: m, mask: { field: key, token: customer-key } }"));
        keyed.Key = "4111111111111111"u8.ToArray();
        keyed.Decide(Bench.Payment);
        Assert.Equal(token, keyed.KeyText());
    }

    [Fact]
    public void Token_AnotherKeyTweakOrVersion_IsAnother()
    {
        KeyRing rotated = Bench.Keys();
        Assert.Null(rotated.Add("customer-key@2", "second-key-0123456789-0123456789-01"u8));
        string tweaked = "- { id: m, mask: { field: card_number, token: { key: customer-key, tweak: cards } } }";
        string[] tokens = [Token("4111111111111111"), Token("4111111111111111", Rule.Replace("customer-key", "other-key", StringComparison.Ordinal)), Token("4111111111111111", tweaked), Token("4111111111111111", keys: rotated)];
        Assert.Equal(4, tokens.Distinct().Count());
        Assert.Equal("4111111111111111", Undone(tokens[1], Bench.Keys(), "other-key"));
        Assert.Equal("4111111111111111", Undone(tokens[2], Bench.Keys(), tweak: "cards"));
        Assert.Equal("4111111111111111", Undone(tokens[3], rotated));
        Assert.Equal("4111111111111111", Undone(tokens[0], rotated, version: 1));

        // The wrong version gives digits all the same: nothing in a token tells.
        Assert.NotEqual("4111111111111111", Undone(tokens[0], rotated));
    }

    [Theory]
    [InlineData("12345")]
    [InlineData("")]
    [InlineData("1-2-3-4-5")]
    [InlineData("Ada 123456")]
    [InlineData("123456_")]
    [InlineData("12345\\u00a06")]
    [InlineData("\\u0664\\u0661\\u0661\\u0661\\u0661\\u0661")]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123456789012")]
    public void Token_OfAnythingElse_DeniesTheRecord(string text)
    {
        Bench bench = Of();
        bench.Decide(With(text));
        Assert.Equal((Outcome.Deny, "m,ps:mask"), (bench.Verdict.Outcome, string.Join(",", bench.Verdict.Rules)));
        Assert.Equal([new DecisionError("m", "mask-value")], bench.Verdict.Errors);
        Assert.Equal(0, bench.Output.Length);
    }

    [Fact]
    public void Token_DecisionNamesTheKeysVersion()
    {
        Bench bench = Of(Rule.Replace("customer-key", "other-key", StringComparison.Ordinal));
        bench.Mask(Bench.Payment);
        Assert.Contains("\"keys\":[\"other-key@3\"]", bench.Json(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("token: nobody", "PS0306")]
    [InlineData("token: { tweak: x }", "PS0101")]
    [InlineData("token: { key: customer-key, twek: x }", "PS0100")]
    [InlineData("token: 'a b'", "PS0104")]
    [InlineData("token: [customer-key]", "PS0102")]
    [InlineData("token: { key: customer-key, tweak: äääääääääääääääääääääääääääääääääääääääää }", "PS0103")]
    public void Token_WrittenWrong_IsRefused(string method, string code)
    {
        Assert.Null(Bench.TryOf(Bench.Yaml($"- {{ id: m, mask: {{ field: card_number, {method} }} }}"), [], out IReadOnlyList<Diagnostic> diagnostics));
        Assert.Contains(code, diagnostics.Select(diagnostic => diagnostic.Code));
    }

    [Fact]
    public void Token_OnceALengthWasSeen_AllocatesNothing()
    {
        using var mask = new TokenMask("0123456789012345678901234567890123"u8, "");
        var output = new ByteBuffer(4096);
        string[] texts = ["4111-1111-1111-1111", "123456", new string('7', 72)];
        byte[][] bytes = [.. texts.Select(Encoding.UTF8.GetBytes)];
        for (int i = 0; i < 100; i++) { All(); }
        Assert.Equal(0, Allocated.By(() => { for (int i = 0; i < 100; i++) { All(); } }));

        void All()
        {
            foreach (byte[] text in bytes)
            {
                output.Clear();
                mask.TryMask(text, output);
            }
        }
    }

    // Over a whole domain: no token comes twice. 10^6 is the least that is taken.
    [Fact]
    public void Token_OfSixDigits_IsAPermutation()
    {
        using var ff1 = new Ff1("0123456789012345"u8, 10, []);
        bool[] seen = new bool[1_000_000];
        byte[] numerals = new byte[6];
        for (int i = 0; i < seen.Length; i++)
        {
            for (int at = 5, rest = i; at >= 0; at--, rest /= 10) { numerals[at] = (byte)(rest % 10); }
            ff1.Encrypt(numerals);
            ref bool token = ref seen[numerals.Aggregate(0, (number, numeral) => (number * 10) + numeral)];
            Assert.False(token);
            token = true;
        }
    }

    [Fact]
    public void Detokenizer_Json_PutsOriginalsWhereItIsTold()
    {
        KeyRing keys = Bench.Keys();
        string a = Token("4111111111111111"), b = Token("555-1234567");
        using Detokenizer? detokenizer = Detokenizer.Create(keys, "customer-key", null, "", ["cards[*].pan", "by[\"x y\"]", "phone", "key"], out _);
        var output = new ByteBuffer();
        string line = $"{{ \"pan\":\"{a}\", \"cards\" : [{{\"pan\":\"{a}\",\"n\":[1.50,{{}}]}},{{\"pan\":null}},7], \"by\":{{\"x y\":\"{b}\",\"z\":\"{b}\"}},\"key\":\"{a}\" , \"phone\":12 }}";
        Assert.True(detokenizer!.Json(Encoding.UTF8.GetBytes(line), output));
        Assert.Equal(
            $"{{ \"pan\":\"{a}\", \"cards\" : [{{\"pan\":\"4111111111111111\",\"n\":[1.50,{{}}]}},{{\"pan\":null}},7], \"by\":{{\"x y\":\"555-1234567\",\"z\":\"{b}\"}},\"key\":\"4111111111111111\" , \"phone\":12 }}",
            Encoding.UTF8.GetString(output.Written));
        Assert.Equal((3L, "what stands at a field is no token"), (detokenizer.Read, Assert.Single(detokenizer.Faults)));
        output.Clear();
        Assert.False(detokenizer.Json("{\"phone\":"u8, output));
        Assert.False(detokenizer.Json("{\"phone\":\"\\ud800\"}"u8, output));
        Assert.Equal(0, output.Length);
        Assert.True(detokenizer.Json("[[[{\"phone\":{\"phone\":1}}]]]"u8, output));
    }

    [Fact]
    public void Detokenizer_WithoutItsKeyVersionOrPath_SaysSo()
    {
        Assert.Null(Detokenizer.Create(Bench.Keys(), "nobody", null, "", [], out string fault));
        Assert.Equal("key `nobody` is not supplied", fault);
        Assert.Null(Detokenizer.Create(Bench.Keys(), "other-key", 2, "", [], out fault));
        Assert.Equal("version 2 of key `other-key` is not supplied", fault);
        Assert.Null(Detokenizer.Create(Bench.Keys(), "other-key", 3, "", ["a..b"], out fault));
        Assert.StartsWith("`a..b` is no path, at character 3", fault, StringComparison.Ordinal);
    }
}
