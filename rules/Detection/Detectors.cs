using System.Text;
using PolicyStreams.Rules.Cel.Compilation;

namespace PolicyStreams.Rules.Detection;

/// <summary>What can be looked for in free text. Of overlapping hits the first here names them all.</summary>
internal enum Detector : byte { PrivateKey, Jwt, AwsKey, Email, Iban, Card, Ssn, Phone }

/// <summary>Where in a text something was found: bytes from <paramref name="Start"/> to before <paramref name="End"/>.</summary>
internal readonly record struct Hit(int Start, int End);

/// <summary>
/// The detectors: byte-wise scanners over UTF-8, in time linear in the text, without allocation. They look at form, separators, checksums, and assigned ranges; never at a network
/// or list outside. <c>docs/reference/detectors.md</c> says what each takes and how often it is right.
/// </summary>
internal static class Detectors
{
    public const int Count = 8;

    private static readonly string[] AllNames = ["private-key", "jwt", "aws-key", "email", "iban", "card", "ssn", "phone"];
    private static readonly byte[][] AllLabels = [.. AllNames.Select(name => Encoding.ASCII.GetBytes($"[{name.ToUpperInvariant()}]"))];
    private static readonly TextFormat[] Tests = [.. Enumerable.Range(0, Count).Select(i => new TextFormat(text => Find((Detector)i, text, 0, out _)))];

    /// <summary>Names as policies spell them, by <see cref="Detector"/>.</summary>
    public static IReadOnlyList<string> Names => AllNames;

    /// <summary>False for a name that is none.</summary>
    public static bool TryParse(string name, out Detector detector)
    {
        int index = Array.IndexOf(AllNames, name);
        detector = (Detector)Math.Max(index, 0);
        return index >= 0;
    }

    /// <summary><c>[CARD]</c>: what stands for a hit where a mask says nothing else.</summary>
    internal static ReadOnlySpan<byte> Label(Detector detector) => AllLabels[(int)detector];

    /// <summary>The detector as a test of a whole text.</summary>
    internal static TextFormat Test(Detector detector) => Tests[(int)detector];

    /// <summary>The first hit that starts at <paramref name="from"/> or behind; what stands before it may still decide whether it is one.</summary>
    /// <param name="text">Valid UTF-8; anything else is scanned too, and never fails.</param>
    public static bool Find(Detector detector, ReadOnlySpan<byte> text, int from, out Hit hit) => detector switch
    {
        Detector.PrivateKey => Secrets.PrivateKey(text, from, out hit),
        Detector.Jwt => Secrets.Jwt(text, from, out hit),
        Detector.AwsKey => Secrets.AwsKey(text, from, out hit),
        Detector.Email => EmailScanner.Find(text, from, out hit),
        Detector.Iban => IbanScanner.Find(text, from, out hit),
        Detector.Card => CardScanner.Find(text, from, out hit),
        Detector.Ssn => SsnScanner.Find(text, from, out hit),
        _ => PhoneScanner.Find(text, from, out hit),
    };
}

/// <summary>Hits of several detectors in one text, from left to right; hits that overlap are one.</summary>
internal ref struct DetectorScan
{
    private readonly ReadOnlySpan<byte> _text;
    private readonly Span<Hit> _next;
    private readonly uint _which;

    /// <param name="next">Scratch, <see cref="Detectors.Count"/> long.</param>
    /// <param name="which">A bit a detector.</param>
    public DetectorScan(ReadOnlySpan<byte> text, uint which, Span<Hit> next)
    {
        _text = text;
        _which = which;
        _next = next;
        for (int i = 0; i < Detectors.Count; i++) { Advance(i, 0); }
    }

    /// <param name="by">The first detector of those whose hits make this one.</param>
    public bool Next(out Hit hit, out Detector by)
    {
        int start = int.MaxValue;
        foreach (Hit one in _next) { start = Math.Min(start, one.Start); }
        hit = new Hit(start, start);
        by = default;
        if (start == int.MaxValue) { return false; }
        int first = Detectors.Count, end = start + 1;
        for (bool grown = true; grown;)
        {
            grown = false;
            for (int i = 0; i < Detectors.Count; i++)
            {
                while (_next[i].Start < end)
                {
                    first = Math.Min(first, i);
                    end = Math.Max(end, _next[i].End);
                    grown = true;
                    Advance(i, _next[i].End);
                }
            }
        }

        (hit, by) = (new Hit(start, end), (Detector)first);
        return true;
    }

    private readonly void Advance(int i, int from) =>
        _next[i] = (_which & (1u << i)) != 0 && Detectors.Find((Detector)i, _text, from, out Hit hit) ? hit : new Hit(int.MaxValue, int.MaxValue);
}
