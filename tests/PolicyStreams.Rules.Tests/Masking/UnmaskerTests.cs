using System.Text;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Tests.Masking;

public class UnmaskerTests
{
    private const string Rule = "- { id: m, mask: { field: merchant, encrypt: other-key } }";

    private static string Encrypted(string text, KeyRing? keys = null)
    {
        Bench bench = Bench.Of(Bench.Yaml(Rule), keys ?? Bench.Keys());
        return bench.Mask(Bench.Payment.Replace("\"Books\"", System.Text.Json.JsonSerializer.Serialize(text), StringComparison.Ordinal)).GetProperty("merchant").GetString()!;
    }

    private static KeyRing Ring(params (string Name, string Key)[] keys)
    {
        var ring = new KeyRing();
        foreach ((string name, string key) in keys) { Assert.Null(ring.Add(name, Encoding.UTF8.GetBytes(key))); }
        return ring;
    }

    private static (string Text, Unmasker By) Text(string line, KeyRing keys)
    {
        var unmasker = new Unmasker(keys);
        var output = new ByteBuffer();
        unmasker.Text(Encoding.UTF8.GetBytes(line), output);
        return (Encoding.UTF8.GetString(output.Written), unmasker);
    }

    private static (string? Text, Unmasker By) Json(string line, KeyRing keys)
    {
        var unmasker = new Unmasker(keys);
        var output = new ByteBuffer();
        return (unmasker.Json(Encoding.UTF8.GetBytes(line), output) ? Encoding.UTF8.GetString(output.Written) : null, unmasker);
    }

    [Theory]
    [InlineData("")]
    [InlineData("Books & \"Co\" \\ \n")]
    [InlineData("äöü€𝄞")]
    public void Unmasker_WhatWasEncrypted_IsReadBack(string text)
    {
        string masked = Encrypted(text);
        Assert.DoesNotContain("Books", masked);
        Assert.Equal($"a {text}, {text}.", Text($"a {masked}, {masked}.", Bench.Keys()).Text);
        (string? json, Unmasker by) = Json($"{{ \"a\" : \"{masked}\",\"b\":[1.50,\"{masked}\"] }}", Bench.Keys());
        using var document = System.Text.Json.JsonDocument.Parse(json!);
        Assert.Equal((text, text), (document.RootElement.GetProperty("a").GetString(), document.RootElement.GetProperty("b")[1].GetString()));
        Assert.StartsWith("{ \"a\" : \"", json);
        Assert.Contains("\"b\":[1.50,", json);
        Assert.Equal(2, by.Decrypted);
        Assert.Empty(by.Faults);
    }

    [Fact]
    public void Rotation_OldVersionsAreReadBack_TheNewOneEncrypts()
    {
        (string, string) first = ("other-key", "first-key-0123456789-0123456789-012"), second = ("other-key@2", "second-key-0123456789-0123456789-01");
        string before = Encrypted("Books", Ring(first)), after = Encrypted("Books", Ring(first, second));
        Assert.StartsWith("psenc1:other-key@1:", before);
        Assert.StartsWith("psenc1:other-key@2:", after);
        Assert.Equal("Books Books", Text($"{before} {after}", Ring(second, first)).Text);

        // Once the old version is dropped, what it encrypted cannot be read.
        (string text, Unmasker by) = Text($"{before} {after}", Ring(second));
        Assert.Equal($"{before} Books", text);
        Assert.Equal(["key `other-key@1` is not supplied"], by.Faults);
        Assert.Equal(["a value under key `other-key@1` was changed, or made with another key of that name"], Text(before, Ring(("other-key", second.Item2))).By.Faults);
    }

    [Fact]
    public void Unmasker_AnyChangedByte_IsRefused()
    {
        string masked = Encrypted("Books");
        for (int i = 0; i < masked.Length; i++)
        {
            string changed = masked[..i] + (masked[i] == 'A' ? 'B' : 'A') + masked[(i + 1)..];
            Assert.Equal(changed, Text(changed, Bench.Keys()).Text);
        }
    }

    [Theory]
    [InlineData("psenc1:")]
    [InlineData("psenc1:k@1:short")]
    [InlineData("psenc1:no version:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("psenc1:psenc1:psenc1:")]
    [InlineData("nothing")]
    [InlineData("")]
    public void Unmasker_WhatOnlyLooksMasked_IsKeptWithoutAFault(string text)
    {
        (string same, Unmasker by) = Text(text, Bench.Keys());
        Assert.Equal(text, same);
        Assert.Empty(by.Faults);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("psenc1")]
    [InlineData("\u0001")]
    public void Json_WhatIsNotJson_IsSaid(string line) => Assert.Null(Json(line, Bench.Keys()).Text);
}
