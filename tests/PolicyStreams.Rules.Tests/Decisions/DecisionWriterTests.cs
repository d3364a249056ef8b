using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas.Capture;

namespace PolicyStreams.Rules.Tests.Decisions;

public class DecisionWriterTests
{
    [Fact]
    public void Write_Allowed_IsDesignsJson()
    {
        Bench bench = Bench.Of(Bench.Yaml("""
            - { id: card-number, mask: { tag: PAN, keep_last: 4 } }
            - { id: customer-email, mask: { field: customer.email, constant: x } }
            """));
        bench.Decide(Bench.Payment);
        byte[] after = new byte[32];
        Assert.Equal(
            "{\"v\":1,\"id\":\"raw.payments-0-42\",\"seq\":17,\"event\":\"decided\",\"outcome\":\"allow\",\"time\":\"2026-01-02T03:04:05.678Z\",\"policy\":\"payments\",\"digest\":\""
            + bench.Policy.Digest
            + "\",\"rules\":[\"card-number\",\"customer-email\"],\"principal\":{\"id\":\"checkout\",\"via\":\"topic\"},\"schema\":7,\"masked\":[\"card_number\",\"customer.email\"],\"to\":\"governed.payments\",\"after\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
            bench.Json(after: after));
        Assert.Equal(43, bench.Policy.Digest.Length);
    }

    [Fact]
    public void Write_Denied_SaysWhy()
    {
        Bench bench = Bench.Of(Bench.Yaml("""
            - { id: a, when: value.customer.age > 1, deny: { reason: "say \"no\"\\ é" } }
            - { id: s, deny: {}, mode: shadow }
            - { id: t, tag: { k: v } }
            - { id: d, deny: { reason: 'quote " and é' } }
            """));
        bench.Principal = new Principal("x", ["g1", "g2"], "oidc", OwnGroups: true);
        bench.Decide(Bench.Payment.Replace("\"age\":36", "\"age\":null", StringComparison.Ordinal));
        JsonElement json = JsonDocument.Parse(bench.Json()).RootElement;
        Assert.Equal("deny", json.GetProperty("outcome").GetString());
        Assert.Equal("""["t","d","ps:error"]""", json.GetProperty("rules").GetRawText());
        Assert.Equal("""["s"]""", json.GetProperty("shadow").GetRawText());
        Assert.Equal("quote \" and é", json.GetProperty("reasons")[0].GetString());
        Assert.Equal("""[{"rule":"a","code":"null-use"}]""", json.GetProperty("errors").GetRawText());
        Assert.Equal("""{"id":"x","groups":["g1","g2"],"via":"oidc"}""", json.GetProperty("principal").GetRawText());
        Assert.Equal("""{"k":"v"}""", json.GetProperty("tags").GetRawText());
        Assert.Equal("rejected.payments", json.GetProperty("to").GetString());
        Assert.False(json.TryGetProperty("after", out _));
        Assert.False(json.TryGetProperty("masked", out _));
    }

    [Fact]
    public void Write_Full_HasEveryList()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: t, when: 'false', tag: { a: b } }"));
        bench.Principal = Principal.None;
        bench.Decide(Bench.Payment);
        JsonElement json = JsonDocument.Parse(bench.Json(full: true)).RootElement;
        foreach (string list in (string[])["rules", "shadow", "reasons", "errors", "masked", "keys"]) { Assert.Equal("[]", json.GetProperty(list).GetRawText()); }
        Assert.Equal("{}", json.GetProperty("tags").GetRawText());
        Assert.Equal("""{"id":"","groups":[],"via":"none"}""", json.GetProperty("principal").GetRawText());
        Assert.False(json.TryGetProperty("binding", out _), "implied: it is named like the policy");
        JsonElement brief = JsonDocument.Parse(bench.Json()).RootElement;
        Assert.Equal(["v", "id", "seq", "event", "outcome", "time", "policy", "digest", "schema", "to"], brief.EnumerateObject().Select(member => member.Name));
    }

    [Fact]
    public void Write_OtherEvents_HaveSuffixBehindAndBefore()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: t, tag: { a: b } }").Replace("- name: payments", "- name: cards", StringComparison.Ordinal));
        bench.Decide(Bench.Payment);
        var json = new ByteBuffer();
        DecisionWriter.Write(json, bench.Verdict, bench.Principal, new DecisionFacts { Topic = "other\"topic", Partition = 3, Offset = 9, IdSuffix = "/end", Event = "released", Seq = long.MaxValue, TimeMs = -1, Behind = "raw.cards-3-8", Before = Enumerable.Repeat((byte)255, 32).ToArray() });
        JsonElement root = JsonDocument.Parse(json.Written.ToArray()).RootElement;
        Assert.Equal("other\"topic-3-9/end", root.GetProperty("id").GetString());
        Assert.Equal("released", root.GetProperty("event").GetString());
        Assert.Equal(long.MaxValue, root.GetProperty("seq").GetInt64());
        Assert.Equal("1969-12-31T23:59:59.999Z", root.GetProperty("time").GetString());
        Assert.Equal("cards", root.GetProperty("binding").GetString());
        Assert.Equal("raw.cards-3-8", root.GetProperty("behind").GetString());
        Assert.Equal("__________________________________________8", root.GetProperty("before").GetString());
    }

    [Fact]
    public void Write_AnyText_IsValidJson()
    {
        const int Seed = 7;
        var random = new Random(Seed);
        Bench bench = Bench.Of(Bench.Yaml("- { id: t, tag: { a: b } }"));
        bench.Decide(Bench.Payment);
        for (int round = 0; round < 500; round++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(20)).Select(_ => (char)(random.Next(3) == 0 ? random.Next(0x10000) : random.Next(0x80))));
            bench.Principal = new Principal(text, [text], "oidc", OwnGroups: true);
            JsonElement principal = JsonDocument.Parse(bench.Json()).RootElement.GetProperty("principal");

            // Half a surrogate pair cannot be written in UTF-8: both sides read U+FFFD.
            string expected = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
            Assert.True(expected == principal.GetProperty("id").GetString(), $"seed {Seed}, round {round}");
        }
    }
}
