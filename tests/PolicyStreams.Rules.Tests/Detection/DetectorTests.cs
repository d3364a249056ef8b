using System.Diagnostics;
using System.Text;
using System.Text.Json;
using PolicyStreams.Rules.Detection;
using PolicyStreams.Tests;

namespace PolicyStreams.Rules.Tests.Detection;

public class DetectorTests
{
    private static string Note(string mask, string note) =>
        Bench.Of(Bench.Yaml($"- {{ id: m, mask: {{ {mask} }} }}")).Mask(With(note)).GetProperty("note").GetString()!;

    private static string With(string note) => Bench.Payment.Replace("\"note\":null", $"\"note\":{JsonSerializer.Serialize(note)}", StringComparison.Ordinal);

    private static string Refused(string rule)
    {
        Assert.Null(Bench.TryOf(Bench.Yaml(rule), [], out IReadOnlyList<Diagnostic> diagnostics));
        return string.Join("\n", diagnostics);
    }

    private static List<string> Spans(string text, params Detector[] which)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        var scan = new DetectorScan(bytes, which.Aggregate(0u, (bits, one) => bits | (1u << (int)one)), stackalloc Hit[Detectors.Count]);
        var spans = new List<string>();
        while (scan.Next(out Hit hit, out Detector by)) { spans.Add($"{by}:{Encoding.UTF8.GetString(bytes.AsSpan(hit.Start, hit.End - hit.Start))}"); }
        return spans;
    }

    [Theory]
    [InlineData("detect: [card], in: note", "paid with [CARD], 4111111111111112 failed")]
    [InlineData("detect: [email, card, phone], in: note", "paid with [CARD], 4111111111111112 failed")]
    [InlineData("detect: [card], in: note, redact: true", "paid with , 4111111111111112 failed")]
    [InlineData("detect: [card], in: note, constant: '#'", "paid with #, 4111111111111112 failed")]
    [InlineData("detect: [card], in: note, keep_last: 4", "paid with ***************1111, 4111111111111112 failed")]
    [InlineData("detect: [card], in: note, keep_first: 4", "paid with 4111***************, 4111111111111112 failed")]
    [InlineData("detect: [card], in: note, pattern: { match: '[0-9]', replace: 'n' }", "paid with nnnn nnnn nnnn nnnn, 4111111111111112 failed")]
    public void Mask_OfAHit_ChangesItAndNothingElse(string mask, string expected) => Assert.Equal(expected, Note(mask, "paid with 4111 1111 1111 1111, 4111111111111112 failed"));

    [Fact]
    public void Mask_WithKeys_IsOfTheHitAlone()
    {
        Assert.Matches("^to [0-9a-f]{32}!$", Note("detect: [email], in: note, hmac: customer-key", "to ada@example.com!"));
        string token = Note("detect: [card], in: note, token: { key: customer-key }", "to 4111-1111-1111-1111!");
        Assert.Matches("^to [0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{4}!$", token);
        Assert.Equal($"to {Bench.Of(Bench.Yaml("- { id: m, mask: { field: merchant, token: customer-key } }")).Mask(Bench.Payment.Replace("Books", "4111-1111-1111-1111", StringComparison.Ordinal)).GetProperty("merchant").GetString()}!", token);
        string sealedText = Note("detect: [iban], in: note, encrypt: other-key", "to DE89370400440532013000!");
        Assert.Matches("^to psenc1:other-key@3:[A-Za-z0-9_-]+!$", sealedText);
        Assert.True(MaskedText.TryDecrypt(sealedText[3..^1], Bench.Keys(), out string text));
        Assert.Equal("DE89370400440532013000", text);
        Bench named = Bench.Of(Bench.Yaml("- { id: m, mask: { detect: [email], in: note, hmac: customer-key } }"));
        named.Mask(With("to ada@example.com!"));
        Assert.Contains("\"masked\":[\"note\"],\"keys\":[\"customer-key@1\"]", named.Json(), StringComparison.Ordinal);
    }

    [Fact]
    public void Mask_WithoutAHit_LeavesTheRecordAsItCame()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { detect: [card, email], in: note } }"));
        bench.Decide(With("nothing at all"));
        Assert.Equal((Outcome.Allow, false, "m"), (bench.Verdict.Outcome, bench.Verdict.ValueRewritten, string.Join(",", bench.Verdict.Rules)));
        bench.Decide(Bench.Payment);
        Assert.Equal((Outcome.Allow, 0), (bench.Verdict.Outcome, bench.Verdict.Rules.Count));
    }

    [Fact]
    public void Mask_ThatCannotBeAppliedToAHit_DeniesTheRecord()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: m, mask: { detect: [card], in: note, token: customer-key } }"));
        bench.Decide(With("４１１１ １１１１ １１１１ １１１１"));
        Assert.Equal(Outcome.Deny, bench.Verdict.Outcome);
        Assert.Equal([new DecisionError("m", "mask-value")], bench.Verdict.Errors);
        Assert.Equal(0, bench.Output.Length);
    }

    [Fact]
    public void Mask_InTagsListsHeadersKeysAndJson_Works()
    {
        JsonElement tagged = Bench.Of(Bench.Yaml("- { id: m, mask: { detect: [email], in: { tag: PII } } }")).Mask(Bench.Payment);
        Assert.Equal(("Ada Lovelace", "[EMAIL]"), (tagged.GetProperty("customer").GetProperty("name").GetString(), tagged.GetProperty("customer").GetProperty("email").GetString()));
        Bench json = Bench.Of(Bench.JsonYaml("- { id: m, mask: { detect: [ssn], in: 'notes[*].text' } }"));
        Assert.Equal("{\"notes\":[{\"text\":\"a [SSN]\"},{\"text\":\"b\"}]}", json.Mask("{\"notes\":[{\"text\":\"a 536-90-4399\"},{\"text\":\"b\"}]}").GetRawText());
        json.Decide("{\"notes\":[{\"text\":5}]}");
        Assert.Equal([new DecisionError("m", "mask-type")], json.Verdict.Errors);
        Bench key = Bench.Of(Bench.Yaml("- { id: m, mask: { detect: [email], in: key, redact: true } }\n- { id: h, mask: { detect: [card], in: 'headers[\"x\"]' } }"));
        key.Key = "to ada@example.com"u8.ToArray();
        key.Headers.Add("x"u8, "4111111111111111"u8);
        key.Headers.Add("x"u8, "as it is"u8);
        key.Decide(Bench.Payment);
        Assert.Equal(("to ", "x=[CARD],x=as it is"), (key.KeyText(), string.Join(",", Masking.HeaderTests.Texts(key.Verdict.Headers).Take(2))));
    }

    [Theory]
    [InlineData("detect: [card]", "PS0108", "`in`")]
    [InlineData("detect: [card], field: note", "PS0108", "takes `in`, not `field`")]
    [InlineData("detect: [card], tag: PII", "PS0108", "in: { tag: TAG }")]
    [InlineData("in: note, redact: true", "PS0108", "goes with `detect`")]
    [InlineData("detect: [card], in: note, redact: true, constant: x", "PS0108", "more than one method")]
    [InlineData("detect: [], in: note", "PS0103", "empty")]
    [InlineData("detect: card, in: note", "PS0102", "write [card]")]
    [InlineData("detect: [crad], in: note", "PS0103", "did you mean `card`?")]
    [InlineData("detect: [card, card], in: note", "PS0105", "twice")]
    [InlineData("detect: [card], in: note, bucket: 5", "PS0103", "does nothing to a part of a text")]
    [InlineData("detect: [card], in: note, remove: true", "PS0103", "does nothing to a part of a text")]
    [InlineData("detect: [card, email], in: note, token: customer-key", "PS0103", "`email` finds more")]
    [InlineData("detect: [card], in: { field: note }", "PS0100", "`field`")]
    [InlineData("detect: [card], in: [note]", "PS0102", "`in`")]
    [InlineData("detect: [card], in: nte", "PS0107", "did you mean `note`?")]
    [InlineData("detect: [card], in: { tag: PPI }", "PS0304", "did you mean `PII`?")]
    [InlineData("detect: [card], in: amount", "PS0305", "`detect` of rule `m` cannot mask `amount`")]
    [InlineData("detect: [card], in: channel", "PS0305", "enum")]
    [InlineData("detect: [card], in: note, hmac: nobody", "PS0306", "nobody")]
    [InlineData("detect: [card], in: note, pattern: { match: '(', replace: '' }", "PS0206", "pattern")]
    public void Mask_WrittenWrong_IsRefused(string mask, string code, string says)
    {
        string refused = Refused($"- {{ id: m, mask: {{ {mask} }} }}");
        Assert.Contains(code, refused, StringComparison.Ordinal);
        Assert.Contains(says, refused, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("value.note != null && detected(value.note, \"card\")", true)]
    [InlineData("value.note != null && detected(value.note, 'email')", false)]
    [InlineData("detected(value.card_number, \"card\") && !detected(value.merchant, \"phone\")", true)]
    [InlineData("[\"x\", value.note].exists(t, detected(t, \"card\"))", true)]
    [InlineData("detected(value.note + \"!\", \"card\")", true)]
    public void Condition_Detected_IsTrueWhereTheDetectorFindsSomething(string when, bool fires)
    {
        Bench bench = Bench.Of(Bench.Yaml($"- id: a\n  when: '{when.Replace("'", "''", StringComparison.Ordinal)}'\n  tag: {{ x: y }}"));
        foreach (bool emitted in (bool[])[false, true])
        {
            if (emitted) { bench.Binding.Conditions.Emit(); }
            bench.Decide(With("paid with 4111 1111 1111 1111"));
            Assert.Empty(bench.Verdict.Errors);
            Assert.Equal(fires, bench.Verdict.Rules.Contains("a"));
        }
    }

    [Theory]
    [InlineData("detected(value.merchant, \"crad\")", "PS0207", "did you mean `card`?")]
    [InlineData("detected(value.merchant, value.country)", "PS0207", "must be a constant")]
    [InlineData("detected(value.amount, \"card\")", "PS0205", "detected")]
    [InlineData("value.merchant.detected(\"card\")", "PS0205", "detected")]
    public void Condition_DetectedWrittenWrong_IsRefused(string when, string code, string says)
    {
        string refused = Refused($"- id: a\n  when: '{when}'\n  tag: {{ x: y }}");
        Assert.Contains(code, refused, StringComparison.Ordinal);
        Assert.Contains(says, refused, StringComparison.Ordinal);
    }

    [Fact]
    public void Condition_DetectedOfNull_IsAnError()
    {
        Bench bench = Bench.Of(Bench.Yaml("- { id: a, when: 'detected(value.note, \"card\")', tag: { x: y } }"));
        bench.Decide(Bench.Payment);
        Assert.Equal([new DecisionError("a", "null-use")], bench.Verdict.Errors);
    }

    [Fact]
    public void Scan_HitsThatOverlap_AreOneUnderTheFirstName()
    {
        const string Account = "to DE21 5595 0483 7107 2090 83 now";
        Assert.Equal(["Card:5595 0483 7107 2090"], Spans(Account, Detector.Card));
        Assert.Equal(["Iban:DE21 5595 0483 7107 2090 83"], Spans(Account, Detector.Card, Detector.Iban));
        Assert.Equal(["Email:ada@example.com", "Card:4111111111111111"], Spans("ada@example.com,4111111111111111", Detector.Card, Detector.Email));

        // A hit that begins in one and ends behind it: from the first byte to the last.
        Assert.Equal(["Jwt:eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln-ada@example.com"], Spans("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln-ada@example.com", Detector.Email, Detector.Jwt));
        Assert.Equal(["PrivateKey:-----BEGIN PRIVATE KEY----- 4111111111111111 ada@example.com"], Spans("-----BEGIN PRIVATE KEY----- 4111111111111111 ada@example.com", [.. Enum.GetValues<Detector>()]));
    }

    // Any bytes: nothing is thrown, hits lie in the text, one behind another, and a second look finds the same.
    [Fact]
    public void Find_AnyBytes_StaysWithinThem()
    {
        int seed = Fuzz.Seed();
        int seconds = int.TryParse(Environment.GetEnvironmentVariable("POLICYSTREAMS_FUZZ_SECONDS"), out int wanted) ? wanted : 4;
        var random = new Random(seed);
        byte[][] pieces =
        [
            .. DetectorCorpusTests.Corpus().Select(line => Encoding.UTF8.GetBytes(line.Text)), "-----BEGIN "u8.ToArray(), "PRIVATE KEY-----"u8.ToArray(), "-----END "u8.ToArray(), "eyJ"u8.ToArray(), "@"u8.ToArray(), "."u8.ToArray(), "+"u8.ToArray(), "("u8.ToArray(),
            [0xEF], [0xEF, 0xBC], [0xE2, 0x80], [0xC2], [0xFF], [0x80],
        ];
        var watch = Stopwatch.StartNew();
        int hits = 0, rounds = 0;
        Hit[] scratch = new Hit[Detectors.Count];
        for (; watch.Elapsed < TimeSpan.FromSeconds(seconds); rounds++)
        {
            var bytes = new List<byte>();
            for (int i = random.Next(8); i >= 0; i--)
            {
                byte[] piece = pieces[random.Next(pieces.Length)];
                int from = random.Next(piece.Length + 1);
                bytes.AddRange(random.Next(3) == 0 ? piece : piece[from..random.Next(from, piece.Length + 1)]);
                if (random.Next(4) == 0) { bytes.Add((byte)random.Next(256)); }
            }

            byte[] text = [.. bytes];
            foreach (Detector detector in Enum.GetValues<Detector>())
            {
                int end = 0;
                for (int from = 0; Detectors.Find(detector, text, from, out Hit hit); from = end = hit.End)
                {
                    Assert.True(hit.Start >= end && hit.End > hit.Start && hit.End <= text.Length, $"seed {seed}, round {rounds}: {detector} at {hit}");
                    hits++;
                }
            }

            // Together they cover every byte that one of them finds alone.
            var scan = new DetectorScan(text, 0xFF, scratch);
            int last = 0;
            bool[] covered = new bool[text.Length];
            while (scan.Next(out Hit hit, out _))
            {
                Assert.True(hit.Start >= last && hit.End > hit.Start && hit.End <= text.Length, $"seed {seed}, round {rounds}: {hit}");
                covered.AsSpan(hit.Start, hit.End - hit.Start).Fill(true);
                last = hit.End;
            }

            foreach (Detector detector in Enum.GetValues<Detector>())
            {
                foreach (Hit hit in DetectorCorpusTests.All(detector, text)) { Assert.False(covered.AsSpan(hit.Start, hit.End - hit.Start).Contains(false), $"seed {seed}, round {rounds}: {detector} at {hit} is not covered"); }
            }
        }

        Assert.True(hits > rounds / 10, $"{hits} hits in {rounds} rounds");
    }

    // A text of 1 MiB, whatever it repeats, takes about 64 times one of 16 KiB.
    [Theory]
    [InlineData("1")]
    [InlineData("1 ")]
    [InlineData("4111 ")]
    [InlineData("4111-1111-")]
    [InlineData("0171 12 ")]
    [InlineData("+4")]
    [InlineData("+(")]
    [InlineData("a@")]
    [InlineData("a.")]
    [InlineData("@a.b.")]
    [InlineData("DE89 3704 ")]
    [InlineData("DE89")]
    [InlineData("eyJ")]
    [InlineData("eyJhbGciOiJIUzI1NiJ9.")]
    [InlineData("eyJh.a ")]
    [InlineData("-----BEGIN ")]
    [InlineData("-----BEGIN CERTIFICATE----- -----END ")]
    [InlineData("-----BEGIN PRIVATE KEY----- -----END X ")]
    [InlineData("AKIA/")]
    [InlineData("secret aws ")]
    [InlineData("１")]
    [InlineData("tel ")]
    public void Find_LongTexts_TakesLinearTime(string piece)
    {
        // The best of some, and a wide margin: other tests run meanwhile. What grows with the square takes minutes here.
        double small = Best(Text(1 << 14)), large = Best(Text(1 << 20));
        Assert.True(large < 5_000 || large < small * 64 * 8, $"{small:0.00} ms and {large:0.00} ms");

        byte[] Text(int length) => Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(piece, length / piece.Length)));

        static double Best(byte[] text) => Enumerable.Range(0, 4).Min(_ => Time(text));

        static double Time(byte[] text)
        {
            var watch = Stopwatch.StartNew();
            foreach (Detector detector in Enum.GetValues<Detector>())
            {
                for (int from = 0; Detectors.Find(detector, text, from, out Hit hit); from = hit.End) { }
            }

            return watch.Elapsed.TotalMilliseconds;
        }
    }

    [Fact]
    public void Find_AnyText_AllocatesNothing()
    {
        byte[] text = Encoding.UTF8.GetBytes(string.Join('\n', DetectorCorpusTests.Corpus().Select(line => line.Text)));
        Hit[] scratch = new Hit[Detectors.Count];
        Assert.True(All() > 500);
        Assert.Equal(0, Allocated.By(() => All()));

        int All()
        {
            int hits = 0;
            var scan = new DetectorScan(text, 0xFF, scratch);
            while (scan.Next(out _, out _)) { hits++; }
            return hits;
        }
    }
}
