using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using PolicyStreams.Schemas;
using PolicyStreams.Schemas.Capture;
using PolicyStreams.Schemas.Json;

namespace PolicyStreams.Conformance.Tests;

/// <summary>Masked JSON, byte for byte: the cases of the folder that POLICYSTREAMS_JSON_CASES names.</summary>
public class JsonConformance(ITestOutputHelper output)
{
    private static readonly byte[] _hmacKey = "case-key-0123456789abcdef01234567"u8.ToArray();

    [Fact]
    public void Rewrite_EveryCase_GivesTheExpectedBytes()
    {
        string? folder = Environment.GetEnvironmentVariable("POLICYSTREAMS_JSON_CASES");
        Assert.SkipWhen(string.IsNullOrEmpty(folder), "POLICYSTREAMS_JSON_CASES is not set.");
        Assert.Equal(0, Run(folder!, output.WriteLine));
    }

    /// <summary>How many cases of a folder disagree.</summary>
    internal static int Run(string folder, Action<string> say)
    {
        using var tally = new CaseTally(say);
        foreach (string file in Directory.EnumerateFiles(folder, "*.jsonl", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            int number = 0;
            foreach (string line in File.ReadLines(file))
            {
                number++;
                if (!string.IsNullOrWhiteSpace(line)) { tally.Case($"{Path.GetFileName(file)}:{number}", () => Disagreement(line)); }
            }

            tally.EndFile(Path.GetRelativePath(folder, file));
        }

        return tally.Disagreeing;
    }

    /// <summary>Null where the case agrees.</summary>
    private static string? Disagreement(string line)
    {
        using JsonDocument document = JsonDocument.Parse(line);
        JsonElement root = document.RootElement;
        byte[] text = Encoding.UTF8.GetBytes(root.GetProperty("text").GetString()!);
        byte[] expected = Encoding.UTF8.GetBytes(root.GetProperty("expected").GetString()!);
        FieldPath path = CasePath.Parse(root.GetProperty("path").GetString()!);
        var plan = new CapturePlan { Root = new CaptureRow { Node = new CaptureNode { Type = SchemaType.AnyJson } }, Selectors = [new MaskSelector(path, null)] };
        RecordProgram program = SchemalessJson.Instance.Compile(plan, WalkLimits.Default, []);
        var frame = new CaptureFrame();
        DecodeOutcome outcome = program.Walk(text, frame);
        if (outcome != DecodeOutcome.Decoded) { return $"refused as {outcome}"; }
        var written = new ByteBuffer();
        RewriteOutcome rewritten = program.Rewrite(text, frame, new CaseMasker(root.GetProperty("with").GetString()!), written);
        if (rewritten != RewriteOutcome.Written) { return $"{rewritten}"; }
        int same = written.Written.CommonPrefixLength(expected);
        return same == expected.Length && same == written.Length ? null : $"differs from byte {same} on (path {path})";
    }

    private sealed class CaseMasker(string with) : ISiteMasker
    {
        public SiteResult Mask(ReadOnlySpan<MaskSite> sites, ReadOnlySpan<byte> text, ByteBuffer replacement)
        {
            if (sites[0].Kind != ValueKind.String) { return new SiteResult(SiteAction.Keep); }
            replacement.Append(with switch
            {
                "constant" => "***"u8.ToArray(),
                "hmac" => Encoding.ASCII.GetBytes(Convert.ToHexStringLower(HMACSHA256.HashData(_hmacKey, text).AsSpan(0, 16))),
                "keep_last_4" => Encoding.UTF8.GetBytes(KeepLast(Encoding.UTF8.GetString(text), 4)),
                _ => throw new InvalidOperationException("A mask that no case had."),
            });
            return new SiteResult(SiteAction.Text);
        }

        private static string KeepLast(string text, int count)
        {
            Rune[] runes = [.. text.EnumerateRunes()];
            int kept = runes.Length > count ? count : 0;
            return new string('*', runes.Length - kept) + string.Concat(runes.Skip(runes.Length - kept).Select(rune => rune.ToString()));
        }
    }
}
