using System.Text;
using PolicyStreams.Processor.Holds;
using PolicyStreams.Rules;

namespace PolicyStreams.Processor.Tests.Holds;

public sealed class HoldStateTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, 200)];

    [Fact]
    public void Write_FullState_IsTheDocumentedText()
    {
        HoldState state = HoldTally.Add(HoldSamples.Hold(), HoldSamples.Says(HoldSamples.Hold(), "ann"), offset: 5, appendedMs: HoldSamples.Decided + 1000);
        string expected = $$$"""
            {"v":1,"id":"raw.payments-0-42","binding":"payments","policy":"payments","digest":"{{{HoldSamples.Digest}}}","rules":["card-number","large-payment"],"reasons":["large payment"],
            "terms":[{"rule":"large-payment","approvers":["risk"],"quorum":2,"expires":14400,"on_expiry":"deny","scope":"record","own_group_may_approve":false,"reason":"large payment"}],
            "principal":{"id":"checkout","groups":["payments-producers"],"via":"topic"},"key":"c-1","schema":7,"decided":"2026-01-02T03:04:05.678Z","expires":"2026-01-02T07:04:05.678Z","reheld":0,
            "view":{"amount":12000.0,"customer":{"email":"***"}},"record":"{{{HoldSamples.Record}}}","view_digest":"{{{HoldState.DigestOf(HoldSamples.View)}}}",
            "statements":[{"offset":5,"verdict":"approve","issuer":"https://id.example","subject":"ann","groups":["risk"],"time":"2026-01-02T03:04:06.678Z"}]}
            """;
        Assert.Equal(expected.ReplaceLineEndings(""), HoldSamples.Text(state));
    }

    [Theory, MemberData(nameof(Seeds))]
    public void TryParse_WhatWasWritten_WritesTheSameBytes(int seed)
    {
        var random = new Random(seed);
        HoldState state = Any(random);
        byte[] bytes = HoldSamples.Bytes(state);
        HoldState? read = HoldState.TryParse(bytes, out string? error);
        Assert.True(read is not null, $"seed {seed}: {error}");
        Assert.Equal(bytes, HoldSamples.Bytes(read));
        Assert.Equal(state.View.ToArray(), read.View.ToArray());
        Assert.Equal(state.Terms, read.Terms);
        Assert.Equal(state.Principal.Groups, read.Principal.Groups);
        Assert.Equal((state.Key, state.Schema, state.DecidedMs, state.ExpiresMs, state.Behind, state.Record), (read.Key, read.Schema, read.DecidedMs, read.ExpiresMs, read.Behind, read.Record));
    }

    [Theory, MemberData(nameof(Seeds))]
    public void TryParse_DamagedBytes_NeverThrowsAndNeverQuotesThem(int seed)
    {
        var random = new Random(seed);
        byte[] bytes = HoldSamples.Bytes(HoldSamples.Hold() with { Key = "SECRETSECRET" });
        for (int round = 0; round < 50; round++)
        {
            byte[] damaged = [.. bytes];
            for (int i = random.Next(1, 4); i > 0; i--) { damaged[random.Next(damaged.Length)] = (byte)random.Next(256); }
            damaged = damaged[..random.Next(damaged.Length / 2, damaged.Length + 1)];
            HoldState? state = HoldState.TryParse(damaged, out string? error);
            Assert.True(state is null == error is not null, $"seed {seed}");
            Assert.DoesNotContain("SECRET", error ?? "");
        }
    }

    [Fact]
    public void TryParse_UnknownNames_AreIgnored()
    {
        string text = HoldSamples.Text(HoldSamples.Hold()).Replace("\"binding\":", "\"later\":{\"x\":[1]},\"binding\":", StringComparison.Ordinal);
        Assert.NotNull(HoldState.TryParse(Encoding.UTF8.GetBytes(text), out _));
    }

    [Fact]
    public void TryParse_LaterVersion_IsRefusedByItsNumber()
    {
        string text = HoldSamples.Text(HoldSamples.Hold()).Replace("{\"v\":1", "{\"v\":2", StringComparison.Ordinal);
        Assert.Null(HoldState.TryParse(Encoding.UTF8.GetBytes(text), out string? error));
        Assert.Contains("version is 2", error);
    }

    [Theory]
    [InlineData("\"quorum\":2", "\"quorum\":0", "quorum")]
    [InlineData("\"quorum\":2", "\"quorum\":17", "quorum")]
    [InlineData("\"quorum\":2", "\"quorum\":2.5", "quorum")]
    [InlineData("\"quorum\":2", "\"quorum\":\"2\"", "quorum")]
    [InlineData("\"approvers\":[\"risk\"]", "\"approvers\":[]", "approvers")]
    [InlineData("\"approvers\":[\"risk\"]", "\"approvers\":[1]", "approvers")]
    [InlineData("\"on_expiry\":\"deny\"", "\"on_expiry\":\"hold\"", "on_expiry")]
    [InlineData("\"own_group_may_approve\":false", "\"own_group_may_approve\":0", "own_group_may_approve")]
    [InlineData("\"expires\":\"2026-01-02T07:04:05.678Z\"", "\"expires\":\"2026-01-02\"", "expires")]
    [InlineData("\"expires\":\"2026-01-02T07:04:05.678Z\",", "", "expires")]
    [InlineData("\"key\":\"c-1\"", "\"key\":1", "key")]
    [InlineData("\"key\":\"c-1\"", "\"key\":\"c-1\",\"key\":\"c-2\"", "twice")]
    [InlineData("\"key\":\"c-1\"", "\"key\":\"\\ud800\"", "key")]
    [InlineData("\"\\ud800\":1,\"key\"", "", "")]
    [InlineData("\"policy\":\"payments\"", "\"policy\":\"\"", "policy")]
    [InlineData("\"reheld\":0", "\"reheld\":-1", "reheld")]
    [InlineData("\"statements\":[]", "\"statements\":{}", "statements")]
    public void TryParse_WrongMember_SaysWhich(string written, string changed, string named)
    {
        string text = HoldSamples.Text(HoldSamples.Hold());
        if (changed.Length == 0 && named.Length == 0) { (written, changed) = ("\"key\"", written); }
        Assert.Contains(written, text);
        Assert.Null(HoldState.TryParse(Encoding.UTF8.GetBytes(text.Replace(written, changed, StringComparison.Ordinal)), out string? error));
        Assert.Contains(named, error);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"v\":1}")]
    [InlineData("{\"v\":1} {}")]
    public void TryParse_NoState_IsAnError(string text) => Assert.Null(HoldState.TryParse(Encoding.UTF8.GetBytes(text), out _));

    [Fact]
    public void TryParse_InvalidUtf8InTheView_IsRefused()
    {
        byte[] bytes = HoldSamples.Bytes(HoldSamples.Hold());
        bytes[bytes.AsSpan().IndexOf("***"u8)] = 0xff;
        Assert.Null(HoldState.TryParse(bytes, out string? error));
        Assert.Contains("UTF-8", error);
    }

    [Fact]
    public void TryParse_DeepView_IsRead()
    {
        byte[] view = Encoding.UTF8.GetBytes(new string('[', 500) + new string(']', 500));
        byte[] bytes = HoldSamples.Bytes(HoldSamples.Hold() with { View = view, ViewDigest = HoldState.DigestOf(view) });
        Assert.Equal(view, HoldState.TryParse(bytes, out _)!.View.ToArray());
    }

    [Fact]
    public void TryParse_ProducerOfVeryManyGroups_IsRead()
    {
        string[] groups = [.. Enumerable.Range(0, 20_000).Select(i => new string('g', 100) + i)];
        byte[] bytes = HoldSamples.Bytes(HoldSamples.Hold() with { Principal = new Principal(new string('p', 20_000), groups, "oidc", OwnGroups: true) });
        Assert.Equal(groups, HoldState.TryParse(bytes, out _)!.Principal.Groups);
    }

    [Fact]
    public void ToString_State_SaysNoData() => Assert.Equal("raw.payments-0-42", HoldSamples.Hold().ToString());

    private static HoldState Any(Random random)
    {
        string Text() => HoldSamples.AnyText(random, 12);
        string[] Texts() => [.. Enumerable.Range(0, random.Next(3)).Select(_ => Text())];
        byte[][] views = ["null"u8.ToArray(), "[]"u8.ToArray(), "{ \"a\" : [1, 2.50, -0.0, 1e400] }"u8.ToArray(), "{\"a\":1,\"a\":2}"u8.ToArray(), "\"\\u00e9\\ud800\""u8.ToArray()];
        byte[] view = views[random.Next(views.Length)];
        HoldTerms[] terms = [.. Enumerable.Range(0, random.Next(3)).Select(_ => new HoldTerms
        {
            Rule = Text(),
            Approvers = [Text(), .. Texts()],
            Quorum = random.Next(1, 17),
            Expires = TimeSpan.FromSeconds(random.Next(1, 90 * 86_400 + 1)),
            OnExpiry = (OnExpiry)random.Next(2),
            Scope = (HoldScope)random.Next(2),
            OwnGroupMayApprove = random.Next(2) == 0,
            Reason = random.Next(2) == 0 ? "" : Text(),
        })];
        return new HoldState
        {
            Id = "raw.x-1-" + random.Next(),
            Binding = Text(),
            Policy = Text(),
            Digest = HoldState.DigestOf(view),
            Rules = Texts(),
            Reasons = Texts(),
            Terms = terms,
            Principal = new Principal(random.Next(2) == 0 ? "" : Text(), Texts(), "oidc", random.Next(2) == 0),
            Key = random.Next(3) switch { 0 => null, 1 => "", _ => Text() },
            Schema = random.Next(2) == 0 ? null : random.Next(),
            DecidedMs = random.NextInt64(0, 4_000_000_000_000),
            ExpiresMs = terms.Length == 0 ? null : random.NextInt64(0, 4_000_000_000_000),
            Behind = terms.Length == 0 || random.Next(2) == 0 ? "raw.x-1-7" : null,
            Reheld = random.Next(3),
            View = view,
            Record = random.Next(2) == 0 ? null : HoldSamples.Record,
            ViewDigest = HoldState.DigestOf(view),
            Statements = [.. Enumerable.Range(0, random.Next(3)).Select(i => new CountedStatement(i, (StatementVerdict)random.Next(2), Text(), Text(), Texts(), random.NextInt64(0, 4_000_000_000_000)))],
        };
    }
}
