using System.Security.Cryptography;
using System.Text;
using PolicyStreams.Schemas;

namespace PolicyStreams.Rules.Masking;

/// <summary>A mask of one rule, everything that can be worked out at load worked out. Immutable, thread-safe.</summary>
internal sealed class CompiledMask
{
    public required MaskDocument Document { get; init; }

    public MaskMethod Method => Document.Method;

    /// <summary>The rule's index among the binding's.</summary>
    public required int Rule { get; init; }

    /// <summary>Selector in the value's capture plan (or the key's), or -1.</summary>
    public int Selector { get; init; } = -1;

    /// <summary>Where the masked value is.</summary>
    public required PathRoot Root { get; init; }

    /// <summary>As decisions name it where the mask has one place only (a header, the whole key); else empty.</summary>
    public string PathText { get; init; } = "";

    public byte[] HeaderName { get; init; } = [];

    public byte[] Constant { get; init; } = [];

    /// <summary>Id of the key; empty for masks without one.</summary>
    public string KeyId { get; init; } = "";

    public ReadOnlyMemory<byte> Key { get; init; }

    public PatternMask? Pattern { get; init; }

    /// <summary>What <c>detect</c> looks for, a bit a detector.</summary>
    public uint Detect { get; init; }

    /// <summary>Makes the mask from what its author wrote.</summary>
    /// <param name="keys">Must have the mask's key.</param>
    public static CompiledMask Create(MaskDocument document, int rule, int selector, KeyRing keys, PatternMask? pattern)
    {
        ReadOnlyMemory<byte> key = default;
        string keyId = "";
        if (document.KeyName is not null) { keys.TryGet(document.KeyName, out key, out keyId); }
        PathRoot root = document.Path?.Root ?? PathRoot.Value;
        return new CompiledMask
        {
            Document = document,
            Rule = rule,
            Selector = selector,
            Root = root,
            PathText = root != PathRoot.Value ? document.Path!.ToString() : "",
            HeaderName = root == PathRoot.Header ? Encoding.UTF8.GetBytes(document.Path!.Header!) : [],
            Constant = Encoding.UTF8.GetBytes(document.Constant),
            Key = key,
            KeyId = keyId,
            Pattern = pattern,
            Detect = Bits(document.Detect),
        };
    }

    private static uint Bits(IReadOnlyList<string> names)
    {
        uint bits = 0;
        foreach (string name in names)
        {
            if (Detection.Detectors.TryParse(name, out Detection.Detector detector)) { bits |= 1u << (int)detector; }
        }

        return bits;
    }

    public override string ToString() => $"{Document.MethodName} of rule {Rule}";
}
